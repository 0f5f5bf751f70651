//! The nodes that both sides ask, and what the right answers are.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use heliostat_sim::tezos::{
    Network, Node, World,
    world::{Block, Change, Settings},
};
use heliostat_tezos_protocol::ContractId;

/// Accounts of the chain: a directory of inodes, as on every real chain.
const ACCOUNTS: usize = 2_000;

/// Accounts whose balance and counter are read.
pub const READ: usize = 100;

/// Of those, how many are different at the next block.
pub const CHANGED: usize = 10;

/// Calls that one round trip is measured with.
const PROBES: usize = 21;

/// Nodes of one chain, and the accounts that are read of it.
pub struct Scene {
    /// The chain.
    pub network: Network,
    /// Its nodes.
    pub nodes: Vec<Node>,
    /// Who is read.
    pub accounts: Vec<Reading>,
}

/// An account that is read.
#[derive(Clone)]
pub struct Reading {
    /// Who.
    pub id: ContractId,
    /// The same in base58.
    pub address: String,
}

/// What was asked of all nodes, and what they sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Bytes of the answers' bodies.
    pub bytes: u64,
}

/// The chain that all scenes begin with: made once, it takes seconds.
pub fn chain(seed: u64) -> World {
    let settings = Settings {
        accounts: ACCOUNTS,
        ..Settings::default()
    };
    World::new(seed, settings)
}

impl Scene {
    /// Nodes that answer so much later than they could.
    pub async fn new(chain: &World, count: usize, latency: Duration) -> Result<Self> {
        let network = Network::new(chain.clone());
        let nodes = Node::start_all(&network, count).await?;
        for node in &nodes {
            node.set(|manner| manner.slow = latency);
        }
        // Spread over the directory; what they are called tells nothing.
        let all = chain.accounts();
        let step = all.len() / READ;
        let accounts = all.iter().step_by(step).take(READ).map(|account| Reading {
            id: account.id,
            address: account.address(),
        });
        let accounts: Vec<_> = accounts.collect();
        ensure!(accounts.len() == READ, "too few accounts");
        Ok(Self {
            network,
            nodes,
            accounts,
        })
    }

    /// The nodes' addresses.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url()).collect()
    }

    /// The newest block.
    pub fn head(&self) -> Arc<Block> {
        Arc::clone(self.network.world().head())
    }

    /// Bakes a block in which some of the accounts have another balance.
    pub fn next(&self) -> Arc<Block> {
        let world = self.network.world();
        let step = READ / CHANGED;
        let changes = self.accounts.iter().step_by(step).map(|account| {
            let balance = world.balance(world.head(), &account.id);
            Change::Balance(account.id, balance + 1)
        });
        self.network.bake(&changes.collect::<Vec<_>>())
    }

    /// What an account owns, for sure.
    pub fn balance(&self, account: &Reading) -> u64 {
        let world = self.network.world();
        world.balance(world.head(), &account.id)
    }

    /// What came in since the last call.
    pub fn take_traffic(&self) -> Traffic {
        let mut traffic = Traffic::default();
        for node in &self.nodes {
            traffic.requests += node.requests();
            traffic.bytes += node.bytes();
            node.reset_counts();
        }
        traffic
    }

    /// Milliseconds of one round trip to a node, as a client sees it: the
    /// latency, the machine's timers, and a short answer over an open
    /// connection.
    pub async fn round_trip_ms(&self) -> Result<f64> {
        let client = reqwest::Client::new();
        let node = self.nodes.last().context("no node")?;
        let url = format!("{}/chains/main/chain_id", node.url());
        let mut times = Vec::with_capacity(PROBES);
        client.get(&url).send().await?.bytes().await?;
        for _ in 0..PROBES {
            let start = Instant::now();
            client.get(&url).send().await?.bytes().await?;
            times.push(start.elapsed());
        }
        Ok(p50_ms(&mut times))
    }
}

/// The median, in milliseconds.
pub fn p50_ms(times: &mut [Duration]) -> f64 {
    times.sort();
    let middle = times.get(times.len() / 2);
    middle.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// The longest, in milliseconds.
pub fn most_ms(times: &[Duration]) -> f64 {
    let most = times.iter().max();
    most.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
