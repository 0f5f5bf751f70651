//! What all views of a replica share: the store, the cache, and the newest
//! published index.

use std::sync::Arc;

use arc_swap::ArcSwap;
use heliostat_core::Link;
use heliostat_store::{Direction, Snapshot, Store, StoreError};
use tokio::sync::watch;

use super::{Blob, Cache, Chunks, Index, Key, Part, recent::Recent};
use crate::{
    chunk::{self, Broken, CHUNKS, ChunkInfo, FULL, Frames, META, RECORDS, Records, SHIELDED},
    replica::{defaults::RECENT_BLOCKS, state},
};

/// Everything readers share.
pub struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cache: Cache,
    pub(crate) recent: Recent,
    pub(super) current: ArcSwap<Index>,
    tips: watch::Sender<Option<Link>>,
}

/// What a blob read may find besides an error.
pub(super) enum Found<T> {
    /// What the index names.
    Same(T),
    /// Something else: the chunk was merged, truncated or replaced.
    Moved,
}

/// The error for stored bytes that are not what was written.
pub(crate) fn corrupt(reason: Broken) -> StoreError {
    StoreError::Corrupt {
        store: "the replica".into(),
        reason: format!("{reason}; delete the store and sync again, or restore a backup"),
    }
}

impl Shared {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        cache_bytes: usize,
        index: Index,
        recent: Recent,
    ) -> Self {
        let shared = Self {
            store,
            cache: Cache::new(cache_bytes),
            recent,
            tips: watch::Sender::new(index.tip()),
            current: ArcSwap::from_pointee(Index::default()),
        };
        shared.publish(index);
        shared
    }

    /// The newest published state.
    pub fn current(&self) -> Arc<Index> {
        self.current.load_full()
    }

    /// The newest tip, and a signal when it moves.
    pub fn tips(&self) -> watch::Receiver<Option<Link>> {
        self.tips.subscribe()
    }

    /// Makes a committed state visible, unless a newer one is already.
    pub(crate) fn publish(&self, index: Index) {
        let tip = index.tip();
        let generation = index.generation;
        let index = Arc::new(index);
        self.current.rcu(|current| {
            if current.generation > generation {
                current.clone()
            } else {
                index.clone()
            }
        });
        if let Some(tip) = tip {
            self.cache
                .set_recent(tip.height.saturating_sub(RECENT_BLOCKS));
        }
        let newest = self.current().tip();
        self.tips.send_if_modified(|seen| {
            let moved = *seen != newest;
            *seen = newest;
            moved
        });
    }

    /// Reads what another process has committed since; true when there was
    /// something. Costs one small read when there was not.
    pub async fn refresh(&self) -> Result<bool, StoreError> {
        let current = self.current();
        let snapshot = self.store.snapshot().await?;
        let Some(stored) = state::read(&*snapshot).await? else {
            return Ok(false);
        };
        if stored.generation <= current.generation {
            return Ok(false);
        }
        let chunks = load_chunks(&*snapshot, &current.chunks).await?;
        let index = Index { chunks, ..stored };
        let ids = self.recent.load(&*snapshot, &index).await?;
        self.recent.replace(ids);
        self.publish(index);
        Ok(true)
    }

    /// Reads a chunk's blob, or takes it from the cache.
    pub(super) async fn blob(
        &self,
        part: Part,
        chunk: &ChunkInfo,
    ) -> Result<Found<Blob>, StoreError> {
        let key = Key::new(part, chunk);
        if let Some(blob) = self.cache.peek(&key) {
            return Ok(Found::Same(blob));
        }
        let load = self.cache.get(key, chunk.last.height, async {
            let snapshot = self.store.snapshot().await.map_err(Some)?;
            match read_blob(&*snapshot, part, chunk).await.map_err(Some)? {
                Found::Same(blob) => Ok(blob),
                Found::Moved => Err(None),
            }
        });
        match load.await {
            Ok(blob) => Ok(Found::Same(blob)),
            Err(None) => Ok(Found::Moved),
            Err(Some(error)) => Err(error),
        }
    }
}

/// Reads a blob and compares it with the index.
async fn read_blob(
    snapshot: &dyn Snapshot,
    part: Part,
    chunk: &ChunkInfo,
) -> Result<Found<Blob>, StoreError> {
    let table = match part {
        Part::Full => FULL,
        Part::Shielded => SHIELDED,
        Part::Records => RECORDS,
    };
    let Some(bytes) = snapshot.get(table, &chunk::key(chunk.first)).await? else {
        return Ok(Found::Moved);
    };
    let place = |broken| corrupt(format!("{} {}: {broken}", table.0, chunk.first));
    let (blob, count, last) = match part {
        Part::Records => {
            let records = Records::decode(bytes).map_err(place)?;
            let (count, last) = (records.count(), records.last);
            (Blob::Records(records), count, last)
        }
        Part::Full | Part::Shielded => {
            let frames = Frames::decode(bytes).map_err(place)?;
            let (count, last) = (frames.count(), frames.last);
            (Blob::Frames(frames), count, last)
        }
    };
    let same = count == chunk.count as usize && last == chunk.last.id;
    Ok(if same {
        Found::Same(blob)
    } else {
        Found::Moved
    })
}

/// Reads the chunk index, from the tip down to the first row that `known`
/// has too: chunks only ever change at the end, so everything below is equal.
pub(crate) async fn load_chunks(
    snapshot: &dyn Snapshot,
    known: &Chunks,
) -> Result<Chunks, StoreError> {
    let mut newer = Vec::new();
    let mut end = vec![0xff; 9];
    let shared = 'reading: loop {
        let rows = snapshot
            .range(CHUNKS, Vec::new()..end.clone(), Direction::Backward, 512)
            .await?;
        let Some((lowest, _)) = rows.last() else {
            break None;
        };
        end = lowest.to_vec();
        for (key, value) in &rows {
            let chunk = ChunkInfo::decode(key, value).map_err(corrupt)?;
            if known.find(chunk.first) == Some(&chunk) {
                break 'reading Some(chunk.first);
            }
            newer.push(chunk);
        }
    };
    let mut chunks = Chunks::default();
    if let Some(shared) = shared {
        chunks = known.clone();
        while chunks.last().is_some_and(|chunk| chunk.first > shared) {
            chunks.pop();
        }
    }
    for chunk in newer.into_iter().rev() {
        let next = chunks.last().map(|last| last.last.height + 1);
        if next.is_some_and(|next| next != chunk.first) {
            return Err(corrupt(format!(
                "there is a gap below chunk {}",
                chunk.first
            )));
        }
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// Reads the row of `meta` under a name.
pub(crate) async fn meta(
    snapshot: &dyn Snapshot,
    name: &str,
) -> Result<Option<bytes::Bytes>, StoreError> {
    snapshot.get(META, name.as_bytes()).await
}
