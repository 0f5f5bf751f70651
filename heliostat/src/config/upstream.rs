//! How an upstream knows us, and we know it: what every ledger's upstreams
//! have in common.

use std::path::PathBuf;

use heliostat_node::access::{AccessOptions, Bearer, ClientCredentials, ClientSecret, Secret};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Certificates and tokens for one upstream.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct UpstreamAccess {
    /// The only authorities that are trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Our certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<PathBuf>,
    /// Its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
    /// A bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<String>,
    /// A file with a bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_token_file: Option<PathBuf>,
    /// Who gives us bearer tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<Box<OAuth2Config>>,
}

/// OAuth2 client credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct OAuth2Config {
    /// The issuer's token endpoint.
    pub token_url: String,
    /// Our name there.
    pub client_id: String,
    /// A file with our secret there.
    pub client_secret_file: PathBuf,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// Whom the token is for.
    pub audience: Option<String>,
    /// The only authorities that may vouch for the issuer.
    pub ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for UpstreamAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match *self == Self::default() {
            true => "UpstreamAccess(none)",
            false => "UpstreamAccess(not shown)",
        })
    }
}

impl UpstreamAccess {
    /// Checks what types cannot say; `at` is the upstream's path.
    pub(crate) fn validate(&self, at: &str) -> Result<(), ConfigError> {
        let tokens = [
            self.bearer_token.is_some(),
            self.bearer_token_file.is_some(),
            self.oauth2.is_some(),
        ];
        if tokens.iter().filter(|given| **given).count() > 1 {
            return Err(ConfigError::value(
                at,
                "more than one of bearer-token, bearer-token-file and oauth2 is set; keep one",
            ));
        }
        for (given, other, missing) in [
            (&self.client_cert, &self.client_key, "client-key"),
            (&self.client_key, &self.client_cert, "client-cert"),
        ] {
            if given.is_some() && other.is_none() {
                return Err(ConfigError::value(
                    format!("{at}.{missing}"),
                    "a client certificate and its key go together; add it",
                ));
            }
        }
        let Some(oauth2) = &self.oauth2 else {
            return Ok(());
        };
        let secret = oauth2.client_secret_file.as_os_str();
        for (key, empty) in [
            ("token-url", oauth2.token_url.is_empty()),
            ("client-id", oauth2.client_id.is_empty()),
            ("client-secret-file", secret.is_empty()),
        ] {
            if empty {
                return Err(ConfigError::value(
                    format!("{at}.oauth2.{key}"),
                    "is missing; tokens cannot be asked for without it",
                ));
            }
        }
        Ok(())
    }

    /// The same for the upstream itself.
    pub fn options(&self) -> AccessOptions {
        let value = self.bearer_token.as_ref();
        let value = value.map(|token| Bearer::Value(Secret::new(token.as_str())));
        let file = self.bearer_token_file.clone().map(Bearer::File);
        let client = self.oauth2.as_ref().map(|oauth2| {
            Bearer::Client(ClientCredentials {
                token_url: oauth2.token_url.clone(),
                client_id: oauth2.client_id.clone(),
                client_secret: ClientSecret::File(oauth2.client_secret_file.clone()),
                scopes: oauth2.scopes.clone(),
                audience: oauth2.audience.clone(),
                ca_file: oauth2.ca_file.clone(),
            })
        });
        AccessOptions {
            ca_file: self.ca_file.clone(),
            client_certificate: self.client_cert.clone(),
            client_key: self.client_key.clone(),
            bearer: value.or(file).or(client),
        }
    }
}
