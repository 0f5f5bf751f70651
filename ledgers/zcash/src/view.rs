//! What readers see: one committed state of the replica, pinned.
//!
//! A [`View`] holds an immutable [`Index`]; blobs are read from the store when
//! they are needed and shared through a bounded [`Cache`]. The store may have
//! moved on in the meantime (chunks merged, blocks rewound), so every blob is
//! checked against the index by its count and last id. When it does not
//! match, the reader goes on with the newest index, unless a rewind has
//! touched what it was asked for: that is [`ReadError::Reorged`], and a
//! response never mixes two chains.

mod cache;
mod index;
pub(crate) mod recent;
mod shared;

pub use cache::{Blob, Cache, Key, Part};
pub use index::{Chunks, Index, Rewind};
use shared::Found;
pub use shared::Shared;
pub(crate) use shared::{corrupt, load_chunks, meta};

use std::{ops::RangeInclusive, sync::Arc};

use heliostat_core::{Assurance, Id, Link};
use heliostat_store::StoreError;
use thiserror::Error;

use crate::{
    chunk::{self, ChunkInfo, IDS, PROOFS, Proof, ProofPage, Record},
    frames::{FrameStream, Projection},
    replica::defaults::READ_ATTEMPTS,
};

/// Why a read gave nothing.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The store failed, or what it holds is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain was rewound under the request.
    #[error("the chain was rewound while it was being read; ask again")]
    Reorged,
    /// No block is stored at this height.
    #[error("block {0} is not stored")]
    Missing(u64),
}

/// A pinned state of the replica. Cheap to make and to clone; keeping one
/// keeps no blobs alive.
#[derive(Clone)]
pub struct View {
    shared: Arc<Shared>,
    index: Arc<Index>,
}

impl View {
    pub(crate) fn newest(shared: &Arc<Shared>) -> Self {
        Self {
            index: shared.current(),
            shared: shared.clone(),
        }
    }

    /// The newest block; `None` while nothing is stored.
    pub fn tip(&self) -> Option<Link> {
        self.index.tip()
    }

    /// The lowest stored height; `None` while nothing is stored.
    pub fn floor(&self) -> Option<u64> {
        self.index.floor()
    }

    /// Grows by one with each rewind.
    pub fn epoch(&self) -> u64 {
        self.index.epoch
    }

    /// Grows by one with each commit.
    pub fn generation(&self) -> u64 {
        self.index.generation
    }

    /// The index itself.
    pub fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether a rewind since this view has changed a height up to `highest`.
    pub fn touched(&self, highest: u64) -> bool {
        let newest = self.shared.current.load();
        newest.epoch != self.index.epoch && newest.touched(self.index.epoch, highest)
    }

    /// The position at a height, with its time.
    pub async fn link(&self, height: u64) -> Result<Option<Link>, ReadError> {
        match self.index.tip() {
            Some(tip) if tip.height == height => Ok(Some(tip)),
            _ => Ok(self.record(height).await?.map(|(_, link)| link)),
        }
    }

    /// What is recorded of the block at a height, and its position.
    pub async fn record(&self, height: u64) -> Result<Option<(Record, Link)>, ReadError> {
        if self.index.chunks.find(height).is_none() {
            return Ok(None);
        }
        let (chunk, blob) = self.read(Part::Records, height, height).await?;
        let Blob::Records(records) = blob else {
            return Ok(None);
        };
        let at = (height - chunk.first) as usize;
        let found = records.get(at).zip(records.parent(at));
        Ok(found.map(|(record, parent)| {
            let link = Link {
                height,
                id: record.id,
                parent,
                time: record.time,
            };
            (record, link)
        }))
    }

    /// The best grade the block at a height can have by its own bytes; the
    /// grade of the chain it is on comes on top.
    pub async fn cap(&self, height: u64) -> Result<Option<Assurance>, ReadError> {
        match self.index.chunks.find(height) {
            Some(chunk) if chunk.cap == Assurance::Proven => Ok(Some(chunk.cap)),
            _ => Ok(self.record(height).await?.map(|(record, _)| record.cap)),
        }
    }

    /// The lowest cap of some heights, all of which are stored.
    pub async fn lowest_cap(&self, heights: RangeInclusive<u64>) -> Result<Assurance, ReadError> {
        let mut lowest = Assurance::Proven;
        let mut height = *heights.start();
        while height <= *heights.end() {
            let missing = ReadError::Missing(height);
            let chunk = self.index.chunks.find(height).ok_or(missing)?;
            let whole = heights.contains(&chunk.first) && heights.contains(&chunk.last.height);
            if whole {
                lowest = lowest.min(chunk.cap);
            } else if chunk.cap != Assurance::Proven {
                for height in height..=chunk.last.height.min(*heights.end()) {
                    let cap = self.cap(height).await?;
                    lowest = lowest.min(cap.ok_or(ReadError::Missing(height))?);
                }
            }
            height = chunk.last.height + 1;
        }
        Ok(lowest)
    }

    /// The height of a block id, if it is on this chain.
    pub async fn height_of(&self, id: &Id) -> Result<Option<u64>, ReadError> {
        // In this order: an id moves from the one to the other.
        let height = match self.shared.recent.height_of(id) {
            Some(height) => height,
            None => {
                let Some(value) = self.shared.store.get(IDS, &id.0).await? else {
                    return Ok(None);
                };
                let height = <[u8; 8]>::try_from(&value[..])
                    .map_err(|_| corrupt("a row of ids is not a height".into()))?;
                u64::from_be_bytes(height)
            }
        };
        // Either may be newer or older than this view; the record decides.
        let link = self.link(height).await?;
        Ok(link.filter(|link| link.id == *id).map(|_| height))
    }

    /// The raw header and the ordered txids of a block.
    pub async fn proof(&self, height: u64) -> Result<Option<Proof>, ReadError> {
        let page = self.proofs(height).await?;
        Ok(page.and_then(|page| page.get(height).cloned()))
    }

    /// The proofs that share a row with that of a block.
    pub async fn proofs(&self, height: u64) -> Result<Option<ProofPage>, ReadError> {
        let Some(link) = self.link(height).await? else {
            return Ok(None);
        };
        let page = chunk::page_of(height);
        let row = self.shared.store.get(PROOFS, &chunk::key(page)).await?;
        let proofs = match row {
            Some(bytes) => ProofPage::decode(bytes)
                .map_err(|broken| corrupt(format!("proofs {page}: {broken}")))?,
            None => ProofPage::default(),
        };
        match proofs.get(height) {
            Some(proof) if proof.id == link.id => Ok(Some(proofs)),
            _ if self.refreshed_touched(height).await? => Err(ReadError::Reorged),
            _ => Err(corrupt(format!("the proof of block {height} is missing")).into()),
        }
    }

    /// The ordered txids of a block, in internal byte order.
    pub async fn txids(&self, height: u64) -> Result<Option<Vec<[u8; 32]>>, ReadError> {
        let proof = self.proof(height).await?;
        Ok(proof.map(|proof| proof.txids().to_vec()))
    }

    /// The frames of a run of stored heights, in the order asked for: `start`
    /// above `end` is descending. Ends with [`ReadError::Missing`] at the
    /// first height that is not stored.
    pub fn frames(&self, start: u64, end: u64, projection: Projection) -> FrameStream {
        FrameStream::new(self.clone(), start, end, projection)
    }

    /// Moves on to the newest state, when nothing up to `highest` differs.
    pub(crate) fn follow(&mut self, highest: u64) -> Result<(), ReadError> {
        let newest = self.shared.current();
        if newest.touched(self.index.epoch, highest) {
            return Err(ReadError::Reorged);
        }
        self.index = newest;
        Ok(())
    }

    /// Whether a rewind that may not be published yet has touched a height.
    async fn refreshed_touched(&self, highest: u64) -> Result<bool, StoreError> {
        self.shared.refresh().await?;
        Ok(self.touched(highest))
    }

    /// The blob that holds `height`, with its chunk, if it is in the cache.
    pub(crate) fn cached(&self, part: Part, height: u64) -> Option<(ChunkInfo, Blob)> {
        let chunk = self.index.chunks.find(height)?;
        let blob = self.shared.cache.peek(&Key::new(part, chunk))?;
        Some((chunk.clone(), blob))
    }

    /// The blob that holds `height`, with its chunk. `highest` is the greatest
    /// height of the whole request: when a rewind touched it, nothing is read.
    pub(crate) async fn read(
        &self,
        part: Part,
        height: u64,
        highest: u64,
    ) -> Result<(ChunkInfo, Blob), ReadError> {
        let mut index = self.index.clone();
        for _ in 0..READ_ATTEMPTS {
            let chunk = index.chunks.find(height);
            let chunk = chunk.ok_or(ReadError::Missing(height))?.clone();
            if let Found::Same(blob) = self.shared.blob(part, &chunk).await? {
                return Ok((chunk, blob));
            }
            // A commit can be durable a moment before it is published.
            self.shared.refresh().await?;
            if self.touched(highest) {
                return Err(ReadError::Reorged);
            }
            index = self.shared.current();
        }
        Err(corrupt(format!("the index and the blobs differ at block {height}")).into())
    }

    /// Starts loading a blob, so that it is in the cache when it is read.
    /// Nothing is done when it is there already.
    pub(crate) fn prefetch(&self, part: Part, height: u64) -> Option<tokio::task::JoinHandle<()>> {
        let chunk = self.index.chunks.find(height)?.clone();
        if self.shared.cache.peek(&Key::new(part, &chunk)).is_some() {
            return None;
        }
        let shared = self.shared.clone();
        Some(tokio::spawn(async move {
            // The reader meets the same error and reports it.
            let _ = shared.blob(part, &chunk).await;
        }))
    }
}
