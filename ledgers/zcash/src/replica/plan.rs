//! Working out one commit of the block log: what goes, what is rewritten, and
//! the batch that does it.

use bytes::Bytes;
use heliostat_core::Id;
use heliostat_store::{Batch, StoreError, Table};

use super::{
    defaults::OFF_RUNTIME,
    log::NewBlock,
    merge,
    state::{self, IDS_ROW, STATE_ROW},
};
use crate::{
    chunk::{
        Builder, Built, CHUNKS, ChunkInfo, FULL, IDS, META, PROOFS, ProofPage, RECORDS, SHIELDED,
        Stored, key, page_of, weight,
    },
    view::{
        Blob, Index, Part, ReadError, View, corrupt,
        recent::{self, Planned},
    },
};

/// A key above every height.
const END: [u8; 9] = [0xff; 9];

/// The tables keyed by the first height of a chunk.
const BY_CHUNK: [Table; 4] = [CHUNKS, FULL, SHIELDED, RECORDS];

/// A commit while it is worked out.
pub(super) struct Plan<'a> {
    view: &'a View,
    index: Index,
    batch: Batch,
    /// Chunks to be rewritten, ascending, with how many of their blocks stay.
    rewritten: Vec<(ChunkInfo, Stored, usize)>,
    /// Chunks that no longer exist afterwards.
    gone: Vec<ChunkInfo>,
    rewound: bool,
}

/// A commit worked out.
pub(super) struct Written {
    pub(super) batch: Batch,
    pub(super) index: Index,
    pub(super) ids: Planned,
    pub(super) built: Vec<Built>,
    pub(super) gone: Vec<ChunkInfo>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(view: &'a View) -> Self {
        Self {
            view,
            index: view.index().clone(),
            batch: Batch::new(),
            rewritten: Vec::new(),
            gone: Vec::new(),
            rewound: false,
        }
    }

    /// Takes out everything above `keep`.
    pub(super) async fn rewind(&mut self, keep: u64) -> Result<(), StoreError> {
        let floor = self.index.floor();
        while let Some(chunk) = self.index.chunks.last().cloned() {
            if chunk.last.height <= keep {
                break;
            }
            self.index.chunks.pop();
            let kept = (keep + 1).saturating_sub(chunk.first) as usize;
            let stored = stored(self.view, &chunk).await?;
            let listed = self.view.shared().recent.from();
            let listed = listed.saturating_sub(chunk.first) as usize;
            for record in (kept..listed).map_while(|index| stored.records.get(index)) {
                self.batch.delete(IDS, record.id.0.to_vec());
            }
            if kept > 0 {
                self.rewritten.push((chunk.clone(), stored, kept));
            }
            self.gone.push(chunk);
            self.rewound = true;
        }
        if self.rewound {
            self.index
                .rewind(floor.filter(|floor| *floor <= keep).map(|_| keep));
        }
        Ok(())
    }

    /// The greatest height that stays, and its id.
    fn end(&self) -> Option<(u64, Id)> {
        match self.rewritten.last() {
            Some((chunk, stored, kept)) => {
                let record = stored.records.get(kept - 1)?;
                Some((chunk.first + *kept as u64 - 1, record.id))
            }
            None => self.index.tip().map(|tip| (tip.height, tip.id)),
        }
    }

    /// The follower only commits what continues the chain; the store refuses
    /// anything else all the same.
    pub(super) fn check(&self, blocks: &[NewBlock]) -> Result<(), StoreError> {
        let mut end = self.end();
        for block in blocks {
            let link = block.link;
            if end.is_some_and(|(height, id)| link.height != height + 1 || link.parent != id) {
                return Err(corrupt(format!(
                    "block {} does not continue what is stored",
                    link.height
                )));
            }
            end = Some((link.height, link.id));
        }
        Ok(())
    }

    pub(super) fn nothing_to_do(&self, blocks: &[NewBlock]) -> bool {
        blocks.is_empty() && !self.rewound
    }

    /// Writes the proof pages from the first changed height on. Gives the
    /// newest page.
    pub(super) async fn proofs(
        &mut self,
        newest: Option<&ProofPage>,
        blocks: &[NewBlock],
    ) -> Result<Option<ProofPage>, StoreError> {
        let next = match (self.end(), blocks.first()) {
            (Some((height, _)), _) => height + 1,
            (None, Some(block)) => block.link.height,
            (None, None) => 0,
        };
        let start = page_of(next);
        if self.rewound {
            let from = key(start).to_vec();
            self.batch.delete_range(PROOFS, from, END.to_vec());
        }
        let mut page = ProofPage {
            first: next,
            proofs: Vec::new(),
        };
        if let Some((end, _)) = self.end().filter(|(end, _)| *end >= start) {
            page = match newest.filter(|page| page.get(end).is_some()) {
                Some(page) => page.clone(),
                None => self.stored_page(start).await?,
            };
            page.proofs
                .truncate((next.saturating_sub(page.first)) as usize);
        }
        for block in blocks {
            let height = block.link.height;
            if page_of(height) != page_of(page.first) {
                self.put_page(&page);
                page = ProofPage {
                    first: height,
                    proofs: Vec::new(),
                };
            }
            page.proofs.push(block.proof());
        }
        self.put_page(&page);
        Ok(Some(page))
    }

    fn put_page(&mut self, page: &ProofPage) {
        if !page.proofs.is_empty() {
            let key = key(page_of(page.first)).to_vec();
            self.batch.put(PROOFS, key, page.encode());
        }
    }

    async fn stored_page(&self, start: u64) -> Result<ProofPage, StoreError> {
        let snapshot = self.view.shared().store.snapshot().await?;
        let row = snapshot.get(PROOFS, &key(start)).await?;
        let row = row.ok_or_else(|| corrupt(format!("proofs {start} are missing")))?;
        ProofPage::decode(row).map_err(|broken| corrupt(format!("proofs {start}: {broken}")))
    }

    /// Takes small chunks at the end along, so that they do not pile up.
    pub(super) async fn absorb(&mut self, blocks: &[NewBlock]) -> Result<(), StoreError> {
        let bytes: usize = blocks.iter().map(|block| block.full.len() + 5).sum();
        let mut new = weight(bytes as u64, blocks.len() as u64);
        for (chunk, _, kept) in &self.rewritten {
            new += chunk.weight() * *kept as u64 / u64::from(chunk.count);
        }
        if new == 0 {
            return Ok(());
        }
        let tail = self.index.chunks.backward().map(ChunkInfo::weight);
        for _ in 0..merge::absorbed(tail, new) {
            let Some(chunk) = self.index.chunks.pop() else {
                break;
            };
            let stored = stored(self.view, &chunk).await?;
            let count = chunk.count as usize;
            self.gone.push(chunk.clone());
            self.rewritten.insert(0, (chunk, stored, count));
        }
        Ok(())
    }

    /// Builds the chunks and fills the batch.
    pub(super) async fn write(mut self, blocks: Vec<NewBlock>) -> Result<Written, StoreError> {
        let ids = self.ids(&blocks);
        if let Some(lowest) = self.gone.iter().map(|chunk| chunk.first).min() {
            for table in BY_CHUNK {
                self.batch
                    .delete_range(table, key(lowest).to_vec(), END.to_vec());
            }
        }
        let built = build(std::mem::take(&mut self.rewritten), blocks).await;
        for chunk in &built {
            let at = Bytes::copy_from_slice(&key(chunk.info.first));
            self.batch.put(CHUNKS, at.clone(), chunk.info.encode());
            self.batch.put(FULL, at.clone(), chunk.full.clone());
            self.batch.put(SHIELDED, at.clone(), chunk.shielded.clone());
            self.batch.put(RECORDS, at, chunk.records.clone());
            self.index.chunks.push(chunk.info.clone());
        }
        self.index.generation += 1;
        self.batch
            .put(META, STATE_ROW.as_bytes(), state::encode(&self.index));
        Ok(Written {
            batch: self.batch,
            index: self.index,
            ids,
            built,
            gone: self.gone,
        })
    }

    /// The new ids, and with them the older ones when there are enough.
    fn ids(&mut self, blocks: &[NewBlock]) -> Planned {
        let new = blocks
            .iter()
            .map(|block| (block.link.id, block.link.height));
        let kept = self.end().map(|(height, _)| height);
        let ids = self.view.shared().recent.plan(kept, new.collect());
        for (id, height) in &ids.rows {
            self.batch.put(IDS, id.0.to_vec(), key(*height).to_vec());
        }
        let row = recent::encode(ids.from);
        self.batch.put(META, IDS_ROW.as_bytes(), row);
        ids
    }
}

/// Reads all of a chunk.
async fn stored(view: &View, chunk: &ChunkInfo) -> Result<Stored, StoreError> {
    let read = async |part| match view.read(part, chunk.first, chunk.first).await {
        Ok((_, blob)) => Ok(blob),
        Err(ReadError::Store(error)) => Err(error),
        Err(other) => Err(corrupt(other.to_string())),
    };
    match (
        read(Part::Full).await?,
        read(Part::Shielded).await?,
        read(Part::Records).await?,
    ) {
        (Blob::Frames(full), Blob::Frames(shielded), Blob::Records(records)) => Ok(Stored {
            full,
            shielded,
            records,
        }),
        _ => Err(corrupt(format!(
            "chunk {} is of the wrong kind",
            chunk.first
        ))),
    }
}

/// Builds chunks; off the runtime when that takes more than a moment.
async fn build(rewritten: Vec<(ChunkInfo, Stored, usize)>, blocks: Vec<NewBlock>) -> Vec<Built> {
    let old: usize = rewritten
        .iter()
        .map(|(chunk, ..)| chunk.full as usize)
        .sum();
    let new: usize = blocks.iter().map(|block| block.full.len()).sum();
    if old + new < OFF_RUNTIME {
        return build_now(&rewritten, &blocks);
    }
    tokio::task::spawn_blocking(move || build_now(&rewritten, &blocks))
        .await
        .expect(
            "building chunks does not panic, and is never aborted, because nobody holds its handle",
        )
}

fn build_now(rewritten: &[(ChunkInfo, Stored, usize)], blocks: &[NewBlock]) -> Vec<Built> {
    let start = match (rewritten.first(), blocks.first()) {
        (Some((chunk, stored, _)), _) => Some((chunk.first, stored.records.before)),
        (None, Some(block)) => Some((block.link.height, block.link.parent)),
        (None, None) => None,
    };
    let Some((first, before)) = start else {
        return Vec::new();
    };
    let mut builder = Builder::new(first, before);
    for (_, stored, count) in rewritten {
        builder.append(stored, *count);
    }
    for block in blocks {
        builder.push(&block.record(), &block.full, &block.shielded);
    }
    builder.finish()
}
