//! `[chain.NAME]` with `ledger = "zcash"`.

use std::{collections::BTreeMap, path::PathBuf};

use heliostat_core::Assurance;
use heliostat_node::outbox::Policy;
use serde::{Deserialize, Serialize};

use super::{ConfigError, settings, upstream::UpstreamAccess};

/// A Zcash chain: whom it follows, where it serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ZcashConfig {
    /// Which network; without it the store's, or the first upstream's.
    pub network: Option<NetworkName>,
    /// Where gRPC is served.
    pub listen: String,
    /// `HEIGHT:HASH` to begin at instead of genesis.
    pub checkpoint: Option<Checkpoint>,
    /// Credentials of upstreams that have none of their own.
    #[serde(flatten)]
    pub credentials: Credentials,
    /// To how many nodes a transaction goes.
    pub send_policy: Policy,
    /// Shown by `GetLightdInfo`.
    pub donation_address: Option<String>,
    /// Serves `Ping`.
    pub ping_very_insecure: bool,
    /// The nodes.
    pub upstream: Vec<UpstreamConfig>,
    /// The lowest grade answered, by method.
    pub minimum: BTreeMap<String, String>,
    /// Where old behaviour is wanted.
    pub compat: CompatConfig,
    /// Forget what is stored from this height on before starting; from
    /// `--redownload` and `--sync-from-height`, never from a file.
    #[serde(skip)]
    pub forget_from: Option<u64>,
}

impl Default for ZcashConfig {
    fn default() -> Self {
        Self {
            network: None,
            listen: settings::ZCASH_LISTEN.to_owned(),
            checkpoint: None,
            credentials: Credentials::default(),
            send_policy: Policy::default(),
            donation_address: None,
            ping_very_insecure: false,
            upstream: Vec::new(),
            minimum: BTreeMap::new(),
            compat: CompatConfig::default(),
            forget_from: None,
        }
    }
}

/// The name of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum NetworkName {
    /// The main network.
    Main,
    /// The public test network.
    Test,
    /// A private network without proof-of-work.
    Regtest,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct UpstreamConfig {
    /// Its JSON-RPC address, perhaps with credentials.
    pub url: String,
    /// Whether blocks are fetched from it.
    pub role: RoleName,
    /// Its own credentials.
    #[serde(flatten)]
    pub credentials: Credentials,
    /// Certificates and tokens.
    #[serde(flatten)]
    pub access: UpstreamAccess,
}

/// What an upstream is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// Blocks are fetched from it.
    #[default]
    Follow,
    /// It is asked for block ids only.
    Witness,
}

/// How to log in to a node; at most one way is given.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Credentials {
    /// User name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_user: Option<String>,
    /// Password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_password: Option<String>,
    /// A file with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_password_file: Option<PathBuf>,
    /// The node's cookie file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_cookie_file: Option<PathBuf>,
    /// The node's own configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zcash_conf: Option<PathBuf>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::default() {
            "Credentials(none)"
        } else {
            "Credentials(not shown)"
        })
    }
}

impl Credentials {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn validate(&self, at: &str) -> Result<(), ConfigError> {
        let passwords = [
            self.rpc_password.is_some(),
            self.rpc_password_file.is_some(),
            self.rpc_cookie_file.is_some(),
            self.zcash_conf.is_some(),
        ];
        if passwords.iter().filter(|given| **given).count() > 1 {
            return Err(ConfigError::value(
                at,
                "more than one of rpc-password, rpc-password-file, rpc-cookie-file and zcash-conf is set; keep one",
            ));
        }
        let named = self.rpc_password.is_some() || self.rpc_password_file.is_some();
        if named && self.rpc_user.is_none() {
            return Err(ConfigError::value(
                format!("{at}.rpc-user"),
                "a password is set without a user name; add rpc-user",
            ));
        }
        if self.rpc_user.is_some() && !named {
            return Err(ConfigError::value(
                format!("{at}.rpc-password"),
                "a user name is set without a password; add rpc-password or rpc-password-file",
            ));
        }
        Ok(())
    }
}

/// Switches between lightwalletd's behaviour and a mended one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct CompatConfig {
    /// `SendTransaction` without quotes around the id.
    pub plain_txid: bool,
    /// Address errors as empty successes.
    pub ok_on_address_error: bool,
}

/// A block the operator trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checkpoint {
    /// Its height.
    pub height: u64,
    /// Its hash in the order of the wire, which is the reverse of the order
    /// people write.
    pub id: heliostat_core::Id,
    /// Leaves of the Sapling, Orchard and Ironwood trees after it. Without
    /// them a node's word is taken, and no block is better than `relayed`.
    pub sizes: Option<[u32; 3]>,
}

impl Checkpoint {
    /// The block.
    pub fn point(&self) -> heliostat_core::Point {
        heliostat_core::Point {
            height: self.height,
            id: self.id,
        }
    }
}

impl std::str::FromStr for Checkpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a checkpoint; write HEIGHT:HASH or HEIGHT:HASH:SAPLING:ORCHARD:IRONWOOD, the hash as explorers show it"
            )
        };
        let parts: Vec<_> = text.split(':').map(str::trim).collect();
        let (height, hash, sizes) = match parts[..] {
            [height, hash] => (height, hash, None),
            [height, hash, sapling, orchard, ironwood] => {
                let size = |size: &str| size.parse().map_err(|_| wrong());
                (
                    height,
                    hash,
                    Some([size(sapling)?, size(orchard)?, size(ironwood)?]),
                )
            }
            _ => return Err(wrong()),
        };
        let mut id = [0; 32];
        hex::decode_to_slice(hash, &mut id).map_err(|_| wrong())?;
        id.reverse();
        // A coinbase says a height in 32 bits.
        let height: u32 = height.parse().map_err(|_| wrong())?;
        Ok(Self {
            height: height.into(),
            id: id.into(),
            sizes,
        })
    }
}

impl TryFrom<String> for Checkpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Checkpoint> for String {
    fn from(checkpoint: Checkpoint) -> Self {
        let mut id = checkpoint.id.0;
        id.reverse();
        let mut text = format!("{}:{}", checkpoint.height, hex::encode(id));
        for size in checkpoint.sizes.iter().flatten() {
            text.push_str(&format!(":{size}"));
        }
        text
    }
}

impl ZcashConfig {
    /// Checks what types cannot say; `at` is the table's path.
    pub(crate) fn validate(&self, at: &str) -> Result<(), ConfigError> {
        let follows = |upstream: &UpstreamConfig| upstream.role == RoleName::Follow;
        if !self.upstream.iter().any(follows) {
            return Err(ConfigError::value(
                format!("{at}.upstream"),
                "no node to follow is named; add [[…upstream]] with its url (on the command line: --upstream URL)",
            ));
        }
        self.credentials.validate(at)?;
        for (index, upstream) in self.upstream.iter().enumerate() {
            let at = format!("{at}.upstream[{index}]");
            check_url(&upstream.url, &at)?;
            upstream.credentials.validate(&at)?;
            upstream.access.validate(&at)?;
            let twin = |other: &UpstreamConfig| place(&other.url) == place(&upstream.url);
            if self.upstream[..index].iter().any(twin) {
                return Err(ConfigError::value(
                    format!("{at}.url"),
                    "this node is named twice; one node agreeing with itself proves nothing",
                ));
            }
        }
        self.minimums(at)?;
        let donation = self.donation_address.as_deref().unwrap_or("u");
        if !donation.starts_with('u') || donation.len() > settings::MAX_DONATION {
            return Err(ConfigError::value(
                format!("{at}.donation-address"),
                "must be a unified address: it begins with u and has at most 255 characters",
            ));
        }
        Ok(())
    }

    /// The minimum grades, read.
    ///
    /// # Errors
    /// One of them is not a grade.
    pub fn minimums(&self, at: &str) -> Result<BTreeMap<String, Assurance>, ConfigError> {
        let read = |(method, grade): (&String, &String)| match grade.parse() {
            Ok(grade) => Ok((method.clone(), grade)),
            Err(wrong) => Err(ConfigError::value(
                format!("{at}.minimum.{method}"),
                format!("{wrong}"),
            )),
        };
        self.minimum.iter().map(read).collect()
    }
}

/// What tells one node from another: neither credentials, nor how its address
/// is written.
fn place(url: &str) -> Option<(String, Option<u16>, String)> {
    let url = reqwest::Url::parse(url).ok()?;
    let host = match url.host_str()? {
        "localhost" | "[::1]" => "127.0.0.1",
        host => host.trim_end_matches('.'),
    };
    let path = url.path().trim_end_matches('/');
    Some((
        host.to_owned(),
        url.port_or_known_default(),
        path.to_owned(),
    ))
}

fn check_url(url: &str, at: &str) -> Result<(), ConfigError> {
    let usable = reqwest::Url::parse(url)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if usable {
        return Ok(());
    }
    // Not repeated in full: it may hold a password.
    let shown = url.rsplit('@').next().unwrap_or_default();
    Err(ConfigError::value(
        format!("{at}.url"),
        format!(
            "{shown:?} is not a node's address; write http://HOST:PORT, such as http://127.0.0.1:8232"
        ),
    ))
}
