//! The block log: blocks in, durable chunks out, one atomic batch per commit.

use std::sync::Arc;

use bytes::Bytes;
use heliostat_core::{Assurance, Link};
use heliostat_store::{Batch, Store, StoreError};
use tokio::sync::Mutex;

use super::{
    merge,
    plan::{Plan, Written},
    state::{self, IDS_ROW, LAYOUT, LAYOUT_ROW, NETWORK_ROW},
};
use crate::{
    chunk::{Built, ChunkInfo, META, Proof, ProofPage, Record},
    filter::has_bare_transaction,
    view::{
        Blob, Chunks, Index, Key, Part, Shared, View, load_chunks, meta,
        recent::{self, Recent},
    },
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
    pub(super) fn record(&self) -> Record {
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

    pub(super) fn proof(&self) -> Proof {
        Proof {
            id: self.link.id,
            header: self.header.clone(),
            txids: Bytes::copy_from_slice(self.txids.as_flattened()),
        }
    }
}

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
    /// Opens what the store holds, or begins anew. Reads a row per chunk, and
    /// the records of the newest blocks, whose ids are listed nowhere else. Fails when the store was written by a newer release or for
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
        let recent = Recent::default();
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
                let index = Index { chunks, ..state };
                recent.replace(recent.load(&*snapshot, &index).await?);
                drop(snapshot);
                if layout != LAYOUT.to_le_bytes()[..] && !read_only {
                    store.commit(upgrade(recent.from())).await?;
                }
                index
            }
        };
        Ok(Self {
            shared: Arc::new(Shared::new(store, cache_bytes, index, recent)),
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
            ids,
            built,
            gone,
        } = plan.write(blocks).await?;
        if let Err(error) = self.shared.store.commit(batch).await {
            writing.doubt = matches!(error, StoreError::Unavailable { .. });
            return Err(error);
        }
        writing.page = last_page;
        self.settle_cache(&built, &gone, caught_up);
        self.shared.recent.apply(ids, &index);
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

/// Makes this layout of an older one; from here on, ids are listed late.
fn upgrade(from: u64) -> Batch {
    tracing::info!(layout = LAYOUT, "replica migrated");
    let mut batch = Batch::new();
    batch.put(META, LAYOUT_ROW.as_bytes(), LAYOUT.to_le_bytes().to_vec());
    batch.put(META, IDS_ROW.as_bytes(), recent::encode(from));
    batch
}

fn check_layout(stored: &[u8]) -> Result<(), StoreError> {
    let layout = <[u8; 4]>::try_from(stored).map(u32::from_le_bytes);
    let reason = match layout {
        Ok(1..=LAYOUT) => return Ok(()),
        Ok(newer @ 1..) => format!(
            "a newer release wrote it (layout {newer}, this release knows up to {LAYOUT}); use \
             that release"
        ),
        _ => "the row of its layout cannot be read; restore a backup, or sync into another store"
            .to_owned(),
    };
    Err(StoreError::Corrupt {
        store: "the replica".into(),
        reason,
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
