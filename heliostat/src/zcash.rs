//! One Zcash chain of a node: store, replica, upstreams, follower and API,
//! each on a handle that ends with the chain.
//!
//! | module | what it holds |
//! |---|---|
//! | `beginning` | what has to be known before there is a follower: network, joint |
//! | [`document`] | `docs/zcash-methods.md`, made from the service's own tables |
//! | `forget` | leaving out what is stored from a height on |
//! | [`nodes`] | the configured upstreams: credentials, sources, which network they are on |
//! | [`joint`] | a checkpoint: the headers the chain is joined with |
//! | [`late`] | the service behind the door before the replica is open |
//! | `report` | the chain's part of the status document |

mod beginning;
pub mod document;
mod forget;
pub mod joint;
pub mod late;
pub mod nodes;
mod report;

pub(crate) use beginning::stored_network;
pub use nodes::conf_url;

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::Router;
use futures::future::BoxFuture;
use heliostat_core::Change;
use heliostat_door::{Connections, Door};
use heliostat_node::{
    Agreement, Asked, ChangeFeed, Findings, Follower, Minimum, Notice, Progress, State, Upstreams,
    findings, outbox,
};
use heliostat_observe::{ChainStatus, Metrics, Requests, requests::Counting};
use heliostat_store::{Options as StoreOptions, Store, Table};
use heliostat_zcash::{
    api,
    chunk::TABLES,
    replica::{self, ZcashReplica},
    source::ZcashSource,
};
use heliostat_zcash_verifier::{Network, ZcashVerifier};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tower::Layer;

use crate::{
    cli::exit::{Failure, store_failure},
    config::{ChainConfig, ConfigError, ZcashConfig},
    node::{Running, TakeOver},
};
use late::Late;
use nodes::Nodes;

type Follow = Follower<ZcashSource, ZcashVerifier, ZcashReplica>;

/// One chain.
pub struct Chain {
    name: String,
    config: ZcashConfig,
    listen: SocketAddr,
    connections: Connections,
    store: Arc<dyn Store>,
    store_address: String,
    nodes: Nodes,
    service: Late<Counting<Router>>,
    requests: Requests,
    progress: watch::Sender<Progress>,
    rewinds: AtomicU64,
    /// The lowest grades that are answered, now.
    minimum: Minimum,
    /// Whether `/readyz` would say yes; health checks answer it too.
    ready: watch::Sender<bool>,
    live: OnceLock<Live>,
}

/// What exists once the network is known and the replica is open.
struct Live {
    network: Network,
    replica: Arc<ZcashReplica>,
    upstreams: Arc<Upstreams<ZcashSource>>,
    agreement: Arc<Agreement>,
    outbox: Arc<api::Outbox>,
}

/// Every table a Zcash chain's store has.
pub fn tables() -> Vec<Table> {
    let mut tables = TABLES.to_vec();
    tables.push(findings::TABLE);
    tables.push(outbox::TABLE);
    tables
}

impl Chain {
    /// Opens the store and reads the credentials; asks no upstream. What the
    /// replica has is served from [`run`](Running::run) on.
    ///
    /// # Errors
    /// A setting that makes no sense, or a store that cannot be used.
    pub async fn open(
        name: &str,
        config: ZcashConfig,
        store_address: String,
        door: &Door,
        metrics: &Metrics,
    ) -> Result<Arc<Self>, Failure> {
        let asked = Asked::new(metrics.upstream_asker(name));
        let nodes = Nodes::telling(name, &config, &asked)?;
        let minimum = config.minimums(&format!("chain.{name}"))?;
        let options = StoreOptions::default();
        let store = heliostat_store::open(&store_address, name, &tables(), options)
            .await
            .map_err(store_failure)?;
        if let Some(height) = config.forget_from {
            forget::from(&store, height).await?;
        }
        let methods: Vec<_> = api::method_table()
            .iter()
            .map(|method| format!("/{}/{}", api::SERVICE, method.name))
            .collect();
        let waiting = Progress {
            state: State::Waiting("none was asked yet".to_owned()),
            local: None,
            target: None,
            rate: 0.0,
            stale: false,
        };
        Ok(Arc::new(Self {
            name: name.to_owned(),
            config,
            listen: door.local_addr(),
            connections: door.connections(),
            store,
            store_address: crate::address::without_credentials(&store_address),
            nodes,
            service: Late::default(),
            requests: metrics.requests(name, methods.iter().map(String::as_str)),
            progress: watch::Sender::new(waiting),
            rewinds: AtomicU64::new(0),
            minimum: minimum.into(),
            ready: watch::Sender::new(false),
            live: OnceLock::new(),
        }))
    }

    /// Serves and follows until `stop`; then drains and stores what is
    /// verified. Fails where the store is corrupt, or is another chain's.
    async fn serve(self: Arc<Self>, door: Door, stop: CancellationToken) -> Result<(), Failure> {
        // The follower stops when the door has drained: answers under way may
        // still be asking for what it keeps current.
        let follow = CancellationToken::new();
        let chain = Arc::clone(&self);
        let following = AbortOnDropHandle::new(tokio::spawn({
            let follow = follow.clone();
            async move { chain.follow(follow).await }
        }));
        let serving = door.serve(self.service.clone(), stop.clone());
        let mut following = std::pin::pin!(following);
        let ended = tokio::select! {
            () = serving => None,
            ended = &mut following => Some(ended),
        };
        follow.cancel();
        let ended = match ended {
            Some(ended) => ended,
            None => following.await,
        };
        ended.unwrap_or_else(|error| Err(Failure::failed(format!("{}: {error}", self.name))))
    }

    /// Opens the replica, then keeps it at the upstreams' head.
    async fn follow(self: Arc<Self>, stop: CancellationToken) -> Result<(), Failure> {
        let Some(network) = stop.run_until_cancelled(self.network()).await else {
            return Ok(());
        };
        let network = network?;
        let join = stop.run_until_cancelled(self.join(network)).await;
        let Some(join) = join else { return Ok(()) };
        let options = replica::Options {
            join: join?,
            ..replica::Options::default()
        };
        let replica = ZcashReplica::open(Arc::clone(&self.store), network, options)
            .await
            .map_err(store_failure)?;
        let mut verifier = ZcashVerifier::new(network);
        if let Some(checkpoint) = &self.config.checkpoint {
            joint::confirm(&self.name, &replica, checkpoint).await?;
            verifier = verifier.held_to(checkpoint.point());
        }
        let replica = Arc::new(replica);
        let findings = Findings::open(Arc::clone(&self.store))
            .await
            .map_err(store_failure)?;
        let upstreams = Upstreams::new(self.nodes.sources(network)).with_findings(findings);
        let upstreams = Arc::new(upstreams);
        let mut settings = heliostat_node::Settings::default();
        if !network.has_proof_of_work() {
            // A private chain stands still when nobody mines.
            settings.head_age = None;
        }
        let follower = Follow::new(
            Arc::clone(&upstreams),
            Arc::new(verifier),
            Arc::clone(&replica),
            settings,
        );
        let outbox = self.outbox(&upstreams, &replica).await?;
        self.go_live(network, &replica, &upstreams, &follower, &outbox);
        let mirror =
            AbortOnDropHandle::new(tokio::spawn(Arc::clone(&self).mirror(follower.progress())));
        let counting = AbortOnDropHandle::new(tokio::spawn(
            Arc::clone(&self).count_rewinds(follower.changes()),
        ));
        let health = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&self).keep_ready()));
        let ended = CancellationToken::new();
        let sending = AbortOnDropHandle::new(tokio::spawn({
            let ended = ended.clone();
            async move { outbox.run(ended).await }
        }));
        let result = follower.run(stop).await.map_err(store_failure);
        ended.cancel();
        let _ = sending.await;
        // Waited for: they hold this chain, and with it its store's lock.
        for task in [mirror, counting, health] {
            task.abort();
            let _ = task.await;
        }
        result
    }

    /// The writes on their way to the upstreams.
    async fn outbox(
        &self,
        upstreams: &Arc<Upstreams<ZcashSource>>,
        replica: &Arc<ZcashReplica>,
    ) -> Result<Arc<api::Outbox>, Failure> {
        let store = Arc::clone(&self.store);
        let (upstreams, replica) = (Arc::clone(upstreams), Arc::clone(replica));
        let (policy, plain) = (self.config.send_policy, self.config.compat.plain_txid);
        let opened = api::outbox::open(store, upstreams, replica, policy, plain);
        opened.await.map_err(store_failure)
    }

    /// From here on clients are answered from the replica.
    fn go_live(
        &self,
        network: Network,
        replica: &Arc<ZcashReplica>,
        upstreams: &Arc<Upstreams<ZcashSource>>,
        follower: &Follow,
        outbox: &Arc<api::Outbox>,
    ) {
        let agreement = follower.agreement();
        let settings = api::Settings {
            donation_address: self.config.donation_address.clone().unwrap_or_default(),
            ping_very_insecure: self.config.ping_very_insecure,
            minimum: self.minimum.clone(),
            compat: api::Compat {
                plain_txid: self.config.compat.plain_txid,
                ok_on_address_error: self.config.compat.ok_on_address_error,
            },
            ready: Some(self.ready.subscribe()),
            ..api::Settings::default()
        };
        let router = api::router(api::Context {
            replica: Arc::clone(replica),
            upstreams: Arc::clone(upstreams),
            outbox: Arc::clone(outbox),
            agreement: Arc::clone(&agreement),
            observer: None,
            progress: follower.progress(),
            settings,
        });
        self.service.set(self.requests.layer(router));
        let _first = self.live.set(Live {
            network,
            replica: Arc::clone(replica),
            upstreams: Arc::clone(upstreams),
            agreement,
            outbox: Arc::clone(outbox),
        });
        tracing::info!(
            chain = self.name,
            network = network.name(),
            height = replica.view().tip().map(|tip| tip.height),
            "replica open"
        );
    }

    /// Passes the follower's progress on to those who subscribed before it
    /// existed.
    async fn mirror(self: Arc<Self>, mut progress: watch::Receiver<Progress>) {
        loop {
            let now = progress.borrow_and_update().clone();
            self.progress.send_replace(now);
            if progress.changed().await.is_err() {
                return;
            }
        }
    }

    async fn count_rewinds(self: Arc<Self>, changes: ChangeFeed) {
        let mut changes = changes.subscribe();
        while let Some(notice) = changes.next().await {
            if let Notice::Change(Change::Rewind(_)) = notice {
                self.rewinds.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
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
        let ChainConfig::Zcash(wanted) = wanted else {
            return Ok(Box::new(|| {}));
        };
        let minimum = wanted.minimums(&format!("chain.{}", self.name))?;
        Ok(Box::new(|| self.minimum.replace(minimum)))
    }

    fn run(
        self: Arc<Self>,
        door: Door,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), Failure>> {
        Box::pin(self.serve(door, stop))
    }
}
