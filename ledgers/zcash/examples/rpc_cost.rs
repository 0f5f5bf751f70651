//! What one raw block costs this process: `Rpc` against a plain reqwest
//! client that parses the reply with serde, over the same simulated node.
//!
//! `cargo run --release -p heliostat-zcash --example rpc_cost -- [calls] [at a time]`
//!
//! The node runs in a process of its own, so that its time is not counted.
//! Linux only: it reads `/proc/self/stat`.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use heliostat_sim::zcash::{
    Node,
    recorded::{REGTEST_NU6_3_AT_110, Recording},
};
use heliostat_zcash::{
    credentials::Auth,
    rpc::{Limits, Rpc},
};
use serde_json::{Value, json};

/// The argument by which this program starts itself as the node.
const NODE: &str = "--node";
/// Clock ticks a second of `/proc/self/stat`; 100 on every Linux in use.
const TICKS: f64 = 100.0;
/// How often each client has its turn.
const ROUNDS: usize = 3;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some(NODE) {
        let chain = Recording::read(REGTEST_NU6_3_AT_110)?.chain()?;
        let node = Node::start(chain).await?;
        println!("{}", node.url());
        std::future::pending::<()>().await;
    }
    let calls = first.map_or(Ok(20_000), |text| text.parse())?;
    let at_once = arguments.next().map_or(Ok(16), |text| text.parse())?;
    let mut node = Command::new(std::env::current_exe()?)
        .arg(NODE)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut url = String::new();
    let output = node.stdout.take().ok_or("the node has no output")?;
    BufReader::new(output).read_line(&mut url)?;
    let measured = measure(url.trim(), calls, at_once).await;
    node.kill()?;
    node.wait()?;
    measured
}

async fn measure(url: &str, calls: u64, at_once: usize) -> Result<(), Failure> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("{calls} blocks, {at_once} at a time, load {}", load.trim());
    let rpc = Rpc::new(url, Auth::None, Limits::default())?;
    let client = reqwest::Client::builder().tcp_nodelay(true).build()?;
    for _ in 0..ROUNDS {
        let ours = |height: u64| {
            let rpc = &rpc;
            async move { rpc.raw_block(height).await.map(|raw| raw.len()).ok() }
        };
        timed("Rpc::raw_block", calls, at_once, ours).await?;
        let theirs = |height: u64| {
            let request = json!({
                "jsonrpc": "1.0", "id": 1, "method": "getblock", "params": [height.to_string(), 0],
            });
            let sent = client.post(url).json(&request).send();
            async move {
                let reply: Value = sent.await.ok()?.json().await.ok()?;
                Some(hex::decode(reply["result"].as_str()?).ok()?.len())
            }
        };
        timed("reqwest, serde, hex", calls, at_once, theirs).await?;
    }
    Ok(())
}

async fn timed<F: Future<Output = Option<usize>>>(
    name: &str,
    calls: u64,
    at_once: usize,
    call: impl Fn(u64) -> F,
) -> Result<(), Failure> {
    let (start, before) = (Instant::now(), processor_time()?);
    let heights = stream::iter((0..calls).map(|at| at % 261));
    let lengths: Vec<_> = heights.map(call).buffered(at_once).collect().await;
    let wall = start.elapsed().as_secs_f64();
    let spent = processor_time()?.saturating_sub(before).as_secs_f64();
    let bytes: Option<usize> = lengths.into_iter().sum();
    let bytes = bytes.ok_or("a call failed")?;
    let calls = calls as f64;
    println!(
        "{name:<22} {:>7.0} blocks/s {:>6.1} µs of processor time a block, {bytes} bytes",
        calls / wall,
        spent * 1e6 / calls,
    );
    Ok(())
}

/// User and system time of this process, in steps of 10 ms.
fn processor_time() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in parentheses, may hold spaces.
    let fields = stat.rsplit_once(") ").ok_or("an unknown format")?.1;
    let ticks: f64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    Ok(Duration::from_secs_f64(ticks / TICKS))
}
