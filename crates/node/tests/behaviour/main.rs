//! The follower over a toy ledger: what it does with honest, slow, forked,
//! dead and lying upstreams, on paused time.

mod clock;
mod faults;
mod joined;
mod reorg;
mod stop;
mod sync;
mod toy;
mod witness;

use std::{sync::Arc, time::Duration};

use heliostat_node::{Follower, Progress, Role, Settings, State, Upstreams};
use heliostat_store::StoreError;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use toy::{MapReplica, Node, Rules, Toy};

type ToyFollower = Follower<Toy, Rules, MapReplica>;

/// A running follower, over nodes named `node-0`, `node-1`, …
struct Running {
    upstreams: Arc<Upstreams<Toy>>,
    follower: Arc<ToyFollower>,
    replica: Arc<MapReplica>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), StoreError>>,
}

/// Much longer than anything here takes; time is paused, so it costs nothing.
const PATIENCE: Duration = Duration::from_secs(600);

/// Settings with no alarm: the toy chain's times mean nothing.
fn settings() -> Settings {
    Settings {
        head_age: None,
        clock: Arc::new(|| 5_000_000),
        ..Settings::default()
    }
}

fn follow(nodes: &[&Arc<Node>], replica: &Arc<MapReplica>) -> Running {
    let nodes: Vec<_> = nodes.iter().map(|node| (*node, Role::Follow)).collect();
    start(&nodes, replica, settings())
}

fn start(nodes: &[(&Arc<Node>, Role)], replica: &Arc<MapReplica>, settings: Settings) -> Running {
    let named = nodes
        .iter()
        .enumerate()
        .map(|(index, (node, role))| (format!("node-{index}"), *role, Toy(Arc::clone(node))));
    let upstreams = Upstreams::new(named.collect()).with_clock(Arc::clone(&settings.clock));
    let upstreams = Arc::new(upstreams);
    let follower = Follower::new(
        Arc::clone(&upstreams),
        Arc::new(Rules),
        Arc::clone(replica),
        settings,
    );
    let follower = Arc::new(follower);
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (follower, stop) = (Arc::clone(&follower), stop.clone());
        async move { follower.run(stop).await }
    });
    Running {
        upstreams,
        follower,
        replica: Arc::clone(replica),
        stop,
        task,
    }
}

impl Running {
    /// Waits until the progress is as `wanted`.
    async fn until(&self, what: &str, wanted: impl Fn(&Progress) -> bool) -> Progress {
        let mut progress = self.follower.progress();
        let seen = timeout(PATIENCE, progress.wait_for(|now| wanted(now))).await;
        match seen {
            Ok(seen) => seen
                .expect("the follower is alive because we hold it")
                .clone(),
            Err(_) => panic!(
                "never {what}; {:?}; {:?}",
                self.follower.progress().borrow().clone(),
                self.upstreams.status()
            ),
        }
    }

    /// Waits until the replica ends where this node's chain does.
    async fn at(&self, node: &Node) {
        let head = node.blocks().last().map(|block| block.link);
        self.until("caught up", |now| now.local == head).await;
        assert_eq!(self.replica.blocks(), node.blocks());
    }

    /// Waits until it says why it waits.
    async fn waiting(&self, words: &str) {
        let waits = |now: &Progress| match &now.state {
            State::Waiting(why) => why.contains(words),
            _ => false,
        };
        self.until(&format!("waiting: {words}"), waits).await;
    }

    async fn stop(self) -> Result<(), StoreError> {
        self.stop.cancel();
        let result = timeout(PATIENCE, self.task).await;
        result.expect("it stops").expect("it does not panic")
    }
}
