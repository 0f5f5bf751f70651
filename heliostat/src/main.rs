//! The `heliostat` command; everything is in the library beside it.

use std::process::ExitCode;

use clap::Parser;
use heliostat::cli::{self, Cli};

fn main() -> ExitCode {
    // First of all, while there is one thread. Without it, more memory is
    // kept and everything works.
    let _ = heliostat_allocator::keep_little();
    // clap itself ends usage errors with exit code 2.
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
