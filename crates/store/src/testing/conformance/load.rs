//! Checks with large values, many rows and many readers.

use std::sync::Arc;

use super::{OTHER, SMALL, all, commit, ends, get, snapshot};
use crate::{Batch, Direction, Store};

pub(super) async fn large_values_survive_and_can_be_replaced(store: Arc<dyn Store>) {
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

pub(super) async fn many_rows_in_one_batch(store: Arc<dyn Store>) {
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

pub(super) async fn readers_never_see_half_a_batch(store: Arc<dyn Store>) {
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

pub(super) async fn snapshots_wait_for_each_other(store: Arc<dyn Store>) {
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
