//! The same reads by Octez's schedule and by Heliostat, of the same nodes in
//! the same run: 100 balances and 100 counters at one block, then at the next,
//! where 10 of the 100 accounts changed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use heliostat_sim::tezos::World;

use super::{
    dead,
    heliostat::Daemon,
    octez::{Media, Process},
    report,
    world::{self, READ, Reading, Scene, Traffic, p50_ms},
};
use crate::machine;

/// Accounts that the cold processes read where there is a latency: each read
/// asks as much as every other, and a hundred would take minutes.
const SAMPLE: usize = 10;

/// What is compared.
pub struct Plan {
    /// What the chain is made from.
    pub seed: u64,
    /// How much later every node answers than it could, in milliseconds.
    pub latencies: Vec<u64>,
    /// How many nodes there are.
    pub counts: Vec<usize>,
}

/// Some reads: what they asked for, and how long one took.
#[derive(Clone, Copy, Debug)]
pub struct Reads {
    /// Requests and bytes at the nodes.
    pub traffic: Traffic,
    /// Median of the reads that had to ask, in milliseconds.
    pub p50_ms: f64,
    /// The first of them.
    pub first_ms: f64,
    /// All of them, one after the other.
    pub total_ms: f64,
}

/// One way of reading, at one block and at the next.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// At the first block, with whatever begins the process.
    pub block: Reads,
    /// At the next one, with whatever makes it known.
    pub next: Reads,
}

/// All ways over one set of nodes.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Of every answer, in milliseconds.
    pub latency_ms: u64,
    /// Nodes.
    pub count: usize,
    /// One round trip, measured.
    pub round_trip_ms: f64,
    /// Octez, every read a new process; scaled up from [`SAMPLE`] accounts
    /// where there is a latency.
    pub cold: Reads,
    /// Octez, one process for all reads.
    pub warm: Course,
    /// The same with `--media-type binary`.
    pub binary: Course,
    /// Heliostat.
    pub ours: Course,
    /// The machine's load average meanwhile.
    pub load: f64,
}

/// Compares everything, and prints tables.
pub async fn run(plan: &Plan) -> Result<()> {
    let chain = world::chain(plan.seed);
    let mut rows = Vec::new();
    for latency in &plan.latencies {
        for count in &plan.counts {
            rows.push(row(&chain, *count, *latency).await?);
            eprintln!("{count} nodes at {latency} ms: done");
        }
    }
    report::rows(&rows);
    let mut costs = Vec::new();
    for latency in &plan.latencies {
        for count in &plan.counts {
            costs.extend(dead::costs(&chain, *count, *latency).await?);
            eprintln!("{count} nodes at {latency} ms, one dead: done");
        }
    }
    report::costs(&costs);
    Ok(())
}

async fn row(chain: &World, count: usize, latency_ms: u64) -> Result<Row> {
    let latency = Duration::from_millis(latency_ms);
    let scene = Scene::new(chain, count, latency).await?;
    let round_trip_ms = scene.round_trip_ms().await?;
    scene.take_traffic();
    let cold = cold(&scene, latency_ms > 0).await?;
    let warm = octez(&scene, Media::Json).await?;
    let binary = octez(&scene, Media::Binary).await?;
    let ours = heliostat(&scene).await?;
    Ok(Row {
        latency_ms,
        count,
        round_trip_ms,
        cold,
        warm,
        binary,
        ours,
        load: machine::load_average(),
    })
}

/// Every read in a new process.
async fn cold(scene: &Scene, is_sampled: bool) -> Result<Reads> {
    let accounts = match is_sampled {
        true => &scene.accounts[..SAMPLE],
        false => &scene.accounts,
    };
    let urls = scene.urls();
    let start = Instant::now();
    let mut times = Vec::new();
    for account in accounts {
        let begun = Instant::now();
        let mut process = Process::start(&urls, Media::Json).await?;
        let balance = process.balance("head", account).await?;
        times.push(begun.elapsed());
        check(scene, account, balance)?;
        let begun = Instant::now();
        let mut process = Process::start(&urls, Media::Json).await?;
        process.counter("head", account).await?;
        times.push(begun.elapsed());
    }
    let mut reads = reads(scene, times, start);
    let times = (READ / accounts.len()) as u64;
    reads.traffic.requests *= times;
    reads.traffic.bytes *= times;
    reads.total_ms *= times as f64;
    Ok(reads)
}

/// One process of Octez for both blocks.
async fn octez(scene: &Scene, media: Media) -> Result<Course> {
    let mut process = Process::start(&scene.urls(), media).await?;
    let block = octez_reads(scene, &mut process).await?;
    scene.next();
    let next = octez_reads(scene, &mut process).await?;
    Ok(Course { block, next })
}

async fn octez_reads(scene: &Scene, process: &mut Process) -> Result<Reads> {
    let hash = scene.head().hash.to_string();
    let start = Instant::now();
    let mut times = Vec::new();
    for account in &scene.accounts {
        let begun = Instant::now();
        let balance = process.balance(&hash, account).await?;
        times.push(begun.elapsed());
        check(scene, account, balance)?;
        process.counter(&hash, account).await?;
    }
    Ok(reads(scene, times, start))
}

/// One daemon for both blocks.
async fn heliostat(scene: &Scene) -> Result<Course> {
    let daemon = Daemon::start(scene, 1.0).await?;
    daemon.reach(scene).await?;
    let block = our_reads(scene, &daemon).await?;
    scene.next();
    daemon.reach(scene).await?;
    let next = our_reads(scene, &daemon).await?;
    Ok(Course { block, next })
}

async fn our_reads(scene: &Scene, daemon: &Daemon) -> Result<Reads> {
    let start = Instant::now();
    let mut times = Vec::new();
    for account in &scene.accounts {
        let begun = Instant::now();
        let balance = daemon.balance("head", account).await?;
        times.push(begun.elapsed());
        check(scene, account, balance)?;
        daemon.counter("head", account).await?;
    }
    Ok(reads(scene, times, start))
}

fn reads(scene: &Scene, mut times: Vec<Duration>, start: Instant) -> Reads {
    let first_ms = times
        .first()
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    Reads {
        traffic: scene.take_traffic(),
        p50_ms: p50_ms(&mut times),
        first_ms,
        total_ms: start.elapsed().as_secs_f64() * 1e3,
    }
}

/// Nothing is measured of wrong answers.
pub fn check(scene: &Scene, account: &Reading, balance: u64) -> Result<()> {
    let right = scene.balance(account);
    ensure!(
        balance == right,
        "{} owns {right}, not {balance}",
        account.address
    );
    Ok(())
}
