//! Measures any `CompactTxStreamer` server: see `README.md` beside this crate.
//!
//! | module | what it holds |
//! |---|---|
//! | [`arguments`] | arguments that are read |
//! | [`client`] | the neutral GetBlockRange client |
//! | [`load`] | one stream, or many connections with short ranges |
//! | [`decode`] | one stream through a client that decodes every block |
//! | [`unary`] | latency of unary calls |
//! | [`replay`] | an upstream that replays a generated chain |
//! | [`baseline`] | a decode-filter-encode server to compare with |
//! | [`compare`] | all servers over the same blocks |
//! | [`servers`] | the compared processes |
//! | [`reopen`] | a killed process over a large store |
//! | [`chunks`] | reading chunks from a file and from the databases |
//! | [`door`] | what the door costs |
//! | [`siege`] | attackers at the door, and a good client meanwhile |
//! | [`host`] | the service behind several entrances |
//! | [`tezos`] | Tezos: proofs, and reads beside Octez's schedule |
//! | [`machine`] | CPU time, memory and load average |

mod arguments;
mod baseline;
mod chunks;
mod client;
mod compare;
mod decode;
mod door;
mod host;
mod load;
mod machine;
mod reopen;
mod replay;
mod servers;
mod siege;
mod tezos;
mod unary;

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use arguments::{pool, seconds};
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
    /// Make unary calls on one connection.
    Unary(Unary),
    /// Serve blocks the way the incumbents do, to compare with.
    Baseline(Baseline),
    /// Serve a generated chain over JSON-RPC, as a zebrad would; `extend` on
    /// standard input adds a block, `count` counts the getblock calls.
    Replay(Replay),
    /// Kill heliostat over a large store, and time its return.
    Reopen(Reopen),
    /// Read chunks from a file, from SQLite and from PostgreSQL.
    Chunks(Chunks),
    /// The same service with and without the door, and with TLS.
    Door(DoorCost),
    /// Attack the door, and measure a good client meanwhile.
    Siege(Siege),
    /// Serve for `door` and `siege` until standard input ends.
    #[command(hide = true)]
    Host(Replay),
    /// Attack for `siege`.
    #[command(hide = true)]
    Attack(Attack),
    #[command(flatten)]
    Tezos(tezos::Command),
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
struct DoorCost {
    #[command(flatten)]
    chain: Replay,
    /// Turns of each entrance.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// How long a turn takes.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Siege {
    #[command(flatten)]
    chain: Replay,
    /// Slow attackers at the same time. Each takes a descriptor of two
    /// processes: raise `ulimit -n` above it.
    #[arg(long, default_value_t = 500)]
    sockets: usize,
    /// Flooding attackers at the same time.
    #[arg(long, default_value_t = 16)]
    floods: usize,
    /// How long each attack lasts.
    #[arg(long, default_value_t = 30.0, value_parser = seconds)]
    seconds: f64,
    /// Comma-separated attacks; all without it.
    #[arg(long, value_delimiter = ',', value_parser = siege::ATTACKS)]
    attacks: Vec<String>,
}

#[derive(Args)]
struct Attack {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    name: String,
    #[arg(long)]
    count: usize,
    #[arg(long)]
    seconds: f64,
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
struct Reopen {
    #[command(flatten)]
    chain: Replay,
    /// How large the store is before the first kill, in MB (10^6 bytes). The
    /// chain must be large enough for it: 400000 typical blocks are.
    #[arg(long, default_value_t = 1_000)]
    megabytes: u64,
    /// How often the process is killed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// On a private PostgreSQL, made by the machine's initdb.
    #[arg(long)]
    postgres: bool,
}

#[derive(Args)]
struct Chunks {
    /// How many, rounded up to a power of two.
    #[arg(long, default_value_t = 2048)]
    count: u64,
    /// Bytes of each.
    #[arg(long, default_value_t = 512 * 1024)]
    size: usize,
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
    /// Requests per connection, at least.
    #[arg(long, default_value_t = 1)]
    requests: usize,
    /// Go on asking for so many seconds.
    #[arg(long, default_value_t = 0.0, value_parser = seconds)]
    seconds: f64,
    /// Decode every block with the generated client, over one connection.
    #[arg(long, conflicts_with_all = ["connections", "span", "nullifiers", "requests"])]
    decode: bool,
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
    /// GetLatestBlock, GetLightdInfo, GetBlock, GetBlockNullifiers or
    /// GetTreeState.
    #[arg(long, default_value = "GetLatestBlock")]
    method: String,
    /// The height that the last three ask for.
    #[arg(long, default_value_t = 1)]
    height: u64,
    /// How many calls.
    #[arg(long, default_value_t = 2000)]
    calls: usize,
    /// Callers at the same time.
    #[arg(long, default_value_t = 1)]
    callers: usize,
    /// The server's process id: its CPU time goes into the report.
    #[arg(long)]
    pid: Option<u32>,
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

fn main() -> Result<()> {
    let cli = Cli::parse();
    // As the program does: some commands have its server in this process. The
    // baseline has the allocator as it comes.
    if !matches!(cli.command, Command::Baseline(_)) {
        let _ = heliostat_allocator::keep_little();
    }
    run(cli.command)
}

#[tokio::main]
async fn run(command: Command) -> Result<()> {
    match command {
        Command::Range(args) => range(args).await,
        Command::Unary(args) => unary(args).await,
        Command::Baseline(args) => {
            baseline::serve(&args.source, args.from, args.to, args.listen).await
        }
        Command::Replay(args) => replay::serve(args.seed, args.blocks, &args.mix).await,
        Command::Reopen(args) => {
            reopen::run(reopen::Plan {
                seed: args.chain.seed,
                blocks: args.chain.blocks,
                mix: args.chain.mix,
                bytes: args.megabytes * 1_000_000,
                rounds: args.rounds,
                postgres: args.postgres,
            })
            .await
        }
        Command::Chunks(args) => chunks::run(args.count, args.size).await,
        Command::Door(args) => {
            door::run(door::Plan {
                seed: args.chain.seed,
                blocks: args.chain.blocks,
                mix: args.chain.mix,
                rounds: args.rounds,
                seconds: args.seconds,
                json: args.json,
            })
            .await
        }
        Command::Siege(args) => {
            siege::run(siege::Plan {
                seed: args.chain.seed,
                blocks: args.chain.blocks,
                mix: args.chain.mix,
                sockets: args.sockets,
                floods: args.floods,
                seconds: args.seconds,
                attacks: args.attacks,
            })
            .await
        }
        Command::Host(args) => host::serve(args.seed, args.blocks, &args.mix).await,
        Command::Attack(args) => {
            siege::attack(args.address, args.name, args.count, args.seconds).await
        }
        Command::Tezos(command) => tezos::run(command).await,
        Command::Compare(Compare { chain, json }) => {
            compare::run(chain.seed, chain.blocks, &chain.mix, json).await
        }
    }
}

async fn unary(args: Unary) -> Result<()> {
    let report = unary::run(&unary::Plan {
        server: args.server,
        method: args.method,
        height: args.height,
        calls: args.calls,
        at_most: Duration::MAX,
        callers: args.callers,
        pid: args.pid,
    })
    .await?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    println!(
        "{}: p50 {:.3} ms, p99 {:.3} ms, {:.0} calls/s over {} calls (load {:.2})",
        report.method,
        report.p50_ms,
        report.p99_ms,
        report.calls_per_second,
        report.calls,
        report.load_average
    );
    if let Some(cpu) = report.server_cpu_us_per_call {
        println!("server CPU: {cpu:.1} µs a call");
    }
    Ok(())
}

async fn range(args: Range) -> Result<()> {
    let method = if args.nullifiers {
        "GetBlockRangeNullifiers"
    } else {
        "GetBlockRange"
    };
    let plan = load::Plan {
        server: args.server,
        method: method.to_owned(),
        from: args.from,
        to: args.to,
        pools: args.pools,
        connections: args.connections,
        span: args.span,
        requests: args.requests,
        least: Duration::from_secs_f64(args.seconds),
        pid: args.pid,
    };
    let report = match args.decode {
        true => decode::run(&plan).await?,
        false => load::run(&plan).await?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    println!(
        "{:.0} blocks/s, {:.1} MB/s ({:.0} bytes a block): {} blocks in {:.3} s; request p50 {:.2} ms, p99 {:.2} ms (load {:.2})",
        report.blocks_per_second,
        report.megabytes_per_second,
        report.bytes_per_block,
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
