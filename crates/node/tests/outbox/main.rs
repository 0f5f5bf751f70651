//! The outbox over every store, with upstreams that do as they are told.

#![allow(
    clippy::unwrap_used,
    reason = "the whole file is a test, its helpers included"
)]

mod bounds;
mod broadcast;
mod crash;
mod lost;
mod rig;

use std::sync::Arc;

use heliostat_node::outbox::{Policy, Sent};
use heliostat_store::testing::PrivatePostgres;
use rig::{Answer, Rig, open_at, taken, write};

/// What holds over every engine.
async fn conforms(address: &str) {
    let rig = Rig::new(open_at(address).await, Policy::One).await;
    rig.carrier.ways(&["a", "b"]);
    rig.carrier.answers("a", [Answer::Take("first")]);
    let first = rig.submit("w").await;
    assert_eq!(first.sent, taken("first"));
    assert!(!first.repeated && first.receipt.is_some());
    // The receipt stood in the store when the upstream was called.
    assert_eq!(rig.carrier.states_seen(), ["unknown"]);
    // Byte for byte what the first call got, whatever the upstream says now.
    rig.carrier.answers("a", [Answer::Take("another")]);
    for _ in 0..3 {
        let again = rig.submit("w").await;
        assert_eq!((again.receipt, again.sent), (first.receipt, taken("first")));
        assert!(again.repeated);
    }
    assert_eq!(rig.carrier.calls(), ["a w"]);
    // Also after a restart.
    let rig = rig.restarted().await;
    let again = rig.submit("w").await;
    assert_eq!((again.receipt, again.sent), (first.receipt, taken("first")));
    assert_eq!(rig.carrier.calls(), ["a w"]);
    // Another write has another receipt.
    let other = rig.submit("v").await;
    assert_eq!(other.sent, taken("another"));
    assert_ne!(other.receipt, first.receipt);
    assert_eq!(rig.count("taken"), 2);
}

#[tokio::test]
async fn a_repetition_gets_the_first_receipt_and_reply_from_memory() {
    conforms("memory:").await;
}

#[tokio::test]
async fn a_repetition_gets_the_first_receipt_and_reply_from_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    conforms(&format!("sqlite:{}/o.sqlite", folder.path().display())).await;
}

#[tokio::test]
async fn a_repetition_gets_the_first_receipt_and_reply_from_postgresql() {
    let Some(server) = PrivatePostgres::start_new() else {
        return;
    };
    conforms(&server.url("outbox")).await;
}

#[tokio::test]
async fn two_equal_writes_at_one_time_are_sent_once() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    let gate = rig.carrier.gate("a", Answer::Take("once"));
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let outbox = Arc::clone(&rig.outbox);
            tokio::spawn(async move { outbox.submit(write("w")).await.unwrap() })
        })
        .collect();
    while rig.carrier.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    gate.notify_one();
    let mut receipts = Vec::new();
    let mut first = 0;
    for call in calls {
        let delivery = call.await.unwrap();
        assert_eq!(delivery.sent, taken("once"));
        first += usize::from(!delivery.repeated);
        receipts.push(delivery.receipt);
    }
    receipts.dedup();
    assert_eq!((receipts.len(), first), (1, 1));
    assert_eq!(rig.carrier.calls(), ["a w"]);
    assert_eq!(rig.outbox.traffic().handed, 1);
    assert_eq!(rig.outbox.traffic().repeated, 49);
}

#[tokio::test]
async fn a_write_goes_on_when_its_client_has_gone() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    let gate = rig.carrier.gate("a", Answer::Take("late"));
    let outbox = Arc::clone(&rig.outbox);
    let call = tokio::spawn(async move { outbox.submit(write("w")).await.map(drop) });
    while rig.carrier.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    gate.notify_one();
    let again = rig.submit("w").await;
    assert_eq!(again.sent, taken("late"));
    assert_eq!(rig.carrier.calls(), ["a w"]);
}

#[tokio::test]
async fn a_refused_write_is_sent_anew_under_its_receipt() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    rig.carrier.answers("a", [Answer::Refuse("bad inputs")]);
    let first = rig.submit("w").await;
    assert_eq!(first.sent, Sent::Refused("bad inputs".into()));
    assert_eq!(rig.count("refused"), 1);
    let rig = rig.restarted().await;
    // Nobody has it, so it may go to another one now.
    rig.carrier.ways(&["b", "a"]);
    rig.carrier.answers("b", [Answer::Take("good now")]);
    let second = rig.submit("w").await;
    assert_eq!(second.receipt, first.receipt);
    assert_eq!(second.sent, taken("good now"));
    assert!(!second.repeated);
    assert_eq!(rig.carrier.calls(), ["a w", "b w"]);
    assert_eq!((rig.count("refused"), rig.count("taken")), (0, 1));
}

#[tokio::test]
async fn a_write_that_never_left_leaves_by_another_way_when_it_is_repeated() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a", "b"]);
    rig.carrier.answers("a", [Answer::Stay("no connection")]);
    let first = rig.submit("w").await;
    assert_eq!(first.sent, Sent::NotSent("no connection".into()));
    assert_eq!(first.handed_to, 0);
    let receipt = rig.outbox.receipt(b"w").await.unwrap().unwrap();
    assert_eq!((receipt.state, receipt.to.len()), ("not-sent", 0));
    // Not by itself: only when it is asked for again, also by another process
    // that knows nothing of the first one's trouble yet.
    assert_eq!(rig.carrier.calls(), ["a w"]);
    let rig = rig.restarted().await;
    rig.carrier.answers("b", [Answer::Take("ok")]);
    let second = rig.submit("w").await;
    assert_eq!((second.receipt, second.sent), (first.receipt, taken("ok")));
    assert_eq!(second.handed_to, 1);
    assert_eq!(rig.carrier.calls(), ["a w", "b w"]);
}

#[tokio::test]
async fn without_an_upstream_there_is_nothing_to_write_down() {
    let rig = Rig::in_memory(Policy::One).await;
    let delivery = rig.submit("w").await;
    assert_eq!(delivery.receipt, None);
    assert!(matches!(delivery.sent, Sent::NotSent(_)));
    assert_eq!(rig.outbox.receipt(b"w").await.unwrap(), None);
}
