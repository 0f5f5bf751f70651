//! What following costs beside the ledger's own work: the follower over toy
//! blocks, against the same calls in a plain loop, in one run.
//!
//! `cargo bench -p heliostat-node`

#[allow(dead_code)]
#[path = "../tests/behaviour/toy.rs"]
mod toy;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use heliostat_core::{Source, Verifier};
use heliostat_node::{Follower, Replica, Role, Settings, Upstreams};
use tokio_util::sync::CancellationToken;
use toy::{Block, MapReplica, Node, Rules, Tip, Toy};

const BLOCKS: usize = 50_000;

fn node(delay: Duration) -> Arc<Node> {
    let mut blocks: Vec<Block> = Vec::with_capacity(BLOCKS);
    for _ in 0..BLOCKS {
        blocks.push(Block::new(blocks.last(), 1, vec![1; 700]));
    }
    let node = Node::new(blocks);
    node.script().delay = delay;
    node
}

/// Fetch, check, extend and commit, one after the other and in one task.
async fn plain(node: &Arc<Node>) -> Duration {
    let (source, replica) = (Toy(Arc::clone(node)), MapReplica::new());
    let mut tip = Tip::default();
    let start = Instant::now();
    let mut items = Vec::new();
    for height in 0..BLOCKS as u64 {
        let raw = source.fetch(height).await.expect("it is there");
        let checked = Rules.check(height, raw).expect("it is right");
        items.push(Rules.extend(&mut tip, checked).expect("it is linked"));
        if items.len() == 1_000 {
            let batch = std::mem::take(&mut items);
            let end = replica_tip(&tip);
            let committed = replica.commit(None, batch, &end, false).await;
            committed.expect("it is stored");
        }
    }
    start.elapsed()
}

/// The replica counts weight, the plain loop does not.
fn replica_tip(tip: &Tip) -> Tip {
    let weight = tip.link.map(|link| u128::from(link.height) + 1);
    Tip {
        link: tip.link,
        weight,
    }
}

async fn follower(node: &Arc<Node>) -> Duration {
    let source = ("node".to_owned(), Role::Follow, Toy(Arc::clone(node)));
    let upstreams = Arc::new(Upstreams::new(vec![source]));
    let settings = Settings::default();
    let follower = Follower::new(upstreams, Arc::new(Rules), MapReplica::new(), settings);
    let (follower, stop) = (Arc::new(follower), CancellationToken::new());
    let start = Instant::now();
    let task = tokio::spawn({
        let (follower, stop) = (Arc::clone(&follower), stop.clone());
        async move { follower.run(stop).await }
    });
    let last = BLOCKS as u64 - 1;
    let mut progress = follower.progress();
    let done = progress.wait_for(|now| now.height() == Some(last)).await;
    drop(done.expect("the follower is alive"));
    let elapsed = start.elapsed();
    stop.cancel();
    task.await.expect("it does not panic").expect("it stops");
    elapsed
}

#[tokio::main]
async fn main() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{BLOCKS} blocks of 700 bytes; load average {}", load.trim());
    let at_once = node(Duration::ZERO);
    let (plain, followed) = (plain(&at_once).await, follower(&at_once).await);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / BLOCKS as f64;
    println!("plain loop            {:8.2} µs a block", each(plain));
    println!("follower              {:8.2} µs a block", each(followed));
    println!(
        "overhead              {:8.2} µs a block",
        each(followed) - each(plain)
    );
    // The timer's resolution makes this one to two milliseconds a fetch.
    let followed = follower(&node(Duration::from_millis(1))).await;
    println!(
        "follower, 1 ms away   {:8.2} µs a block, {:.0} blocks/s",
        each(followed),
        1e6 / each(followed)
    );
}
