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
//! | `attackers` | clients that mean no good |
//! | `node` | the node: the program, as a process of its own |

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
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;
#[path = "hostile/stage.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod stage;
#[path = "soak/upstreams.rs"]
mod upstreams;
#[path = "soak/wallets.rs"]
mod wallets;

use std::time::{Duration, Instant};

use heliostat_node::defaults::{ROOM, SMALL_ANSWER};
use heliostat_zcash::defaults::IN_FLIGHT;
use node::{Node, Sample};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use upstreams::Upstreams;
use wallets::Tally;

/// How long the suite soaks: until the moody node has answered everything with
/// a gigabyte, which begins after twenty seconds.
const SHORT: Duration = Duration::from_secs(24);
/// How long things may take to calm down once everybody has left: idle
/// connections are closed after a minute.
const CALM: Duration = Duration::from_secs(150);
/// Tasks of a node at rest: its own, some twenty, and those of a few
/// connections to upstreams that come and go.
const TASKS_AT_REST: u64 = 36;
/// Descriptors of a node at rest, without its store's: its own, fifteen,
/// and those of the same connections.
const DESCRIPTORS_AT_REST: u64 = 27;
/// Descriptors of the store's files: it opens eight readers when they are
/// needed and keeps them, each with the database and its log, as the writer
/// has them too; and the log's index and the lock.
const STORE_FILES: u64 = 20;
/// From here on memory may grow by a tenth.
const SETTLED: Duration = Duration::from_secs(5 * 60);
/// Over how long memory is averaged.
const WINDOW: Duration = Duration::from_secs(60);
/// What a young process may keep of the short soak, in bytes: caches and
/// allocator arenas fill.
const YOUNG: u64 = 24 << 20;
/// What is on top while it lasts, in bytes: the answers of the one node that
/// sends without end. One may be large at a time, and as many small as there
/// are questions, each here and in its connection's buffers.
const SENT: u64 = (ROOM + 2 * IN_FLIGHT * SMALL_ANSWER) as u64;
/// Good answers a second below which the wallets were not served.
const LEAST_A_SECOND: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_while_among_enemies_leaves_nothing_behind() {
    let (samples, rest, tally) = soak(SHORT).await;
    tally.must_be_right(SHORT.as_secs() * LEAST_A_SECOND);
    let first = samples[0].memory;
    let (kept, most) = (rest.memory, rest.most);
    eprintln!("memory: {first} bytes at first, {kept} at rest, {most} at most");
    assert!(kept < first + YOUNG, "{first} became {kept} at rest");
    assert!(most < first + YOUNG + SENT, "{first} became {most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_hour_among_enemies_takes_no_more_memory() {
    let minutes = std::env::var("HELIOSTAT_SOAK_MINUTES").ok();
    let Some(minutes) = minutes.and_then(|text| text.parse::<u64>().ok()) else {
        eprintln!("skipped: HELIOSTAT_SOAK_MINUTES does not say for how long (30 is a good soak)");
        return;
    };
    let time = Duration::from_secs(minutes * 60);
    let (samples, _, tally) = soak(time).await;
    tally.must_be_right(time.as_secs() * LEAST_A_SECOND);
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

/// Soaks for `time`; the samples of each second, the one of the node at rest
/// after it, and what the wallets got.
/// Tasks and descriptors have to be those of a node at rest when it ends.
async fn soak(time: Duration) -> (Vec<Sample>, Sample, Tally) {
    let upstreams = Upstreams::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(&upstreams, folder.path());
    node.ready().await;
    let tally = Tally::new(upstreams.known());
    let mut samples = vec![node.sample(Duration::ZERO).await];
    {
        let _everybody = [
            upstreams.misbehaving(),
            AbortOnDropHandle::new(tokio::spawn(wallets::all(node.grpc(), tally.clone()))),
            AbortOnDropHandle::new(tokio::spawn(attackers::all(node.address()))),
        ];
        let begun = Instant::now();
        while begun.elapsed() < time {
            sleep(Duration::from_secs(1)).await;
            node.must_live();
            let sample = node.sample(begun.elapsed()).await;
            if samples.len().is_multiple_of(60) {
                eprintln!("{sample:?} {tally:?}");
            }
            samples.push(sample);
        }
    }
    upstreams.behave().await;
    eprintln!("at the end: {:?} {tally:?}", samples.last());
    let rest = at_rest(&node).await;
    eprintln!("after it: {rest:?}");
    // And it still works.
    wallets::once(node.grpc(), &tally).await;
    node.end().await;
    (samples, rest, tally)
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
