//! Measures any `CompactTxStreamer` server: see `README.md` beside this crate.
//!
//! | module | what it holds |
//! |---|---|
//! | [`client`] | the neutral GetBlockRange client |
//! | [`load`] | one stream, or many connections with short ranges |
//! | [`unary`] | latency of unary calls |
//! | [`replay`] | an upstream that replays a generated chain |
//! | [`baseline`] | a decode-filter-encode server to compare with |
//! | [`compare`] | all servers over the same blocks |
//! | [`servers`] | the compared processes |
//! | [`machine`] | CPU time, memory and load average |

mod baseline;
mod client;
mod compare;
mod load;
mod machine;
mod replay;
mod servers;
mod unary;

use std::net::SocketAddr;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};

/// Load generator, replay upstream and baseline server for CompactTxStreamer.
#[derive(Parser)]
#[command(name = "bench", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Stream block ranges and check every link.
    Range(Range),
    /// Time unary calls on one connection.
    Unary(Unary),
    /// Serve blocks the way the incumbents do, to compare with.
    Baseline(Baseline),
    /// Serve a generated chain over JSON-RPC, as a zebrad would; `extend` on
    /// standard input adds a block, `count` counts the getblock calls.
    Replay(Replay),
    /// Run heliostat, the baseline, and the peers named by
    /// HELIOSTAT_LIGHTWALLETD and HELIOSTAT_ZAINOD over the same blocks.
    Compare(Compare),
}

#[derive(Args)]
struct Replay {
    /// What the chain is made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The height of the newest block.
    #[arg(long, default_value_t = 20_000)]
    blocks: u64,
    /// What blocks are made of: tiny, typical, transparent or shielded.
    #[arg(long, default_value = "tiny", value_parser = replay::MIXES)]
    mix: String,
}

#[derive(Args)]
struct Compare {
    #[command(flatten)]
    chain: Replay,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Range {
    /// The server, such as http://127.0.0.1:9067.
    #[arg(long)]
    server: String,
    /// First height.
    #[arg(long)]
    from: u64,
    /// Last height, included.
    #[arg(long)]
    to: u64,
    /// Connections at the same time.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Blocks per request; without it each request asks for the whole range.
    #[arg(long)]
    span: Option<u64>,
    /// Requests per connection.
    #[arg(long, default_value_t = 1)]
    requests: usize,
    /// Comma-separated pools: transparent, sapling, orchard, ironwood.
    /// Without it the server's default set.
    #[arg(long, value_delimiter = ',', value_parser = pool)]
    pools: Vec<i32>,
    /// Call GetBlockRangeNullifiers instead.
    #[arg(long)]
    nullifiers: bool,
    /// The server's process id: its CPU time goes into the report.
    #[arg(long)]
    pid: Option<u32>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Unary {
    /// The server, such as http://127.0.0.1:9067.
    #[arg(long)]
    server: String,
    /// GetLatestBlock, GetLightdInfo, GetBlock or GetTreeState.
    #[arg(long, default_value = "GetLatestBlock")]
    method: String,
    /// The height that GetBlock and GetTreeState ask for.
    #[arg(long, default_value_t = 1)]
    height: u64,
    /// How many calls.
    #[arg(long, default_value_t = 2000)]
    calls: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Baseline {
    /// A server to copy the blocks from.
    #[arg(long)]
    source: String,
    /// First height.
    #[arg(long)]
    from: u64,
    /// Last height, included.
    #[arg(long)]
    to: u64,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9167")]
    listen: SocketAddr,
}

fn pool(name: &str) -> Result<i32> {
    Ok(match name {
        "transparent" => 1,
        "sapling" => 2,
        "orchard" => 3,
        "ironwood" => 4,
        other => {
            bail!("{other:?} is not a pool; use transparent, sapling, orchard or ironwood")
        }
    })
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Range(args) => range(args).await,
        Command::Unary(args) => {
            let report = unary::run(&args.server, &args.method, args.height, args.calls).await?;
            if args.json {
                println!("{}", serde_json::to_string(&report)?);
            } else {
                println!(
                    "{}: p50 {:.3} ms, p99 {:.3} ms over {} calls (load {:.2})",
                    report.method, report.p50_ms, report.p99_ms, report.calls, report.load_average
                );
            }
            Ok(())
        }
        Command::Baseline(args) => {
            baseline::serve(&args.source, args.from, args.to, args.listen).await
        }
        Command::Replay(args) => replay::serve(args.seed, args.blocks, &args.mix).await,
        Command::Compare(Compare { chain, json }) => {
            compare::run(chain.seed, chain.blocks, &chain.mix, json).await
        }
    }
}

async fn range(args: Range) -> Result<()> {
    let method = if args.nullifiers {
        "GetBlockRangeNullifiers"
    } else {
        "GetBlockRange"
    };
    let report = load::run(&load::Plan {
        server: args.server,
        method: method.to_owned(),
        from: args.from,
        to: args.to,
        pools: args.pools,
        connections: args.connections,
        span: args.span,
        requests: args.requests,
        pid: args.pid,
    })
    .await?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    println!(
        "{:.0} blocks/s, {:.1} MB/s: {} blocks in {:.3} s; request p50 {:.2} ms, p99 {:.2} ms (load {:.2})",
        report.blocks_per_second,
        report.megabytes_per_second,
        report.blocks,
        report.seconds,
        report.request_p50_ms,
        report.request_p99_ms,
        report.load_average
    );
    if let Some(cpu) = report.server_cpu_us_per_block {
        println!("server CPU: {cpu:.3} µs a block");
    }
    Ok(())
}
