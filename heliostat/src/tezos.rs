//! One Tezos chain of a node: the light core over its endpoints, served
//! through a door. Nothing is replicated; the store keeps what was found out
//! about endpoints.
//!
//! | module | what it holds |
//! |---|---|
//! | [`once`] | the verbs of `heliostat tezos`: one answer, printed |
//! | [`check`] | what an operator hears of each endpoint |
//! | [`document`] | `docs/tezos-methods.md`, made from the service's own table |
//! | `report` | the chain's part of the status document |

pub mod check;
pub mod document;
pub mod once;
mod report;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use futures::future::BoxFuture;
use heliostat_core::{Id, Link};
use heliostat_door::{Connections, Door};
use heliostat_node::{Asked, Findings, Progress, State, findings, outbox};
use heliostat_observe::{ChainStatus, Metrics, Requests};
use heliostat_store::{Options as StoreOptions, Store, Table};
use heliostat_tezos::{Light, Status, api::methods, light::HeadStatus};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tower::Layer as _;

use crate::{
    address::without_credentials,
    cli::exit::{Failure, store_failure},
    config::{ChainConfig, ConfigError, TezosConfig},
    defaults,
    node::{Running, TakeOver},
};

/// One chain.
pub struct Chain {
    name: String,
    config: TezosConfig,
    listen: SocketAddr,
    connections: Connections,
    store: Arc<dyn Store>,
    store_address: String,
    light: Light,
    /// How old the newest block may be, in seconds; 0 for any age.
    max_head_age: AtomicU64,
    requests: Requests,
    progress: watch::Sender<Progress>,
}

/// Every table a Tezos chain's store has.
pub fn tables() -> Vec<Table> {
    vec![findings::TABLE, outbox::TABLE]
}

impl Chain {
    /// Opens the store; asks no endpoint.
    ///
    /// # Errors
    /// A setting that makes no sense, or a store that cannot be used.
    pub async fn open(
        name: &str,
        config: TezosConfig,
        store_address: String,
        door: &Door,
        metrics: &Metrics,
    ) -> Result<Arc<Self>, Failure> {
        let at = format!("chain.{name}");
        let mut settings = config.settings(&at)?;
        settings.limits.asked = Asked::new(metrics.upstream_asker(name));
        if let Some(words) = config.sources(&at)?.duplicates() {
            tracing::warn!(chain = name, "{words}");
        }
        let store = heliostat_store::open(&store_address, name, &tables(), StoreOptions::default())
            .await
            .map_err(store_failure)?;
        let found = Findings::open(Arc::clone(&store))
            .await
            .map_err(store_failure)?;
        let light = Light::start(settings, found)
            .map_err(|error| Failure::usage(format!("{at}: {error}")))?;
        light
            .keep_receipts(Arc::clone(&store), config.send_policy)
            .await
            .map_err(store_failure)?;
        let waiting = Progress {
            state: State::Waiting("none was asked yet".to_owned()),
            local: None,
            target: None,
            rate: 0.0,
            stale: false,
        };
        Ok(Arc::new(Self {
            name: name.to_owned(),
            max_head_age: AtomicU64::new(config.max_head_age_seconds),
            config,
            listen: door.local_addr(),
            connections: door.connections(),
            store,
            store_address: without_credentials(&store_address),
            light,
            requests: requests(metrics, name),
            progress: watch::Sender::new(waiting),
        }))
    }

    /// Keeps the progress true while the light core runs.
    async fn watch(&self) {
        loop {
            let status = self.light.status();
            let now = progress(
                &status,
                self.served(&status),
                self.max_head_age.load(Relaxed),
            );
            self.progress.send_if_modified(|known| {
                let news = *known != now;
                if news && known.state != now.state {
                    tracing::info!(chain = self.name, "{}", now.state);
                }
                *known = now;
                news
            });
            tokio::time::sleep(defaults::TEZOS_LOOK).await;
        }
    }
}

/// Counts answers by the name of their method.
fn requests(metrics: &Metrics, chain: &str) -> Requests {
    let mut names: Vec<_> = methods::method_table()
        .iter()
        .map(|method| method.name)
        .collect();
    names.dedup();
    metrics.requests_named(chain, names, |verb, path| {
        let segments: Vec<_> = path.split('/').filter(|step| !step.is_empty()).collect();
        methods::name(&segments, verb)
    })
}

/// How far the chain is. Nothing is stored, so what is agreed on now is all
/// there is.
fn progress(status: &Status, head: Option<&HeadStatus>, max_age: u64) -> Progress {
    let levels = status.endpoints.iter().filter_map(|one| one.level);
    let target = levels.max().and_then(|level| u64::try_from(level).ok());
    let local = head.and_then(link);
    let trouble = report::too_few(status).filter(|_| status.proven.is_none());
    let state = match (local, trouble) {
        (_, Some(why)) => State::Waiting(why),
        (None, None) => State::Waiting("no block is agreed on yet".to_owned()),
        (Some(_), None) => State::Following,
    };
    let age = local.map_or(0, |link| crate::report::now().saturating_sub(link.time));
    Progress {
        state,
        local,
        target,
        rate: 0.0,
        stale: max_age > 0 && age > max_age,
    }
}

/// A head as a position. Its parent is not looked up: nobody asks for it here.
fn link(head: &HeadStatus) -> Option<Link> {
    let hash: heliostat_tezos_verifier::BlockHash = head.hash.parse().ok()?;
    Some(Link {
        height: u64::try_from(head.level).ok()?,
        id: Id::from(hash.0),
        parent: Id::default(),
        time: u64::try_from(head.time).unwrap_or(0),
    })
}

impl Running for Chain {
    fn name(&self) -> &str {
        &self.name
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn status(&self) -> BoxFuture<'_, ChainStatus> {
        Box::pin(self.report())
    }

    fn evidence(&self) -> Vec<serde_json::Value> {
        self.proofs()
    }

    fn prepare(&self, wanted: &ChainConfig) -> Result<TakeOver<'_>, ConfigError> {
        let ChainConfig::Tezos(wanted) = wanted else {
            return Ok(Box::new(|| {}));
        };
        let at = format!("chain.{}", self.name);
        let (minimum, head) = wanted.policy(&at)?;
        let replace = self
            .light
            .prepare(minimum, head)
            .map_err(|error| ConfigError::value(at, error.to_string()))?;
        let age = wanted.max_head_age_seconds;
        Ok(Box::new(move || {
            replace();
            self.max_head_age.store(age, Relaxed);
        }))
    }

    fn run(
        self: Arc<Self>,
        door: Door,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), Failure>> {
        Box::pin(async move {
            // The heads are followed until the door has drained: answers under
            // way may still wait for one.
            let follow = CancellationToken::new();
            let (light, until) = (self.light.clone(), follow.clone());
            let following = AbortOnDropHandle::new(tokio::spawn(async move {
                light.run(until).await;
            }));
            let chain = Arc::clone(&self);
            let watching = AbortOnDropHandle::new(tokio::spawn(async move {
                chain.watch().await;
            }));
            door.serve(self.requests.layer(self.light.router()), stop)
                .await;
            follow.cancel();
            let ended = following.await;
            watching.abort();
            let _ = watching.await;
            ended.map_err(|error| Failure::failed(format!("{}: {error}", self.name)))
        })
    }
}
