//! What proves to an upstream who we are, and to us who it is: one place for
//! every ledger's HTTP client.
//!
//! | module | what it holds |
//! |---|---|
//! | [`options`] | what an operator can set |
//! | `tls` | pinned authorities; our certificate; both read again when they change |
//! | `token` | the bearer token: a value, a file, or fetched |
//! | `oauth` | client credentials (RFC 6749, 4.4), renewed ahead of their end |
//! | `file` | files of bounded size |
//! | `watched` | what is made of files, and made again when these change |
//!
//! Nothing secret is in an error, an event or a `Debug` text. A token never
//! goes over plain HTTP to another machine.

pub mod options;

mod file;
mod oauth;
mod tls;
mod token;
mod watched;

use std::{fmt, path::PathBuf, sync::Arc};

use heliostat_core::Fault;
use http::HeaderValue;
use reqwest::{ClientBuilder, Url};

pub use options::{AccessOptions, Bearer, ClientCredentials, ClientSecret, Secret};
use token::Token;

/// A setting that cannot be used. What is secret is not in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// A file cannot be used.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// Settings that do not go together, or one that makes no sense.
    #[error("{0}")]
    Setting(String),
}

impl AccessError {
    fn file(path: &std::path::Path, why: impl Into<String>) -> Self {
        Self::File {
            path: path.to_owned(),
            why: why.into(),
        }
    }
}

/// The access to one upstream. Cheap to clone; clones share their tokens.
#[derive(Clone, Default)]
pub struct Access {
    tls: Option<rustls::ClientConfig>,
    /// Whether we have a certificate to show.
    shows: bool,
    token: Option<Arc<Token>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("tls", &self.tls.is_some())
            .field("token", &self.token.is_some())
            .finish()
    }
}

impl Access {
    /// Nothing special: the machine's authorities, and no token.
    pub fn open_to_all() -> Self {
        Self::default()
    }

    /// Reads the files that are named; asks nobody.
    ///
    /// # Errors
    /// A file that cannot be read or used, or settings that do not go
    /// together; the words name what to do.
    pub fn open(options: &AccessOptions) -> Result<Self, AccessError> {
        let token = options.bearer.as_ref().map(Token::open).transpose()?;
        Ok(Self {
            tls: tls::config(options)?,
            shows: options.client_certificate.is_some(),
            token: token.map(Arc::new),
        })
    }

    /// Sets up an HTTP client for this upstream.
    pub fn client(&self, builder: ClientBuilder) -> ClientBuilder {
        match &self.tls {
            Some(config) => builder.tls_backend_preconfigured(config.clone()),
            None => builder,
        }
    }

    /// Whether it asks for TLS, which a plain `http` address cannot give.
    pub fn needs_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether a bearer token goes with each request.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether it can be used with this address.
    ///
    /// # Errors
    /// A certificate or an authority for a plain address, or a token that
    /// would cross the network in the clear.
    pub fn check(&self, url: &Url) -> Result<(), AccessError> {
        let plain = url.scheme() == "http";
        if plain && self.needs_tls() {
            let words = "an authority or a client certificate is set for an http:// address; \
                         write https://";
            return Err(AccessError::Setting(words.to_owned()));
        }
        if plain && self.has_token() && !is_loopback(url) {
            let words = "a bearer token would cross the network in the clear; write https://";
            return Err(AccessError::Setting(words.to_owned()));
        }
        Ok(())
    }

    /// The `Authorization` header of a request; `None` when there is no token.
    ///
    /// # Errors
    /// The token cannot be had; in words without it.
    pub async fn authorization(&self) -> Result<Option<HeaderValue>, Fault> {
        match &self.token {
            Some(token) => token.header().await.map(Some),
            None => Ok(None),
        }
    }

    /// Another header after `used` was refused, if there is one: the file was
    /// written anew, or the issuer gives another token.
    pub async fn renewed(&self, used: Option<&HeaderValue>) -> Option<HeaderValue> {
        let token = self.token.as_ref()?;
        token.renewed(used?).await
    }

    /// What an operator can do about a TLS connection that the upstream closed
    /// without an answer: with TLS 1.3 it refuses a client's certificate, or
    /// that there is none, only after the handshake.
    pub fn closed_hint(&self) -> &'static str {
        match self.shows {
            true => {
                "it may not trust our certificate: check client-cert, and which authority it trusts for clients"
            }
            false => "it may want to see a certificate of ours: set client-cert and client-key",
        }
    }

    /// What an operator can do about a token that is refused.
    pub fn hint(&self) -> Option<String> {
        self.token.as_ref().map(|token| token.hint())
    }
}

/// Whether an address is of this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
