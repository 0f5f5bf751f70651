//! A node that lives among hostile upstreams and hostile clients for a while:
//! no wrong answer, no growing memory, no task and no descriptor left over.
//!
//! The suite soaks for 24 seconds; `HELIOSTAT_SOAK_MINUTES=30` does so for
//! half an hour (`just soak`).
//!
//! | module | what it holds |
//! |---|---|
//! | `cases`, `stage` | the simulated node's whole catalogue, and the chain it stands on |
//! | `upstreams` | nodes that change their manners every two seconds, and reorgs |
//! | `wallets` | clients that check every answer against the chain |
//! | `octez` | Tezos nodes: every lie, every fault, and a chain that goes on |
//! | `readers` | clients that check every answer of the Tezos chain |
//! | `tally` | what clients got |
//! | `attackers` | clients that mean no good |
//! | `node` | the node: the program, as a process of its own, with both chains |

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "soak/attackers.rs"]
mod attackers;
#[path = "hostile/cases.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod cases;
#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "soak/node.rs"]
mod node;
#[path = "soak/octez.rs"]
mod octez;
#[path = "soak/readers.rs"]
mod readers;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;
#[path = "hostile/stage.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod stage;
#[path = "soak/tally.rs"]
mod tally;
#[path = "soak/upstreams.rs"]
mod upstreams;
#[path = "soak/wallets.rs"]
mod wallets;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use node::{Node, Sample};
use octez::Octez;
use readers::Readers;
use tally::Tally;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use upstreams::Upstreams;
use wallets::Checks;

/// How long the suite soaks: until the moody node has answered everything with
/// a gigabyte, which begins after twenty seconds.
const SHORT: Duration = Duration::from_secs(24);
/// How long things may take to calm down once everybody has left: idle
/// connections are closed after a minute.
const CALM: Duration = Duration::from_secs(150);
/// Tasks of a node at rest: its own, some thirty, those of a few connections
/// that come and go, and as seen up to three for each octez node, which has a
/// stream of heads.
const TASKS_AT_REST: u64 = 36 + 3 * octez::NODES as u64;
/// Descriptors of a node at rest, without its stores': its own, some fifteen,
/// and those of the same connections and streams.
const DESCRIPTORS_AT_REST: u64 = 27 + octez::NODES as u64;
/// Descriptors of the two stores' files: each opens eight readers when they are
/// needed and keeps them, each with the database and its log, as the writer
/// has them too; and the log's index and the lock.
const STORE_FILES: u64 = 2 * 20;
/// From here on memory may grow by a tenth.
const SETTLED: Duration = Duration::from_secs(5 * 60);
/// Over how long memory is averaged.
const WINDOW: Duration = Duration::from_secs(60);
/// What a young process may keep of the short soak, in bytes: caches and
/// allocator arenas fill. While it lasts, one node that sends without end is on
/// top.
const YOUNG: u64 = 24 << 20;
/// Good answers a second below which the wallets were not served.
const LEAST_A_SECOND: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_while_among_enemies_leaves_nothing_behind() {
    let (samples, rest) = soak(SHORT).await;
    let first = samples[0].memory;
    let (kept, most) = (rest.memory, rest.most);
    eprintln!("memory: {first} bytes at first, {kept} at rest, {most} at most");
    assert!(kept < first + YOUNG, "{first} became {kept} at rest");
    assert!(
        most < first + YOUNG + stage::ONE_NODE,
        "{first} became {most}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_hour_among_enemies_takes_no_more_memory() {
    let minutes = std::env::var("HELIOSTAT_SOAK_MINUTES").ok();
    let Some(minutes) = minutes.and_then(|text| text.parse::<u64>().ok()) else {
        eprintln!("skipped: HELIOSTAT_SOAK_MINUTES does not say for how long (30 is a good soak)");
        return;
    };
    let time = Duration::from_secs(minutes * 60);
    let (samples, _) = soak(time).await;
    // Shorter ones are for trying out: they have no settled memory.
    if time > SETTLED + WINDOW * 2 {
        let settled = mean(&samples, SETTLED, SETTLED + WINDOW);
        let last = mean(&samples, time - WINDOW, time);
        eprintln!("memory: {settled} bytes after five minutes, {last} at the end");
        assert!(last <= settled + settled / 10, "{settled} became {last}");
    }
}

/// The mean memory between two moments.
fn mean(samples: &[Sample], from: Duration, to: Duration) -> u64 {
    let within = |sample: &&Sample| sample.at >= from && sample.at < to;
    let memory: Vec<_> = samples.iter().filter(within).map(|s| s.memory).collect();
    memory.iter().sum::<u64>() / memory.len().max(1) as u64
}

/// Soaks for `time`; the samples of each second, and the one of the node at
/// rest after it. Nothing may be answered wrong, and tasks and descriptors have
/// to be those of a node at rest when it ends.
async fn soak(time: Duration) -> (Vec<Sample>, Sample) {
    let (upstreams, octez) = (Upstreams::start().await, Octez::start().await);
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(&upstreams, &octez, folder.path());
    let (zcash, tezos) = (Tally::default(), Tally::default());
    let checks = Checks::new(upstreams.known(), zcash.clone());
    let readers = Readers::new(node.rpc(), octez.network(), tezos.clone());
    node.ready().await;
    readers.each().await;
    let mut samples = vec![node.sample(Duration::ZERO).await];
    {
        let (grpc, rpc) = (socket(&node.grpc()), socket(&node.rpc()));
        let _everybody = [
            upstreams.misbehaving(),
            octez.misbehaving(),
            spawn(wallets::all(node.grpc(), checks.clone())),
            spawn(readers.clone().all()),
            spawn(attackers::all(grpc, attackers::of_zcash)),
            spawn(attackers::all(rpc, attackers::of_tezos)),
        ];
        let begun = Instant::now();
        while begun.elapsed() < time {
            sleep(Duration::from_secs(1)).await;
            node.must_live();
            let sample = node.sample(begun.elapsed()).await;
            if samples.len().is_multiple_of(60) {
                eprintln!("{sample:?} zcash: {zcash:?}, tezos: {tezos:?}");
            }
            samples.push(sample);
        }
    }
    upstreams.behave().await;
    octez.behave().await;
    let last = samples.last();
    eprintln!("at the end: {last:?} zcash: {zcash:?}, tezos: {tezos:?}");
    let rest = at_rest(&node).await;
    eprintln!("after it: {rest:?}");
    // And it still works.
    wallets::once(node.grpc(), &checks).await;
    readers.each().await;
    node.end().await;
    for tally in [zcash, tezos] {
        tally.must_be_right(time.as_secs() * LEAST_A_SECOND);
    }
    (samples, rest)
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

fn socket(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

/// Waits until no more is there than a node at rest has: the connections of a
/// sync are closed half a minute after it.
async fn at_rest(node: &Node) -> Sample {
    let begun = Instant::now();
    loop {
        let now = node.sample(Duration::ZERO).await;
        let rests = now.tasks <= TASKS_AT_REST && now.descriptors <= DESCRIPTORS_AT_REST;
        if rests && now.store_files <= STORE_FILES {
            return now;
        }
        assert!(begun.elapsed() < CALM, "left over: {now:?}");
        sleep(Duration::from_millis(250)).await;
    }
}
