//! The light core: one block a request, one root a block, one proof a key.
//!
//! | module | what it holds |
//! |---|---|
//! | [`settings`] | what an operator can set |
//! | [`status`] | what an operator sees |
//! | [`pin`] | the votes on a block's root |
//! | [`block`] | what is verified of a block's state |
//! | [`read`] | reading keys: grouping, waiting for each other |
//! | `fetch` | one proof: hedged, accepted only against the pinned root |
//! | `vote` | the votes on a root, asked for and waited for |
//! | `first` | one question, put to the next endpoint when one is slow |
//! | `resolve` | which block a request is pinned to |
//! | `ask` | short questions to one endpoint or to all |
//! | `identity` | the chain's id, and who gave it |
//! | `grade` | how good an answer is |

pub mod block;
pub mod pin;
pub mod read;
pub mod settings;
pub mod status;

mod ask;
mod fetch;
pub(crate) mod first;
mod grade;
mod identity;
pub(crate) mod resolve;
mod vote;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::future::join_all;
use heliostat_core::{Assurance, Evidence, Fault};
use heliostat_node::{Findings, Minimum, Outbox, Role, Upstreams, outbox::Policy, system_clock};
use heliostat_store::{Store, StoreError};
use heliostat_tezos_context::Key;
use heliostat_tezos_verifier::{ChainId, ProtocolHash};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub(crate) use identity::Named;
pub use read::Found;
pub use settings::{Checkpoint, HeadPolicy, Mode, Settings};
pub use status::{EndpointStatus, HeadStatus, Status};

use crate::{
    api, consensus, defaults,
    endpoint::{BadAddress, Endpoint},
    headers::{Headers, finality, follow},
    light::block::Blocks,
};

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An endpoint's address.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// No endpoint.
    #[error("no endpoint is configured; name at least one (two in light mode)")]
    NoEndpoint,
    /// The share that must agree.
    #[error(
        "min_agreement value must be within 0 (exclusive) and 1 (inclusive) but you provided {0:.6}"
    )]
    MinAgreement(f64),
    /// An origin of web pages.
    #[error(
        "{0:?} is no origin; write it as browsers send it, such as https://app.example, or * for all"
    )]
    Origin(String),
    /// A name in the minimum grades that no method has.
    #[error("minimum: there is no method {name:?}; known ones: {known}")]
    UnknownMethod {
        /// The name.
        name: String,
        /// All there are.
        known: String,
    },
}

/// A light node of one Tezos chain.
#[derive(Clone)]
pub struct Light {
    pub(crate) core: Arc<Core>,
}

/// What all parts share.
pub(crate) struct Core {
    /// Minimum grades and the head's policy, which can change, are below.
    pub settings: Settings,
    minimum: Minimum,
    proven_head: AtomicBool,
    pub upstreams: Arc<Upstreams<Endpoint>>,
    pub blocks: Blocks,
    pub headers: Headers,
    /// How many endpoints must agree.
    pub needed: usize,
    /// The chain's id, and who gave it.
    chain_id: Mutex<Option<(ChainId, Named)>>,
    /// The chain's id is asked for once for everybody who waits for it.
    pub asking_chain: tokio::sync::Mutex<()>,
    /// The protocol of the states whose header has this `proto`.
    pub protocols: Mutex<HashMap<u8, (ProtocolHash, usize)>>,
    /// Accounts too large to be read as a whole.
    large: Mutex<HashSet<Key>>,
    /// Questions that outlive the request they were asked for.
    tasks: Mutex<Vec<AbortOnDropHandle<()>>>,
    following: AtomicBool,
    /// Heads are asked for once for everybody who waits for them.
    pub refreshing: tokio::sync::Mutex<()>,
    /// Missing headers are fetched by one at a time.
    pub backfilling: tokio::sync::Mutex<()>,
    /// Finality is followed by one at a time.
    pub finality: tokio::sync::Mutex<finality::Follower>,
    pub heads_served: Arc<tokio::sync::Semaphore>,
    /// The operations on their way out, once there is a store for receipts.
    pub outbox: OnceLock<Arc<api::outbox::Outbox>>,
}

impl Light {
    /// A light node over these endpoints. Nothing is asked yet.
    pub fn start(mut settings: Settings, findings: Findings) -> Result<Self, StartError> {
        if settings.endpoints.is_empty() {
            return Err(StartError::NoEndpoint);
        }
        if !(settings.min_agreement > 0.0 && settings.min_agreement <= 1.0) {
            return Err(StartError::MinAgreement(settings.min_agreement));
        }
        if let Some(wrong) = settings.cors.iter().find(|one| !api::cors::is_origin(one)) {
            return Err(StartError::Origin(wrong.clone()));
        }
        let minimum = std::mem::take(&mut settings.minimum);
        let head = head_for(&minimum, settings.head)?;
        let mut upstreams = Vec::new();
        for uri in &settings.endpoints {
            let endpoint =
                Endpoint::secured(uri, settings.limits.clone(), settings.access.clone())?;
            upstreams.push((endpoint.name().to_owned(), Role::Follow, endpoint));
        }
        let n = upstreams.len();
        let needed = consensus::needed(settings.min_agreement, n);
        Ok(Self {
            core: Arc::new(Core {
                settings,
                minimum: minimum.into(),
                proven_head: AtomicBool::new(head == HeadPolicy::Proven),
                upstreams: Arc::new(Upstreams::new(upstreams).with_findings(findings)),
                blocks: Blocks::new(n, needed),
                headers: Headers::new(n, needed),
                needed,
                chain_id: Mutex::default(),
                asking_chain: tokio::sync::Mutex::default(),
                protocols: Mutex::default(),
                large: Mutex::default(),
                tasks: Mutex::default(),
                following: AtomicBool::new(false),
                refreshing: tokio::sync::Mutex::default(),
                backfilling: tokio::sync::Mutex::default(),
                finality: tokio::sync::Mutex::default(),
                heads_served: Arc::new(tokio::sync::Semaphore::new(defaults::MONITOR_CLIENTS)),
                outbox: OnceLock::new(),
            }),
        })
    }

    /// Keeps receipts of operations from here on, in a store that was opened
    /// with [`outbox::TABLE`](heliostat_node::outbox::TABLE). Without it each is sent as it comes.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn keep_receipts(
        &self,
        store: Arc<dyn Store>,
        policy: Policy,
    ) -> Result<(), StoreError> {
        let carrier = Arc::new(api::outbox::Carrier::new(&self.core));
        let clock = system_clock();
        let opened = Outbox::open(store, carrier, policy, &clock).await?;
        // The first one stays: its writes may be under way.
        let _first = self.core.outbox.set(Arc::new(opened));
        Ok(())
    }

    /// The operations on their way out, if receipts are kept.
    pub fn outbox(&self) -> Option<&Arc<api::outbox::Outbox>> {
        self.core.outbox.get()
    }

    /// Makes ready to ask for these grades, and for this head. That is done
    /// from the next request on after the result is called.
    ///
    /// # Errors
    /// A name that no method has.
    pub fn prepare(
        &self,
        minimum: BTreeMap<String, Assurance>,
        head: HeadPolicy,
    ) -> Result<impl FnOnce() + Send + use<'_>, StartError> {
        let head = head_for(&minimum, head)?;
        let proven = head == HeadPolicy::Proven;
        Ok(move || {
            self.core.proven_head.store(proven, Ordering::Relaxed);
            self.core.minimum.replace(minimum);
        })
    }

    /// Which block `head` is now.
    pub fn head_policy(&self) -> HeadPolicy {
        self.core.head_policy()
    }

    /// The node's REST interface.
    pub fn router(&self) -> axum::Router {
        api::router(Arc::clone(&self.core))
    }

    /// The chain as the endpoints name it.
    pub fn chain(&self) -> &str {
        &self.core.settings.chain
    }

    /// The endpoints, with what is known of each and what was found out.
    pub fn upstreams(&self) -> &Arc<Upstreams<Endpoint>> {
        &self.core.upstreams
    }

    /// What an operator sees.
    pub fn status(&self) -> Status {
        status::of(&self.core)
    }

    /// Asks every endpoint for its head once, and looks once for what is final:
    /// what a process needs that answers one question and ends.
    pub async fn refresh(&self) {
        self.core.refresh_heads().await;
        finality::look(&self.core).await;
    }

    /// Follows the heads of all endpoints, and finality where it is on, until
    /// `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        self.core.following.store(true, Ordering::Relaxed);
        let all = 0..self.core.n();
        let follow = join_all(all.map(|at| follow::follow(&self.core, at)));
        let looking = async {
            if let Some(outbox) = self.core.outbox.get() {
                outbox.run(stop.clone()).await;
            }
        };
        let keeping = async {
            loop {
                tokio::time::sleep(defaults::KEEP_FINDINGS).await;
                self.core.persist().await;
            }
        };
        let work = async { tokio::join!(follow, finality::run(&self.core), keeping) };
        let work = async {
            tokio::select! {
                _ = work => {}
                () = stop.cancelled() => {}
            }
        };
        tokio::join!(work, looking);
        self.core.following.store(false, Ordering::Relaxed);
        self.core.persist().await;
    }
}

/// Which block `head` is under these minimum grades.
///
/// # Errors
/// A name that no method has.
fn head_for(
    minimum: &BTreeMap<String, Assurance>,
    head: HeadPolicy,
) -> Result<HeadPolicy, StartError> {
    api::methods::check(minimum)?;
    // Nothing newer than what is proven could be answered by a method that
    // has to prove, and all methods speak of the same head.
    let implied = minimum.values().any(|least| *least == Assurance::Proven);
    Ok(match implied {
        true => HeadPolicy::Proven,
        false => head,
    })
}

impl Core {
    /// The lowest grade that is answered by a method.
    pub fn least(&self, method: &str) -> Assurance {
        let least = self.minimum.of(method).or_else(|| self.minimum.of("*"));
        least.unwrap_or(Assurance::Relayed)
    }

    /// Which block `head` is.
    pub fn head_policy(&self) -> HeadPolicy {
        match self.proven_head.load(Ordering::Relaxed) {
            true => HeadPolicy::Proven,
            false => HeadPolicy::Newest,
        }
    }

    /// How many endpoints there are, also those that cannot be used.
    pub fn n(&self) -> usize {
        self.upstreams.all().len()
    }

    /// One endpoint.
    pub fn endpoint(&self, at: usize) -> &Endpoint {
        self.upstreams.all()[at].source()
    }

    /// Whether heads are followed in the background.
    pub fn is_following(&self) -> bool {
        self.following.load(Ordering::Relaxed)
    }

    /// Whether blocks can become final here.
    pub fn finality_is_on(&self) -> bool {
        self.settings.finality && self.settings.checkpoint.is_some()
    }

    /// Holds a proven lie against an endpoint: it is not asked again, and what
    /// it agreed to counts for nothing.
    pub fn convict(self: &Arc<Self>, at: usize, lie: Evidence) {
        self.upstreams
            .report(&self.upstreams.all()[at], &Fault::Wrong(lie));
        self.headers.dismiss(at);
        for state in self.blocks.all() {
            state.dismiss(at);
        }
        self.protocols
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.forget_votes_for_chain();
        let core = Arc::clone(self);
        self.keep_task(AbortOnDropHandle::new(tokio::spawn(async move {
            core.persist().await;
        })));
    }

    /// Makes findings durable.
    pub async fn persist(&self) {
        if let Err(error) = self.upstreams.persist().await {
            tracing::debug!(%error, "findings not stored yet");
        }
    }

    /// Keeps a task until it has ended.
    pub fn keep_task(&self, task: AbortOnDropHandle<()>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    /// Remembers an account as too large to be read as a whole.
    pub fn remember_large(&self, key: &Key) {
        let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        if large.len() >= defaults::LARGE_ACCOUNTS {
            large.clear();
        }
        large.insert(key.clone());
    }

    /// Whether a key is known to be too large to be read as a whole.
    pub fn is_large(&self, key: &Key) -> bool {
        let large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        large.contains(key)
    }
}
