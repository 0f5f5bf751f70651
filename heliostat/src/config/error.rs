//! Why a configuration cannot be used.

use thiserror::Error;

use super::lines::{Lines, line};

/// Why a configuration cannot be used. All of them exit with code 2.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}; give the file with --config FILE")]
    File {
        /// The file.
        path: String,
        /// The system's words.
        reason: std::io::Error,
    },
    /// Something in a file: it is not TOML, or a key or value makes no sense.
    #[error("{at}: {reason}")]
    InFile {
        /// The file, and the line where there is one.
        at: String,
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// A key that means nothing, or whose value has the wrong type.
    #[error("{words}")]
    Misfit {
        /// The key.
        path: String,
        /// What is wrong with it.
        words: String,
    },
    /// A setting whose value makes no sense.
    #[error("{setting}: {reason}")]
    Value {
        /// The setting, by its key in the file.
        setting: String,
        /// What is wrong and how to mend it.
        reason: String,
    },
}

impl ConfigError {
    /// A setting whose value makes no sense.
    pub fn value(setting: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Value {
            setting: setting.into(),
            reason: reason.into(),
        }
    }

    /// What the parser says of the text of the file at `path`. The line itself
    /// is not repeated: it may hold a secret.
    pub(super) fn of_toml(error: &toml::de::Error, text: &str, path: &str) -> Self {
        let reason = error.message().trim_end().replace('\n', "; ");
        let at = match error.span() {
            Some(span) => format!("{path} line {}", line(text, span.start)),
            None => path.to_owned(),
        };
        Self::InFile { at, reason }
    }

    /// The same with the file, and the line of the setting it is about.
    pub(super) fn in_file(self, file: &str, lines: &Lines) -> Self {
        let setting = match &self {
            Self::Value { setting, .. } => setting,
            Self::Misfit { path, .. } => path,
            Self::File { .. } | Self::InFile { .. } => return self,
        };
        let at = match lines.at(setting) {
            Some(line) => format!("{file} line {line}"),
            None => file.to_owned(),
        };
        let reason = self.to_string();
        Self::InFile { at, reason }
    }
}
