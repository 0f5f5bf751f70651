//! A checkpoint that is given to a store with a chain in it.

use std::sync::Arc;

use heliostat_sim::zcash::{Node, chain::Block};
use heliostat_store::{Batch, Options, Store};
use heliostat_zcash::{
    chunk::{META, TABLES},
    replica::{BlockLog, JOIN_ROW},
};
use heliostat_zcash_proto::BlockId;

use crate::{
    checkpoint::{checkpoint, until_at},
    running::{Process, chain, heliostat, store},
};

/// The block's hash as people write it.
fn shown(block: &Block) -> String {
    let text = checkpoint(block);
    text[text.find(':').unwrap() + 1..].to_owned()
}

/// Starts a process that must end by itself: its exit code, and all it said.
fn refused(args: &[&str]) -> String {
    let ports = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
    let (code, words) = heliostat(&[&["zcash"], args, &ports].concat());
    assert_eq!(code, Some(1), "{words}");
    words
}

/// The tables of a store that no process has open.
async fn opened(address: &str) -> Arc<dyn Store> {
    let opened = heliostat_store::open(address, "zcash", &TABLES, Options::default());
    opened.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_chain_without_the_checkpoint_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let (url, store) = (node.handle().url(), store(&folder));
    let args = ["--upstream", &url, "--store", &store];
    let process = Process::start(&args);
    until_at(&process, 20, "relayed").await;
    assert_eq!(process.terminate(), Some(0));

    let fork = generator.fork(8, 20, 5).unwrap();
    let wanted = &fork.chain().blocks[10];
    let at = checkpoint(wanted);
    let args = [&args[..], &["--checkpoint", &at]].concat();
    let words = refused(&args);
    for told in [
        &shown(wanted)[..],
        &shown(&generator.chain().blocks[10]),
        "at height 10",
        "--sync-from-height 10",
        "mend the checkpoint",
    ] {
        assert!(words.contains(told), "{told} is not in {words}");
    }

    // What it says to do helps, as soon as a node has the block.
    node.handle().set_chain(fork.chain().clone());
    let process = Process::start(&[&args[..], &["--sync-from-height", "10"]].concat());
    until_at(&process, 28, "relayed").await;
    assert_eq!(process.terminate(), Some(0));
    let process = Process::start(&args);
    process
        .until_logged("the stored chain has the checkpoint")
        .await;
    until_at(&process, 28, "relayed").await;
    assert_eq!(process.terminate(), Some(0));

    // So does it when the trees are not those of the checkpoint.
    let words = refused(&[&args[..4], &["--checkpoint", &format!("{at}:1:2:3")]].concat());
    assert!(words.contains("[1, 2, 3]"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_held_to_a_checkpoint_it_has_not_reached_yet() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let (url, store) = (node.handle().url(), store(&folder));
    let args = ["--upstream", &url, "--store", &store];
    let process = Process::start(&args);
    until_at(&process, 20, "relayed").await;
    assert_eq!(process.terminate(), Some(0));

    let right = generator.fork(20, 10, 5).unwrap();
    let wrong = generator.fork(20, 10, 6).unwrap();
    node.handle().set_chain(wrong.chain().clone());
    let at = checkpoint(&right.chain().blocks[25]);
    let process = Process::start(&[&args[..], &["--checkpoint", &at]].concat());
    process
        .until_logged("the checkpoint lies above the stored chain")
        .await;
    let hash = shown(&wrong.chain().blocks[25]);
    let status = process
        .until("told", |status| {
            let why = &status.chains["zcash"].upstreams[0].why;
            why.contains(&hash) && why.contains("but the checkpoint says")
        })
        .await;
    assert_eq!(status.chains["zcash"].local_height, Some(24));
    assert_eq!(process.terminate(), Some(0));

    node.handle().set_chain(right.chain().clone());
    let process = Process::start(&[&args[..], &["--checkpoint", &at]].concat());
    until_at(&process, 30, "relayed").await;
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_below_a_joined_chain_is_said_not_to_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let (url, store) = (node.handle().url(), store(&folder));
    let blocks = &generator.chain().blocks;
    let args = ["--upstream", &url, "--store", &store, "--checkpoint"];
    let (joint, below) = (checkpoint(&blocks[10]), checkpoint(&blocks[5]));
    for (at, words) in [
        (&joint, "the stored chain has the checkpoint"),
        (&below, "lies below the stored chain"),
    ] {
        let process = Process::start(&[&args[..], &[at]].concat());
        process.until_logged(words).await;
        until_at(&process, 20, "relayed").await;
        assert_eq!(process.terminate(), Some(0));
    }
    let other = shown(&generator.fork(5, 10, 5).unwrap().chain().blocks[10]);
    let words = refused(&[&args[..], &[&format!("10:{other}")]].concat());
    assert!(words.contains(&other), "{words}");
    assert!(words.contains("--redownload"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_before_it_was_joined_is_joined_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let (url, store) = (node.handle().url(), store(&folder));
    // All that is there right after the store was first opened.
    let log = BlockLog::open(opened(&store).await, "regtest", 0, false).await;
    drop(log.unwrap());
    let at = checkpoint(&generator.chain().blocks[10]);
    let args = ["--upstream", &url, "--store", &store, "--checkpoint", &at];
    let process = Process::start(&args);
    until_at(&process, 20, "relayed").await;
    let mut client = process.client().await;
    let below = BlockId {
        height: 10,
        ..BlockId::default()
    };
    assert!(client.get_block(below).await.is_err(), "joined at 10");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_whose_joint_was_lost_or_damaged_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let (url, store) = (node.handle().url(), store(&folder));
    let at = checkpoint(&generator.chain().blocks[10]);
    let args = ["--upstream", &url, "--store", &store, "--checkpoint", &at];
    let process = Process::start(&args);
    until_at(&process, 20, "relayed").await;
    assert_eq!(process.terminate(), Some(0));

    let tables = opened(&store).await;
    let row = tables
        .get(META, JOIN_ROW.as_bytes())
        .await
        .unwrap()
        .unwrap();
    let mut beyond_32_bits = row.to_vec();
    beyond_32_bits[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut elsewhere = row.to_vec();
    elsewhere[0] += 1;
    drop(tables);
    for (damage, told) in [
        (None, "where the chain was joined is not there any more"),
        (
            Some(beyond_32_bits),
            "the row of the join point cannot be read",
        ),
        (Some(elsewhere), "the chain was joined at 11"),
    ] {
        let tables = opened(&store).await;
        let mut batch = Batch::new();
        match damage {
            Some(row) => batch.put(META, JOIN_ROW.as_bytes(), row),
            None => batch.delete(META, JOIN_ROW.as_bytes()),
        };
        tables.commit(batch).await.unwrap();
        drop(tables);
        let words = refused(&args);
        assert!(words.contains(told), "{words}");
    }
    let process = Process::start(&[&args[..], &["--redownload"]].concat());
    until_at(&process, 20, "relayed").await;
    assert_eq!(process.terminate(), Some(0));
}

#[test]
fn a_height_of_more_than_32_bits_is_no_checkpoint() {
    let hash = "0f".repeat(32);
    for height in ["4294967296", "18446744073709551615", "-1"] {
        let at = format!("--checkpoint={height}:{hash}");
        let (code, words) = heliostat(&["zcash", "--upstream", "http://127.0.0.1:1", &at]);
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains("is not a checkpoint"), "{words}");
    }
    let at = format!("--checkpoint=4294967295:{hash}");
    let ports = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
    let args = ["check", "--upstream", "http://127.0.0.1:1", &at];
    let (code, words) = heliostat(&[&args[..], &ports, &["--store", "memory:"]].concat());
    assert_eq!(code, Some(3), "it is one, and the node is down: {words}");
}
