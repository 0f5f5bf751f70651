//! What an operator can set.

use std::collections::BTreeMap;

use heliostat_core::Assurance;
use heliostat_node::Access;
use heliostat_tezos_context::ContextHash;
use heliostat_tezos_verifier::{BlockHash, ChainId};

use crate::{defaults, endpoint::Limits};

/// Which block `head` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeadPolicy {
    /// The newest one that enough endpoints gave.
    #[default]
    Newest,
    /// The newest one whose successor's header is verified: with a checkpoint
    /// and finality the newest proven one, else one back.
    Proven,
}

/// How answers are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Reads are verified here, against what the endpoints agree on.
    #[default]
    Light,
    /// Reads are made here from the data of one endpoint.
    Proxy,
    /// Every call is passed on to one endpoint.
    Client,
}

/// A block, or the state of one, that the operator trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// A block by its hash.
    Block {
        /// Its level.
        level: u32,
        /// Its hash.
        hash: BlockHash,
    },
    /// The root of the state after a block.
    Root {
        /// The block's level.
        level: u32,
        /// The root directory's hash.
        root: ContextHash,
    },
}

impl Checkpoint {
    /// Its level.
    pub fn level(&self) -> u32 {
        match self {
            Self::Block { level, .. } | Self::Root { level, .. } => *level,
        }
    }
}

/// Settings of a light node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The endpoints, in the order in which they are asked.
    pub endpoints: Vec<String>,
    /// The one of them that calls are passed on to.
    pub main: usize,
    /// The share of endpoints that must agree, above 0 and at most 1.
    pub min_agreement: f64,
    /// The chain as the endpoints name it: `main`, `test` or `Net…`.
    pub chain: String,
    /// The chain's id, where the operator knows it. An endpoint on another
    /// chain is not used.
    pub chain_id: Option<ChainId>,
    /// What the operator trusts.
    pub checkpoint: Option<Checkpoint>,
    /// Whether the bakers' attestations are verified from the checkpoint on.
    pub finality: bool,
    /// Which block `head` is.
    pub head: HeadPolicy,
    /// How answers are made.
    pub mode: Mode,
    /// The origins of web pages that may read answers, as browsers send them;
    /// `*` for all.
    pub cors: Vec<String>,
    /// The lowest grade that is answered, by method name as in
    /// [`method_table`](crate::api::method_table); `*` stands for all others.
    pub minimum: BTreeMap<String, Assurance>,
    /// The proof-of-work stamp that headers must have; `None` for networks
    /// without.
    pub proof_of_work: Option<u64>,
    /// Bounds on what one endpoint may cost.
    pub limits: Limits,
    /// Authorities, certificate and token for all endpoints.
    pub access: Access,
}

impl Settings {
    /// Light mode over these endpoints, everything else as it usually is.
    pub fn new(endpoints: Vec<String>) -> Self {
        Self {
            endpoints,
            main: 0,
            min_agreement: crate::sources::DEFAULT_AGREEMENT,
            chain: "main".to_owned(),
            chain_id: None,
            checkpoint: None,
            finality: false,
            head: HeadPolicy::default(),
            mode: Mode::default(),
            cors: Vec::new(),
            minimum: BTreeMap::new(),
            proof_of_work: Some(defaults::PROOF_OF_WORK_THRESHOLD),
            limits: Limits::default(),
            access: Access::open_to_all(),
        }
    }
}
