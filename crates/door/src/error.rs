//! Why a door could not be opened, in words an operator can act on.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a door could not be opened.
#[derive(Debug, Error)]
pub enum DoorError {
    /// The address cannot be read, or its name does not resolve.
    #[error("cannot listen on {given:?}: {reason}; write HOST:PORT, such as 127.0.0.1:9067")]
    Address {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An entry of a list of networks makes no sense.
    #[error("{given:?} is no network; write 192.0.2.0/24, 2001:db8::/32 or a single address")]
    Network {
        /// What was given.
        given: String,
    },
    /// A certificate, key, CA or list file cannot be used.
    #[error("cannot use {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with a hint.
        reason: String,
    },
    /// No certificate could be made.
    #[error("cannot make a certificate: {reason}")]
    SelfSigned {
        /// Why.
        reason: String,
    },
    /// A setting for tokens makes no sense.
    #[error("cannot check tokens: {reason}")]
    Tokens {
        /// What is wrong, with a hint.
        reason: String,
    },
    /// Plaintext beyond loopback without the operator's word.
    #[error(
        "cannot listen on {given}: it can be reached from other machines, and connections would not be encrypted; give a certificate and key, listen on 127.0.0.1 behind a proxy that ends TLS, or accept it with --no-tls-very-insecure, which is no-tls-very-insecure = true in [door]"
    )]
    Plaintext {
        /// What was given.
        given: String,
    },
    /// Something else listens there.
    #[error(
        "cannot listen on {given}: the port is in use; stop the program that has it (`ss -ltnp` shows which), or choose another port"
    )]
    InUse {
        /// What was given.
        given: String,
    },
    /// The system does not let us.
    #[error(
        "cannot listen on {given}: permission denied; ports below 1024 need a privilege, choose a higher one"
    )]
    Permission {
        /// What was given.
        given: String,
    },
    /// The address is not one of this machine's.
    #[error(
        "cannot listen on {given}: this machine does not have that address; use 127.0.0.1 or an address of this machine"
    )]
    NotOurs {
        /// What was given.
        given: String,
    },
    /// Anything else the system says.
    #[error("cannot listen on {given}: {reason}")]
    Other {
        /// What was given.
        given: String,
        /// The system's words.
        reason: io::Error,
    },
}

impl DoorError {
    /// Sorts what the system said on binding `given`.
    pub(crate) fn from_bind(given: &str, reason: io::Error) -> Self {
        let given = given.to_owned();
        match reason.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { given },
            io::ErrorKind::PermissionDenied => Self::Permission { given },
            io::ErrorKind::AddrNotAvailable => Self::NotOurs { given },
            _ => Self::Other { given, reason },
        }
    }
}
