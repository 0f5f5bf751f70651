//! How a command ends when it did not do what was asked.

use std::process::ExitCode;

use heliostat_store::StoreError;

use crate::config::ConfigError;

/// Why a command ends, which decides its exit code.
#[derive(Debug)]
pub enum Failure {
    /// Code 1: it was tried and failed.
    Failed(anyhow::Error),
    /// Code 2: the command line or the configuration makes no sense.
    Usage(anyhow::Error),
    /// Code 1, and people have been told already.
    Said,
    /// Code 3: everything is in order, but not ready yet.
    NotReady(String),
}

impl Failure {
    /// A failure in words.
    pub fn failed(words: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(words.into()))
    }

    /// A usage error in words.
    pub fn usage(words: impl Into<String>) -> Self {
        Self::Usage(anyhow::Error::msg(words.into()))
    }

    /// Tells people, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Failed(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(1)
            }
            Self::Said => ExitCode::from(1),
            Self::Usage(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(2)
            }
            Self::NotReady(why) => {
                eprintln!("not ready: {why}");
                ExitCode::from(3)
            }
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.into())
    }
}

/// A store's error: a wrong address is a usage error.
pub(crate) fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::Address { .. } => Failure::Usage(error.into()),
        other => Failure::failed(store_words(&other)),
    }
}

/// A store's error in words, with what an operator can do about it.
pub(crate) fn store_words(error: &StoreError) -> String {
    let words = error.to_string();
    let hint = match error {
        StoreError::Unavailable { store, .. } if store.starts_with("sqlite:") => {
            "; give its folder to the user this runs as, or set store.address to another place"
        }
        StoreError::Unavailable { .. } => {
            "; is the server running there, and may this user log in?"
        }
        _ => "",
    };
    // Some know better advice themselves.
    match words.contains("; ") {
        true => words,
        false => words + hint,
    }
}
