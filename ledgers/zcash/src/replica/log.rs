//! The block log: blocks in, durable chunks out, one atomic batch per commit.

use std::sync::Arc;

use bytes::Bytes;
use heliostat_core::{Assurance, Id, Link};
use heliostat_store::{Batch, Store, StoreError, Table};
use tokio::sync::Mutex;

use super::{
    defaults::OFF_RUNTIME,
    merge,
    state::{self, LAYOUT, LAYOUT_ROW, NETWORK_ROW, STATE_ROW},
};
use crate::{
    chunk::{
        Builder, Built, CHUNKS, ChunkInfo, FULL, IDS, META, PROOFS, Proof, ProofPage, RECORDS,
        Record, SHIELDED, Stored, key, page_of, weight,
    },
    filter::has_bare_transaction,
    view::{Blob, Chunks, Index, Key, Part, ReadError, Shared, View, corrupt, load_chunks, meta},
};

/// A verified block as the log takes it.
#[derive(Clone, Debug)]
pub struct NewBlock {
    /// Its position.
    pub link: Link,
    /// The raw header with its solution.
    pub header: Bytes,
    /// Txids in block order, internal byte order.
    pub txids: Vec<[u8; 32]>,
    /// The compact block of all pools, without gRPC prefix.
    pub full: Bytes,
    /// The compact block of the shielded pools, without gRPC prefix.
    pub shielded: Bytes,
    /// Leaves of the Sapling, Orchard and Ironwood trees after the block.
    pub sizes: [u32; 3],
    /// Chain work up to and including the block.
    pub work: u128,
    /// The best grade it can have.
    pub cap: Assurance,
}

impl NewBlock {
    fn record(&self) -> Record {
        Record {
            id: self.link.id,
            time: self.link.time,
            sizes: self.sizes,
            work: self.work,
            full_crc: crc32fast::hash(&self.full),
            shielded_crc: crc32fast::hash(&self.shielded),
            cap: self.cap,
            // Bytes that cannot be walked are never served as they are.
            bare: has_bare_transaction(&self.full).unwrap_or(true),
        }
    }

    fn proof(&self) -> Proof {
        Proof {
            id: self.link.id,
            header: self.header.clone(),
            txids: Bytes::copy_from_slice(self.txids.as_flattened()),
        }
    }
}

/// A key above every height.
const END: [u8; 9] = [0xff; 9];

/// The tables keyed by the first height of a chunk.
const BY_CHUNK: [Table; 4] = [CHUNKS, FULL, SHIELDED, RECORDS];

/// Blocks in chunks, over a store. One writer.
pub struct BlockLog {
    shared: Arc<Shared>,
    /// Held while committing.
    writing: Mutex<Writing>,
}

/// What the writer remembers between commits.
#[derive(Default)]
struct Writing {
    /// The newest proof page, so that a commit need not read it back.
    page: Option<ProofPage>,
    /// The last commit failed in a way that leaves open whether it happened.
    doubt: bool,
}

impl BlockLog {
    /// Opens what the store holds, or begins anew. Reads a row per chunk and
    /// no blob. Fails when the store was written by a newer release or for
    /// another network. With `read_only` nothing is written, not even to a
    /// new store.
    pub async fn open(
        store: Arc<dyn Store>,
        network: &str,
        cache_bytes: usize,
        read_only: bool,
    ) -> Result<Self, StoreError> {
        let snapshot = store.snapshot().await?;
        let layout = meta(&*snapshot, LAYOUT_ROW).await?;
        let index = match layout {
            None if read_only => Index::default(),
            None => {
                drop(snapshot);
                let mut batch = Batch::new();
                batch.put(META, LAYOUT_ROW.as_bytes(), LAYOUT.to_le_bytes().to_vec());
                batch.put(META, NETWORK_ROW.as_bytes(), network.as_bytes().to_vec());
                store.commit(batch).await?;
                Index::default()
            }
            Some(layout) => {
                check_layout(&layout)?;
                let stored = meta(&*snapshot, NETWORK_ROW).await?.unwrap_or_default();
                check_network(&stored, network)?;
                let chunks = load_chunks(&*snapshot, &Chunks::default()).await?;
                let state = state::read(&*snapshot).await?.unwrap_or_default();
                Index { chunks, ..state }
            }
        };
        Ok(Self {
            shared: Arc::new(Shared::new(store, cache_bytes, index)),
            writing: Mutex::default(),
        })
    }

    /// What readers share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The newest state.
    pub fn view(&self) -> View {
        View::newest(&self.shared)
    }

    /// Forgets everything above `keep`, then appends `blocks`, in one batch;
    /// readers see it when it is durable. When this fails, nothing changed.
    pub async fn commit(
        &self,
        keep: Option<u64>,
        blocks: Vec<NewBlock>,
        caught_up: bool,
    ) -> Result<(), StoreError> {
        let mut writing = self.writing.lock().await;
        if self.clear_doubt(&mut writing).await? && self.ends_with(&blocks) {
            return Ok(());
        }
        let view = self.view();
        let mut plan = Plan::new(&view);
        if let Some(keep) = keep {
            plan.rewind(keep).await?;
        }
        plan.check(&blocks)?;
        let last_page = plan.proofs(writing.page.as_ref(), &blocks).await?;
        plan.absorb(&blocks).await?;
        if plan.nothing_to_do(&blocks) {
            return Ok(());
        }
        let Written {
            batch,
            index,
            built,
            gone,
        } = plan.write(blocks).await?;
        if let Err(error) = self.shared.store.commit(batch).await {
            writing.doubt = matches!(error, StoreError::Unavailable { .. });
            return Err(error);
        }
        writing.page = last_page;
        self.settle_cache(&built, &gone, caught_up);
        self.shared.publish(index);
        Ok(())
    }

    /// After a commit that may or may not have happened: finds out.
    pub(crate) async fn settle_doubt(&self) -> Result<(), StoreError> {
        let mut writing = self.writing.lock().await;
        self.clear_doubt(&mut writing).await.map(|_| ())
    }

    /// True when a commit that was reported as failed turned out to be there.
    async fn clear_doubt(&self, writing: &mut Writing) -> Result<bool, StoreError> {
        if !writing.doubt {
            return Ok(false);
        }
        let there = self.shared.refresh().await?;
        *writing = Writing::default();
        Ok(there)
    }

    fn ends_with(&self, blocks: &[NewBlock]) -> bool {
        let last = blocks.last().map(|block| block.link);
        last.is_some() && last == self.view().tip()
    }

    /// Puts what is likely to be read or merged next into the cache, and takes
    /// out what no longer exists.
    fn settle_cache(&self, built: &[Built], gone: &[ChunkInfo], caught_up: bool) {
        let cache = &self.shared.cache;
        for chunk in gone {
            for part in [Part::Full, Part::Shielded, Part::Records] {
                cache.remove(&Key::new(part, chunk));
            }
        }
        let wanted = |chunk: &&Built| caught_up || chunk.info.weight() < merge::SETTLED;
        for chunk in built.iter().filter(wanted) {
            let blobs = [
                (Part::Full, Blob::frames(&chunk.full)),
                (Part::Shielded, Blob::frames(&chunk.shielded)),
                (Part::Records, Blob::records(&chunk.records)),
            ];
            for (part, blob) in blobs {
                if let Ok(blob) = blob {
                    cache.put(Key::new(part, &chunk.info), chunk.info.last.height, blob);
                }
            }
        }
    }
}

fn check_layout(stored: &[u8]) -> Result<(), StoreError> {
    if stored == LAYOUT.to_le_bytes() {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        store: "the replica".into(),
        reason: format!(
            "its layout is {stored:?}, this release reads {LAYOUT}; use the release that wrote it"
        ),
    })
}

fn check_network(stored: &[u8], network: &str) -> Result<(), StoreError> {
    if stored == network.as_bytes() {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        store: "the replica".into(),
        reason: format!(
            "it holds the {} network, not {network}; name another store for this one",
            String::from_utf8_lossy(stored)
        ),
    })
}

/// A commit while it is worked out.
struct Plan<'a> {
    view: &'a View,
    index: Index,
    batch: Batch,
    /// Chunks to be rewritten, ascending, with how many of their blocks stay.
    rewritten: Vec<(ChunkInfo, Stored, usize)>,
    /// Chunks that no longer exist afterwards.
    gone: Vec<ChunkInfo>,
    rewound: bool,
}

struct Written {
    batch: Batch,
    index: Index,
    built: Vec<Built>,
    gone: Vec<ChunkInfo>,
}

impl<'a> Plan<'a> {
    fn new(view: &'a View) -> Self {
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
    async fn rewind(&mut self, keep: u64) -> Result<(), StoreError> {
        let floor = self.index.floor();
        while let Some(chunk) = self.index.chunks.last().cloned() {
            if chunk.last.height <= keep {
                break;
            }
            self.index.chunks.pop();
            let kept = (keep + 1).saturating_sub(chunk.first) as usize;
            let stored = stored(self.view, &chunk).await?;
            for record in (kept..).map_while(|index| stored.records.get(index)) {
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
    fn check(&self, blocks: &[NewBlock]) -> Result<(), StoreError> {
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

    fn nothing_to_do(&self, blocks: &[NewBlock]) -> bool {
        blocks.is_empty() && !self.rewound
    }

    /// Writes the proof pages from the first changed height on. Gives the
    /// newest page.
    async fn proofs(
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
    async fn absorb(&mut self, blocks: &[NewBlock]) -> Result<(), StoreError> {
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
    async fn write(mut self, blocks: Vec<NewBlock>) -> Result<Written, StoreError> {
        for block in &blocks {
            let height = key(block.link.height).to_vec();
            self.batch.put(IDS, block.link.id.0.to_vec(), height);
        }
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
            built,
            gone: self.gone,
        })
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
