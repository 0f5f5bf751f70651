//! `[door.access]`: who may enter.

use std::path::PathBuf;

use heliostat_door::{Identities, IdentityFiles, Networks};
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// Who may enter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AccessConfig {
    /// Networks that may connect.
    pub allow_networks: Vec<String>,
    /// Networks that may not.
    pub deny_networks: Vec<String>,
    /// A file of identities that may enter.
    pub allow_identities: Option<PathBuf>,
    /// A file of identities that may not.
    pub deny_identities: Option<PathBuf>,
}

impl AccessConfig {
    /// Whether there are lists of identities.
    pub fn has_lists(&self) -> bool {
        self.allow_identities.is_some() || self.deny_identities.is_some()
    }

    /// The lists of networks.
    ///
    /// # Errors
    /// An entry is no network.
    pub fn networks(&self) -> Result<Networks, ConfigError> {
        let none: &[String] = &[];
        for (key, list) in [
            ("allow-networks", &self.allow_networks),
            ("deny-networks", &self.deny_networks),
        ] {
            Networks::parse(list, none).map_err(|error| {
                ConfigError::value(format!("door.access.{key}"), error.to_string())
            })?;
        }
        Networks::parse(&self.allow_networks, &self.deny_networks)
            .map_err(|error| ConfigError::value("door.access", error.to_string()))
    }

    /// Reads the lists of identities.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn identities(&self) -> Result<Option<Identities>, ConfigError> {
        let files = IdentityFiles {
            allow: self.allow_identities.clone(),
            deny: self.deny_identities.clone(),
        };
        if files == IdentityFiles::default() {
            return Ok(None);
        }
        Identities::load(files)
            .map(Some)
            .map_err(|error| ConfigError::value("door.access", error.to_string()))
    }
}
