//! Readers beside a writer that merges and rewinds all the time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use heliostat_core::Id;
use heliostat_store::Options;
use heliostat_zcash::{
    chunk::TABLES, filter::split_frame, frames::Projection, replica::BlockLog, view::ReadError,
};
use heliostat_zcash_proto::CompactBlock;
use prost::Message as _;

use crate::blocks::{Chance, any_projection, run};

/// Streams a random range; every block must follow the one before it. Gives
/// whether it came to its end.
async fn read(log: &BlockLog, chance: &mut Chance) -> bool {
    let view = log.view();
    let Some(tip) = view.tip() else {
        return false;
    };
    let (start, end) = (chance.below(tip.height + 1), chance.below(tip.height + 1));
    let projection = match chance.below(2) {
        0 => Projection::Full,
        _ => any_projection(chance),
    };
    let mut stream = view.frames(start, end, projection);
    let mut last: Option<CompactBlock> = None;
    let mut next = start;
    loop {
        let slab = match stream.next().await {
            Ok(Some(slab)) => slab,
            Ok(None) => break,
            Err(ReadError::Reorged) => return false,
            Err(error) => panic!("{start}..{end} of {tip:?}: {error}"),
        };
        let mut frames = &slab.bytes[..];
        while let Some((message, rest)) = split_frame(frames) {
            let block = CompactBlock::decode(message).expect("encoded by prost");
            assert_eq!(block.height, next);
            if let Some(last) = last {
                let linked = match start <= end {
                    true => block.prev_hash == last.hash,
                    false => block.hash == last.prev_hash,
                };
                assert!(linked, "block {next} is of another chain");
            }
            next = match start <= end {
                true => next + 1,
                false => next.wrapping_sub(1),
            };
            last = Some(block);
            frames = rest;
        }
        // Gives the writer room, also in the middle of a stream.
        tokio::task::yield_now().await;
    }
    let sent = last.map(|block| block.height);
    assert_eq!(sent, Some(end));
    true
}

async fn race(address: &str, commits: u64) {
    let store = heliostat_store::open(address, "regtest", &TABLES, Options::default())
        .await
        .expect("the store opens");
    // So small that readers go to the store, where chunks change under them.
    let log = BlockLog::open(store, "regtest", 50_000, false)
        .await
        .expect("the store is new");
    let log = Arc::new(log);
    let done = Arc::new(AtomicBool::new(false));
    let complete = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let (log, done, complete) = (log.clone(), done.clone(), complete.clone());
            tokio::spawn(async move {
                let mut chance = Chance::new(reader);
                while !done.load(Ordering::Relaxed) {
                    let whole = read(&log, &mut chance).await;
                    complete.fetch_add(whole.into(), Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut chance = Chance::new(99);
    let mut chain: Vec<(u64, Id)> = Vec::new();
    for branch in 0..commits {
        let keep = match chance.below(5) {
            0 if chain.len() > 1 => {
                let depth = 1 + chance.below(20) as usize;
                chain.truncate(chain.len().saturating_sub(depth).max(1));
                chain.last().map(|(height, _)| *height)
            }
            _ => None,
        };
        let next = chain.last().map_or(0, |(height, _)| height + 1);
        let parent = chain.last().map_or(Id([0; 32]), |(_, id)| *id);
        let blocks = run(branch, next, parent, 1 + chance.below(8), 4);
        chain.extend(
            blocks
                .iter()
                .map(|block| (block.link.height, block.link.id)),
        );
        log.commit(keep, blocks, chance.below(2) == 0)
            .await
            .expect("the store takes it");
        tokio::task::yield_now().await;
    }
    // Once more with nobody writing, so that some reads are sure to end.
    let before = complete.load(Ordering::Relaxed);
    while complete.load(Ordering::Relaxed) < before + 8 {
        assert!(
            readers.iter().all(|reader| !reader.is_finished()),
            "a reader failed"
        );
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.expect("every stream was of one chain");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn streams_beside_a_writer_are_of_one_chain_in_memory() {
    race("memory:", 1_500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn streams_beside_a_writer_are_of_one_chain_on_sqlite() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("chain.sqlite");
    race(&format!("sqlite:{}", path.display()), 300).await;
}
