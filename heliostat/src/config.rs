//! The configuration: everything in one TOML file. The quick-start commands
//! build the same structure from their flags.
//!
//! | module | what it holds |
//! |---|---|
//! | [`settings`] | every setting with its meaning and default, once |
//! | [`change`] | what a running process makes of a changed file |
//! | [`error`] | [`ConfigError`] |
//! | [`keys`] | rejects unknown keys, naming the nearest known one |
//! | [`types`] | rejects values of the wrong type |
//! | [`lines`] | where in a file something is, for errors |
//! | [`effective`] | every setting with its value and where it comes from |
//! | [`document`] | `docs/configuration.md` and `heliostat.example.toml`, made from the settings |
//! | [`door`] | `[door]` and what is below it |
//! | [`tezos`] | `[chain.NAME]` with `ledger = "tezos"` |
//! | [`upstream`] | certificates and tokens of upstreams |
//! | [`zcash`] | `[chain.NAME]` with `ledger = "zcash"` |

pub mod change;
pub mod document;
pub mod door;
pub mod effective;
pub mod error;
pub mod keys;
pub mod lines;
pub mod settings;
pub mod tezos;
pub mod types;
pub mod upstream;
pub mod zcash;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use heliostat_observe::logs;
use serde::{Deserialize, Serialize};

pub use door::DoorConfig;
pub use error::ConfigError;
pub use tezos::TezosConfig;
pub use zcash::ZcashConfig;

use lines::Lines;

/// Everything a process runs by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    /// `[store]`
    pub store: StoreConfig,
    /// `[observe]`
    pub observe: ObserveConfig,
    /// `[door]`
    pub door: DoorConfig,
    /// `[chain.NAME]`
    pub chain: BTreeMap<String, ChainConfig>,
}

/// Where the replicas live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct StoreConfig {
    /// `memory:`, `sqlite:PATH` or `postgres://…`; `{chain}` stands for the
    /// chain's name. Without it, an SQLite file below the state folder.
    pub address: Option<String>,
}

/// Metrics, health, status and logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ObserveConfig {
    /// Where `/metrics`, `/livez`, `/readyz` and `/status` are served.
    pub listen: String,
    /// What of `[door]` holds there.
    pub security: ObserveSecurity,
    /// How much is logged.
    pub log_level: logs::Level,
    /// How an event is written.
    pub log_format: logs::Format,
    /// Where it is written; standard error without it.
    pub log_file: Option<PathBuf>,
    /// `[observe.otlp]`
    pub otlp: OtlpConfig,
}

/// The collector that traces and metrics are sent to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct OtlpConfig {
    /// Its address; nothing is sent without it.
    pub endpoint: Option<String>,
    /// What it speaks.
    pub protocol: OtlpProtocol,
    /// The time between two pushes of the metrics.
    pub interval_seconds: u64,
    /// The share of answers that are traced, 0 to 1.
    pub sample: f64,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: OtlpProtocol::default(),
            interval_seconds: heliostat_observe::defaults::OTLP_INTERVAL.as_secs(),
            sample: heliostat_observe::defaults::OTLP_SAMPLE,
        }
    }
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OtlpProtocol {
    /// gRPC.
    #[default]
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

/// What of `[door]` holds for the observe address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObserveSecurity {
    /// Everything, but on loopback neither TLS nor identities nor tokens.
    #[default]
    Auto,
    /// Everything.
    Door,
    /// Networks and limits, on any address.
    NoneVeryInsecure,
}

impl Default for ObserveConfig {
    fn default() -> Self {
        Self {
            listen: settings::OBSERVE.to_owned(),
            security: ObserveSecurity::default(),
            log_level: logs::Level::default(),
            log_format: logs::Format::default(),
            log_file: None,
            otlp: OtlpConfig::default(),
        }
    }
}

/// One chain, by its ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ledger", rename_all = "lowercase")]
pub enum ChainConfig {
    /// `ledger = "zcash"`
    Zcash(ZcashConfig),
    /// `ledger = "tezos"`
    Tezos(TezosConfig),
}

impl ChainConfig {
    /// The name of its ledger, as in the file.
    pub fn ledger(&self) -> &'static str {
        match self {
            Self::Zcash(_) => "zcash",
            Self::Tezos(_) => "tezos",
        }
    }

    /// Where its own API is served.
    pub fn listen(&self) -> &str {
        match self {
            Self::Zcash(zcash) => &zcash.listen,
            Self::Tezos(tezos) => &tezos.listen,
        }
    }

    fn validate(&self, at: &str) -> Result<(), ConfigError> {
        match self {
            Self::Zcash(zcash) => zcash.validate(at),
            Self::Tezos(tezos) => tezos.validate(at),
        }
    }
}

impl Config {
    /// Reads and validates a file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, has an unknown key, or a value
    /// that makes no sense.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|reason| ConfigError::File {
            path: shown.clone(),
            reason,
        })?;
        Self::parse(&text, &shown)
    }

    /// Reads and validates the text of a file; `path` is for errors.
    ///
    /// # Errors
    /// See [`Config::load`].
    pub fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        let toml = |error: toml::de::Error| ConfigError::of_toml(&error, text, path);
        let table: toml::Table = toml::from_str(text).map_err(toml)?;
        let read = || {
            check_ledgers(&table)?;
            keys::check(&table).map_err(|misfit| ConfigError::Misfit {
                path: misfit.path,
                words: misfit.words,
            })?;
            let config = types::read(&table)?;
            config.validate()?;
            Ok(config)
        };
        read().map_err(|error: ConfigError| error.in_file(path, &Lines::of(text)))
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.chain.is_empty() {
            return Err(ConfigError::value(
                "chain",
                "no chain is configured; add [chain.zcash] with ledger = \"zcash\" and an upstream",
            ));
        }
        self.door.validate()?;
        crate::telemetry::validate(&self.observe.otlp)?;
        let address = self.store.address.as_deref().unwrap_or_default();
        if self.chain.len() > 1 && address.starts_with("sqlite:") && !address.contains("{chain}") {
            return Err(ConfigError::value(
                "store.address",
                "several chains cannot share one SQLite file; write {chain} in the path",
            ));
        }
        for (name, chain) in &self.chain {
            chain.validate(&format!("chain.{name}"))?;
        }
        Ok(())
    }

    /// The store of a chain; the default one's folder is made.
    ///
    /// # Errors
    /// No address is set and the state folder is unknown or cannot be made.
    pub fn store_address(&self, chain: &str) -> Result<String, ConfigError> {
        if let Some(address) = &self.store.address {
            return Ok(address.replace("{chain}", chain));
        }
        let folder = state_folder().ok_or_else(|| {
            ConfigError::value(
                "store.address",
                "neither XDG_STATE_HOME nor HOME is set, so there is no default store; give one with --store sqlite:PATH",
            )
        })?;
        fs::create_dir_all(&folder).map_err(|error| {
            ConfigError::value(
                "store.address",
                format!(
                    "cannot make the folder {} of the default store: {error}; give another place with --store sqlite:PATH",
                    folder.display()
                ),
            )
        })?;
        Ok(format!("sqlite:{}/{chain}.sqlite", folder.display()))
    }
}

/// `$XDG_STATE_HOME/heliostat`, or `~/.local/state/heliostat`.
fn state_folder() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = folder("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| folder("HOME").map(|home| Path::new(&home).join(".local/state")))?;
    Some(state.join("heliostat"))
}

/// Says a missing or unknown `ledger` in better words than the parser could.
fn check_ledgers(table: &toml::Table) -> Result<(), ConfigError> {
    let Some(toml::Value::Table(chains)) = table.get("chain") else {
        return Ok(());
    };
    for (name, chain) in chains {
        let ledger = chain.get("ledger").and_then(toml::Value::as_str);
        let known = settings::LEDGERS.join(", ");
        let reason = match ledger {
            Some(ledger) if settings::LEDGERS.contains(&ledger) => continue,
            Some(ledger) => format!("this release has no ledger {ledger:?}; it has {known}"),
            None => format!("is missing; write ledger = \"zcash\" (this release has {known})"),
        };
        return Err(ConfigError::value(format!("chain.{name}.ledger"), reason));
    }
    Ok(())
}
