//! Every server over the same blocks on this machine.
//!
//! Heliostat and the baseline run at the same time and take turns, run by run,
//! so that whatever else the machine does slows both alike: their ratio counts
//! even where the absolute figures do not. The peers follow one by one.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plans`] | what is measured of every server |
//! | [`report`] | the tables |

mod plans;
mod report;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use heliostat_zcash_proto::ChainSpec;
use serde::Serialize;

use crate::{
    client::Connection,
    decode,
    load::{self, Plan},
    machine,
    replay::Replay,
    servers::{Baseline, Program, Server, Sync},
    unary,
};
use plans::{Series, Work};

/// Blocks added to measure how soon a client sees one.
const NEW_BLOCKS: usize = 10;
/// Calls per unary method and number of callers: CPU time is counted in ticks
/// of 10 ms.
const UNARY_CALLS: usize = 20_000;
/// For servers that take tens of milliseconds for a call.
const UNARY_LIMIT: Duration = Duration::from_secs(10);
/// Callers at the same time.
const CALLERS: [usize; 2] = [1, 32];

/// All figures of one server.
#[derive(Debug, Serialize)]
pub struct Row {
    server: String,
    sync: Option<Sync>,
    digests: Vec<(String, u32)>,
    ranges: Vec<(String, load::Report)>,
    unary: Vec<unary::Report>,
    new_block_ms: Option<f64>,
    peak_memory_mib: f64,
    load_average: f64,
}

/// A server under measurement.
struct Subject<'a> {
    name: &'a str,
    address: &'a str,
    pid: u32,
    row: Row,
}

impl<'a> Subject<'a> {
    fn new(name: &'a str, address: &'a str, pid: u32) -> Self {
        let row = Row {
            server: name.to_owned(),
            sync: None,
            digests: Vec::new(),
            ranges: Vec::new(),
            unary: Vec::new(),
            new_block_ms: None,
            peak_memory_mib: 0.0,
            load_average: 0.0,
        };
        Self {
            name,
            address,
            pid,
            row,
        }
    }

    async fn run(&self, work: &Work, tip: u64) -> Result<load::Report> {
        let plan = Plan {
            server: self.address.to_owned(),
            pid: Some(self.pid),
            ..work.plan(tip)
        };
        match work {
            Work::Decoded => decode::run(&plan).await,
            _ => load::run(&plan).await,
        }
    }

    async fn call(&mut self, method: &str, callers: usize, tip: u64) {
        let plan = unary::Plan {
            server: self.address.to_owned(),
            method: method.to_owned(),
            height: tip / 2,
            calls: UNARY_CALLS,
            at_most: UNARY_LIMIT,
            callers,
            pid: Some(self.pid),
        };
        match unary::run(&plan).await {
            Ok(report) => self.row.unary.push(report),
            Err(error) => eprintln!("{}: {method}: {error:#}", self.name),
        }
    }

    /// What was sent, as one number: servers that agree sent the same bytes.
    async fn digests(&mut self, tip: u64) {
        for series in plans::all() {
            if let Work::Stream { .. } = series.work {
                match self.digest(&series.work.plan(tip)).await {
                    Ok(crc) => self.row.digests.push((series.label, crc)),
                    Err(error) => eprintln!("{}: {}: {error:#}", self.name, series.label),
                }
            }
        }
    }

    async fn digest(&self, plan: &Plan) -> Result<u32> {
        let mut connection = Connection::open(self.address).await?;
        let tally = connection
            .digest(&plan.method, plan.from, plan.to, &plan.pools)
            .await?;
        tally.crc.context("no digest was taken")
    }

    fn finish(mut self) -> Result<Row> {
        self.row.peak_memory_mib = machine::peak_memory_mib(self.pid)?;
        self.row.load_average = machine::load_average();
        Ok(self.row)
    }
}

/// Runs the comparison and prints it.
pub async fn run(seed: u64, blocks: u64, mix: &str, json: bool) -> Result<()> {
    eprintln!("seed {seed}: {blocks} blocks, mix {mix}");
    let mut rows = Vec::new();
    for program in Program::all()? {
        match measure(&program, seed, blocks, mix).await {
            Ok(measured) => rows.extend(measured),
            Err(error) => eprintln!("{}: {error:#}", program.name),
        }
        eprintln!("{} done", program.name);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        report::print(&rows);
    }
    Ok(())
}

/// One program from an empty store on; with heliostat the baseline, which
/// holds the same blocks, copied from it.
async fn measure(program: &Program, seed: u64, blocks: u64, mix: &str) -> Result<Vec<Row>> {
    let mut replay = Replay::start(seed, blocks, mix)?;
    let mut server = program.start(replay.port)?;
    let sync = server.sync(&mut replay).await?;
    let new_block_ms = new_block(&server, &mut replay).await?;
    let tip = replay.tip;
    let mut subject = Subject::new(server.name, &server.address, server.pid());
    subject.row.sync = Some(sync);
    subject.row.new_block_ms = Some(new_block_ms);
    let mut subjects = vec![subject];
    let baseline = match server.name {
        "heliostat" => Some(Baseline::start(&server.address, 1, tip).await?),
        _ => None,
    };
    if let Some(baseline) = &baseline {
        subjects.push(Subject::new("baseline", &baseline.address, baseline.pid()));
    }
    for (method, callers) in unary::METHODS
        .iter()
        .flat_map(|method| CALLERS.map(|callers| (method, callers)))
    {
        for subject in &mut subjects {
            // The baseline has no other.
            if subject.name != "baseline" || *method == "GetBlockNullifiers" {
                subject.call(method, callers, tip).await;
            }
        }
    }
    for subject in &mut subjects {
        subject.digests(tip).await;
    }
    for series in plans::all() {
        take_turns(&mut subjects, &series, tip).await;
    }
    subjects.into_iter().map(Subject::finish).collect()
}

/// Runs a series on all servers in turn; the median of each counts.
async fn take_turns(subjects: &mut [Subject<'_>], series: &Series, tip: u64) {
    let mut reports: Vec<Vec<load::Report>> = subjects.iter().map(|_| Vec::new()).collect();
    for _ in 0..series.repeats {
        for (subject, reports) in subjects.iter().zip(&mut reports) {
            match subject.run(&series.work, tip).await {
                Ok(report) => reports.push(report),
                Err(error) => eprintln!("{}: {}: {error:#}", subject.name, series.label),
            }
        }
    }
    for (subject, mut reports) in subjects.iter_mut().zip(reports) {
        reports.sort_by(|a, b| a.blocks_per_second.total_cmp(&b.blocks_per_second));
        let middle = reports.len() / 2;
        if let Some(report) = reports.into_iter().nth(middle) {
            subject.row.ranges.push((series.label.clone(), report));
        }
    }
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
