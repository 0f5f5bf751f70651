//! Unary calls on one connection, one after the other or several at once.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use heliostat_zcash_proto::{
    BlockId, ChainSpec, Empty, compact_tx_streamer_client::CompactTxStreamerClient,
};
use serde::Serialize;
use tonic::transport::{Channel, Endpoint};

use crate::{load::percentile_ms, machine};

/// The calls this module can time.
pub const METHODS: [&str; 5] = [
    "GetLatestBlock",
    "GetLightdInfo",
    "GetBlock",
    "GetBlockNullifiers",
    "GetTreeState",
];

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The method called.
    pub method: String,
    /// Callers at the same time.
    pub callers: usize,
    /// How often, over all callers.
    pub calls: usize,
    /// Milliseconds.
    pub p50_ms: f64,
    /// Milliseconds.
    pub p99_ms: f64,
    /// Calls per second.
    pub calls_per_second: f64,
    /// Server CPU time per call in microseconds, when the process is known.
    pub server_cpu_us_per_call: Option<f64>,
    /// The machine's load average after the run.
    pub load_average: f64,
}

/// A connection with TCP_NODELAY.
pub async fn connect(server: &str) -> Result<CompactTxStreamerClient<Channel>> {
    let channel = Endpoint::from_shared(server.to_owned())?
        .tcp_nodelay(true)
        .connect()
        .await
        .with_context(|| format!("cannot connect to {server}"))?;
    Ok(CompactTxStreamerClient::new(channel))
}

/// What to call.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `http://host:port`.
    pub server: String,
    /// One of [`METHODS`].
    pub method: String,
    /// The height that the calls which need one ask for.
    pub height: u64,
    /// How often, over all callers.
    pub calls: usize,
    /// After this long no further call is begun.
    pub at_most: Duration,
    /// Callers at the same time, all on one connection. One caller shows the
    /// round trip; many show what the server does for a call.
    pub callers: usize,
    /// The server's process, for its CPU time.
    pub pid: Option<u32>,
}

/// Runs a plan. Any failed call fails the run.
pub async fn run(plan: &Plan) -> Result<Report> {
    let client = connect(&plan.server).await?;
    let share = plan.calls.div_ceil(plan.callers.max(1));
    let cpu_before = plan.pid.map(machine::cpu_time).transpose()?;
    let began = Instant::now();
    let callers: Vec<_> = (0..plan.callers.max(1))
        .map(|_| tokio::spawn(call(client.clone(), plan.clone(), share)))
        .collect();
    let mut times: Vec<Duration> = Vec::with_capacity(plan.calls);
    for caller in callers {
        times.append(&mut caller.await??);
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = match (plan.pid, cpu_before) {
        (Some(pid), Some(before)) => Some(machine::cpu_time(pid)?.saturating_sub(before)),
        _ => None,
    };
    times.sort();
    let calls = times.len();
    Ok(Report {
        method: plan.method.clone(),
        callers: plan.callers,
        calls,
        p50_ms: percentile_ms(&times, 50),
        p99_ms: percentile_ms(&times, 99),
        calls_per_second: calls as f64 / seconds,
        server_cpu_us_per_call: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / calls as f64),
        load_average: machine::load_average(),
    })
}

/// One caller's calls, one after the other.
async fn call(
    mut client: CompactTxStreamerClient<Channel>,
    plan: Plan,
    calls: usize,
) -> Result<Vec<Duration>> {
    let id = BlockId {
        height: plan.height,
        ..Default::default()
    };
    let mut times = Vec::with_capacity(calls);
    let began = Instant::now();
    while times.len() < calls && began.elapsed() < plan.at_most {
        let start = Instant::now();
        match plan.method.as_str() {
            "GetLatestBlock" => drop(client.get_latest_block(ChainSpec {}).await?),
            "GetLightdInfo" => drop(client.get_lightd_info(Empty {}).await?),
            "GetBlock" => drop(client.get_block(id.clone()).await?),
            // The protocol deprecates it; wallets may still call it.
            #[allow(deprecated)]
            "GetBlockNullifiers" => drop(client.get_block_nullifiers(id.clone()).await?),
            "GetTreeState" => drop(client.get_tree_state(id.clone()).await?),
            other => bail!("{other:?} is not one of {METHODS:?}"),
        }
        times.push(start.elapsed());
    }
    Ok(times)
}
