//! What an endpoint costs that is gone: the first one of the list, which is
//! asked first, refuses connections or never answers, while fewer than all
//! must agree.

use std::time::{Duration, Instant};

use anyhow::Result;
use heliostat_sim::tezos::{
    Node, World,
    node::{Fault, Filter},
};

use super::{
    heliostat::Daemon,
    schedule::check,
    world::{Reading, Scene, most_ms, p50_ms},
};
use crate::machine;

/// Accounts that are read before it dies.
const BEFORE: usize = 20;

/// Accounts that are read until it counts as noticed.
const NOTICING: usize = 5;

/// How it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Connections are refused.
    Refused,
    /// It takes requests and never answers.
    Silent,
}

/// What it costs.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Of every answer of the living, in milliseconds.
    pub latency_ms: u64,
    /// Nodes, the dead one among them.
    pub count: usize,
    /// How it is gone.
    pub death: Death,
    /// One round trip to a living one, measured.
    pub round_trip_ms: f64,
    /// The slowest read until it was noticed.
    pub noticing_ms: f64,
    /// Median of the reads after that.
    pub p50_ms: f64,
    /// The slowest of them.
    pub most_ms: f64,
    /// The first read at the next block.
    pub next_ms: f64,
    /// The machine's load average meanwhile.
    pub load: f64,
}

/// Both deaths over `count` nodes.
pub async fn costs(chain: &World, count: usize, latency_ms: u64) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for death in [Death::Refused, Death::Silent] {
        costs.push(cost(chain, count, latency_ms, death).await?);
    }
    Ok(costs)
}

async fn cost(chain: &World, count: usize, latency_ms: u64, death: Death) -> Result<Cost> {
    let scene = Scene::new(chain, count, Duration::from_millis(latency_ms)).await?;
    let round_trip_ms = scene.round_trip_ms().await?;
    // One may be missing, and of two as many as of five.
    let needed = (count - 1).min(count / 2 + 1) as f64;
    let daemon = Daemon::start(&scene, needed / count as f64).await?;
    daemon.reach(&scene).await?;
    let (before, rest) = scene.accounts.split_at(BEFORE);
    let (noticing, after) = rest.split_at(NOTICING);
    time(&scene, &daemon, before).await?;
    kill(&scene.nodes[0], death).await;
    let noticing = time(&scene, &daemon, noticing).await?;
    let mut after = time(&scene, &daemon, after).await?;
    scene.next();
    daemon.reach(&scene).await?;
    let next = time(&scene, &daemon, &scene.accounts[..1]).await?;
    Ok(Cost {
        latency_ms,
        count,
        death,
        round_trip_ms,
        noticing_ms: most_ms(&noticing),
        most_ms: most_ms(&after),
        p50_ms: p50_ms(&mut after),
        next_ms: most_ms(&next),
        load: machine::load_average(),
    })
}

async fn kill(node: &Node, death: Death) {
    match death {
        Death::Refused => node.stop().await,
        Death::Silent => node.fail(Fault::Hang, Filter::all()),
    }
}

async fn time(scene: &Scene, daemon: &Daemon, accounts: &[Reading]) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(accounts.len());
    for account in accounts {
        let begun = Instant::now();
        let balance = daemon.balance("head", account).await?;
        times.push(begun.elapsed());
        check(scene, account, balance)?;
    }
    Ok(times)
}
