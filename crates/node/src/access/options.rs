//! What an operator can set.

use std::{fmt, path::PathBuf};

/// A token or a password. Its `Debug` says nothing, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The access to one upstream. The default asks for nothing and shows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessOptions {
    /// PEM certificates of the only authorities that are trusted; without it,
    /// the machine's.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its intermediates, PEM; goes with `client_key`.
    /// Both are read again when they change.
    pub client_certificate: Option<PathBuf>,
    /// The private key of `client_certificate`, PEM.
    pub client_key: Option<PathBuf>,
    /// The token that goes with each request.
    pub bearer: Option<Bearer>,
}

/// Where a bearer token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// It was given.
    Value(Secret),
    /// The first line of a file, which is read again when it changes.
    File(PathBuf),
    /// An issuer gives it for client credentials.
    Client(ClientCredentials),
}

/// OAuth2 client credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The issuer's token endpoint: https, or http on this machine.
    pub token_url: String,
    /// Our name there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: ClientSecret,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// Whom the token is for, where the issuer wants to know.
    pub audience: Option<String>,
    /// PEM certificates of the only authorities that may vouch for the
    /// issuer.
    pub ca_file: Option<PathBuf>,
}

/// Where a client secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientSecret {
    /// It was given.
    Value(Secret),
    /// The first line of a file, read for each request to the issuer.
    File(PathBuf),
}
