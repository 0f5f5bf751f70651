//! The load: whole ranges in one stream, or short ranges over many
//! connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde::Serialize;
use tokio::sync::Barrier;

use crate::{
    client::{Connection, Tally},
    machine,
};

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `http://host:port`.
    pub server: String,
    /// `GetBlockRange` or `GetBlockRangeNullifiers`.
    pub method: String,
    /// First height.
    pub from: u64,
    /// Last height, included.
    pub to: u64,
    /// Pool types; empty for the server's default.
    pub pools: Vec<i32>,
    /// Connections at the same time.
    pub connections: usize,
    /// Blocks per request; `None` asks for the whole range at once.
    pub span: Option<u64>,
    /// Requests per connection, at least.
    pub requests: usize,
    /// A connection asks again until this much time is over. CPU time is
    /// counted in ticks of 10 ms: a run of two seconds tells it within 1 %.
    pub least: Duration,
    /// The server's process, for its CPU time and memory.
    pub pid: Option<u32>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Blocks received, over all connections.
    pub blocks: u64,
    /// Message bytes received.
    pub bytes: u64,
    /// Wall time, from the moment every connection stands.
    pub seconds: f64,
    /// Blocks per second.
    pub blocks_per_second: f64,
    /// MB (10^6 bytes) of messages per second.
    pub megabytes_per_second: f64,
    /// Message bytes of a block on average.
    pub bytes_per_block: f64,
    /// Server CPU time per block in microseconds, when the process is known.
    pub server_cpu_us_per_block: Option<f64>,
    /// Half of the requests took at most this long, in milliseconds.
    pub request_p50_ms: f64,
    /// 99 of 100 requests took at most this long, in milliseconds.
    pub request_p99_ms: f64,
    /// The machine's load average after the run.
    pub load_average: f64,
}

/// Runs a plan. Any failed request fails the run.
pub async fn run(plan: &Plan) -> Result<Report> {
    let barrier = Arc::new(Barrier::new(plan.connections + 1));
    let workers: Vec<_> = (0..plan.connections)
        .map(|worker| tokio::spawn(work(plan.clone(), worker as u64, Arc::clone(&barrier))))
        .collect();
    // A worker that cannot connect would leave the others waiting.
    let ready = tokio::time::timeout(Duration::from_secs(20), barrier.wait()).await;
    if ready.is_err() {
        for worker in workers {
            if worker.is_finished() {
                worker.await??;
            }
            // The first failure tells why; the rest are waiting.
        }
        anyhow::bail!("the connections were not established within 20 s");
    }
    let cpu_before = plan.pid.map(machine::cpu_time).transpose()?;
    let start = Instant::now();
    let mut total = Tally::default();
    let mut times = Vec::new();
    for worker in workers {
        let (tally, mut took) = worker.await??;
        total.blocks += tally.blocks;
        total.bytes += tally.bytes;
        times.append(&mut took);
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = match (plan.pid, cpu_before) {
        (Some(pid), Some(before)) => Some(machine::cpu_time(pid)?.saturating_sub(before)),
        _ => None,
    };
    times.sort();
    report(total.blocks, total.bytes, seconds, cpu, &times).context("nothing was asked for")
}

/// The figures of a run; `times` are those of its requests, sorted. `None`
/// when no block came.
pub fn report(
    blocks: u64,
    bytes: u64,
    seconds: f64,
    server_cpu: Option<Duration>,
    times: &[Duration],
) -> Option<Report> {
    (blocks > 0).then(|| Report {
        blocks,
        bytes,
        seconds,
        blocks_per_second: blocks as f64 / seconds,
        megabytes_per_second: bytes as f64 / seconds / 1e6,
        bytes_per_block: bytes as f64 / blocks as f64,
        server_cpu_us_per_block: server_cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / blocks as f64),
        request_p50_ms: percentile_ms(times, 50),
        request_p99_ms: percentile_ms(times, 99),
        load_average: machine::load_average(),
    })
}

/// One connection's share of the work.
async fn work(plan: Plan, seed: u64, barrier: Arc<Barrier>) -> Result<(Tally, Vec<Duration>)> {
    let mut connection = Connection::open(&plan.server).await?;
    barrier.wait().await;
    let mut total = Tally::default();
    let mut times = Vec::with_capacity(plan.requests);
    let mut random = seed;
    let began = Instant::now();
    while times.len() < plan.requests || began.elapsed() < plan.least {
        let (from, to) = match plan.span {
            None => (plan.from, plan.to),
            Some(span) => {
                let choices = (plan.to - plan.from + 2).saturating_sub(span).max(1);
                let from = plan.from + step(&mut random) % choices;
                (from, (from + span - 1).min(plan.to))
            }
        };
        let start = Instant::now();
        let tally = connection
            .range(&plan.method, from, to, &plan.pools)
            .await?;
        times.push(start.elapsed());
        total.blocks += tally.blocks;
        total.bytes += tally.bytes;
    }
    Ok((total, times))
}

/// SplitMix64: the same starts in every run, spread over the range.
fn step(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The value below which `percent` of the sorted times lie, in milliseconds.
pub fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted
        .get(index)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
