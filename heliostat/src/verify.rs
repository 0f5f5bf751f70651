//! `heliostat verify`: proves the replica again from the bytes on disk.

use crate::{cli::exit::Failure, config::Config};

/// Refuses, until the audit of stored chains is part of the build.
///
/// # Errors
/// Always.
pub fn run(_config: Config, _deep: bool, _json: bool) -> Result<(), Failure> {
    Err(Failure::failed("this build cannot verify a store yet"))
}
