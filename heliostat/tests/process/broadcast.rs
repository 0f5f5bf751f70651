//! `send-policy = "broadcast(2)"` through a real process: a dead node, one that
//! refuses, one that falls silent; repetitions, and restarts in between.

use std::time::Duration;

use heliostat_sim::zcash::{
    Node,
    node::{Filter, Misbehaviour},
};
use tonic::Code;

use crate::{
    running::{Process, chain, store},
    writes::{BLOCKS, handed_to, receipt, send, unmined},
};

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn writes() -> Filter {
    Filter::method("sendrawtransaction")
}

/// Starts a process over these nodes, and waits until it has what they have and
/// knows those that `can` be used.
async fn start(urls: &[&str], can: usize, store: &str, policy: &str) -> Process {
    let mut args = vec!["--store", store, "--send-policy", policy];
    for url in urls {
        args.extend(["--upstream", url]);
    }
    let process = Process::start(&args);
    let known = |status: &heliostat_observe::Status| {
        let chain = &status.chains["zcash"];
        let usable = chain.upstreams.iter().filter(|one| one.state == "ok");
        status.ready && chain.local_height == Some(BLOCKS) && usable.count() == can
    };
    process.until("ready with its nodes", known).await;
    process
}

/// A broadcast to a node that refuses and one that answers nothing, beside a
/// dead one, is unknown; then the process is killed. The next one is asked for
/// it again: its answer stays, wherever it was sent until then.
async fn settled_by_a_repetition(nothing: Misbehaviour, sent_before: [u64; 2], sent: [u64; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let generator = chain(BLOCKS + 12);
    let data = unmined(&generator);
    let node = || Node::start(generator.chain().up_to(BLOCKS));
    let (picky, silent) = (node().await.unwrap(), node().await.unwrap());
    let no = Misbehaviour::Error(-26, "tx-expiring-soon".to_owned());
    picky.misbehave(no, writes());
    silent.misbehave(nothing, writes());
    let (dead, picky_url, silent_url) = (nobody().await, picky.url(), silent.url());
    let urls = [dead.as_str(), &picky_url, &silent_url];
    let counts = || [&picky, &silent].map(|node| node.count("sendrawtransaction"));

    let process = start(&urls, 2, &store, "broadcast(2)").await;
    let calls = futures::future::join_all((0..5).map(|_| send(&process, &data))).await;
    let mut names = Vec::new();
    for call in calls {
        let lost = call.unwrap_err();
        assert_eq!(lost.code(), Code::Unknown, "{lost}");
        assert_eq!(handed_to(lost.metadata()), "2");
        names.push(receipt(lost.metadata()));
    }
    names.dedup();
    assert_eq!(names.len(), 1, "equal writes at one time are one");
    assert_eq!(counts(), sent_before);
    process.signal("-KILL");
    drop(process);

    // The next process sends nothing by itself.
    silent.behave();
    let process = start(&urls, 2, &store, "broadcast(2)").await;
    let outbox = process.status().await.chains["zcash"].outbox.clone();
    assert_eq!(outbox["unknown"] + outbox["waiting"], 1, "{outbox:?}");
    assert_eq!(counts(), sent_before);
    let taken = send(&process, &data).await.unwrap();
    assert_eq!(receipt(taken.metadata()), names[0]);
    assert_eq!(handed_to(taken.metadata()), "2");
    let reply = taken.into_inner();
    assert_eq!(reply.error_code, 0, "{}", reply.error_message);
    while counts() != sent {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(process);

    // What was taken is sent nowhere any more, whatever the policy is now.
    for policy in ["broadcast(2)", "one"] {
        let process = start(&urls, 2, &store, policy).await;
        let again = send(&process, &data).await.unwrap();
        assert_eq!(receipt(again.metadata()), names[0]);
        assert_eq!(again.into_inner(), reply);
        assert_eq!(counts(), sent);
        assert_eq!(process.terminate(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_that_a_silent_node_has_after_all_is_found_and_not_sent_again() {
    // The beginning of an answer, and then nothing for longer than is waited.
    let (bytes, every) = (1, Duration::from_secs(600));
    settled_by_a_repetition(Misbehaviour::Drip { bytes, every }, [1, 1], [1, 1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_that_nobody_has_goes_out_again_when_it_is_repeated() {
    settled_by_a_repetition(Misbehaviour::Reset, [1, 1], [2, 2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_died_unnoticed_leaves_the_receipt_of_a_broadcast() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let generator = chain(BLOCKS + 12);
    let data = unmined(&generator);
    let node = || Node::start(generator.chain().up_to(BLOCKS));
    let (good, doomed) = (node().await.unwrap(), node().await.unwrap());
    let (good_url, doomed_url) = (good.url(), doomed.url());
    let urls = [doomed_url.as_str(), &good_url];
    let process = start(&urls, 2, &store, "broadcast(2)").await;
    drop(doomed);
    let taken = send(&process, &data).await.unwrap();
    let name = receipt(taken.metadata());
    assert_eq!(taken.into_inner().error_code, 0);
    // As soon as it is known that the other one got nothing of it.
    loop {
        let again = send(&process, &data).await.unwrap();
        assert_eq!(receipt(again.metadata()), name);
        if handed_to(again.metadata()) == "1" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(good.count("sendrawtransaction"), 1);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_makes_no_sense_is_refused_in_words() {
    for policy in ["two", "broadcast(1)", "broadcast"] {
        let args = ["zcash", "--upstream", "http://127.0.0.1:1", "--send-policy"];
        let args = [&args[..], &[policy, "--store", "memory:"]].concat();
        let (code, words) = crate::running::heliostat(&args);
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains("broadcast(K)"), "{words}");
    }
}
