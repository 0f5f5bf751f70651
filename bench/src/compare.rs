//! Every server over the same blocks, one after the other, on this machine.

use std::time::{Duration, Instant};

use anyhow::Result;
use heliostat_zcash_proto::ChainSpec;
use serde::Serialize;

use crate::{
    load::{self, Plan},
    machine,
    servers::{Baseline, Program, Replay, Server, Sync},
    unary,
};

/// Blocks added to measure how soon a client sees one.
const NEW_BLOCKS: usize = 10;
/// Calls per unary method.
const UNARY_CALLS: usize = 2_000;
/// Runs of each range measurement; the median counts.
const REPEATS: usize = 3;
/// Passes over the range in one run: CPU time is counted in ticks of 10 ms.
const PASSES: usize = 25;
/// Connections and blocks per request of the many-clients row.
const MANY: (usize, u64) = (64, 100);

/// All figures of one server.
#[derive(Debug, Serialize)]
pub struct Row {
    server: String,
    sync: Option<Sync>,
    ranges: Vec<(String, load::Report)>,
    unary: Vec<unary::Report>,
    new_block_ms: Option<f64>,
    peak_memory_mib: f64,
    load_average: f64,
}

/// Runs the comparison and prints it.
pub async fn run(seed: u64, blocks: u64, mix: &str, json: bool) -> Result<()> {
    eprintln!("seed {seed}: {blocks} blocks, mix {mix}");
    let mut rows = Vec::new();
    for program in Program::all()? {
        let mut replay = Replay::start(seed, blocks, mix)?;
        let mut server = program.start(replay.port)?;
        let row = match measure(&mut server, &mut replay).await {
            Ok(row) => row,
            Err(error) => {
                eprintln!("{}: {error:#}", program.name);
                continue;
            }
        };
        eprintln!("{} done", program.name);
        rows.push(row);
        if program.name == "heliostat" {
            rows.push(baseline(&server, replay.tip).await?);
        }
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print(&rows);
    }
    Ok(())
}

async fn measure(server: &mut Server, replay: &mut Replay) -> Result<Row> {
    let sync = server.sync(replay).await?;
    let new_block_ms = Some(new_block(server, replay).await?);
    let mut unary = Vec::new();
    for method in unary::METHODS {
        match unary::run(&server.address, method, replay.tip / 2, UNARY_CALLS).await {
            Ok(report) => unary.push(report),
            Err(error) => eprintln!("{}: {method}: {error:#}", server.name),
        }
    }
    Ok(Row {
        server: server.name.to_owned(),
        sync: Some(sync),
        ranges: ranges(server.name, &server.address, server.pid(), replay.tip).await,
        unary,
        new_block_ms,
        peak_memory_mib: machine::peak_memory_mib(server.pid())?,
        load_average: machine::load_average(),
    })
}

/// The baseline holds the same blocks, copied from `server`, in a process of
/// its own.
async fn baseline(server: &Server, tip: u64) -> Result<Row> {
    let baseline = Baseline::start(&server.address, 1, tip).await?;
    Ok(Row {
        server: "baseline".to_owned(),
        sync: None,
        ranges: ranges("baseline", &baseline.address, baseline.pid(), tip).await,
        unary: Vec::new(),
        new_block_ms: None,
        peak_memory_mib: machine::peak_memory_mib(baseline.pid())?,
        load_average: machine::load_average(),
    })
}

async fn ranges(name: &str, address: &str, pid: u32, tip: u64) -> Vec<(String, load::Report)> {
    let whole = |pools: &[i32], method: &str| Plan {
        server: address.to_owned(),
        method: method.to_owned(),
        from: 1,
        to: tip,
        pools: pools.to_vec(),
        connections: 1,
        span: None,
        requests: PASSES,
        pid: Some(pid),
    };
    let (connections, span) = MANY;
    let many = Plan {
        connections,
        span: Some(span),
        requests: 400,
        ..whole(&[], "GetBlockRange")
    };
    let mut plans = vec![
        ("shielded", whole(&[], "GetBlockRange")),
        ("all pools", whole(&[1, 2, 3, 4], "GetBlockRange")),
        ("sapling only", whole(&[2], "GetBlockRange")),
        ("64 x 100", many),
    ];
    if name != "baseline" {
        plans.push(("nullifiers", whole(&[], "GetBlockRangeNullifiers")));
    }
    let mut reports = Vec::new();
    for (label, plan) in plans {
        match median(&plan).await {
            Ok(report) => reports.push((label.to_owned(), report)),
            Err(error) => eprintln!("{name}: {label}: {error:#}"),
        }
    }
    reports
}

async fn median(plan: &Plan) -> Result<load::Report> {
    let mut reports = Vec::new();
    for _ in 0..REPEATS {
        reports.push(load::run(plan).await?);
    }
    reports.sort_by(|a, b| a.blocks_per_second.total_cmp(&b.blocks_per_second));
    Ok(reports.swap_remove(REPEATS / 2))
}

/// Milliseconds from the upstream having a block to a client seeing it; the
/// median of several.
async fn new_block(server: &Server, replay: &mut Replay) -> Result<f64> {
    let mut client = unary::connect(&server.address).await?;
    let mut times = Vec::new();
    for round in 0..NEW_BLOCKS {
        // Spread over the server's polling interval.
        tokio::time::sleep(Duration::from_millis(150 + 37 * round as u64)).await;
        replay.extend()?;
        let start = Instant::now();
        while client
            .get_latest_block(ChainSpec {})
            .await?
            .into_inner()
            .height
            < replay.tip
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(start.elapsed());
    }
    times.sort();
    Ok(load::percentile_ms(&times, 50))
}

fn print(rows: &[Row]) {
    println!("| server | sync blocks/s | sync CPU-s | new block ms | peak MiB | load |");
    println!("|---|---|---|---|---|---|");
    for row in rows {
        let sync = |value: fn(&Sync) -> f64| {
            row.sync
                .as_ref()
                .map_or("".into(), |sync| format!("{:.1}", value(sync)))
        };
        println!(
            "| {} | {} | {} | {} | {:.0} | {:.2} |",
            row.server,
            sync(|sync| sync.blocks_per_second),
            sync(|sync| sync.cpu_seconds),
            row.new_block_ms.map_or("".into(), |ms| format!("{ms:.1}")),
            row.peak_memory_mib,
            row.load_average
        );
    }
    println!();
    println!(
        "| server | GetBlockRange | blocks/s | MB/s | server CPU µs/block | request p50 / p99 ms | load |"
    );
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        for (label, report) in &row.ranges {
            println!(
                "| {} | {label} | {:.0} | {:.0} | {:.2} | {:.2} / {:.2} | {:.2} |",
                row.server,
                report.blocks_per_second,
                report.megabytes_per_second,
                report.server_cpu_us_per_block.unwrap_or(f64::NAN),
                report.request_p50_ms,
                report.request_p99_ms,
                report.load_average
            );
        }
    }
    println!();
    println!("| server | call | p50 ms | p99 ms |");
    println!("|---|---|---|---|");
    for row in rows {
        for call in &row.unary {
            println!(
                "| {} | {} | {:.2} | {:.2} |",
                row.server, call.method, call.p50_ms, call.p99_ms
            );
        }
    }
}
