//! `[chain.NAME]` with `ledger = "tezos"`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`values`] | modes, heads, chain ids and checkpoints as they are written |

pub mod values;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use heliostat_core::Assurance;
use heliostat_node::{Access, outbox::Policy};
use heliostat_tezos::{
    HeadPolicy, Settings,
    api::{cors::is_origin, method_table},
    endpoint::{Endpoint, Limits},
    sources::{self, Sources, SourcesError},
};
use serde::{Deserialize, Serialize};

use super::{ConfigError, settings, upstream::UpstreamAccess};
use crate::defaults;
pub use values::{ChainId, Checkpoint, HeadName, ModeName};

/// A Tezos chain: whom it asks, and how its answers are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct TezosConfig {
    /// How answers are made.
    pub mode: ModeName,
    /// The nodes, in the order in which they are asked.
    pub endpoints: Vec<String>,
    /// Octez's sources file, in place of `endpoints` and `min-agreement`.
    pub sources: Option<PathBuf>,
    /// The node that calls are passed on to; the first one without it.
    pub endpoint: Option<String>,
    /// The share of nodes that must agree, above 0 and at most 1.
    pub min_agreement: Option<f64>,
    /// The chain as the nodes name it.
    pub network: String,
    /// The chain's id, where the operator knows it.
    pub chain_id: Option<ChainId>,
    /// What the operator trusts.
    pub checkpoint: Option<Checkpoint>,
    /// Whether attestations are verified from the checkpoint on; where it is
    /// not said, they are when there is a checkpoint.
    pub finality: Option<bool>,
    /// Which block `head` is.
    pub head: HeadName,
    /// Where the node's RPC is served.
    pub listen: String,
    /// The origins of web pages that may read answers; `*` for all.
    pub cors_origins: Vec<String>,
    /// The greatest stamp of a header; 0 on a network without one.
    pub proof_of_work_threshold: u64,
    /// How old the newest block may be before that is an outage; 0 for never.
    pub max_head_age_seconds: u64,
    /// To how many nodes an operation goes.
    pub send_policy: Policy,
    /// How long a connection to a node may take to be made.
    pub connect_seconds: u64,
    /// How long one call to a node may take.
    pub call_seconds: u64,
    /// Calls under way to one node.
    pub max_calls: usize,
    /// Certificates and tokens for every node.
    #[serde(flatten)]
    pub access: UpstreamAccess,
    /// The lowest grade answered, by method; `*` for all others.
    pub minimum: BTreeMap<String, String>,
}

impl Default for TezosConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            mode: ModeName::default(),
            endpoints: Vec::new(),
            sources: None,
            endpoint: None,
            min_agreement: None,
            network: "main".to_owned(),
            chain_id: None,
            checkpoint: None,
            finality: None,
            head: HeadName::default(),
            listen: settings::TEZOS_LISTEN.to_owned(),
            cors_origins: Vec::new(),
            proof_of_work_threshold: heliostat_tezos::defaults::PROOF_OF_WORK_THRESHOLD,
            max_head_age_seconds: defaults::TEZOS_HEAD_AGE.as_secs(),
            send_policy: Policy::default(),
            connect_seconds: limits.connect.as_secs(),
            call_seconds: limits.call.as_secs(),
            max_calls: limits.in_flight,
            access: UpstreamAccess::default(),
            minimum: BTreeMap::new(),
        }
    }
}

impl TezosConfig {
    /// Checks what types cannot say; `at` is the table's path.
    pub(crate) fn validate(&self, at: &str) -> Result<(), ConfigError> {
        self.settings(at).map(drop)
    }

    /// Whether attestations are verified.
    pub(crate) fn finality(&self) -> bool {
        self.finality.unwrap_or(self.checkpoint.is_some())
    }

    /// The same for the ledger itself. Reads the sources file, certificates and
    /// tokens.
    ///
    /// # Errors
    /// A setting that makes no sense, in Octez's words where Octez has some.
    pub fn settings(&self, at: &str) -> Result<Settings, ConfigError> {
        let sources = self.sources(at)?;
        let main = match &self.endpoint {
            None => 0,
            Some(endpoint) => {
                let error = |error: sources::SourcesError| {
                    ConfigError::value(format!("{at}.endpoint"), error.to_string())
                };
                sources.check_endpoint(endpoint).map_err(error)?;
                let main = sources.uris.iter().position(|uri| uri == endpoint);
                main.unwrap_or(0)
            }
        };
        if self.finality() && self.checkpoint.is_none() {
            return Err(ConfigError::value(
                format!("{at}.finality"),
                "attestations are counted from a block you trust; set checkpoint too (--checkpoint LEVEL:HASH)",
            ));
        }
        for (key, value) in [
            ("connect-seconds", self.connect_seconds),
            ("call-seconds", self.call_seconds),
            ("max-calls", self.max_calls as u64),
        ] {
            if value == 0 {
                let words = "0 lets no call through; write a number above 0";
                return Err(ConfigError::value(format!("{at}.{key}"), words));
            }
        }
        if let Some(wrong) = self.cors_origins.iter().find(|one| !is_origin(one)) {
            return Err(ConfigError::value(
                format!("{at}.cors-origins"),
                format!(
                    "{wrong:?} is no origin; write it as browsers send it, such as https://app.example, or \"*\" for all"
                ),
            ));
        }
        self.access.validate(at)?;
        let access = Access::open(&self.access.options());
        let access = access.map_err(|error| ConfigError::value(at, error.to_string()))?;
        for (index, uri) in sources.uris.iter().enumerate() {
            Endpoint::secured(uri, Limits::default(), access.clone())
                .map_err(|error| ConfigError::value(self.named(at, index), error.to_string()))?;
        }
        let (minimum, head) = self.policy(at)?;
        Ok(Settings {
            endpoints: sources.uris,
            main,
            min_agreement: sources.min_agreement,
            chain: self.network.clone(),
            chain_id: self.chain_id.map(|id| id.0),
            checkpoint: self.checkpoint.map(|checkpoint| checkpoint.0),
            finality: self.finality(),
            head,
            mode: self.mode.into(),
            cors: self.cors_origins.clone(),
            minimum,
            proof_of_work: Some(self.proof_of_work_threshold).filter(|stamp| *stamp > 0),
            limits: Limits {
                connect: Duration::from_secs(self.connect_seconds),
                call: Duration::from_secs(self.call_seconds),
                in_flight: self.max_calls,
                ..Limits::default()
            },
            access,
        })
    }

    /// What can change without a restart: the minimum grades, and which block
    /// `head` is under them.
    ///
    /// # Errors
    /// A method or a grade that there is not.
    pub(crate) fn policy(
        &self,
        at: &str,
    ) -> Result<(BTreeMap<String, Assurance>, HeadPolicy), ConfigError> {
        let minimum = self.minimums(at)?;
        // What a minimum asks for cannot be had at a block nothing commits to.
        let implied = minimum.values().any(|grade| *grade == Assurance::Proven);
        let head = match self.head {
            HeadName::Newest if !implied => HeadPolicy::Newest,
            _ => HeadPolicy::Proven,
        };
        Ok((minimum, head))
    }

    /// The nodes and how many must agree: from the sources file, or as listed.
    ///
    /// # Errors
    /// The file, or the list, breaks one of Octez's rules; in its words.
    pub fn sources(&self, at: &str) -> Result<Sources, ConfigError> {
        let value = |key: &str, error: sources::SourcesError| {
            ConfigError::value(format!("{at}.{key}"), error.to_string())
        };
        sources::check_mode(
            self.mode.name(),
            self.sources.is_some() || (self.mode == ModeName::Light && !self.endpoints.is_empty()),
        )
        .map_err(|error| value("sources", error))?;
        if self.mode != ModeName::Light {
            return self.alone(at);
        }
        let Some(file) = &self.sources else {
            let share = self.min_agreement.unwrap_or(sources::DEFAULT_AGREEMENT);
            return Sources::new(share, self.endpoints.clone()).map_err(|error| match error {
                SourcesError::MinAgreement(_) => value("min-agreement", error),
                _ => value("endpoints", error),
            });
        };
        if !self.endpoints.is_empty() {
            return Err(ConfigError::value(
                format!("{at}.endpoints"),
                "the sources file names the nodes; remove one of the two",
            ));
        }
        let read = Sources::read(file).map_err(|error| value("sources", error))?;
        match self.min_agreement {
            None => Ok(read),
            Some(share) => {
                Sources::new(share, read.uris).map_err(|error| value("min-agreement", error))
            }
        }
    }

    /// The setting that names the node at this place.
    fn named(&self, at: &str, index: usize) -> String {
        if self.sources.is_some() {
            format!("{at}.sources")
        } else if self.endpoints.is_empty() {
            format!("{at}.endpoint")
        } else {
            format!("{at}.endpoints[{index}]")
        }
    }

    /// The one node of the modes without agreement.
    fn alone(&self, at: &str) -> Result<Sources, ConfigError> {
        let listed = self.endpoints.first().or(self.endpoint.as_ref());
        let (Some(uri), 0..=1) = (listed, self.endpoints.len()) else {
            return Err(ConfigError::value(
                format!("{at}.endpoints"),
                format!(
                    "--mode {} asks exactly one node, and {} are named; name one (on the command line: --endpoint URL), or use --mode light",
                    self.mode.name(),
                    self.endpoints.len()
                ),
            ));
        };
        Ok(Sources {
            min_agreement: sources::DEFAULT_AGREEMENT,
            uris: vec![uri.clone()],
        })
    }

    /// The minimum grades, read.
    fn minimums(&self, at: &str) -> Result<BTreeMap<String, Assurance>, ConfigError> {
        let read = |(method, grade): (&String, &String)| {
            let setting = format!("{at}.minimum.{method}");
            let known = method == "*" || method_table().iter().any(|one| one.name == method);
            if !known {
                return Err(ConfigError::value(
                    setting,
                    "there is no method of this name; docs/tezos-methods.md lists them",
                ));
            }
            match grade.parse() {
                Ok(grade) => Ok((method.clone(), grade)),
                Err(wrong) => Err(ConfigError::value(setting, format!("{wrong}"))),
            }
        };
        self.minimum.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests;
