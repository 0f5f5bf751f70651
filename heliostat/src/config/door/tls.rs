//! `[door.tls]`: certificates.

use std::path::PathBuf;

use heliostat_door::{ClientAuth, Tls, TlsFiles};
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// Certificates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct TlsConfig {
    /// The server's certificate, then its intermediates.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The authorities of client certificates.
    pub client_ca: Option<PathBuf>,
    /// Whether clients have to show one.
    pub client_auth: ClientAuthName,
    /// A certificate made on the spot.
    pub gen_cert_very_insecure: bool,
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthName {
    /// None is asked for.
    #[default]
    Off,
    /// It has to be good if it is shown.
    Optional,
    /// Nobody gets in without one.
    Required,
}

impl TlsConfig {
    /// Whether TLS is spoken.
    pub fn is_on(&self) -> bool {
        self.cert.is_some() || self.gen_cert_very_insecure
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let wrong =
            |key: &str, reason: &str| Err(ConfigError::value(format!("door.tls.{key}"), reason));
        let has_files = self.cert.is_some() || self.key.is_some();
        match (&self.cert, &self.key) {
            (Some(_), None) => {
                return wrong(
                    "key",
                    "a certificate is set without its key; add key (--tls-key FILE)",
                );
            }
            (None, Some(_)) => {
                return wrong(
                    "cert",
                    "a key is set without its certificate; add cert (--tls-cert FILE)",
                );
            }
            _ => {}
        }
        if self.gen_cert_very_insecure && has_files {
            return wrong(
                "gen-cert-very-insecure",
                "a certificate is named and one is to be made; keep one of the two",
            );
        }
        let asks = self.client_auth != ClientAuthName::Off;
        if asks && !has_files {
            return wrong(
                "client-auth",
                "client certificates need TLS with a certificate from files; add cert and key",
            );
        }
        if asks && self.client_ca.is_none() {
            return wrong(
                "client-ca",
                "client certificates are asked for, and nobody vouches for them; add client-ca",
            );
        }
        if !asks && self.client_ca.is_some() {
            return wrong(
                "client-auth",
                "client-ca is set, and no client is asked for a certificate; write client-auth = \"required\" or \"optional\"",
            );
        }
        Ok(())
    }

    /// The files, if there are any.
    pub fn files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.cert.clone()?,
            key: self.key.clone()?,
            client_ca: self.client_ca.clone(),
            client_auth: match self.client_auth {
                ClientAuthName::Off => ClientAuth::Off,
                ClientAuthName::Optional => ClientAuth::Optional,
                ClientAuthName::Required => ClientAuth::Required,
            },
        })
    }

    /// Reads the files.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn open(&self) -> Result<Option<Tls>, ConfigError> {
        // A certificate nobody can check is as good with these names as with
        // any others.
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let tls = match (self.files(), self.gen_cert_very_insecure) {
            (Some(files), _) => Tls::load(files),
            (None, true) => Tls::self_signed(&names),
            (None, false) => return Ok(None),
        };
        tls.map(Some)
            .map_err(|error| ConfigError::value("door.tls", error.to_string()))
    }
}
