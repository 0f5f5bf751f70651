//! A large store, a killed process, and the time until it answers again.
//!
//! The store is filled by a real sync from the replay upstream. While the sync
//! still runs, the process gets SIGKILL; then it is started over the same
//! store, and the clock runs from the start of the process until GetBlock, on
//! a new connection, gives the same bytes as before the kill for an early, a
//! middle and the newest block that had been acknowledged. The sync goes on
//! for a while, and the next round kills it again.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use heliostat_store::{Options, testing::PrivatePostgres};
use heliostat_zcash_proto::{BlockId, ChainSpec, CompactBlock};

use crate::{
    machine,
    replay::Replay,
    servers::{Program, Server},
    unary,
};

/// How long the store may take to grow.
const GROWTH_LIMIT: Duration = Duration::from_secs(1800);
/// How often its size is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long a restarted server may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// Pause between attempts to reach a restarted server.
const ATTEMPT: Duration = Duration::from_millis(2);
/// How long the sync goes on between two kills.
const BETWEEN: Duration = Duration::from_millis(700);
/// The schema heliostat gives a chain started by `heliostat zcash`.
const NAMESPACE: &str = "zcash";

/// What to do.
pub struct Plan {
    /// The replayed chain's seed.
    pub seed: u64,
    /// Its newest height.
    pub blocks: u64,
    /// What its blocks are made of.
    pub mix: String,
    /// How large the store is before the first kill, in bytes.
    pub bytes: u64,
    /// How often the process is killed.
    pub rounds: usize,
    /// On a private PostgreSQL instead of SQLite.
    pub postgres: bool,
}

/// Runs the plan and prints a line per round.
pub async fn run(plan: Plan) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = match plan.postgres {
        true => Some(PrivatePostgres::start_new().context("there is no PostgreSQL to start")?),
        false => None,
    };
    let file = folder.path().join("store.sqlite");
    let store = match &cluster {
        Some(cluster) => cluster.url("bench"),
        None => format!("sqlite:{}", file.display()),
    };
    let program = Program::heliostat()?;
    let replay = Replay::start(plan.seed, plan.blocks, &plan.mix)?;
    let mut server = program.start_over(replay.port, &store)?;
    grow(&mut server, &store, &file, plan.bytes, replay.tip).await?;
    println!("| round | store MB | blocks | syncing | first right answer ms | peak MiB | load |");
    println!("|---|---|---|---|---|---|---|");
    let mut times = Vec::new();
    for round in 1..=plan.rounds {
        let known = known(&server).await?;
        let newest = known.last().context("no block was known")?.height;
        let peak = machine::peak_memory_mib(server.pid())?;
        // SIGKILL, and waits for its end.
        drop(server);
        let size = size(&store, &file).await?;
        server = program.start_over(replay.port, &store)?;
        let took = answers(&mut server, &known).await?;
        println!(
            "| {round} | {:.0} | {newest} | {} | {:.0} | {peak:.0} | {:.2} |",
            size as f64 / 1e6,
            if newest < replay.tip { "yes" } else { "no" },
            took.as_secs_f64() * 1e3,
            machine::load_average()
        );
        times.push(took);
        tokio::time::sleep(BETWEEN).await;
    }
    times.sort();
    let slowest = times.last().copied().unwrap_or_default();
    println!("slowest of {}: {} ms", times.len(), slowest.as_millis());
    Ok(())
}

/// Waits until the store is that large; the sync goes on.
async fn grow(server: &mut Server, store: &str, file: &Path, bytes: u64, tip: u64) -> Result<()> {
    let started = Instant::now();
    loop {
        server.alive()?;
        let now = size(store, file).await?;
        if now >= bytes {
            let seconds = started.elapsed().as_secs_f64();
            eprintln!("the store has {} MB after {seconds:.1} s", now / 1_000_000);
            return Ok(());
        }
        ensure!(
            server.height().await != Some(tip),
            "the whole chain fits in {} MB; ask for more --blocks",
            now / 1_000_000
        );
        ensure!(
            started.elapsed() < GROWTH_LIMIT,
            "the store grows too slowly"
        );
        tokio::time::sleep(LOOK).await;
    }
}

/// Bytes the store takes: SQLite's file and log, or PostgreSQL's tables.
async fn size(store: &str, file: &Path) -> Result<u64> {
    if store.starts_with("sqlite:") {
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        return Ok(length(file) + length(&file.with_extension("sqlite-wal")));
    }
    // Until the server has made its schema there is nothing to read.
    match heliostat_store::open(store, NAMESPACE, &[], Options::read_only()).await {
        Ok(store) => Ok(store.size().await?),
        Err(_) => Ok(0),
    }
}

/// An early, a middle and the newest block as the server gives them.
async fn known(server: &Server) -> Result<Vec<CompactBlock>> {
    let mut client = unary::connect(&server.address).await?;
    let tip = client.get_latest_block(ChainSpec {}).await?;
    let tip = tip.into_inner().height;
    let mut blocks = Vec::new();
    for height in [1, tip / 2, tip] {
        blocks.push(client.get_block(id(height)).await?.into_inner());
    }
    Ok(blocks)
}

fn id(height: u64) -> BlockId {
    BlockId {
        height,
        ..Default::default()
    }
}

/// Time from the process's start until it gives all of `known`.
async fn answers(server: &mut Server, known: &[CompactBlock]) -> Result<Duration> {
    loop {
        server.alive()?;
        if let Some(blocks) = attempt(server, known).await {
            let took = server.started().elapsed();
            ensure!(blocks == known, "a block changed over the kill");
            return Ok(took);
        }
        ensure!(
            server.started().elapsed() < ANSWER_LIMIT,
            "no answer within {} s",
            ANSWER_LIMIT.as_secs()
        );
        tokio::time::sleep(ATTEMPT).await;
    }
}

/// The blocks of `known`'s heights, newest last; `None` while the server is
/// not there yet.
async fn attempt(server: &Server, known: &[CompactBlock]) -> Option<Vec<CompactBlock>> {
    let mut client = unary::connect(&server.address).await.ok()?;
    let mut blocks = Vec::new();
    for block in known {
        let reply = client.get_block(id(block.height)).await.ok()?;
        blocks.push(reply.into_inner());
    }
    Some(blocks)
}
