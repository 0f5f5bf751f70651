//! Endless replies, and what they cost.

use std::time::Duration;

use heliostat_sim::zcash::{Filter, Misbehaviour};
use tokio::time::sleep;

use super::{
    running::Process,
    stage::{BLOCKS, chain, honest},
};

/// The most a process may grow by, in KiB.
const GROWTH: u64 = 100 << 10;

/// The most memory a process had so far, in KiB; `None` where the system
/// does not say.
fn peak(process: &Process) -> Option<u64> {
    let path = format!("/proc/{}/status", process.child.id());
    let status = std::fs::read_to_string(path).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

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
    let Some(before) = peak(&process) else {
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
    let grown = peak(&process).unwrap() - before;
    assert!(grown < GROWTH, "{grown} KiB more");
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
    let Some(before) = peak(&process) else {
        return eprintln!("skipped: this system does not tell a process's peak memory");
    };
    let tip = chain().tip().unwrap().height;
    let there =
        |status: &heliostat_observe::Status| status.chains["zcash"].local_height == Some(tip);
    let status = process.until("synced", there).await;
    assert!(status.chains["zcash"].findings.is_empty());
    let grown = peak(&process).unwrap() - before;
    assert!(grown < GROWTH, "{grown} KiB more");
    assert_eq!(process.terminate(), Some(0));
}
