//! The status document: the JSON of `/status`, read back by `heliostat
//! status`. Fields are added, never renamed or removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A process and its chains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The release that runs.
    pub version: String,
    /// Seconds since the process started.
    pub uptime_seconds: u64,
    /// Whether every chain is fresh and served.
    pub ready: bool,
    /// Why not, each beginning with the chain's name; empty when ready.
    pub not_ready: Vec<String>,
    /// The chains by the name the configuration gives them.
    pub chains: BTreeMap<String, ChainStatus>,
    /// The listening sockets: each chain's by the chain's name, and `observe`.
    #[serde(default)]
    pub doors: BTreeMap<String, DoorStatus>,
    /// What the process takes of its machine.
    #[serde(default)]
    pub process: ProcessStatus,
}

impl Status {
    /// A status of these chains: ready when none has a reason not to be.
    pub fn of(version: &str, uptime_seconds: u64, chains: BTreeMap<String, ChainStatus>) -> Self {
        let not_ready: Vec<_> = chains
            .iter()
            .flat_map(|(name, chain)| {
                chain
                    .not_ready
                    .iter()
                    .map(move |why| format!("{name}: {why}"))
            })
            .collect();
        Self {
            version: version.to_owned(),
            uptime_seconds,
            ready: not_ready.is_empty() && !chains.is_empty(),
            not_ready,
            chains,
            doors: BTreeMap::new(),
            process: ProcessStatus::default(),
        }
    }
}

/// One chain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChainStatus {
    /// The ledger family, such as `zcash`.
    pub ledger: String,
    /// The network within it, such as `main`.
    pub network: String,
    /// Where its own API is served.
    pub listen: String,
    /// What it is doing, in words.
    pub state: String,
    /// Why it is not ready; empty when it is.
    pub not_ready: Vec<String>,
    /// The newest height of the replica.
    pub local_height: Option<u64>,
    /// The greatest height a usable upstream claims.
    pub target_height: Option<u64>,
    /// The newest position of the replica.
    pub head: Option<Head>,
    /// The recent pace of the follower; none where nothing is followed into a
    /// replica, but read when it is asked for.
    #[serde(default)]
    pub blocks_per_second: Option<f64>,
    /// Rewinds since the process started.
    pub rewinds: u64,
    /// Client connections open now.
    pub connections: u64,
    /// Client connections accepted since the process started.
    pub connections_accepted: u64,
    /// Every upstream, the followed ones first.
    pub upstreams: Vec<UpstreamStatus>,
    /// Lies with evidence, newest last.
    pub findings: Vec<Finding>,
    /// Heights at which upstreams give different, equally valid answers.
    pub disagreements: Vec<Disagreement>,
    /// The store.
    pub store: StoreStatus,
    /// Receipts of writes, by the state they are in.
    #[serde(default)]
    pub outbox: BTreeMap<String, u64>,
}

/// The newest position of a replica.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Its height.
    pub height: u64,
    /// Its id, the way the ledger's people write it.
    pub id: String,
    /// The time it claims, in seconds since the Unix epoch.
    pub time: u64,
    /// How long ago that is.
    pub age_seconds: u64,
    /// How it was checked: `proven`, `agreed k/n` or `relayed`.
    pub assurance: String,
}

/// One upstream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    /// Its name: the URL without credentials.
    pub name: String,
    /// `follow` or `witness`; `asked` where blocks are not fetched but reads are
    /// put to all when they are needed.
    pub role: String,
    /// `ok`, or the kind of its fault: `unreachable`, `behind`, `unsupported`,
    /// `wrong`.
    pub state: String,
    /// Why, in words; empty when all is well. One that is ok may still have
    /// something to say, such as that it is syncing itself.
    pub why: String,
    /// The height it claimed last.
    pub height: Option<u64>,
}

impl UpstreamStatus {
    /// Whether it can be used now.
    pub fn is_usable(&self) -> bool {
        self.state == "ok"
    }
}

/// A lie with evidence, in short; `/evidence` has the bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Who said it.
    pub upstream: String,
    /// The rule that is broken, such as `zcash.merkle-root`.
    pub rule: String,
    /// The same in one sentence.
    pub words: String,
    /// The height it is about.
    pub height: Option<u64>,
    /// What is kept as proof, each with its size in bytes.
    pub exhibits: Vec<(String, u64)>,
}

/// Different, equally valid answers at one height: a fork.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// The height.
    pub height: u64,
    /// The id the replica has there.
    pub ours: String,
    /// Who gives another one.
    pub upstream: String,
    /// The id it gives.
    pub theirs: String,
}

/// The store of a chain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Its address without credentials.
    pub address: String,
    /// Bytes on disk; 0 where the engine cannot tell.
    pub bytes: u64,
    /// Why it cannot be used just now, in words.
    pub error: Option<String>,
}

/// One listening socket: what its door counted since the process started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DoorStatus {
    /// Where it listens.
    pub listen: String,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections and requests turned away, by reason.
    pub refused: BTreeMap<String, u64>,
    /// TLS handshakes that failed.
    pub handshake_failures: u64,
    /// Connections cut, by reason.
    pub cut: BTreeMap<String, u64>,
    /// Certificates and lists taken over from changed files.
    pub reloads: u64,
    /// Changed files that could not be taken over.
    pub reload_failures: u64,
    /// When the served certificate ends, in seconds since the Unix epoch.
    pub certificate_not_after: Option<i64>,
    /// Bytes that count against the memory budget.
    pub memory_used: u64,
    /// The memory budget in bytes; 0 where there is none.
    pub memory_budget: u64,
}

/// What the process takes of its machine; 0 where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessStatus {
    /// Memory in use, in bytes.
    pub resident_bytes: u64,
    /// Processor time taken since the start, all threads together, in seconds.
    pub cpu_seconds: f64,
    /// When the process started, as a Unix time in seconds.
    pub start_time: f64,
    /// Asynchronous tasks that have not ended.
    pub tasks: u64,
    /// File descriptors open.
    pub open_fds: u64,
    /// File descriptors it may open.
    pub max_fds: u64,
}
