//! What can go wrong before a node is asked anything, and when it answers.

use std::{io, path::PathBuf};

use heliostat_core::Fault;

/// A setting or a credentials file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of a node is none. What was given is not repeated: it may
    /// hold a password.
    #[error("the node's address is not usable: {why}; write it like http://127.0.0.1:8232")]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {error}; {hint}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A file does not say what it has to.
    #[error("{}{}: {why}; {hint}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Conf {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, where there is one.
        line: Option<usize>,
        /// What is wrong, naming the key.
        why: String,
        /// What to do.
        hint: &'static str,
    },
    /// Two settings do not go together, or one lacks its other half.
    #[error("{why}; {hint}")]
    Settings {
        /// What is wrong.
        why: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The certificates or tokens for a node cannot be used.
    #[error(transparent)]
    Access(#[from] heliostat_node::AccessError),
    /// The HTTP client cannot be set up.
    #[error("cannot set up the connection to the node: {why}")]
    Client {
        /// Why not.
        why: String,
    },
}

/// What a call to a node can fail with.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RpcError {
    /// The node answered with an error of its own.
    #[error("{code}: {message}")]
    Node {
        /// The JSON-RPC error code, such as -8.
        code: i64,
        /// The node's words, whole.
        message: String,
    },
    /// There is no answer of the protocol, or none yet. The request may have
    /// reached the node, and the node may have acted on it.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The same, and the request never left: there was no connection, no
    /// free slot in time, or no credentials to send with it.
    #[error(transparent)]
    NotSent(Fault),
}

impl RpcError {
    /// The node's code, when it is the node that refused.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Node { code, .. } => Some(*code),
            Self::Fault(_) | Self::NotSent(_) => None,
        }
    }
}

impl From<RpcError> for Fault {
    /// An error of the node's own where an answer was needed: codes -8 and -5
    /// say that it does not have what was asked for; of anything else it can
    /// only be said that there was no usable reply.
    fn from(error: RpcError) -> Self {
        match error {
            RpcError::Fault(fault) | RpcError::NotSent(fault) => fault,
            RpcError::Node { code, message } => {
                let words = format!("the node answered error {code}: {}", shorten(&message));
                match code {
                    -5 | -8 => Self::Behind(words),
                    _ => Self::Unreachable(words),
                }
            }
        }
    }
}

/// A node's words for a log line: one line, not endless.
pub(crate) fn shorten(words: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = words
        .chars()
        .take(crate::defaults::SHOWN_WORDS)
        .map(plain)
        .collect();
    if shown.len() < words.len() {
        shown.push('…');
    }
    shown
}
