//! Latency of unary calls, one after the other on one connection.

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
    /// How often.
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

/// Calls `method` `calls` times; `height` is what the calls that need one ask
/// for. `pid` is the server's process.
pub async fn run(
    server: &str,
    method: &str,
    height: u64,
    calls: usize,
    pid: Option<u32>,
) -> Result<Report> {
    let mut client = connect(server).await?;
    let mut times: Vec<Duration> = Vec::with_capacity(calls);
    let id = BlockId {
        height,
        ..Default::default()
    };
    let cpu_before = pid.map(machine::cpu_time).transpose()?;
    let began = Instant::now();
    for _ in 0..calls {
        let start = Instant::now();
        match method {
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
    let seconds = began.elapsed().as_secs_f64();
    let cpu = match (pid, cpu_before) {
        (Some(pid), Some(before)) => Some(machine::cpu_time(pid)?.saturating_sub(before)),
        _ => None,
    };
    times.sort();
    Ok(Report {
        method: method.to_owned(),
        calls,
        p50_ms: percentile_ms(&times, 50),
        p99_ms: percentile_ms(&times, 99),
        calls_per_second: calls as f64 / seconds,
        server_cpu_us_per_call: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / calls as f64),
        load_average: machine::load_average(),
    })
}
