//! Endless replies, and what they cost.

use std::time::Duration;

use heliostat_sim::zcash::{Filter, Misbehaviour};
use heliostat_zcash_proto::TxFilter;
use tokio::time::sleep;
use tonic::Code;

use super::{
    running::Process,
    stage::{BLOCKS, ONE_NODE, chain, honest},
};

/// The most a process may grow by, in bytes.
const GROWTH: u64 = 100 << 20;

/// Questions at once, which the node could answer all at once.
const QUESTIONS: u8 = 60;
/// What so many questions take by themselves, in bytes.
const ASKING: u64 = 16 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn replies_of_1_gb_are_cut_off_and_take_no_memory() {
    let (bad, good) = (honest().await, honest().await);
    let (bad_url, good_url) = (bad.url(), good.url());
    let nodes = ["--upstream", &bad_url, "--upstream", &good_url];
    let rest = ["--network", "regtest", "--store", "memory:"];
    let process = Process::start(&[nodes, rest].concat());
    let at = |height| {
        move |status: &heliostat_observe::Status| {
            status.chains["zcash"].local_height == Some(height)
        }
    };
    process.until("synced", at(BLOCKS)).await;
    let Some(before) = process.most_resident() else {
        return eprintln!("skipped: this system does not tell a process's peak memory");
    };

    // Everybody sends without end, whatever is asked: blocks, heads, and the
    // witness's questions; for as long as it takes to be asked many times.
    for node in [&bad, &good] {
        node.misbehave(Misbehaviour::Huge(1 << 30), Filter::all());
        node.set_chain(super::stage::grown());
        node.reset_counts();
    }
    while bad.total().min(good.total()) < 4 {
        sleep(Duration::from_millis(25)).await;
    }
    // And blocks without end, many at a time.
    let (bad, good) = (bad.handle(), good.handle());
    for node in [&bad, &good] {
        node.behave();
        node.misbehave(Misbehaviour::Huge(1 << 30), Filter::method("getblock"));
        node.reset_counts();
    }
    while bad.count("getblock").max(good.count("getblock")) < 10 {
        sleep(Duration::from_millis(25)).await;
    }
    bad.behave();
    good.behave();
    process.until("going on", at(BLOCKS + 6)).await;
    let grown = process.most_resident().unwrap() - before;
    assert!(grown < GROWTH, "{grown} bytes more");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_from_blocks_of_1_gb_takes_no_memory_and_does_no_harm() {
    let (bad, good) = (honest().await, honest().await);
    bad.misbehave(Misbehaviour::Huge(1 << 30), Filter::method("getblock"));
    let (bad_url, good_url) = (bad.url(), good.url());
    let nodes = ["--upstream", &bad_url, "--upstream", &good_url];
    let rest = ["--network", "regtest", "--store", "memory:"];
    let process = Process::start(&[nodes, rest].concat());
    let Some(before) = process.most_resident() else {
        return eprintln!("skipped: this system does not tell a process's peak memory");
    };
    let tip = chain().tip().unwrap().height;
    let there =
        |status: &heliostat_observe::Status| status.chains["zcash"].local_height == Some(tip);
    let status = process.until("synced", there).await;
    assert!(status.chains["zcash"].findings.is_empty());
    let grown = process.most_resident().unwrap() - before;
    assert!(grown < GROWTH, "{grown} bytes more");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_questions_to_a_node_that_answers_without_end_take_its_room_and_no_more() {
    let bad = honest().await;
    bad.misbehave(
        Misbehaviour::Huge(1 << 30),
        Filter::method("getrawtransaction"),
    );
    let url = bad.url();
    let process = Process::start(&[
        "--upstream",
        &url,
        "--network",
        "regtest",
        "--store",
        "memory:",
    ]);
    let synced =
        |status: &heliostat_observe::Status| status.chains["zcash"].local_height == Some(BLOCKS);
    process.until("synced", synced).await;
    let Some(before) = process.most_resident() else {
        return eprintln!("skipped: this system does not tell a process's peak memory");
    };
    let client = process.client().await;
    let asked = (0..QUESTIONS).map(|number| {
        let mut client = client.clone();
        let hash = vec![number; 32].into();
        let filter = TxFilter {
            hash,
            ..TxFilter::default()
        };
        tokio::spawn(async move { client.get_transaction(filter).await })
    });
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer.unwrap().unwrap_err().code(), Code::Unavailable);
    }
    let cut = bad.count("getrawtransaction");
    assert!(cut >= u64::from(QUESTIONS), "{cut} answers were cut off");
    // Each may have 50 MB.
    let grown = process.most_resident().unwrap() - before;
    assert!(grown < ONE_NODE + ASKING, "{grown} bytes more");
    assert_eq!(process.terminate(), Some(0));
}
