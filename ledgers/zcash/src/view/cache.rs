//! Chunk blobs in memory, loaded once however many readers ask.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use heliostat_core::Id;
use tokio::sync::OnceCell;

use crate::chunk::{Broken, ChunkInfo, Frames, Records};

/// Which of a chunk's blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Frames of all pools.
    Full,
    /// Frames of the shielded pools.
    Shielded,
    /// The records.
    Records,
}

/// A blob as read.
#[derive(Clone, Debug)]
pub enum Blob {
    /// Of [`Part::Full`] and [`Part::Shielded`].
    Frames(Frames),
    /// Of [`Part::Records`].
    Records(Records),
}

impl Blob {
    /// Reads a blob of frames.
    pub fn frames(blob: &Bytes) -> Result<Self, Broken> {
        Frames::decode(blob.clone()).map(Self::Frames)
    }

    /// Reads a blob of records.
    pub fn records(blob: &Bytes) -> Result<Self, Broken> {
        Records::decode(blob.clone()).map(Self::Records)
    }

    fn size(&self) -> usize {
        match self {
            Self::Frames(frames) => frames.size(),
            Self::Records(records) => records.size(),
        }
    }
}

/// Names a blob by its content: first height and last id pin every block in
/// between, so an entry can never be stale, only unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    part: Part,
    first: u64,
    last: Id,
}

impl Key {
    /// The name of a part of a chunk.
    pub fn new(part: Part, chunk: &ChunkInfo) -> Self {
        Self {
            part,
            first: chunk.first,
            last: chunk.last.id,
        }
    }
}

struct Entry {
    slot: Arc<OnceCell<Blob>>,
    /// Bytes, once loaded.
    size: usize,
    /// When it was last asked for, on the cache's own clock.
    used: u64,
    /// Its greatest height.
    height: u64,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    total: usize,
    clock: u64,
}

/// A bounded cache: the least recently used blob leaves first, blobs near the
/// tip after all others.
pub struct Cache {
    inner: Mutex<Inner>,
    /// Bytes it may hold.
    room: usize,
    /// Blobs that reach this height are near the tip.
    recent: AtomicU64,
    loads: AtomicU64,
}

impl Cache {
    /// An empty cache for `room` bytes.
    pub fn new(room: usize) -> Self {
        Self {
            inner: Mutex::default(),
            room,
            recent: AtomicU64::new(0),
            loads: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every update leaves the map usable, so a panic elsewhere in a
        // holder's thread does not make it wrong.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many blobs were loaded so far.
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.lock().total
    }

    /// Blobs that reach `height` stay longest from now on.
    pub fn set_recent(&self, height: u64) {
        self.recent.store(height, Ordering::Relaxed);
    }

    /// The blob, if it is here.
    pub fn peek(&self, key: &Key) -> Option<Blob> {
        let mut inner = self.lock();
        inner.clock += 1;
        let clock = inner.clock;
        let entry = inner.entries.get_mut(key)?;
        entry.used = clock;
        entry.slot.get().cloned()
    }

    /// The blob of a chunk that reaches up to `height`; loaded when it is not
    /// here. Of several callers that miss, one loads and the others wait; when
    /// it fails or is dropped, the next one tries.
    pub async fn get<E>(
        &self,
        key: Key,
        height: u64,
        load: impl Future<Output = Result<Blob, E>>,
    ) -> Result<Blob, E> {
        let slot = {
            let mut inner = self.lock();
            inner.clock += 1;
            let used = inner.clock;
            let entry = inner.entries.entry(key).or_insert_with(|| Entry {
                slot: Arc::default(),
                size: 0,
                used,
                height,
            });
            entry.used = used;
            entry.slot.clone()
        };
        let loaded = slot
            .get_or_try_init(|| async {
                let blob = load.await?;
                self.loads.fetch_add(1, Ordering::Relaxed);
                Ok(blob)
            })
            .await;
        match loaded {
            Ok(blob) => {
                self.admit(&key, &slot, blob.size());
                Ok(blob.clone())
            }
            Err(error) => {
                self.forget(&key, &slot);
                Err(error)
            }
        }
    }

    /// Puts a blob in that was just written.
    pub fn put(&self, key: Key, height: u64, blob: Blob) {
        let size = blob.size();
        let slot = Arc::new(OnceCell::new_with(Some(blob)));
        let mut inner = self.lock();
        inner.clock += 1;
        let used = inner.clock;
        let entry = Entry {
            slot,
            size,
            used,
            height,
        };
        if let Some(old) = inner.entries.insert(key, entry) {
            inner.total -= old.size;
        }
        inner.total += size;
        self.evict(&mut inner);
    }

    /// Takes a blob out that no index names any more.
    pub fn remove(&self, key: &Key) {
        let mut inner = self.lock();
        if let Some(old) = inner.entries.remove(key) {
            inner.total -= old.size;
        }
    }

    /// Counts a loaded blob in, once.
    fn admit(&self, key: &Key, slot: &Arc<OnceCell<Blob>>, size: usize) {
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(key) else {
            return;
        };
        if entry.size == 0 && Arc::ptr_eq(&entry.slot, slot) {
            entry.size = size;
            inner.total += size;
            self.evict(&mut inner);
        }
    }

    /// Drops the slot of a load that failed, unless another is under way.
    fn forget(&self, key: &Key, slot: &Arc<OnceCell<Blob>>) {
        let mut inner = self.lock();
        let failed = inner
            .entries
            .get(key)
            .is_some_and(|entry| Arc::ptr_eq(&entry.slot, slot) && !slot.initialized());
        if failed {
            inner.entries.remove(key);
        }
    }

    fn evict(&self, inner: &mut Inner) {
        let recent = self.recent.load(Ordering::Relaxed);
        while inner.total > self.room {
            let loaded = inner.entries.iter().filter(|(_, entry)| entry.size > 0);
            let oldest = loaded
                .min_by_key(|(_, entry)| (entry.height >= recent, entry.used))
                .map(|(key, _)| *key);
            let Some(entry) = oldest.and_then(|key| inner.entries.remove(&key)) else {
                return;
            };
            inner.total -= entry.size;
        }
    }
}
