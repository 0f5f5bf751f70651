//! `[door]`: what holds for every listening socket.
//!
//! | module | what it holds |
//! |---|---|
//! | [`tls`] | certificates |
//! | [`access`] | networks and identities that may enter |
//! | [`auth`] | bearer tokens |
//! | [`limits`] | what a peer may cost us |

pub mod access;
pub mod auth;
pub mod limits;
pub mod tls;

use std::{net::IpAddr, time::Duration};

use heliostat_door::{Changed, Memory, Options, Plaintext, defaults};
use serde::{Deserialize, Serialize};

use super::{ConfigError, ObserveConfig, ObserveSecurity};
pub use access::AccessConfig;
pub use auth::AuthConfig;
pub use limits::LimitsConfig;
pub use tls::TlsConfig;

/// What holds for every listening socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DoorConfig {
    /// Plaintext is served beyond loopback.
    pub no_tls_very_insecure: bool,
    /// How long answers under way may take after the stop.
    pub drain_seconds: u64,
    /// How many connections are open at once, per listener.
    pub max_connections: usize,
    /// `[door.tls]`
    pub tls: TlsConfig,
    /// `[door.access]`
    pub access: AccessConfig,
    /// `[door.auth]`
    pub auth: AuthConfig,
    /// `[door.limits]`
    pub limits: LimitsConfig,
}

impl Default for DoorConfig {
    fn default() -> Self {
        Self {
            no_tls_very_insecure: false,
            drain_seconds: defaults::DRAIN.as_secs(),
            max_connections: defaults::MAX_CONNECTIONS,
            tls: TlsConfig::default(),
            access: AccessConfig::default(),
            auth: AuthConfig::default(),
            limits: LimitsConfig::default(),
        }
    }
}

impl DoorConfig {
    /// Checks what types cannot say; reads no file.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.max_connections == 0 {
            return Err(ConfigError::value(
                "door.max-connections",
                "0 lets nobody in",
            ));
        }
        if self.no_tls_very_insecure && self.tls.is_on() {
            return Err(ConfigError::value(
                "door.no-tls-very-insecure",
                "plaintext is asked for, and so is TLS; keep one of the two",
            ));
        }
        self.tls.validate()?;
        if self.access.has_lists() && self.tls.client_auth == tls::ClientAuthName::Off {
            return Err(ConfigError::value(
                "door.access",
                "lists of identities need clients that show one; write client-auth = \"required\" or \"optional\" in [door.tls], and a client-ca",
            ));
        }
        self.access.networks()?;
        self.limits.limits()?;
        self.auth.validate()
    }

    /// Reads every file, and makes what all listening sockets share.
    ///
    /// # Errors
    /// The setting whose file or value cannot be used.
    pub fn open(&self) -> Result<Options, ConfigError> {
        Ok(Options {
            plaintext: match self.no_tls_very_insecure {
                true => Plaintext::Anywhere,
                false => Plaintext::Loopback,
            },
            drain: Duration::from_secs(self.drain_seconds),
            max_connections: self.max_connections,
            tls: self.tls.open()?,
            networks: self.access.networks()?,
            identities: self.access.identities()?,
            tokens: self.auth.open()?,
            limits: self.limits.limits()?,
            memory: Memory::new(self.limits.memory_bytes),
            ..Options::default()
        })
    }

    /// What of it a door can be told anew while it serves. Reads the secret and
    /// the authority of the issuer.
    ///
    /// # Errors
    /// The setting whose file or value cannot be used.
    pub fn rules(&self) -> Result<Changed, ConfigError> {
        Ok(Changed {
            networks: self.access.networks()?,
            limits: self.limits.limits()?,
            tokens: self.auth.open()?,
            max_connections: self.max_connections,
            drain: Duration::from_secs(self.drain_seconds),
            memory: self.limits.memory_bytes,
        })
    }
}

/// Whether the observe address does without certificates, lists and tokens,
/// and then how plain it is.
pub fn bare(observe: &ObserveConfig) -> Option<Plaintext> {
    match observe.security {
        ObserveSecurity::NoneVeryInsecure => Some(Plaintext::Anywhere),
        ObserveSecurity::Auto if is_loopback(&observe.listen) => Some(Plaintext::Loopback),
        ObserveSecurity::Auto | ObserveSecurity::Door => None,
    }
}

/// What the observe address keeps of `options`: see
/// [`ObserveSecurity`](super::ObserveSecurity). What listens on loopback is
/// for the machine's own operator, who should not need a certificate to ask
/// for the status.
pub fn observed(options: &Options, observe: &ObserveConfig) -> Options {
    let ledger = "observe".to_owned();
    match bare(observe) {
        Some(plaintext) => Options {
            plaintext,
            ledger,
            tls: None,
            identities: None,
            tokens: None,
            ..options.clone()
        },
        None => Options {
            ledger,
            ..options.clone()
        },
    }
}

/// Whether nobody but this machine reaches the address. A name that is not
/// written as an address counts as reachable, except the one every machine
/// has.
fn is_loopback(listen: &str) -> bool {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    ip.map_or(host == "localhost", |ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use heliostat_door::Tls;

    use super::*;

    #[test]
    fn the_observe_address_is_plain_on_loopback_only() {
        let tls = Some(Tls::self_signed(&["localhost".to_owned()]).expect("a name"));
        let options = Options {
            tls,
            ..Options::default()
        };
        for (listen, security, encrypted) in [
            ("127.0.0.1:9068", ObserveSecurity::Auto, false),
            ("[::1]:9068", ObserveSecurity::Auto, false),
            ("localhost:9068", ObserveSecurity::Auto, false),
            ("0.0.0.0:9068", ObserveSecurity::Auto, true),
            (":9068", ObserveSecurity::Auto, true),
            ("[::]:9068", ObserveSecurity::Auto, true),
            ("example.org:9068", ObserveSecurity::Auto, true),
            ("127.0.0.1:9068", ObserveSecurity::Door, true),
            ("0.0.0.0:9068", ObserveSecurity::NoneVeryInsecure, false),
        ] {
            let observe = ObserveConfig {
                listen: listen.to_owned(),
                security,
                ..ObserveConfig::default()
            };
            let kept = observed(&options, &observe);
            assert_eq!(kept.tls.is_some(), encrypted, "{listen} {security:?}");
            assert_eq!(kept.ledger, "observe");
        }
    }
}
