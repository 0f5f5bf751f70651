//! `heliostat show-config`, `completions` and `man`: what the program knows of
//! itself.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use super::{Cli, Target, exit::Failure};
use crate::config::{
    Config,
    effective::{self, Origins},
};

/// The name that is typed.
const NAME: &str = "heliostat";

/// Prints the effective configuration of `target`.
///
/// # Errors
/// The configuration makes no sense, or standard output is gone.
pub fn config(target: Target, json: bool) -> Result<(), Failure> {
    let file = target.config.clone();
    let origins = target.origins()?;
    effective(&target.config(false)?, &origins, file.as_deref(), json)
}

/// Prints a configuration, read from `file` if from one.
///
/// # Errors
/// Standard output is gone.
pub(crate) fn effective(
    config: &Config,
    origins: &Origins,
    file: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    let sections = effective::sections(config, origins, &environment);
    print(&match json {
        true => format!("{}\n", json!({ "file": file, "sections": sections })),
        false => effective::toml(&sections),
    })
}

/// Prints the completions of `shell`.
///
/// # Errors
/// Standard output is gone.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), NAME, &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// Writes one man page a command into `folder`, or prints that of the program.
///
/// # Errors
/// The folder cannot be made or written to.
pub fn man(folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder else {
        let mut text = Vec::new();
        let page = clap_mangen::Man::new(command()).render(&mut text);
        page.map_err(|error| Failure::failed(format!("cannot write the page: {error}")))?;
        return print(&String::from_utf8_lossy(&text));
    };
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command(), folder));
    written.map_err(|error| {
        Failure::failed(format!(
            "cannot write man pages into {}: {error}; name a folder that can be written to",
            folder.display()
        ))
    })?;
    eprintln!("man pages are in {}", folder.display());
    Ok(())
}

/// The command line without the commands that are for building the project:
/// not every shell's completions leave out what is hidden.
fn command() -> Command {
    let all = Cli::command();
    let shown = all.get_subcommands().filter(|one| !one.is_hide_set());
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .about(all.get_about().cloned().unwrap_or_default())
        .after_help(all.get_after_help().cloned().unwrap_or_default())
        .args(all.get_arguments())
        .subcommands(shown)
}

/// A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}
