//! Heads, receipts and blocks over jumps of the clock.

use heliostat_observe::Status;
use heliostat_sim::{
    tezos::world::Change,
    zcash::{Chain, Node, Profile, mainnet_sample},
};
use heliostat_zcash_proto::{BlockId, BlockRange, RawTransaction};

use crate::{
    clock::Clock,
    daemon::{Daemon, Nodes, balance_path},
    running::{Process, chain, store},
};

/// Jumps, in seconds, and what the process has to say of its newest block.
const JUMPS: [(i64, &str); 4] = [
    (5 * HOUR, "the newest block is 5 h"),
    (-5 * HOUR, "this machine's clock"),
    (20 * 365 * 24 * HOUR, "the newest block is 73"),
    (-8 * 365 * 24 * HOUR, "this machine's clock"),
];
const HOUR: i64 = 3_600;

const PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
const JSON: [&str; 2] = ["--log-format", "json"];

/// Every block that is served, by its hash.
async fn served(process: &Process) -> Vec<Vec<u8>> {
    let at = |height| {
        Some(BlockId {
            height,
            ..BlockId::default()
        })
    };
    let range = BlockRange {
        start: at(0),
        end: at(process.served_height().await),
        ..BlockRange::default()
    };
    let mut client = process.client().await;
    let mut stream = client.get_block_range(range).await.unwrap().into_inner();
    let mut hashes = Vec::new();
    while let Some(block) = stream.message().await.unwrap() {
        hashes.push(block.hash.to_vec());
    }
    hashes
}

fn hashes(chain: &Chain) -> Vec<Vec<u8>> {
    let blocks = chain.blocks.iter();
    blocks.map(|block| block.hash.to_vec()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_clock_says_proven_blocks_are_served_and_followed_and_it_is_told() {
    let mainnet = mainnet_sample();
    let newest = mainnet.blocks.last().unwrap();
    let Some(clock) = Clock::showing(i64::from(newest.time) + 60) else {
        return;
    };
    let first = newest.height - JUMPS.len() as u64;
    let node = Node::start_as(Profile::mainnet(), mainnet.up_to(first));
    let node = node.await.unwrap();
    let (url, folder) = (node.url(), tempfile::tempdir().unwrap());
    let store = store(&folder);
    let args = ["zcash", "--network", "main", "--upstream", &url];
    let args = [&args[..], &["--store", &store], &PORTS, &JSON].concat();
    let process = Process::of(clock.heliostat(&args));
    process.until("ready", |status| status.ready).await;

    for (height, (jump, words)) in (first + 1..).zip(JUMPS) {
        clock.jump(jump);
        let status = process.until("not ready", |status| !status.ready).await;
        let why = status.not_ready.join("; ");
        assert!(why.contains(words), "{jump}: {why}");
        assert_eq!(process.code_of("/readyz").await, 503, "{jump}");
        assert_eq!(process.code_of("/livez").await, 200, "{jump}");
        // A new block comes all the same.
        node.set_chain(mainnet.up_to(height));
        let there = |status: &Status| status.chains["zcash"].local_height == Some(height);
        let status = process.until("at the new block", there).await;
        assert_eq!(served(&process).await, hashes(&mainnet.up_to(height)));
        let zcash = &status.chains["zcash"];
        let head = zcash.head.as_ref().unwrap();
        assert_eq!(head.assurance, "proven", "{jump}");
        assert!(zcash.findings.is_empty(), "a clock convicts nobody");
        assert_eq!(zcash.upstreams[0].state, "ok", "{jump}");

        clock.jump(0);
        process.until("ready again", |status| status.ready).await;
        assert_eq!(process.code_of("/readyz").await, 200, "{jump}");
    }
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_do_not_age_with_the_clock_and_outlive_a_start_while_it_is_wrong() {
    // Any time will do.
    let Some(clock) = Clock::showing(1_800_000_000) else {
        return;
    };
    let generator = chain(32);
    let mut unmined = (21..).map_while(|height| generator.chain().at(height));
    let block = unmined.find(|block| block.txs.len() > 1).unwrap();
    let data = block.raw.slice(block.txs[1].clone());
    let node = Node::start(generator.chain().up_to(20)).await.unwrap();
    let (url, folder) = (node.url(), tempfile::tempdir().unwrap());
    let store = store(&folder);
    let args = ["zcash", "--upstream", &url, "--store", &store];
    let args = [&args[..], &PORTS, &JSON].concat();
    let send = async |process: &Process| {
        let (data, height) = (data.clone(), 0);
        let mut client = process.client().await;
        let sent = client.send_transaction(RawTransaction { data, height });
        let sent = sent.await.unwrap();
        let receipt = sent.metadata().get("heliostat-receipt").unwrap().clone();
        (receipt, sent.into_inner())
    };
    let process = Process::of(clock.heliostat(&args));
    process.until("ready", |status| status.ready).await;
    let first = send(&process).await;
    assert_eq!(first.1.error_code, 0, "{}", first.1.error_message);
    for (jump, _) in JUMPS {
        clock.jump(jump);
        assert_eq!(send(&process).await, first, "{jump}");
    }
    assert_eq!(process.terminate(), Some(0));
    // The next one starts eight years back, and sees them end.
    let process = Process::of(clock.heliostat(&args));
    process.until("ready", |status| status.ready).await;
    assert_eq!(send(&process).await, first);
    clock.jump(0);
    assert_eq!(send(&process).await, first);
    assert_eq!(node.count("sendrawtransaction"), 1, "it went out once");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tezos_daemon_agrees_on_reads_whatever_the_clock_says() {
    let nodes = Nodes::start(3).await;
    let newest = nodes.network.world().head().header.timestamp;
    let Some(clock) = Clock::showing(newest + 30) else {
        return;
    };
    let checkpoint = nodes.checkpoint(4);
    let flags = nodes.flags();
    let args: Vec<_> = flags.iter().map(String::as_str).collect();
    let trusted = ["--store", "memory:", "--checkpoint", &checkpoint];
    let args = [&args[..], &trusted, &["--finality"], &PORTS, &JSON].concat();
    let daemon = Daemon::beside(clock.heliostat(&args)).await;
    daemon.until("ready", |status| status.ready).await;
    let url = daemon.url("observe");
    let bob = nodes.network.world().account("bob").id;
    let path = balance_path(&nodes.address("bob"));
    for (amount, (jump, words)) in (70_u64..).zip(JUMPS) {
        clock.jump(jump);
        let status = daemon.until("not ready", |status| !status.ready).await;
        let why = status.not_ready.join("; ");
        assert!(why.contains(words), "{jump}: {why}");
        let ready = reqwest::get(format!("{url}/readyz")).await.unwrap();
        assert_eq!(ready.status(), 503, "{jump}");
        // The next block comes seconds later by the chain's own time.
        let block = nodes.network.bake(&[Change::Balance(bob, amount)]);
        let followed = |status: &Status| {
            let head = status.chains["tezos"].head.as_ref();
            head.is_some_and(|head| head.id == block.hash.to_string())
        };
        let status = daemon.until("on the new block", followed).await;
        let (code, grade, body) = daemon.get(&path).await;
        assert_eq!((code, body.trim()), (200, &*format!("\"{amount}\"")));
        assert_eq!(grade, "agreed 3/3", "{jump}");
        let chain = &status.chains["tezos"];
        assert!(chain.findings.is_empty(), "a clock convicts nobody");
        assert!(
            chain.state.contains("proven up to level"),
            "{}",
            chain.state
        );
        clock.jump(0);
        daemon.until("ready again", |status| status.ready).await;
    }
    assert_eq!(daemon.terminate(), Some(0));
}
