//! One suite for all engines.

mod load;

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use load::{
    large_values_survive_and_can_be_replaced, many_rows_in_one_batch,
    readers_never_see_half_a_batch, snapshots_wait_for_each_other,
};

use crate::{Batch, Direction, Snapshot, Store, StoreError, Table};

/// The tables an engine under test is opened with.
pub const TABLES: &[Table] = &[SMALL, OTHER];

const SMALL: Table = Table("small");
const OTHER: Table = Table("other_2");

/// A way to open stores of one engine.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Opens the store called `name` with [`TABLES`] for writing: empty the
    /// first time, and with what was committed when the engine is durable.
    async fn open(&self, name: &str) -> Arc<dyn Store>;

    /// Whether a store outlives its last handle.
    fn durable(&self) -> bool;
}

/// Runs every check, each on a store of its own, and panics with the name of
/// the first that fails.
pub async fn conformance(engine: &dyn Engine) {
    macro_rules! run {
        ($($check:ident),+ $(,)?) => {$(
            eprintln!("conformance: {}", stringify!($check));
            $check(engine.open(stringify!($check)).await).await;
        )+};
    }
    run!(
        a_batch_applies_in_order,
        keys_are_ordered_as_bytes,
        ranges_honour_ends_direction_and_limit,
        delete_range_is_half_open,
        empty_keys_and_values_are_kept,
        tables_are_apart,
        a_refused_batch_leaves_nothing,
        a_snapshot_stays_while_others_commit,
        large_values_survive_and_can_be_replaced,
        many_rows_in_one_batch,
        readers_never_see_half_a_batch,
        snapshots_wait_for_each_other,
    );
    if engine.durable() {
        eprintln!("conformance: committed_batches_survive_reopening");
        committed_batches_survive_reopening(engine).await;
    }
}

async fn commit(store: &Arc<dyn Store>, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    store.commit(batch).await.expect("the batch is sound");
}

async fn snapshot(store: &Arc<dyn Store>) -> Box<dyn Snapshot> {
    store.snapshot().await.expect("a reader is free")
}

async fn get(store: &Arc<dyn Store>, key: &[u8]) -> Option<Bytes> {
    let newest = store.get(SMALL, key).await.expect("the table is known");
    let view = snapshot(store).await;
    let seen = view.get(SMALL, key).await.expect("the table is known");
    assert_eq!(newest, seen, "both ways to read agree on {key:?}");
    seen
}

fn ends(start: &[u8], end: &[u8]) -> Range<Vec<u8>> {
    start.to_vec()..end.to_vec()
}

async fn keys(
    store: &Arc<dyn Store>,
    range: Range<Vec<u8>>,
    to: Direction,
    limit: usize,
) -> Vec<Bytes> {
    let view = snapshot(store).await;
    let entries = view.range(SMALL, range, to, limit).await;
    let entries = entries.expect("the table is known");
    entries.into_iter().map(|(key, _)| key).collect()
}

async fn all(store: &Arc<dyn Store>) -> Vec<Bytes> {
    keys(
        store,
        ends(b"", &[0xff; 40]),
        Direction::Forward,
        usize::MAX,
    )
    .await
}

async fn a_batch_applies_in_order(store: Arc<dyn Store>) {
    commit(&store, |batch| {
        batch.put(SMALL, &b"a"[..], &b"1"[..]);
        batch.put(SMALL, &b"b"[..], &b"1"[..]);
    })
    .await;
    commit(&store, |batch| {
        batch.put(SMALL, &b"a"[..], &b"2"[..]);
        batch.delete(SMALL, &b"a"[..]);
        batch.delete(SMALL, &b"c"[..]);
        batch.put(SMALL, &b"c"[..], &b"2"[..]);
        batch.put(SMALL, &b"d"[..], &b"2"[..]);
        batch.delete_range(SMALL, &b"b"[..], &b"e"[..]);
        batch.put(SMALL, &b"d"[..], &b"3"[..]);
        batch.put(SMALL, &b"d"[..], &b"4"[..]);
    })
    .await;
    assert_eq!(all(&store).await, ["d"]);
    assert_eq!(get(&store, b"d").await.as_deref(), Some(&b"4"[..]));
    store
        .commit(Batch::new())
        .await
        .expect("nothing is easy to do");
}

async fn keys_are_ordered_as_bytes(store: Arc<dyn Store>) {
    let sorted: [&[u8]; 8] = [
        &[0],
        &[0, 0],
        &[0, 0xff],
        &[1],
        b"A",
        b"a",
        &[0x7f],
        &[0x80],
    ];
    commit(&store, |batch| {
        for key in sorted.iter().rev() {
            batch.put(SMALL, *key, &b"x"[..]);
        }
    })
    .await;
    assert_eq!(all(&store).await, sorted);
}

async fn ranges_honour_ends_direction_and_limit(store: Arc<dyn Store>) {
    commit(&store, |batch| {
        for key in 0..10u8 {
            batch.put(SMALL, vec![key], vec![key]);
        }
    })
    .await;
    let flat = |keys: Vec<Bytes>| keys.concat();
    let (forward, backward) = (Direction::Forward, Direction::Backward);
    assert_eq!(
        flat(keys(&store, ends(&[2], &[5]), forward, 9).await),
        [2, 3, 4]
    );
    assert_eq!(
        flat(keys(&store, ends(&[2], &[5]), backward, 9).await),
        [4, 3, 2]
    );
    assert_eq!(
        flat(keys(&store, ends(&[2], &[9]), forward, 2).await),
        [2, 3]
    );
    assert_eq!(
        flat(keys(&store, ends(&[2], &[9]), backward, 2).await),
        [8, 7]
    );
    for nothing in [
        ends(&[5], &[5]),
        ends(&[5], &[2]),
        ends(&[20], &[30]),
        ends(b"", b""),
    ] {
        for direction in [forward, backward] {
            assert!(keys(&store, nothing.clone(), direction, 9).await.is_empty());
        }
    }
    assert!(keys(&store, ends(&[0], &[9]), forward, 0).await.is_empty());
}

async fn delete_range_is_half_open(store: Arc<dyn Store>) {
    commit(&store, |batch| {
        for key in 0..10u8 {
            batch.put(SMALL, vec![key], vec![key; 5000]);
        }
    })
    .await;
    commit(&store, |batch| {
        batch.delete_range(SMALL, vec![3], vec![6]);
        batch.delete_range(SMALL, vec![8], vec![8]);
        batch.delete_range(SMALL, vec![9], vec![1]);
    })
    .await;
    assert_eq!(all(&store).await.concat(), [0, 1, 2, 6, 7, 8, 9]);
}

async fn empty_keys_and_values_are_kept(store: Arc<dyn Store>) {
    commit(&store, |batch| {
        batch.put(SMALL, Bytes::new(), &b"of nothing"[..]);
        batch.put(SMALL, &b"k"[..], Bytes::new());
    })
    .await;
    assert_eq!(get(&store, b"").await.as_deref(), Some(&b"of nothing"[..]));
    assert_eq!(get(&store, b"k").await.as_deref(), Some(&b""[..]));
    assert_eq!(get(&store, b"absent").await, None);
    commit(&store, |batch| batch.delete(SMALL, Bytes::new())).await;
    assert_eq!(all(&store).await, ["k"]);
}

async fn tables_are_apart(store: Arc<dyn Store>) {
    commit(&store, |batch| {
        batch.put(SMALL, &b"k"[..], &b"small"[..]);
        batch.put(OTHER, &b"k"[..], &b"other"[..]);
        batch.delete_range(SMALL, &b"a"[..], &b"z"[..]);
    })
    .await;
    assert_eq!(get(&store, b"k").await, None);
    let other = store.get(OTHER, b"k").await.expect("the table is known");
    assert_eq!(other.as_deref(), Some(&b"other"[..]));
}

async fn a_refused_batch_leaves_nothing(store: Arc<dyn Store>) {
    let unknown = Table("never_named");
    let mut to_nowhere = Batch::new();
    to_nowhere.put(SMALL, &b"half"[..], &b"x"[..]);
    to_nowhere.put(unknown, &b"k"[..], &b"x"[..]);
    let mut too_long = Batch::new();
    too_long.put(SMALL, &b"half"[..], &b"x"[..]);
    too_long.put(SMALL, vec![1; crate::defaults::MAX_KEY + 1], &b"x"[..]);
    for batch in [to_nowhere, too_long] {
        let refused = store.commit(batch).await;
        assert!(
            matches!(refused, Err(StoreError::Refused { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(get(&store, b"half").await, None);
    commit(&store, |batch| {
        batch.put(SMALL, vec![1; crate::defaults::MAX_KEY], &b"x"[..]);
    })
    .await;
    let refused = store.get(unknown, b"k").await;
    assert!(
        matches!(refused, Err(StoreError::Refused { .. })),
        "{refused:?}"
    );
}

async fn a_snapshot_stays_while_others_commit(store: Arc<dyn Store>) {
    commit(&store, |batch| {
        batch.put(SMALL, &b"k"[..], vec![1; 100_000])
    })
    .await;
    let before = snapshot(&store).await;
    commit(&store, |batch| {
        batch.put(SMALL, &b"k"[..], vec![2; 100_000]);
        batch.put(SMALL, &b"new"[..], &b"x"[..]);
    })
    .await;
    let after = snapshot(&store).await;
    commit(&store, |batch| {
        batch.delete_range(SMALL, &b""[..], &b"z"[..])
    })
    .await;

    for (view, value, count) in [(&before, 1, 1), (&after, 2, 2)] {
        let seen = view.get(SMALL, b"k").await.expect("the table is known");
        assert_eq!(seen.expect("it was there"), vec![value; 100_000]);
        let entries = view
            .range(SMALL, ends(b"", b"z"), Direction::Forward, 9)
            .await;
        assert_eq!(entries.expect("the table is known").len(), count);
    }
    assert!(all(&store).await.is_empty());
}

async fn committed_batches_survive_reopening(engine: &dyn Engine) {
    for round in 0..3u8 {
        let store = engine.open("reopened").await;
        assert_eq!(all(&store).await.len(), usize::from(round));
        commit(&store, |batch| {
            batch.put(SMALL, vec![round], vec![round; 100_000])
        })
        .await;
    }
    let store = engine.open("reopened").await;
    for round in 0..3u8 {
        let found = get(&store, &[round]).await;
        assert_eq!(found.expect("it was committed"), vec![round; 100_000]);
    }
}
