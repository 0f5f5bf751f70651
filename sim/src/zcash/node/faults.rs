//! Everything the node can be made to do wrong.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::state::{Hash, State};
use crate::zcash::chain::Chain;

/// One way to misbehave.
#[derive(Clone, Debug)]
pub enum Misbehaviour {
    /// A raw block with one bit of its last transaction flipped; a transaction
    /// with one bit of itself flipped.
    WrongBytes,
    /// A raw block with one bit of the header's Merkle root flipped.
    WrongMerkleRoot,
    /// A raw block whose last transaction is of a version that nobody knows, and
    /// that transaction likewise: what a light node cannot read.
    UnknownVersion,
    /// A head that is this many blocks older than the chain's.
    StaleHead(usize),
    /// Answers from this chain instead of the node's own.
    Forked(Chain),
    /// Half a reply, then the connection closes.
    Truncated,
    /// A reply that goes on for this many bytes; made while it is sent.
    Huge(u64),
    /// A reply that trickles.
    Drip {
        /// Bytes at a time.
        bytes: usize,
        /// The pause between two of them.
        every: Duration,
    },
    /// An HTTP status with an empty body, such as 401, 403 or 500.
    Status(u16),
    /// The connection is reset instead of an answer.
    Reset,
    /// Another network: this hash (internal byte order) at height 0, and
    /// `main` for a chain's name.
    WrongNetwork([u8; 32]),
    /// Half a reply, then the node goes away with all its connections and
    /// comes back on the same port.
    RestartMidAnswer {
        /// How long nobody listens.
        down: Duration,
    },
    /// The answer comes late.
    Slow(Duration),
    /// The answer never comes.
    Hang,
    /// Error -28, which zcashd answers while it loads its index.
    WarmUp,
    /// An error object with this code and message.
    Error(i64, String),
    /// Tree sizes in verbose blocks that are one too large.
    TreeSizes,
    /// Tree states with a bit flipped.
    TreeStates,
    /// A reply that is not JSON.
    Garbage,
}

/// Which requests a misbehaviour meets. The default: all of them, always.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only these methods; all when empty.
    pub methods: Vec<&'static str>,
    /// Only requests for a block or a tree state in this range.
    pub heights: Option<RangeInclusive<u64>>,
    /// Only so many requests.
    pub times: Option<usize>,
}

impl Filter {
    /// Every request.
    pub fn all() -> Self {
        Self::default()
    }

    /// Requests of one method.
    pub fn method(name: &'static str) -> Self {
        Self {
            methods: vec![name],
            ..Self::default()
        }
    }

    /// Of those, only the ones for a height in the range.
    pub fn at(self, heights: RangeInclusive<u64>) -> Self {
        Self {
            heights: Some(heights),
            ..self
        }
    }

    /// Of those, only the first few.
    pub fn times(self, times: usize) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    fn meets(&self, method: &str, height: Option<u64>) -> bool {
        let method = self.methods.is_empty() || self.methods.contains(&method);
        let heights = self.heights.as_ref();
        let height = heights.is_none_or(|range| height.is_some_and(|at| range.contains(&at)));
        method && height
    }
}

/// What is untrue in the answer to one request.
#[derive(Default)]
pub(super) struct Lies {
    pub wrong_bytes: bool,
    pub wrong_root: bool,
    pub unknown_version: bool,
    pub stale: usize,
    pub genesis: Option<Hash>,
    pub chain: Option<String>,
    pub tree_sizes: bool,
    pub tree_states: bool,
    /// The data to answer from instead of the node's.
    pub fork: Option<Arc<State>>,
    /// The error to answer with.
    pub error: Option<(i64, String)>,
}

/// How one request is misanswered: what is untrue, and what goes wrong on the
/// way.
#[derive(Default)]
pub(super) struct Plan {
    pub lies: Lies,
    pub transport: Vec<Misbehaviour>,
}

struct Active {
    what: Misbehaviour,
    fork: Option<Arc<State>>,
    filter: Filter,
}

/// The misbehaviours that are switched on.
#[derive(Default)]
pub(super) struct Faults {
    active: Mutex<Vec<Active>>,
    /// How many, so that an honest node takes no lock.
    count: AtomicUsize,
}

impl Faults {
    pub fn add(&self, what: Misbehaviour, filter: Filter) {
        let fork = match &what {
            Misbehaviour::Forked(chain) => Some(Arc::new(State::of(chain.clone()))),
            _ => None,
        };
        let mut active = self.lock();
        active.push(Active { what, fork, filter });
        self.count.store(active.len(), Ordering::Release);
    }

    pub fn clear(&self) {
        let mut active = self.lock();
        active.clear();
        self.count.store(0, Ordering::Release);
    }

    /// What happens to a request.
    pub fn plan(&self, method: &str, height: impl FnOnce() -> Option<u64>) -> Plan {
        let mut plan = Plan::default();
        if self.count.load(Ordering::Acquire) == 0 {
            return plan;
        }
        let height = height();
        for active in self.lock().iter_mut() {
            if !active.filter.meets(method, height) {
                continue;
            }
            match &mut active.filter.times {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => (),
            }
            plan.add(active);
        }
        plan
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn add(&mut self, active: &Active) {
        let lies = &mut self.lies;
        match &active.what {
            Misbehaviour::WrongBytes => lies.wrong_bytes = true,
            Misbehaviour::WrongMerkleRoot => lies.wrong_root = true,
            Misbehaviour::UnknownVersion => lies.unknown_version = true,
            Misbehaviour::StaleHead(blocks) => lies.stale = *blocks,
            Misbehaviour::Forked(_) => lies.fork.clone_from(&active.fork),
            Misbehaviour::WrongNetwork(genesis) => {
                lies.genesis = Some(*genesis);
                lies.chain = Some("main".to_owned());
            }
            Misbehaviour::TreeSizes => lies.tree_sizes = true,
            Misbehaviour::TreeStates => lies.tree_states = true,
            Misbehaviour::WarmUp => {
                lies.error = Some((-28, "Loading block index...".to_owned()));
            }
            Misbehaviour::Error(code, message) => lies.error = Some((*code, message.clone())),
            transport => self.transport.push(transport.clone()),
        }
    }
}
