//! The `heliostat` command; everything is in the library beside it.

use std::process::ExitCode;

use clap::Parser;
use heliostat::cli::{self, Cli};

fn main() -> ExitCode {
    // clap itself ends usage errors with exit code 2.
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
