//! `kill -9` at random moments of syncs and reorgs: whatever a client was
//! served is still there, `verify` finds nothing, and the chain comes to the
//! upstream's head without a manual step.
//!
//! Every test prints its seed; `HELIOSTAT_SEED` takes one back, and
//! `HELIOSTAT_CRASH_ROUNDS` asks for more kills than the suite makes.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "process/dice.rs"]
mod dice;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;

use std::{process::Command, time::Duration};

use dice::{next, number};
use heliostat_sim::zcash::{Chain, Generator, GeneratorConfig, Node};
use heliostat_store::testing::PrivatePostgres;
use heliostat_zcash_proto::{
    BlockId, BlockRange, ChainSpec, CompactBlock,
    compact_tx_streamer_client::CompactTxStreamerClient,
};
use running::{Process, store};
use tonic::{Code, transport::Channel};

/// Kills of each store, unless `HELIOSTAT_CRASH_ROUNDS` says otherwise.
const ROUNDS: u64 = 20;
/// Blocks of each branch; a sync takes longer than the longest round.
const BLOCKS: u64 = 2_500;
/// How many blocks the branches do not share: deeper than one commit at the
/// tip, so that a kill can fall anywhere inside a reorg.
const FORK_DEPTH: u64 = 40;
/// The longest a process lives before it is killed, in milliseconds.
const LIFE_MS: u64 = 900;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_a_sqlite_store_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    survive(&store(&folder)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_a_postgresql_store_loses_nothing() {
    let Some(postgres) = PrivatePostgres::start_new() else {
        return;
    };
    survive(&postgres.url("crash")).await;
}

/// Two branches that the upstream changes between.
struct Branches {
    now: usize,
    chains: [Chain; 2],
}

impl Branches {
    fn generate(seed: u64) -> Self {
        let trunk = Generator::new(GeneratorConfig::new(seed, BLOCKS));
        let fork = trunk.fork(BLOCKS - FORK_DEPTH, FORK_DEPTH + 3, seed + 1);
        Self {
            now: 0,
            chains: [trunk.chain().clone(), fork.unwrap().chain().clone()],
        }
    }

    fn other(&mut self) -> Chain {
        self.now = 1 - self.now;
        self.chains[self.now].clone()
    }

    /// Whether the block stands in either branch.
    fn know(&self, height: u64, hash: &[u8]) -> bool {
        let stands = |chain: &Chain| {
            chain
                .at(height)
                .is_some_and(|block| block.hash[..] == *hash)
        };
        self.chains.iter().any(stands)
    }
}

async fn survive(store: &str) {
    let seed = number("HELIOSTAT_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let rounds = number("HELIOSTAT_CRASH_ROUNDS").unwrap_or(ROUNDS);
    eprintln!("HELIOSTAT_SEED={seed} HELIOSTAT_CRASH_ROUNDS={rounds}");
    let mut chance = seed;
    let mut branches = Branches::generate(seed);
    let node = Node::start(branches.chains[0].clone()).await.unwrap();
    let url = node.url();
    let mut served = BlockId::default();
    for round in 0..rounds {
        let process = Process::start(&["--upstream", &url, "--store", store]);
        let mut client = process.client().await;
        // What was served before the kill is there from the first answer on,
        // or more; a reorg in between may have shortened it to the fork.
        if served.height > 0 {
            let tip = first_tip(&mut client).await;
            let reorg = branches.chains[0].blocks.len() as u64 - FORK_DEPTH;
            assert!(
                tip.height >= served.height.min(reorg),
                "round {round}: {} was served, {} is left",
                served.height,
                tip.height
            );
        }
        let life = Duration::from_millis(next(&mut chance) % LIFE_MS);
        tokio::time::sleep(life / 2).await;
        if next(&mut chance).is_multiple_of(2) {
            node.set_chain(branches.other());
        }
        tokio::time::sleep(life / 2).await;
        if let Ok(tip) = client.get_latest_block(ChainSpec {}).await {
            served = tip.into_inner();
            assert!(
                branches.know(served.height, &served.hash),
                "round {round}: a block of neither branch was served"
            );
        }
        drop(process);
        must_verify(store, &url, round);
    }
    let process = Process::start(&["--upstream", &url, "--store", store]);
    let chain = &branches.chains[branches.now];
    let tip = chain.tip().unwrap().height;
    let at_tip =
        |status: &heliostat_observe::Status| status.chains["zcash"].local_height == Some(tip);
    process.until("at the upstream's tip", at_tip).await;
    let blocks = range(&process, tip).await;
    assert_eq!(blocks.len() as u64, tip);
    for block in blocks {
        let expected = chain.at(block.height).unwrap();
        assert_eq!(block.hash[..], expected.hash, "block {}", block.height);
    }
    assert_eq!(process.terminate(), Some(0));
    must_verify(store, &url, rounds);
    eprintln!("{rounds} kills survived");
}

/// The first answer of a process that has a store; before it is open,
/// clients are told to try again.
async fn first_tip(client: &mut CompactTxStreamerClient<Channel>) -> BlockId {
    loop {
        match client.get_latest_block(ChainSpec {}).await {
            Ok(tip) => return tip.into_inner(),
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// `heliostat verify` finds nothing.
fn must_verify(store: &str, upstream: &str, round: u64) {
    let verify = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["verify", "--upstream", upstream, "--store", store])
        .output()
        .unwrap();
    assert!(
        verify.status.success(),
        "round {round}: {}{}",
        String::from_utf8_lossy(&verify.stdout),
        String::from_utf8_lossy(&verify.stderr)
    );
}

async fn range(process: &Process, tip: u64) -> Vec<CompactBlock> {
    let at = |height| {
        Some(BlockId {
            height,
            ..BlockId::default()
        })
    };
    let request = BlockRange {
        start: at(1),
        end: at(tip),
        pool_types: Vec::new(),
    };
    let mut client = process.client().await;
    let mut stream = client.get_block_range(request).await.unwrap().into_inner();
    let mut blocks = Vec::new();
    while let Some(block) = stream.message().await.unwrap() {
        blocks.push(block);
    }
    blocks
}
