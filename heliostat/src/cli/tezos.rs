//! The flags of `heliostat tezos`, its verbs, and how they become a
//! configuration. Flags that `octez-client` has keep its names.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use heliostat_core::Assurance;
use heliostat_observe::logs;

use super::{exit::Failure, zcash::log_format};
use crate::config::{
    ChainConfig, Config, TezosConfig,
    tezos::{Checkpoint, HeadName, ModeName},
};

/// The name of the chain that a quick start makes.
pub const CHAIN: &str = "tezos";

/// The endpoint `octez-client` asks when it is told none.
const DEFAULT_ENDPOINT: &str = "http://localhost:8732";

/// `heliostat tezos`.
#[derive(Debug, Args)]
pub struct TezosCommand {
    /// The settings.
    #[command(flatten)]
    pub args: TezosArgs,
    /// What to answer once; without it this is a daemon.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// The quick start's settings. Every one of them but `--block` and
/// `--protocol` is a setting of the file too.
#[derive(Debug, Args)]
pub struct TezosArgs {
    /// What a node says
    #[command(flatten)]
    pub nodes: NodeArgs,
    /// Where the node's RPC is served [default: 127.0.0.1:8742]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where metrics, health and status are served [default: 127.0.0.1:9068]
    #[arg(long, value_name = "ADDR")]
    observe: Option<String>,
    /// Where evidence of lies is kept: sqlite:PATH, postgres://USER@HOST/DATABASE or memory: [default: sqlite:~/.local/state/heliostat/tezos.sqlite]
    #[arg(long, value_name = "ADDRESS")]
    store: Option<String>,
    /// Trust this block, or the root of the state after it
    #[arg(long, value_name = "LEVEL:HASH")]
    checkpoint: Option<Checkpoint>,
    /// off, error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<logs::Level>,
    /// text or json [default: text; json with --log-file]
    #[arg(long, value_name = "FORMAT", value_parser = log_format)]
    log_format: Option<logs::Format>,
    /// Append events to a file instead of standard error
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// Serve unencrypted connections beyond loopback
    #[arg(long)]
    no_tls_very_insecure: bool,
    /// The block of `get balance`
    #[arg(long, short = 'b', value_name = "BLOCK", default_value = "head")]
    pub block: String,
    /// Refuse to answer when the block is of another protocol
    #[arg(long, short = 'p', value_name = "HASH")]
    pub protocol: Option<String>,
}

/// Whom to ask, and what is enough: the flags that no other ledger has.
#[derive(Debug, Default, Args)]
pub struct NodeArgs {
    /// light: several nodes, every read proven; proxy: one node, read here; client: one node, passed on [default: light]
    #[arg(long, value_enum)]
    pub mode: Option<ModeName>,
    /// The node that calls are passed on to; it must be in the sources file. Repeated, without a file: the nodes themselves [default: http://localhost:8732]
    #[arg(long, short = 'E', value_name = "URL")]
    pub endpoint: Vec<String>,
    /// Octez's sources file: {"min_agreement": 1.0, "uris": ["http://…", "http://…"]}
    #[arg(long, short = 's', value_name = "FILE")]
    pub sources: Option<PathBuf>,
    /// The share of nodes that must agree, instead of the file's [default: 1.0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub min_agreement: Option<f64>,
    /// The chain as the nodes name it [default: main]
    #[arg(long, value_name = "CHAIN")]
    pub chain: Option<String>,
    /// Verify the bakers' attestations from the checkpoint on
    #[arg(long)]
    pub finality: bool,
    /// Which block `head` is [default: newest; proven with --minimum proven]
    #[arg(long, value_enum)]
    pub head: Option<HeadName>,
    /// The lowest grade that is answered: proven, agreed K/N or relayed
    #[arg(long, value_name = "GRADE")]
    pub minimum: Option<Assurance>,
    /// The greatest proof-of-work stamp of a header, 0 for a network without [default: 281474976710655, as on mainnet]
    #[arg(long, value_name = "NUMBER")]
    pub proof_of_work_threshold: Option<u64>,
}

/// What is answered once.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make one call of the node's RPC
    #[command(subcommand)]
    Rpc(Rpc),
    /// Ask for one thing
    #[command(subcommand)]
    Get(Get),
    /// List what is known here
    #[command(subcommand)]
    List(List),
    /// Diagnose every node
    Check {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

/// `rpc …`
#[derive(Debug, Subcommand)]
pub enum Rpc {
    /// GET a path
    Get {
        /// The path, such as /chains/main/blocks/head/context/constants.
        path: String,
    },
}

/// `get …`
#[derive(Debug, Subcommand)]
pub enum Get {
    /// The balance of an account
    #[command(subcommand)]
    Balance(Balance),
}

/// `get balance …`
#[derive(Debug, Subcommand)]
pub enum Balance {
    /// Of this one
    For {
        /// The account, tz… or KT1….
        address: String,
    },
}

/// `list …`
#[derive(Debug, Subcommand)]
pub enum List {
    /// What light mode reads itself
    #[command(subcommand)]
    Light(Protocols),
    /// What proxy mode reads itself
    #[command(subcommand)]
    Proxy(Protocols),
}

/// `list light …`
#[derive(Debug, Subcommand)]
pub enum Protocols {
    /// The hashes of the protocols whose values are decoded here
    Protocols,
}

impl NodeArgs {
    /// Whether any of them is given.
    pub fn is_given(&self) -> bool {
        self.mode.is_some() || !self.endpoint.is_empty() || self.sources.is_some()
    }

    /// The chain's settings.
    ///
    /// # Errors
    /// `--endpoint` is not in the sources file; in Octez's words.
    pub fn into_config(self) -> Result<TezosConfig, Failure> {
        let defaults = TezosConfig::default();
        let mode = self.mode.unwrap_or_default();
        let mut tezos = TezosConfig {
            mode,
            min_agreement: self.min_agreement,
            network: self.chain.unwrap_or(defaults.network),
            finality: self.finality,
            head: self.head.unwrap_or_default(),
            proof_of_work_threshold: self
                .proof_of_work_threshold
                .unwrap_or(defaults.proof_of_work_threshold),
            sources: self.sources,
            ..TezosConfig::default()
        };
        if let Some(grade) = self.minimum {
            tezos.minimum = [("*".to_owned(), grade.to_string())].into();
        }
        match (mode, &tezos.sources) {
            // As Octez: whoever gives a file also says which of its nodes is
            // the main one, or means the default.
            (ModeName::Light, Some(_)) => {
                let mut given = self.endpoint;
                if given.is_empty() {
                    given.push(DEFAULT_ENDPOINT.to_owned());
                }
                let sources = tezos.sources(&at())?;
                for endpoint in &given {
                    let listed = sources.check_endpoint(endpoint);
                    listed.map_err(|error| Failure::usage(error.to_string()))?;
                }
                tezos.endpoint = given.into_iter().next();
            }
            (ModeName::Light, None) => tezos.endpoints = self.endpoint,
            (_, _) if self.endpoint.is_empty() => {
                tezos.endpoints = vec![DEFAULT_ENDPOINT.to_owned()];
            }
            (_, _) => tezos.endpoints = self.endpoint,
        }
        Ok(tezos)
    }
}

/// The path of the quick start's chain.
pub(crate) fn at() -> String {
    format!("chain.{CHAIN}")
}

impl TezosArgs {
    /// The configuration, and remarks for the operator.
    ///
    /// # Errors
    /// A combination that makes no sense.
    pub fn into_config(self) -> Result<(Config, Vec<String>), Failure> {
        let mut tezos = self.nodes.into_config()?;
        tezos.checkpoint = self.checkpoint;
        if let Some(listen) = self.listen {
            tezos.listen = listen;
        }
        let sources = tezos.sources(&at())?;
        let notes = sources.duplicates().into_iter().collect();
        let mut config = Config::default();
        config.store.address = self.store;
        if let Some(observe) = self.observe {
            config.observe.listen = observe;
        }
        config.observe.log_level = self.log_level.unwrap_or_default();
        let format = match self.log_file {
            Some(_) => logs::Format::Json,
            None => logs::Format::Text,
        };
        config.observe.log_format = self.log_format.unwrap_or(format);
        config.observe.log_file = self.log_file;
        config.door.no_tls_very_insecure = self.no_tls_very_insecure;
        config.chain = [(CHAIN.to_owned(), ChainConfig::Tezos(tezos))].into();
        Ok((config, notes))
    }
}
