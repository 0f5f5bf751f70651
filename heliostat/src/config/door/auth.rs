//! `[door.auth]`: bearer tokens.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use heliostat_door::{
    Algorithm, DoorError, Introspection, Keys, ScopeRule, Secret, TokenOptions, Tokens, defaults,
};
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// Bearer tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AuthConfig {
    /// Who has to have issued a token.
    pub issuer: Option<String>,
    /// Whom a token may be for.
    pub audience: Vec<String>,
    /// Where the issuer's keys are.
    pub jwks_url: Option<String>,
    /// They are where the issuer's discovery document says.
    pub discovery: bool,
    /// Signature algorithms.
    pub algorithms: Vec<String>,
    /// Whom to ask about opaque tokens.
    pub introspection_url: Option<String>,
    /// Our name there.
    pub client_id: Option<String>,
    /// A file with our secret there.
    pub client_secret_file: Option<PathBuf>,
    /// The authority of the issuer's server.
    pub ca_file: Option<PathBuf>,
    /// Methods that need no token.
    pub open_methods: Vec<String>,
    /// How long a question to the issuer may take.
    pub issuer_timeout_seconds: u64,
    /// The shortest time between two fetches of the keys.
    pub refresh_seconds: u64,
    /// Which scope covers what.
    pub scope: Vec<ScopeConfig>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: Vec::new(),
            jwks_url: None,
            discovery: false,
            algorithms: Vec::new(),
            introspection_url: None,
            client_id: None,
            client_secret_file: None,
            ca_file: None,
            open_methods: Vec::new(),
            issuer_timeout_seconds: defaults::ISSUER_TIMEOUT.as_secs(),
            refresh_seconds: defaults::JWKS_REFRESH.as_secs(),
            scope: Vec::new(),
        }
    }
}

/// What a scope covers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ScopeConfig {
    /// The scope, as tokens have it.
    pub name: String,
    /// The chain's name, `observe`, or `*`.
    pub chain: String,
    /// Methods.
    pub methods: Vec<String>,
}

impl AuthConfig {
    /// Whether tokens are asked for.
    pub fn is_on(&self) -> bool {
        self.jwks_url.is_some() || self.discovery || self.introspection_url.is_some()
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let wrong =
            |key: &str, reason: &str| Err(ConfigError::value(format!("door.auth.{key}"), reason));
        if !self.is_on() {
            let quiet = Self {
                issuer_timeout_seconds: self.issuer_timeout_seconds,
                refresh_seconds: self.refresh_seconds,
                ..Self::default()
            };
            return match *self == quiet {
                true => Ok(()),
                false => wrong(
                    "jwks-url",
                    "[door.auth] is set, and nobody is asked for a token; add jwks-url, discovery = true or introspection-url",
                ),
            };
        }
        if self.jwks_url.is_some() && self.discovery {
            return wrong("discovery", "jwks-url is set as well; keep one of the two");
        }
        let has_keys = self.jwks_url.is_some() || self.discovery;
        if has_keys && self.issuer.is_none() {
            return wrong(
                "issuer",
                "is missing; name whoever issues the tokens, as their iss says",
            );
        }
        if self.audience.is_empty() {
            return wrong(
                "audience",
                "is missing; name whom tokens are for, or those made for others would be taken",
            );
        }
        if self.issuer_timeout_seconds == 0 {
            return wrong("issuer-timeout-seconds", "0 leaves the issuer no time");
        }
        if self.introspection_url.is_some()
            && (self.client_id.is_none() || self.client_secret_file.is_none())
        {
            return wrong(
                "client-id",
                "the introspection endpoint wants to know who asks; add client-id and client-secret-file",
            );
        }
        self.algorithms()?;
        self.options(Secret::new("")).and_then(|options| {
            // Says what makes no sense about issuer, audience and scopes. The
            // authority is a file, which is not read here.
            let options = TokenOptions {
                ca: None,
                ..options
            };
            Tokens::new(options).map_err(token_error)
        })?;
        Ok(())
    }

    fn algorithms(&self) -> Result<Vec<Algorithm>, ConfigError> {
        let read = |name: &String| {
            name.parse::<Algorithm>().map_err(|_| {
                ConfigError::value(
                    "door.auth.algorithms",
                    format!("{name:?} is no algorithm; write RS256, PS256, ES256 or EdDSA"),
                )
            })
        };
        self.algorithms.iter().map(read).collect()
    }

    fn options(&self, client_secret: Secret) -> Result<TokenOptions, ConfigError> {
        let mut options = TokenOptions {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            keys: match (&self.jwks_url, self.discovery) {
                (Some(url), _) => Some(Keys::Url(url.clone())),
                (None, true) => Some(Keys::Discovery),
                (None, false) => None,
            },
            introspection: self.introspection_url.as_ref().map(|url| Introspection {
                url: url.clone(),
                client_id: self.client_id.clone().unwrap_or_default(),
                client_secret,
            }),
            ca: self.ca_file.clone(),
            rules: self.scope.iter().map(ScopeConfig::rule).collect(),
            open: self.open_methods.clone(),
            timeout: Duration::from_secs(self.issuer_timeout_seconds),
            refresh: Duration::from_secs(self.refresh_seconds),
            ..TokenOptions::default()
        };
        if !self.algorithms.is_empty() {
            options.algorithms = self.algorithms()?;
        }
        Ok(options)
    }

    /// Reads the secret and makes ready; asks nobody.
    ///
    /// # Errors
    /// A file cannot be read, or a setting makes no sense.
    pub fn open(&self) -> Result<Option<Tokens>, ConfigError> {
        if !self.is_on() {
            return Ok(None);
        }
        let secret = match &self.client_secret_file {
            None => String::new(),
            Some(file) => first_line(file)
                .map_err(|words| ConfigError::value("door.auth.client-secret-file", words))?,
        };
        let options = self.options(Secret::new(secret))?;
        Tokens::new(options).map(Some).map_err(token_error)
    }
}

fn token_error(error: DoorError) -> ConfigError {
    ConfigError::value("door.auth", error.to_string())
}

impl ScopeConfig {
    fn rule(&self) -> ScopeRule {
        ScopeRule {
            scope: self.name.clone(),
            ledger: self.chain.clone(),
            methods: self.methods.clone(),
        }
    }
}

/// A secret that stands alone in a file.
fn first_line(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|error| {
        format!(
            "cannot read {shown}: {error}; it must be there, and readable for the user this runs as"
        )
    })?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(format!(
            "the first line of {shown} is empty; it must be the secret"
        )),
    }
}
