//! One suite for all engines.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

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

async fn large_values_survive_and_can_be_replaced(store: Arc<dyn Store>) {
    let pattern = |seed: u32, length: u32| -> Vec<u8> {
        (0..length)
            .map(|i| ((i ^ seed).wrapping_mul(0x9e37_79b1) >> 24) as u8)
            .collect()
    };
    // Both sides of every boundary an engine may have for them.
    let lengths = [
        2047u32,
        2048,
        2049,
        4000,
        16_383,
        16_385,
        65_537,
        1 << 20,
        8 << 20,
    ];
    commit(&store, |batch| {
        for length in lengths {
            batch.put(SMALL, length.to_be_bytes().to_vec(), pattern(1, length));
        }
    })
    .await;
    for length in lengths {
        let found = get(&store, &length.to_be_bytes()).await;
        assert!(
            found.as_deref() == Some(&pattern(1, length)[..]),
            "{length}"
        );
    }
    commit(&store, |batch| {
        batch.put(
            SMALL,
            (8u32 << 20).to_be_bytes().to_vec(),
            &b"small now"[..],
        );
        batch.put(SMALL, 2047u32.to_be_bytes().to_vec(), pattern(2, 1 << 20));
        batch.delete(SMALL, (1u32 << 20).to_be_bytes().to_vec());
    })
    .await;
    let found = get(&store, &2047u32.to_be_bytes()).await;
    assert!(found.as_deref() == Some(&pattern(2, 1 << 20)[..]));
    let found = get(&store, &(8u32 << 20).to_be_bytes()).await;
    assert_eq!(found.as_deref(), Some(&b"small now"[..]));
    assert_eq!(all(&store).await.len(), lengths.len() - 1);
}

async fn many_rows_in_one_batch(store: Arc<dyn Store>) {
    const ROWS: u32 = 50_000;
    let scattered = |i: u32| i.wrapping_mul(0x9e37_79b1).to_be_bytes().to_vec();
    for round in 1..=2u32 {
        commit(&store, |batch| {
            for i in 0..ROWS {
                batch.put(SMALL, scattered(i), (i * round).to_be_bytes().to_vec());
            }
        })
        .await;
    }
    store.settle().await.expect("settling loses nothing");
    let entries = snapshot(&store)
        .await
        .range(SMALL, ends(b"", &[0xff; 5]), Direction::Forward, usize::MAX)
        .await
        .expect("the table is known");
    assert_eq!(entries.len(), ROWS as usize);
    assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
    for i in (0..ROWS).step_by(997) {
        let found = get(&store, &scattered(i)).await;
        assert_eq!(found.as_deref(), Some(&(i * 2).to_be_bytes()[..]));
    }
    commit(&store, |batch| {
        for i in 0..ROWS {
            batch.delete(SMALL, scattered(i));
        }
    })
    .await;
    assert!(all(&store).await.is_empty());
    store.size().await.expect("the size can be told");
}

async fn readers_never_see_half_a_batch(store: Arc<dyn Store>) {
    const ROUNDS: u32 = 60;
    const ROWS: u8 = 20;
    let write = |round: u32| {
        let mut batch = Batch::new();
        for row in 0..ROWS {
            let mut value = round.to_be_bytes().to_vec();
            // Some values are large, so that every way to store one takes part.
            value.resize(if row % 5 == 0 { 10_000 } else { 10 }, row);
            batch.put(SMALL, vec![row], value);
        }
        batch.put(OTHER, &b"round"[..], round.to_be_bytes().to_vec());
        batch
    };
    store.commit(write(0)).await.expect("the batch is sound");
    let mut readers = Vec::new();
    for reader in 0..4u8 {
        let store = store.clone();
        readers.push(tokio::spawn(async move {
            let mut newest = 0;
            while newest < ROUNDS {
                let view = snapshot(&store).await;
                let mut rounds = Vec::new();
                if reader % 2 == 0 {
                    let rows = view
                        .range(SMALL, ends(b"", &[ROWS]), Direction::Backward, 99)
                        .await;
                    let rows = rows.expect("the table is known");
                    assert_eq!(rows.len(), usize::from(ROWS));
                    rounds.extend(rows.into_iter().map(|(_, value)| value));
                } else {
                    for row in [0, 7, ROWS - 1] {
                        let value = view.get(SMALL, &[row]).await.expect("the table is known");
                        rounds.push(value.expect("every round writes it"));
                    }
                }
                let round = view.get(OTHER, b"round").await.expect("the table is known");
                let round = round.expect("every round writes it");
                assert!(rounds.iter().all(|value| value[..4] == round[..]));
                let seen = round
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
                assert!(seen >= newest, "round {seen} after {newest}");
                newest = seen;
            }
        }));
    }
    for round in 1..=ROUNDS {
        store
            .commit(write(round))
            .await
            .expect("the batch is sound");
    }
    for reader in readers {
        reader.await.expect("the reader saw whole batches only");
    }
}

async fn snapshots_wait_for_each_other(store: Arc<dyn Store>) {
    commit(&store, |batch| batch.put(SMALL, &b"k"[..], vec![7; 5000])).await;
    let work = (0..100).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let view = snapshot(&store).await;
            tokio::task::yield_now().await;
            let (one, two) = tokio::join!(view.get(SMALL, b"k"), view.get(SMALL, b"k"));
            assert_eq!(one.expect("readable"), two.expect("readable"));
        })
    });
    for done in futures::future::join_all(work).await {
        done.expect("every snapshot gets its turn");
    }
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
