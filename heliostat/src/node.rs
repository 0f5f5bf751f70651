//! Every chain of a configuration, running in this process.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Instant};

use futures::{FutureExt, future::BoxFuture};
use heliostat_door::{Door, DoorError};
use heliostat_node::Progress;
use heliostat_observe::{ChainStatus, Metrics, Status, Subject};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::exit::Failure,
    config::{ChainConfig, Config, ConfigError, door},
    doors::Doors,
    tezos, zcash,
};

/// Settings that make sense, to be put in force; that cannot fail.
pub type TakeOver<'a> = Box<dyn FnOnce() + Send + 'a>;

/// One chain of a node, as the process and its operator see it.
pub trait Running: Send + Sync {
    /// The name the configuration gives it.
    fn name(&self) -> &str;

    /// How far it is.
    fn progress(&self) -> watch::Receiver<Progress>;

    /// What the chain knows of itself now.
    fn status(&self) -> BoxFuture<'_, ChainStatus>;

    /// Every lie in full.
    fn evidence(&self) -> Vec<serde_json::Value>;

    /// Makes ready to go on by those settings of `wanted` that can change
    /// without a restart. Nothing is changed before the result is called, so
    /// that all chains change or none.
    ///
    /// # Errors
    /// One makes no sense.
    fn prepare(&self, wanted: &ChainConfig) -> Result<TakeOver<'_>, ConfigError>;

    /// Serves and follows until `stop`; then drains and stores what is
    /// verified. Fails when the chain cannot go on.
    fn run(
        self: Arc<Self>,
        door: Door,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), Failure>>;
}

/// Opens a chain by its ledger.
async fn open(
    config: &Config,
    name: &str,
    chain: &ChainConfig,
    door: &Door,
    metrics: &Metrics,
) -> Result<Arc<dyn Running>, Failure> {
    let store = config.store_address(name)?;
    Ok(match chain {
        ChainConfig::Zcash(chain) => {
            zcash::Chain::open(name, chain.clone(), store, door, metrics).await?
        }
        ChainConfig::Tezos(chain) => {
            tezos::Chain::open(name, chain.clone(), store, door, metrics).await?
        }
    })
}

/// A running node. Dropping it stops everything without a drain.
pub struct RunningNode {
    chains: Vec<Arc<dyn Running>>,
    subject: Arc<Chains>,
    metrics: Arc<Metrics>,
    served: Vec<(&'static str, SocketAddr)>,
    observe: SocketAddr,
    stop: CancellationToken,
    stop_observe: CancellationToken,
    tasks: JoinSet<Result<(), Failure>>,
    observing: JoinHandle<()>,
}

/// Starts every chain of `config`. When this returns, all sockets are open
/// and all stores are readable; upstreams may be anything.
///
/// # Errors
/// A setting that makes no sense (exit code 2), a port that cannot be opened
/// or a store that cannot be used (1).
pub async fn start(config: Config) -> Result<RunningNode, Failure> {
    config.validate()?;
    let metrics = Arc::new(Metrics::new());
    let stop = CancellationToken::new();
    let options = config.door.open()?;
    // Sockets first: two nodes on one machine must not get as far as sharing
    // a store.
    let observed = door::observed(&options, &config.observe);
    let observe = bind(&config.observe.listen, "observe.listen", observed).await?;
    let mut known = Doors::default();
    known.add("observe", &observe);
    let mut doors = Vec::new();
    for (name, chain) in &config.chain {
        let setting = format!("chain.{name}.listen");
        let options = heliostat_door::Options {
            ledger: name.clone(),
            ..options.clone()
        };
        let door = bind(chain.listen(), &setting, options).await?;
        known.add(name, &door);
        doors.push(door);
    }
    let ledgers = config.chain.values().map(ChainConfig::ledger);
    let served = ledgers.zip(doors.iter().map(Door::local_addr)).collect();

    let mut tasks = JoinSet::new();
    let mut chains = Vec::new();
    for ((name, chain), door) in config.chain.iter().zip(doors) {
        let chain = open(&config, name, chain, &door, &metrics).await?;
        tasks.spawn(Arc::clone(&chain).run(door, stop.clone()));
        chains.push(chain);
    }
    let subject = Arc::new(Chains {
        chains: chains.clone(),
        doors: known,
        since: Instant::now(),
    });
    let observe_addr = observe.local_addr();
    let stop_observe = CancellationToken::new();
    let watched = Arc::clone(&subject) as Arc<dyn Subject>;
    let router =
        heliostat_observe::router_until(watched, Arc::clone(&metrics), stop_observe.clone());
    let observing = tokio::spawn(observe.serve(router, stop_observe.clone()));
    Ok(RunningNode {
        chains,
        subject,
        metrics,
        served,
        observe: observe_addr,
        stop,
        stop_observe,
        tasks,
        observing,
    })
}

/// Opens a socket; a setting that makes no sense is a usage error.
async fn bind(
    address: &str,
    setting: &str,
    options: heliostat_door::Options,
) -> Result<Door, Failure> {
    let door = Door::bind(address, options).await;
    door.map_err(|error| {
        let usage = matches!(
            error,
            DoorError::Address { .. } | DoorError::Plaintext { .. }
        );
        let words = anyhow::Error::new(error).context(setting.to_owned());
        match usage {
            true => Failure::Usage(words),
            false => Failure::Failed(words),
        }
    })
}

impl RunningNode {
    /// Where the API of the first chain is served, of whatever ledger.
    pub fn grpc_addr(&self) -> SocketAddr {
        let first = self.served.first();
        first.expect("a validated configuration has a chain").1
    }

    /// Where the API of the first chain of this ledger is served.
    pub fn addr_of(&self, ledger: &str) -> Option<SocketAddr> {
        let first = self.served.iter().find(|(of, _)| *of == ledger);
        first.map(|(_, address)| *address)
    }

    /// Where metrics, health and status are served.
    pub fn observe_addr(&self) -> SocketAddr {
        self.observe
    }

    /// The listening sockets.
    pub fn doors(&self) -> Doors {
        self.subject.doors.clone()
    }

    /// What whoever observes this node asks.
    pub fn subject(&self) -> Arc<dyn Subject> {
        Arc::clone(&self.subject) as Arc<dyn Subject>
    }

    /// The chains.
    pub fn chains(&self) -> &[Arc<dyn Running>] {
        &self.chains
    }

    /// What is counted.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// What `/status` answers.
    pub async fn status(&self) -> Status {
        self.subject.status().await
    }

    /// How far each chain is, by name. A chain that still waits to learn its
    /// network says so in its state.
    pub fn progress(&self) -> Vec<(String, watch::Receiver<Progress>)> {
        let chains = self.chains.iter();
        chains
            .map(|chain| (chain.name().to_owned(), chain.progress()))
            .collect()
    }

    /// Returns when a chain cannot go on, with its reason; waits for ever
    /// while all of them can. No upstream makes a chain end.
    pub async fn failed(&mut self) -> Failure {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(failure))) => return failure,
                Some(Err(error)) => return Failure::failed(format!("a task ended: {error}")),
                None => std::future::pending().await,
            }
        }
    }

    /// Stops: answers under way are finished (within the drain time), what is
    /// verified is stored, every task has ended when this returns.
    ///
    /// # Errors
    /// A chain could not store what it had.
    pub async fn shutdown(mut self) -> Result<(), Failure> {
        self.stop.cancel();
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended
                .unwrap_or_else(|error| Err(Failure::failed(format!("a task ended: {error}"))));
            result = result.and(ended);
        }
        // Last, so that the drain can be watched.
        self.stop_observe.cancel();
        let _ = (&mut self.observing).await;
        result
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        self.stop.cancel();
        self.observing.abort();
    }
}

/// The chains, for whoever observes them.
struct Chains {
    chains: Vec<Arc<dyn Running>>,
    doors: Doors,
    since: Instant,
}

impl Subject for Chains {
    fn status(&self) -> BoxFuture<'_, Status> {
        async {
            let mut chains = BTreeMap::new();
            for chain in &self.chains {
                chains.insert(chain.name().to_owned(), chain.status().await);
            }
            let uptime = self.since.elapsed().as_secs();
            Status {
                doors: self.doors.status(),
                ..Status::of(env!("CARGO_PKG_VERSION"), uptime, chains)
            }
        }
        .boxed()
    }

    fn evidence(&self) -> BoxFuture<'_, serde_json::Value> {
        let all = self.chains.iter().flat_map(|chain| chain.evidence());
        futures::future::ready(all.collect()).boxed()
    }
}
