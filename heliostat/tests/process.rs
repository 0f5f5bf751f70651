//! The running process: against a simulated node, without one, and at its
//! end.
//!
//! | module | what it holds |
//! |---|---|
//! | `running` | the process as a child, and what tests ask it |
//! | `allocator` | whether freed memory goes back to the system |
//! | `broadcast` | writes that go to several nodes |
//! | `checkpoint` | chains joined in the middle |
//! | `checkpoint_stored` | a checkpoint given to a store with a chain in it |
//! | `codes` | the exit codes of `check`, `status` and `verify` |
//! | `disk` | small file systems that fill up and turn read-only |
//! | `postgres` | the same binary on PostgreSQL |
//! | `privacy` | what is told to nobody |
//! | `secure` | a node behind TLS |
//! | `stop` | signals |
//! | `stores` | stores that cannot be used, or not for now |
//! | `syncing` | a node that is itself not there yet |
//! | `writes` | receipts: before the first byte, over kills, on a full disk |

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "process/allocator.rs"]
mod allocator;
#[path = "process/broadcast.rs"]
mod broadcast;
#[path = "process/checkpoint.rs"]
mod checkpoint;
#[path = "process/checkpoint_stored.rs"]
mod checkpoint_stored;
#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "process/codes.rs"]
mod codes;
#[path = "process/disk.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod disk;
#[path = "process/postgres.rs"]
mod postgres;
#[path = "process/privacy.rs"]
mod privacy;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;
#[path = "process/secure.rs"]
mod secure;
#[path = "process/stop.rs"]
mod stop;
#[path = "process/stores.rs"]
mod stores;
#[path = "process/syncing.rs"]
mod syncing;
#[path = "process/writes.rs"]
mod writes;

use std::process::Command;

use heliostat_observe::Status;
use heliostat_sim::zcash::{
    Node,
    node::{Filter, Misbehaviour},
};
use heliostat_zcash_proto::{BlockId, BlockRange, ChainSpec};
use running::{Process, chain, store};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_followed_served_and_left_with_exit_code_0() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(40);
    let (node, witness) = (
        Node::start(generator.chain().clone()).await.unwrap(),
        Node::start(generator.chain().clone()).await.unwrap(),
    );
    let (url, second) = (node.handle().url(), witness.handle().url());
    let store = store(&folder);
    let process = Process::start(&["--upstream", &url, "--witness", &second, "--store", &store]);
    let status = process.until("ready", |status| status.ready).await;
    let zcash = &status.chains["zcash"];
    assert_eq!(zcash.network, "regtest");
    assert_eq!(zcash.local_height, Some(generator.height()));
    assert_eq!(process.code_of("/readyz").await, 200);
    assert_eq!(process.code_of("/livez").await, 200);
    let agreed = |status: &Status| {
        let head = status.chains["zcash"].head.as_ref();
        head.is_some_and(|head| head.assurance == "agreed 2/2")
    };
    process.until("agreed", agreed).await;

    let mut client = process.client().await;
    let tip = client
        .get_latest_block(ChainSpec {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(tip.height, generator.height());
    let at = |height| {
        Some(BlockId {
            height,
            ..BlockId::default()
        })
    };
    let range = BlockRange {
        start: at(1),
        end: at(tip.height),
        ..BlockRange::default()
    };
    let mut stream = client.get_block_range(range).await.unwrap().into_inner();
    let mut count = 0;
    while stream.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, tip.height);

    let metrics = reqwest::get(format!("{}/metrics", process.observe))
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    for part in [
        format!("heliostat_head_height{{chain=\"zcash\"}} {}.0", tip.height),
        r#"method="GetBlockRange",code="ok",assurance="agreed""#.to_owned(),
        r#"method="GetLatestBlock",code="ok",assurance="agreed""#.to_owned(),
    ] {
        assert!(metrics.contains(&part), "{part} is not in\n{metrics}");
    }

    let said = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["status", "--observe", &process.observe])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(0), "{words}");
    assert!(
        words.contains("agreed 2/2") && words.contains(&url),
        "{words}"
    );

    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_node_is_down_waits_and_comes_good() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(12);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let handle = node.handle();
    let url = handle.url();
    handle.stop().await;
    let process = Process::start(&["--upstream", &url, "--store", &store(&folder)]);
    let waits = |status: &Status| status.chains["zcash"].state.contains("waiting");
    let status = process.until("waiting", waits).await;
    assert!(!status.ready);
    assert_eq!(process.code_of("/readyz").await, 503);
    assert_eq!(process.code_of("/livez").await, 200);
    let refused = process.client().await.get_latest_block(ChainSpec {}).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    let asked = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["status", "--json", "--observe", &process.observe])
        .output()
        .unwrap();
    assert_eq!(asked.status.code(), Some(3), "not ready is exit code 3");
    let (code, _) = running::heliostat(&["status", "--live", "--observe", &process.observe]);
    assert_eq!(code, Some(0), "and it lives");

    handle.resume().await;
    process.until("ready", |status| status.ready).await;
    assert_eq!(process.served_height().await, generator.height());
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_served_without_any_node() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(12);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let url = node.handle().url();
    let args = ["--upstream", &url, "--store", &store(&folder)];
    let process = Process::start(&args);
    process.until("ready", |status| status.ready).await;
    assert_eq!(process.terminate(), Some(0));

    node.handle().stop().await;
    let process = Process::start(&args);
    let served = |status: &Status| status.chains["zcash"].local_height == Some(generator.height());
    let status = process.until("serving", served).await;
    assert_eq!(status.chains["zcash"].network, "regtest");
    assert_eq!(process.served_height().await, generator.height());
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn redownload_and_sync_from_height_forget_and_sync_again() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(12);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let handle = node.handle();
    let url = handle.url();
    let store = store(&folder);
    let args = ["--upstream", url.as_str(), "--store", &store];
    for (more, blocks) in [
        (&[][..], 13),
        (&["--sync-from-height=-1"], 0),
        (&["--sync-from-height", "9"], 4),
        (&["--redownload"], 13),
    ] {
        handle.reset_counts();
        let process = Process::start(&[&args[..], more].concat());
        process.until("ready", |status| status.ready).await;
        assert_eq!(process.terminate(), Some(0));
        let asked = handle.count("getblock");
        assert!(
            asked >= blocks,
            "{more:?}: {asked} blocks were fetched, not {blocks}"
        );
        if blocks == 0 {
            assert!(asked < 4, "{more:?}: {asked} blocks were fetched again");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_is_reported_and_waited_for() {
    let node = Node::start(chain(5).chain().clone()).await.unwrap();
    let url = node.handle().url();
    let process = Process::start(&[
        "--upstream",
        &url,
        "--store",
        "memory:",
        "--network",
        "main",
    ]);
    let refused = |status: &Status| status.chains["zcash"].upstreams[0].state == "unsupported";
    let status = process.until("refused", refused).await;
    let why = &status.chains["zcash"].upstreams[0].why;
    assert!(why.contains("regtest") && why.contains("main"), "{why}");
    let checked = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args([
            "check",
            "--upstream",
            &url,
            "--store",
            "memory:",
            "--network",
            "main",
        ])
        .args(["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(
        checked.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_finds_good_nodes_good_and_forks_apart() {
    let generator = chain(20);
    let fork = generator.fork(10, 10, 99).unwrap();
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let twin = Node::start(generator.chain().clone()).await.unwrap();
    let other = Node::start(fork.chain().clone()).await.unwrap();
    let check = |witness: String| {
        let output = Command::new(env!("CARGO_BIN_EXE_heliostat"))
            .args([
                "check",
                "--upstream",
                &node.handle().url(),
                "--witness",
                &witness,
            ])
            .args([
                "--store",
                "memory:",
                "--listen",
                "127.0.0.1:0",
                "--observe",
                "127.0.0.1:0",
            ])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, words) = check(twin.handle().url());
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("regtest at height 20") && words.contains("the same block"),
        "{words}"
    );
    let (code, words) = check(other.handle().url());
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("on a fork"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_is_shown_with_its_evidence_and_another_node_serves() {
    let generator = chain(20);
    let liar = Node::start(generator.chain().clone()).await.unwrap();
    let honest = Node::start(generator.chain().clone()).await.unwrap();
    let lie = Filter {
        heights: Some(10..=10),
        ..Filter::all()
    };
    liar.misbehave(Misbehaviour::WrongMerkleRoot, lie);
    let (url, second) = (liar.handle().url(), honest.handle().url());
    let process = Process::start(&[
        "--upstream",
        &url,
        "--upstream",
        &second,
        "--store",
        "memory:",
    ]);
    let convicted = |status: &Status| !status.chains["zcash"].findings.is_empty();
    process.until("convicted", convicted).await;
    let status = process.until("ready", |status| status.ready).await;
    let zcash = &status.chains["zcash"];
    assert_eq!(zcash.local_height, Some(20));
    assert_eq!(zcash.upstreams[0].state, "wrong");
    assert_eq!(zcash.findings[0].height, Some(10));
    let evidence = reqwest::get(format!("{}/evidence", process.observe))
        .await
        .unwrap();
    let evidence: serde_json::Value =
        serde_json::from_str(&evidence.text().await.unwrap()).unwrap();
    assert_eq!(evidence[0]["chain"], "zcash");
    assert_eq!(evidence[0]["upstream"], url);
    let raw = hex::encode(&generator.chain().blocks[10].raw[..4]);
    let exhibits = evidence[0]["evidence"]["exhibits"].as_array().unwrap();
    let sent = |exhibit: &serde_json::Value| {
        exhibit["bytes"]
            .as_str()
            .is_some_and(|bytes| bytes.starts_with(&raw))
    };
    assert!(
        exhibits.iter().any(sent),
        "the block as sent is kept: {evidence}"
    );
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_is_followed_and_counted() {
    let mut generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let url = node.handle().url();
    let process = Process::start(&["--upstream", &url, "--store", "memory:"]);
    process.until("ready", |status| status.ready).await;
    let fork = generator.fork(15, 8, 99).unwrap();
    node.set_chain(fork.chain().clone());
    // A rewind is counted by a task of its own, which may come after the head.
    let at = |height, rewinds| {
        move |status: &Status| {
            let chain = &status.chains["zcash"];
            chain.local_height == Some(height) && chain.rewinds >= rewinds
        }
    };
    let status = process.until("on the fork", at(23, 1)).await;
    assert_eq!(status.chains["zcash"].rewinds, 1);
    generator.extend(9);
    node.set_chain(generator.chain().clone());
    let status = process.until("back", at(29, 2)).await;
    assert_eq!(status.chains["zcash"].rewinds, 2);
    assert_eq!(process.terminate(), Some(0));
}
