//! The local copy of a Zcash chain.
//!
//! | part | what it does |
//! |---|---|
//! | [`ZcashReplica`] | the node's [`Replica`]: verified blocks in, chain state for the verifier out |
//! | [`BlockLog`] | the layout: chunks, proofs and ids in one atomic batch per commit |
//! | `plan` | one commit worked out |
//! | `merge` | keeps the number of small chunks at the tip low |
//! | `state`, `join` | the rows of `meta` |
//! | [`defaults`] | every limit, with its reason |
//!
//! See [`chunk`](crate::chunk) for what lies in the store, and
//! [`view`](crate::view) for how it is read.
//!
//! # Settled blocks are rows, not files
//!
//! They could as well lie in sealed, checksummed files beside the database.
//! `bench chunks` reads the same chunks of 256 KiB from either, in random order
//! out of the operating system's cache, each into a buffer of its own off the
//! runtime's threads, and checks each against its CRC-32 (two cores, load 3.6;
//! µs a chunk):
//!
//! | from | one reader | four readers |
//! |---|---|---|
//! | a file, positioned reads | 35 | 18 |
//! | SQLite | 32 | 51 |
//! | PostgreSQL, Unix socket | 187 | 115 |
//!
//! A chunk holds some 300 typical blocks, so a file would save at most 0.1 µs a
//! block, and nothing for one stream. Rows give more for it: an atomic batch
//! spans chunks, index and state, so that a crash or a rewind leaves nothing
//! to reconcile or collect; merging small chunks is one commit; there is one
//! thing to back up; and fronts on other hosts read the same rows from
//! PostgreSQL, where a file beside the database would be out of their reach.

pub mod defaults;
mod join;
mod log;
mod merge;
mod plan;
pub(crate) mod state;

pub use log::{BlockLog, NewBlock};
pub use state::{JOIN_ROW, NETWORK_ROW, STATE_ROW};

use std::sync::Arc;

use bytes::Bytes;
use heliostat_core::{Id, Link};
use heliostat_node::Replica;
use heliostat_store::{Batch, Store, StoreError};
use heliostat_zcash_verifier::{
    Header, Joined, Network, Stored, Tip, TreeSizes, Verified, ZcashVerifier,
    defaults::CONTEXT_HEADERS,
};
use tokio::sync::watch;

use crate::{
    chunk::META,
    view::{ReadError, Shared, View, corrupt, meta},
};
use defaults::CACHE_BYTES;

/// How a replica is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of chunks kept in memory.
    pub cache_bytes: usize,
    /// Where to join the chain instead of following it from genesis. Taken
    /// when the store is new; later the store's own word counts.
    pub join: Option<Joined>,
    /// The store is only read; another process writes it, and
    /// [`ZcashReplica::refresh`] looks for what is new.
    pub read_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: CACHE_BYTES,
            join: None,
            read_only: false,
        }
    }
}

/// A Zcash chain in a store.
pub struct ZcashReplica {
    log: BlockLog,
    network: Network,
    join: Option<Joined>,
}

impl From<Verified> for NewBlock {
    fn from(block: Verified) -> Self {
        let TreeSizes {
            sapling,
            orchard,
            ironwood,
        } = block.sizes;
        Self {
            link: block.link,
            header: block.header,
            txids: block.txids,
            full: block.full,
            shielded: block.shielded,
            sizes: [sapling, orchard, ironwood],
            work: block.work,
            cap: block.cap,
        }
    }
}

impl ZcashReplica {
    /// Opens what the store holds, or begins anew. The store must have been
    /// opened with [`TABLES`](crate::chunk::TABLES).
    pub async fn open(
        store: Arc<dyn Store>,
        network: Network,
        options: Options,
    ) -> Result<Self, StoreError> {
        let log = BlockLog::open(
            store.clone(),
            network.name(),
            options.cache_bytes,
            options.read_only,
        )
        .await?;
        let snapshot = store.snapshot().await?;
        let stored = match meta(&*snapshot, JOIN_ROW).await? {
            Some(row) => Some(
                join::decode(network, row)
                    .ok_or_else(|| corrupt("the row of the join point cannot be read".into()))?,
            ),
            None => None,
        };
        drop(snapshot);
        let empty = log.view().tip().is_none();
        begins_where_it_was_joined(log.view().floor(), stored.as_ref())?;
        let join = match (stored, options.join) {
            (None, Some(wanted)) if empty && !options.read_only => {
                let mut batch = Batch::new();
                batch.put(META, JOIN_ROW.as_bytes(), join::encode(&wanted));
                store.commit(batch).await?;
                Some(wanted)
            }
            (stored, _) => stored,
        };
        Ok(Self { log, network, join })
    }

    /// The newest state, pinned.
    pub fn view(&self) -> Arc<View> {
        Arc::new(self.log.view())
    }

    /// The newest tip, and a signal when it moves.
    pub fn tips(&self) -> watch::Receiver<Option<Link>> {
        self.log.shared().tips()
    }

    /// The chain's network.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Where the chain was joined, when it does not begin at genesis.
    pub fn joined(&self) -> Option<&Joined> {
        self.join.as_ref()
    }

    /// The block log underneath.
    pub fn log(&self) -> &BlockLog {
        &self.log
    }

    /// What readers share.
    pub fn shared(&self) -> &Arc<Shared> {
        self.log.shared()
    }

    /// Looks for what another process has written since; true when there was
    /// something.
    pub async fn refresh(&self) -> Result<bool, StoreError> {
        self.log.shared().refresh().await
    }

    /// The chain state before the first stored block.
    pub fn root(&self) -> Result<Tip, StoreError> {
        match &self.join {
            None => Ok(Tip::genesis(self.network)),
            Some(joined) => Tip::joined(joined.clone())
                .map_err(|error| corrupt(format!("the join point does not hold: {error}"))),
        }
    }

    /// The id of the block the chain was joined at, when that is its height:
    /// it is known, though nothing of the block is stored or served.
    fn join_id_at(&self, height: u64) -> Result<Option<Id>, StoreError> {
        let joined = self.join.as_ref().filter(|join| join.height == height);
        let Some(header) = joined.and_then(|joined| joined.headers.last()) else {
            return Ok(None);
        };
        let header = Header::parse(header)
            .map_err(|error| corrupt(format!("the join point does not hold: {error}")))?;
        Ok(Some(Id(header.hash())))
    }

    /// The chain state after a stored block.
    async fn rebuild(&self, view: &View, height: u64) -> Result<Tip, StoreError> {
        let (record, _) = required(view.record(height).await, height)?;
        let floor = view.floor().unwrap_or(height);
        // Without proof-of-work no rule looks back further than the parent.
        let context = match self.network.has_proof_of_work() {
            true => CONTEXT_HEADERS as u64,
            false => 1,
        };
        let wanted = (height + 1).saturating_sub(context);
        let mut headers = self.headers_before(floor, wanted);
        headers.extend(headers_of(view, wanted.max(floor), height).await?);
        let [sapling, orchard, ironwood] = record.sizes;
        let stored = Stored {
            network: self.network,
            height,
            headers,
            sizes: TreeSizes {
                sapling,
                orchard,
                ironwood,
            },
            work: record.work,
            cap: record.cap,
        };
        Tip::rebuild(stored).map_err(|error| corrupt(format!("block {height}: {error}")))
    }

    /// Headers from `wanted` on that lie below the first stored block: those
    /// the chain was joined with.
    fn headers_before(&self, floor: u64, wanted: u64) -> Vec<Bytes> {
        let Some(joined) = self.join.as_ref().filter(|join| join.height + 1 == floor) else {
            return Vec::new();
        };
        let missing = usize::try_from(floor.saturating_sub(wanted)).unwrap_or(usize::MAX);
        let skip = joined.headers.len().saturating_sub(missing);
        joined.headers[skip..].to_vec()
    }
}

/// A chain whose beginning was lost would be followed from genesis once a
/// fork leaves nothing of it.
fn begins_where_it_was_joined(floor: Option<u64>, join: Option<&Joined>) -> Result<(), StoreError> {
    let (Some(floor), begins) = (floor, join.map_or(0, |join| join.height + 1)) else {
        return Ok(());
    };
    if floor == begins {
        return Ok(());
    }
    Err(corrupt(match join {
        None => format!(
            "its blocks begin at {floor}, but where the chain was joined is not there any more; \
             begin anew with --redownload or another store"
        ),
        Some(join) => format!(
            "its blocks begin at {floor}, but the chain was joined at {}; begin anew with \
             --redownload or another store",
            join.height
        ),
    }))
}

/// The headers of some stored heights; each page is read once.
async fn headers_of(view: &View, from: u64, to: u64) -> Result<Vec<Bytes>, StoreError> {
    let mut headers = Vec::new();
    let mut next = from;
    while next <= to {
        let page = required(view.proofs(next).await, next)?;
        while let Some(proof) = page.get(next).filter(|_| next <= to) {
            // Its own allocation: a slice would keep the whole page.
            headers.push(Bytes::copy_from_slice(&proof.header));
            next += 1;
        }
    }
    Ok(headers)
}

fn required<T>(read: Result<Option<T>, ReadError>, height: u64) -> Result<T, StoreError> {
    match read {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(corrupt(format!("block {height} is not stored"))),
        Err(ReadError::Store(error)) => Err(error),
        Err(other) => Err(corrupt(format!("block {height}: {other}"))),
    }
}

impl Replica<ZcashVerifier> for ZcashReplica {
    async fn tip(&self) -> Result<Tip, StoreError> {
        self.log.settle_doubt().await?;
        let view = self.log.view();
        match view.tip() {
            None => self.root(),
            Some(tip) => self.rebuild(&view, tip.height).await,
        }
    }

    async fn tip_at(&self, height: u64) -> Result<Tip, StoreError> {
        let view = self.log.view();
        match view.floor() {
            // Rewinding everything ends where the chain begins.
            Some(floor) if height + 1 == floor => self.root(),
            _ if self.join_id_at(height)?.is_some() => self.root(),
            _ => self.rebuild(&view, height).await,
        }
    }

    async fn id_at(&self, height: u64) -> Result<Option<Id>, StoreError> {
        if let Some(id) = self.join_id_at(height)? {
            return Ok(Some(id));
        }
        match self.log.view().link(height).await {
            Ok(link) => Ok(link.map(|link| link.id)),
            Err(ReadError::Store(error)) => Err(error),
            Err(other) => Err(corrupt(other.to_string())),
        }
    }

    async fn floor(&self) -> Result<Option<u64>, StoreError> {
        match &self.join {
            Some(joined) => Ok(Some(joined.height)),
            None => Ok(self.log.view().floor()),
        }
    }

    async fn commit(
        &self,
        keep: Option<u64>,
        items: Vec<Verified>,
        _tip: &Tip,
        caught_up: bool,
    ) -> Result<(), StoreError> {
        let blocks = items.into_iter().map(NewBlock::from).collect();
        self.log.commit(keep, blocks, caught_up).await
    }
}
