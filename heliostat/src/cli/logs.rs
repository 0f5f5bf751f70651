//! The flags of every quick start that are about its log.

use std::path::PathBuf;

use clap::Args;
use heliostat_observe::logs::{Format, Level};

use crate::config::{ObserveConfig, effective::Origins};

/// What is logged, how and where.
#[derive(Debug, Default, Args)]
pub struct LogArgs {
    /// off, error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<Level>,
    /// text or json [default: text; json with --log-file]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    log_format: Option<Format>,
    /// Append events to a file instead of standard error
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

impl LogArgs {
    /// Which flag sets what.
    pub(crate) fn origins(&self, origins: &mut Origins) {
        let has_file = self.log_file.is_some();
        for (setting, flag, given) in [
            ("level", "--log-level", self.log_level.is_some()),
            ("format", "--log-file", has_file),
            ("format", "--log-format", self.log_format.is_some()),
            ("file", "--log-file", has_file),
        ] {
            if given {
                origins.flag(format!("observe.log-{setting}"), flag);
            }
        }
    }

    /// Sets what the flags say, and the default of the rest.
    pub fn apply(self, observe: &mut ObserveConfig) {
        let format = match self.log_file {
            Some(_) => Format::Json,
            None => Format::Text,
        };
        observe.log_level = self.log_level.unwrap_or_default();
        observe.log_format = self.log_format.unwrap_or(format);
        observe.log_file = self.log_file;
    }
}

/// `text` or `json`.
fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("write text or json".to_owned()),
    }
}
