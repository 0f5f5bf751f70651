//! What lies in the store: damage, restarts, and how much is read and written.

use std::sync::Arc;

use heliostat_core::Id;
use heliostat_store::{Batch, Options, Store, StoreError, Table, testing::PrivatePostgres};
use heliostat_zcash::{
    chunk::{CHUNKS, FULL, IDS, META, PROOFS, RECORDS, SHIELDED, TABLES, key},
    frames::Projection,
    replica::{BlockLog, NewBlock, defaults::RECENT_IDS},
    view::ReadError,
};

use crate::{
    blocks::{frames, run},
    counting::Counting,
};

const CACHE: usize = 32 << 20;

async fn memory() -> Arc<dyn Store> {
    heliostat_store::open("memory:", "regtest", &TABLES, Options::default())
        .await
        .expect("memory can always be opened")
}

async fn open(store: Arc<dyn Store>) -> BlockLog {
    BlockLog::open(store, "regtest", CACHE, false)
        .await
        .expect("the store is sound")
}

fn chain(count: u64) -> Vec<NewBlock> {
    run(1, 0, Id([0; 32]), count, 3)
}

async fn read_all(log: &BlockLog, projection: Projection) -> Result<Vec<u8>, ReadError> {
    let view = log.view();
    let tip = view.tip().map_or(0, |tip| tip.height);
    let mut stream = view.frames(0, tip, projection);
    let mut all = Vec::new();
    while let Some(slab) = stream.next().await? {
        all.extend_from_slice(&slab.bytes);
    }
    Ok(all)
}

#[tokio::test]
async fn a_flipped_byte_in_a_stored_blob_is_detected() {
    for table in [FULL, SHIELDED, RECORDS, PROOFS] {
        let store = memory().await;
        open(store.clone())
            .await
            .commit(None, chain(50), false)
            .await
            .expect("memory does not fail");
        let snapshot = store.snapshot().await.expect("memory does not fail");
        let value = snapshot
            .get(table, &key(0))
            .await
            .expect("memory does not fail");
        let mut value = value.expect("the first chunk begins at 0").to_vec();
        let middle = value.len() / 2;
        value[middle] ^= 0x10;
        let mut batch = Batch::new();
        batch.put(table, key(0).to_vec(), value);
        store.commit(batch).await.expect("memory does not fail");

        let log = open(store).await;
        let error = match table {
            FULL => read_all(&log, Projection::Full).await.err(),
            SHIELDED => read_all(&log, Projection::Shielded).await.err(),
            RECORDS => log.view().link(3).await.err(),
            _ => log.view().txids(3).await.err(),
        };
        let words = error.expect("damage is an error").to_string();
        assert!(words.contains("checksum"), "{}: {words}", table.0);
    }
}

#[tokio::test]
async fn opening_reads_a_row_per_chunk_and_the_records_of_the_newest_blocks() {
    let store = Counting::new(memory().await);
    let log = open(store.clone()).await;
    for part in chain(6_000).chunks(1_000) {
        log.commit(None, part.to_vec(), false)
            .await
            .expect("memory does not fail");
    }
    drop(log);
    store.reads();
    let log = open(store.clone()).await;
    assert_eq!(log.view().tip().map(|tip| tip.height), Some(5_999));
    let reads = store.reads();
    let tables: Vec<Table> = reads.keys().copied().collect();
    assert_eq!(tables, [CHUNKS, META, RECORDS]);
    assert!(reads[&CHUNKS].0 < 20, "{reads:?}");
    assert!(reads[&RECORDS].0 < 20, "{reads:?}");
}

#[tokio::test]
async fn one_block_at_a_time_neither_piles_up_chunks_nor_writes_much_again() {
    let store = Counting::new(memory().await);
    let log = open(store.clone()).await;
    let blocks = chain(3_000);
    let bytes: usize = blocks.iter().map(|block| block.full.len() + 9).sum();
    store.writes();
    let mut most = 0;
    for block in blocks {
        log.commit(None, vec![block], true)
            .await
            .expect("memory does not fail");
        most = most.max(log.view().index().chunks.forward().count());
    }
    let writes = store.writes();
    assert!(
        writes[&FULL].1 < 6 * bytes,
        "{} for {bytes}",
        writes[&FULL].1
    );
    assert!(most < 40, "{most} chunks");
    assert!(!writes.contains_key(&IDS), "{writes:?}");
}

#[tokio::test]
async fn readers_that_miss_together_load_a_chunk_once() {
    let store = Counting::new(memory().await);
    open(store.clone())
        .await
        .commit(None, chain(100), false)
        .await
        .expect("memory does not fail");
    let log = Arc::new(open(store.clone()).await);
    store.reads();
    let readers = (0..20).map(|_| {
        let log = log.clone();
        tokio::spawn(async move { read_all(&log, Projection::Full).await })
    });
    for reader in readers.collect::<Vec<_>>() {
        let bytes = reader
            .await
            .expect("no reader panics")
            .expect("the store is sound");
        assert!(!bytes.is_empty());
    }
    let chunks = log.view().index().chunks.forward().count();
    assert_eq!(store.reads()[&FULL].0, chunks);
}

#[tokio::test]
async fn a_reading_process_follows_what_another_one_writes() {
    let store = memory().await;
    let reader = BlockLog::open(store.clone(), "regtest", CACHE, true)
        .await
        .expect("nothing is written by a reader");
    assert_eq!(reader.view().tip(), None);
    let writer = open(store.clone()).await;
    let blocks = chain(300);
    let mut tips = reader.shared().tips();
    for part in blocks.chunks(7) {
        writer
            .commit(None, part.to_vec(), true)
            .await
            .expect("memory does not fail");
        let refreshed = reader
            .shared()
            .refresh()
            .await
            .expect("memory does not fail");
        assert!(refreshed);
        assert!(tips.has_changed().expect("the reader lives"));
        assert_eq!(*tips.borrow_and_update(), writer.view().tip());
    }
    assert!(
        !reader
            .shared()
            .refresh()
            .await
            .expect("memory does not fail")
    );
    let all = read_all(&reader, Projection::Full)
        .await
        .expect("the store is sound");
    assert!(all == frames(blocks.iter(), Projection::Full));

    // Chunks merged behind its back do not disturb a reader, and a rewind
    // ends what it touches.
    let old = reader.view();
    let mut early = old.frames(0, 100, Projection::Full);
    let mut late = old.frames(0, 299, Projection::Full);
    let branch = run(2, 290, blocks[289].link.id, 200, 3);
    writer
        .commit(Some(289), branch, true)
        .await
        .expect("memory does not fail");
    reader
        .shared()
        .refresh()
        .await
        .expect("memory does not fail");
    assert!(early.next().await.is_ok());
    assert!(matches!(late.next().await, Err(ReadError::Reorged)));
    assert_eq!(reader.view().tip().map(|tip| tip.height), Some(489));
}

#[tokio::test]
async fn another_network_and_a_newer_layout_are_refused_in_words() {
    let store = memory().await;
    drop(open(store.clone()).await);
    let error = BlockLog::open(store.clone(), "main", CACHE, false)
        .await
        .err();
    let words = error.expect("the store is of regtest").to_string();
    assert!(
        words.contains("holds the regtest network, not main"),
        "{words}"
    );

    let mut batch = Batch::new();
    batch.put(META, &b"layout"[..], vec![9, 0, 0, 0]);
    store.commit(batch).await.expect("memory does not fail");
    let error = BlockLog::open(store, "regtest", CACHE, false).await.err();
    assert!(matches!(error, Some(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn a_block_that_does_not_continue_the_chain_is_refused_and_changes_nothing() {
    let log = open(memory().await).await;
    let blocks = chain(10);
    log.commit(None, blocks[..5].to_vec(), true)
        .await
        .expect("memory does not fail");
    assert!(log.commit(None, blocks[6..].to_vec(), true).await.is_err());
    let stranger = run(7, 5, Id([7; 32]), 1, 1);
    assert!(log.commit(None, stranger.clone(), true).await.is_err());
    assert!(log.commit(Some(2), stranger, true).await.is_err());
    assert_eq!(log.view().tip(), Some(blocks[4].link));
    log.commit(None, blocks[5..].to_vec(), true)
        .await
        .expect("the chain goes on");
    let all = read_all(&log, Projection::Full)
        .await
        .expect("the store is sound");
    assert!(all == frames(blocks.iter(), Projection::Full));
}

/// The height each of some ids leads to.
async fn heights(log: &BlockLog, blocks: &[NewBlock]) -> Vec<Option<u64>> {
    let view = log.view();
    let mut found = Vec::new();
    for block in blocks {
        let height = view.height_of(&block.link.id).await;
        found.push(height.expect("memory does not fail"));
    }
    found
}

#[tokio::test]
async fn ids_are_listed_many_at_a_time_and_found_at_any_moment() {
    let store = Counting::new(memory().await);
    ids_are_listed_and_found(store.clone()).await;
    let rows = store.writes()[&IDS].0;
    assert!((RECENT_IDS..RECENT_IDS + 2_000).contains(&rows), "{rows}");

    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let address = format!("sqlite:{}/ids.sqlite", folder.path().display());
    ids_are_listed_and_found(store_at(&address).await).await;
    if let Some(server) = PrivatePostgres::start_new() {
        ids_are_listed_and_found(store_at(&server.url("ids")).await).await;
    }
}

async fn store_at(address: &str) -> Arc<dyn Store> {
    let options = Options::default();
    let store = heliostat_store::open(address, "regtest", &TABLES, options).await;
    store.unwrap_or_else(|error| panic!("{error}"))
}

async fn ids_are_listed_and_found(store: Arc<dyn Store>) {
    let log = open(store.clone()).await;
    let count = RECENT_IDS as u64 + 2_500;
    let blocks = chain(count);
    let probes: Vec<_> = blocks.iter().step_by(997).cloned().collect();
    let expected: Vec<_> = probes.iter().map(|probe| Some(probe.link.height)).collect();
    for part in blocks.chunks(1_000) {
        commit(&log, None, part.to_vec()).await;
        let end = part.last().map_or(0, |block| block.link.height);
        let here = |height: &Option<u64>| height.filter(|height| *height <= end);
        let expected: Vec<_> = expected.iter().map(here).collect();
        assert_eq!(heights(&log, &probes).await, expected);
    }
    drop(log);

    // After a restart, and for a process that only reads.
    let log = open(store.clone()).await;
    assert_eq!(heights(&log, &probes).await, expected);
    let reader = BlockLog::open(store.clone(), "regtest", CACHE, true).await;
    let reader = reader.expect("the store is sound");

    // A rewind that reaches below the listed ones.
    let keep = RECENT_IDS as u64 - 600;
    let other = run(2, keep + 1, blocks[keep as usize].link.id, 900, 3);
    commit(&log, Some(keep), other.clone()).await;
    let news = reader.shared().refresh().await;
    assert!(news.expect("the store can be read"));
    for log in [&log, &reader, &open(store.clone()).await] {
        let left = |height: &Option<u64>| height.filter(|height| *height <= keep);
        let left: Vec<_> = expected.iter().map(left).collect();
        assert_eq!(heights(log, &probes).await, left);
        let new: Vec<_> = other.iter().map(|block| Some(block.link.height)).collect();
        assert_eq!(heights(log, &other).await, new);
    }
}

async fn commit(log: &BlockLog, keep: Option<u64>, blocks: Vec<NewBlock>) {
    let done = log.commit(keep, blocks, false).await;
    done.expect("the store can be written");
}

#[tokio::test]
async fn a_store_of_the_first_layout_is_taken_over_with_all_its_ids() {
    let store = memory().await;
    let blocks = chain(300);
    let log = open(store.clone()).await;
    log.commit(None, blocks.clone(), false)
        .await
        .expect("memory does not fail");
    drop(log);
    // As the first release wrote it: every id in the table, and no row that
    // says where they end.
    let mut batch = Batch::new();
    batch.put(META, &b"layout"[..], 1_u32.to_le_bytes().to_vec());
    batch.delete(META, &b"ids"[..]);
    for block in &blocks {
        let height = key(block.link.height).to_vec();
        batch.put(IDS, block.link.id.0.to_vec(), height);
    }
    store.commit(batch).await.expect("memory does not fail");

    let expected: Vec<_> = (0..300).map(Some).collect();
    let reader = BlockLog::open(store.clone(), "regtest", CACHE, true).await;
    let reader = reader.expect("an older layout can be read");
    assert_eq!(heights(&reader, &blocks).await, expected);
    let log = open(store.clone()).await;
    assert_eq!(heights(&log, &blocks).await, expected);
    let layout = store.get(META, b"layout").await;
    let layout = layout.expect("memory does not fail").expect("it is there");
    assert_eq!(layout[..], 2_u32.to_le_bytes());
    let more = run(3, 300, blocks[299].link.id, 50, 3);
    log.commit(Some(299), more.clone(), true)
        .await
        .expect("memory does not fail");
    log.commit(Some(250), Vec::new(), true)
        .await
        .expect("memory does not fail");
    let log = open(store).await;
    let left: Vec<_> = (0..300)
        .map(|height| (height <= 250).then_some(height))
        .collect();
    assert_eq!(heights(&log, &blocks).await, left);
    assert_eq!(heights(&log, &more).await, vec![None; 50]);
}
