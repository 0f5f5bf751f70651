//! How long and how many; full stores; clocks.

use std::{sync::Arc, time::Duration};

use heliostat_node::{
    defaults,
    outbox::{OutboxError, Policy, TABLE},
};
use heliostat_store::{Batch, Options, StoreError, Table, open};
use tokio_util::sync::CancellationToken;

use crate::rig::{Answer, Rig, receipts, taken, write};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_receipt_is_kept_for_a_day_and_no_longer() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    rig.carrier
        .answers("a", [Answer::Take("first"), Answer::Take("second")]);
    let first = rig.submit("w").await;
    tokio::time::advance(defaults::RECEIPT_AGE - SECOND).await;
    assert_eq!(rig.submit("w").await.receipt, first.receipt);
    tokio::time::advance(SECOND * 2).await;
    let second = rig.submit("w").await;
    assert_ne!(second.receipt, first.receipt);
    assert_eq!(second.sent, taken("second"));
    assert_eq!(rig.carrier.calls().len(), 2);
    assert_eq!((rig.kept(), receipts(&rig.store).await.len()), (1, 1));
    // Receipts that nobody asks for go as others come.
    for number in 0..40 {
        rig.submit(&format!("old {number}")).await;
    }
    tokio::time::advance(defaults::RECEIPT_AGE + SECOND).await;
    for number in 0..4 {
        rig.submit(&format!("new {number}")).await;
    }
    assert_eq!((rig.kept(), receipts(&rig.store).await.len()), (4, 4));
    let rig = rig.restarted().await;
    assert_eq!(rig.kept(), 4);
}

#[tokio::test]
async fn at_most_a_hundred_thousand_receipts_are_kept() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    let first = rig.submit("first").await;
    // One less than fits, the first one included.
    for number in 2..defaults::RECEIPTS {
        rig.submit(&number.to_string()).await;
    }
    let calls = rig.carrier.calls().len();
    rig.submit("the last that fits").await;
    assert_eq!(rig.kept(), defaults::RECEIPTS);
    assert_eq!(rig.submit("first").await.receipt, first.receipt);
    rig.submit("one beyond").await;
    assert_eq!(rig.kept(), defaults::RECEIPTS);
    assert_eq!(rig.carrier.calls().len(), calls + 2);
    assert_ne!(rig.submit("first").await.receipt, first.receipt);
    assert_eq!(rig.carrier.calls().len(), calls + 3);
    let rig = rig.restarted().await;
    assert_eq!(rig.kept(), defaults::RECEIPTS);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_makes_no_receipt_older_or_younger() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    let first = rig.submit("w").await;
    tokio::time::advance(defaults::RECEIPT_AGE / 2).await;
    rig.submit("v").await;
    // A machine that starts in 1970.
    let rig = rig.restarted_at(0).await;
    assert_eq!(rig.submit("w").await.receipt, first.receipt);
    tokio::time::advance(defaults::RECEIPT_AGE / 2 + SECOND).await;
    assert_ne!(rig.submit("w").await.receipt, first.receipt);
}

#[tokio::test]
async fn a_full_store_refuses_the_write_and_sends_nothing() {
    const JUNK: Table = Table("junk");
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}/o.sqlite", folder.path().display());
    let options = Options {
        max_bytes: Some(2 << 20),
        ..Options::default()
    };
    let store = open(&address, "outbox", &[TABLE, JUNK], options)
        .await
        .unwrap();
    let rig = Rig::new(Arc::clone(&store), Policy::One).await;
    rig.carrier.ways(&["a"]);
    let early = rig.submit("early").await;
    let mut filled = 0_u32;
    let full = loop {
        let mut batch = Batch::new();
        batch.put(JUNK, filled.to_be_bytes().to_vec(), vec![7; 16 << 10]);
        match store.commit(batch).await {
            Ok(()) => filled += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::Full { .. }), "{full}");
    // Small rows may still fit into what is left of a page.
    let mut number = 0;
    let error = loop {
        match rig.outbox.submit(write(&format!("late {number}"))).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(*error, OutboxError::Store(StoreError::Full { .. })),
        "{error}"
    );
    let words = error.to_string();
    assert!(
        words.contains("not sent") && words.contains("full"),
        "{words}"
    );
    assert_eq!(rig.carrier.calls().len(), number + 1, "it was not sent");
    assert!(rig.outbox.trouble().unwrap().contains("full"));
    assert_eq!(rig.outbox.traffic().turned_away, 1);
    // Receipts can still be read.
    assert_eq!(rig.submit("early").await.receipt, early.receipt);
    // With room again it goes on by itself.
    let mut batch = Batch::new();
    batch.delete_range(JUNK, &[][..], &[0xff; 5][..]);
    store.commit(batch).await.unwrap();
    // It finds that out itself: whoever heard that it is full sends nothing.
    let watching = {
        let outbox = Arc::clone(&rig.outbox);
        tokio::spawn(async move { outbox.run(CancellationToken::new()).await })
    };
    while rig.outbox.trouble().is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rig.submit(&format!("late {number}")).await;
    watching.abort();
    assert_eq!(rig.carrier.calls().len(), number + 2);
}

#[tokio::test]
async fn so_many_are_under_way_and_not_one_more() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    let gate = rig.carrier.gate("a", Answer::Take("done"));
    let calls: Vec<_> = (0..defaults::WRITES_UNDER_WAY)
        .map(|number| {
            let outbox = Arc::clone(&rig.outbox);
            tokio::spawn(async move { outbox.submit(write(&number.to_string())).await })
        })
        .collect();
    while rig.carrier.calls().len() < defaults::WRITES_UNDER_WAY {
        tokio::task::yield_now().await;
    }
    let error = rig.outbox.submit(write("beyond")).await.unwrap_err();
    assert!(matches!(*error, OutboxError::Busy(_)), "{error}");
    for _ in 0..calls.len() {
        gate.notify_one();
        tokio::task::yield_now().await;
    }
    for call in calls {
        gate.notify_one();
        assert_eq!(call.await.unwrap().unwrap().sent, taken("done"));
    }
    gate.notify_one();
    rig.submit("beyond").await;
}

#[tokio::test]
async fn a_reply_too_large_to_keep_is_passed_on_and_looked_for_afterwards() {
    let rig = Rig::in_memory(Policy::One).await;
    rig.carrier.ways(&["a"]);
    let at = |length: usize| -> &'static str { "x".repeat(length).leak() };
    let (kept, large) = (at(defaults::REPLY_BYTES), at(defaults::REPLY_BYTES + 1));
    rig.carrier
        .answers("a", [Answer::Take(kept), Answer::Take(large)]);
    assert_eq!(rig.submit("w").await.sent, taken(kept));
    assert_eq!(rig.submit("v").await.sent, taken(large));
    assert_eq!((rig.count("taken"), rig.count("unknown")), (1, 1));
    assert_eq!(rig.submit("w").await.sent, taken(kept));
    assert_eq!(rig.carrier.looks(), 0);
    rig.submit("v").await;
    assert_eq!(rig.carrier.looks(), 1);
}
