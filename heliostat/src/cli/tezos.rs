//! The flags of `heliostat tezos`, its verbs, and how they become a
//! configuration. Flags that `octez-client` has keep its names.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use heliostat_core::Assurance;
use heliostat_node::outbox::Policy;

use super::{door::DoorArgs, exit::Failure, logs::LogArgs};
use crate::config::{
    ChainConfig, Config, TezosConfig,
    effective::Origins,
    settings::tezos::METHODS,
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
    /// Let web pages of this origin read answers, `*` for all; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
    /// Where metrics, health and status are served [default: 127.0.0.1:9068]
    #[arg(long, value_name = "ADDR")]
    observe: Option<String>,
    /// Where evidence of lies and receipts of operations are kept: sqlite:PATH, postgres://USER@HOST/DATABASE or memory: [default: sqlite:~/.local/state/heliostat/tezos.sqlite]
    #[arg(long, value_name = "ADDRESS")]
    store: Option<String>,
    /// To how many nodes an operation goes: one, or "broadcast(K)" [default: one]
    #[arg(long, value_name = "POLICY")]
    send_policy: Option<Policy>,
    /// Trust this block, or the root of the state after it
    #[arg(long, value_name = "LEVEL:HASH")]
    checkpoint: Option<Checkpoint>,
    #[command(flatten)]
    logs: LogArgs,
    /// The block of `get balance`
    #[arg(long, short = 'b', value_name = "BLOCK", default_value = "head")]
    pub block: String,
    /// Refuse to answer when the block is of another protocol
    #[arg(long, short = 'p', value_name = "HASH")]
    pub protocol: Option<String>,
    /// Who may connect
    #[command(flatten)]
    door: DoorArgs,
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
    /// Verify the bakers' attestations from the checkpoint on [default: true with --checkpoint]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub finality: Option<bool>,
    /// Which block `head` is [default: newest; proven with --minimum proven]
    #[arg(long, value_enum)]
    pub head: Option<HeadName>,
    /// Refuse answers below this grade, of all methods or of one, such as balance=proven; may be repeated
    #[arg(long, value_name = "[METHOD=]GRADE", value_parser = minimum)]
    pub minimum: Vec<(String, String)>,
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
    /// Check the kept proofs of lies again
    Verify {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Print the effective configuration, and where each value comes from
    ShowConfig {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
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

/// `GRADE` for every method, or `METHOD=GRADE`.
fn minimum(text: &str) -> Result<(String, String), String> {
    let (method, grade) = text.split_once('=').unwrap_or(("*", text));
    let known = method == "*" || METHODS.contains(&method);
    if !known {
        return Err(format!(
            "there is no method {method:?}; docs/tezos-methods.md lists them"
        ));
    }
    let grade: Assurance = grade.parse().map_err(|wrong| format!("{wrong}"))?;
    Ok((method.to_owned(), grade.to_string()))
}

impl NodeArgs {
    /// Which flag sets what.
    fn origins(&self, origins: &mut Origins) {
        let light = self.mode.unwrap_or_default() == ModeName::Light;
        let main = light && self.sources.is_some();
        for (key, flag, given) in [
            ("mode", "--mode", self.mode.is_some()),
            ("sources", "--sources", self.sources.is_some()),
            ("endpoint", "--endpoint", main && !self.endpoint.is_empty()),
            (
                "endpoints",
                "--endpoint",
                !main && !self.endpoint.is_empty(),
            ),
            (
                "min-agreement",
                "--min-agreement",
                self.min_agreement.is_some(),
            ),
            ("network", "--chain", self.chain.is_some()),
            ("finality", "--finality", self.finality.is_some()),
            ("head", "--head", self.head.is_some()),
            (
                "proof-of-work-threshold",
                "--proof-of-work-threshold",
                self.proof_of_work_threshold.is_some(),
            ),
        ] {
            if given {
                origins.flag(format!("{}.{key}", at()), flag);
            }
        }
        for (method, _) in &self.minimum {
            origins.flag(format!("{}.minimum.{method}", at()), "--minimum");
        }
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
        tezos.minimum = self.minimum.into_iter().collect();
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
    /// Which flag sets what.
    pub(crate) fn origins(&self) -> Origins {
        let mut origins = Origins::default();
        let ledger = format!("{}.ledger", at());
        let listen = format!("{}.listen", at());
        let checkpoint = format!("{}.checkpoint", at());
        let send_policy = format!("{}.send-policy", at());
        let cors = format!("{}.cors-origins", at());
        for (path, flag, given) in [
            ("store.address", "--store", self.store.is_some()),
            ("observe.listen", "--observe", self.observe.is_some()),
            (&ledger, "tezos", true),
            (&listen, "--listen", self.listen.is_some()),
            (&checkpoint, "--checkpoint", self.checkpoint.is_some()),
            (&send_policy, "--send-policy", self.send_policy.is_some()),
            (&cors, "--cors-origin", !self.cors_origin.is_empty()),
        ] {
            if given {
                origins.flag(path, flag);
            }
        }
        self.nodes.origins(&mut origins);
        self.logs.origins(&mut origins);
        self.door.origins(&mut origins);
        origins
    }

    /// The configuration, and remarks for the operator.
    ///
    /// # Errors
    /// A combination that makes no sense.
    pub fn into_config(self) -> Result<(Config, Vec<String>), Failure> {
        let mut tezos = self.nodes.into_config()?;
        tezos.checkpoint = self.checkpoint;
        tezos.send_policy = self.send_policy.unwrap_or_default();
        tezos.cors_origins = self.cors_origin;
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
        self.logs.apply(&mut config.observe);
        config.door = self.door.into_config();
        config.chain = [(CHAIN.to_owned(), ChainConfig::Tezos(tezos))].into();
        Ok((config, notes))
    }
}
