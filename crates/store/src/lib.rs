//! Durable, ordered tables: an atomic batch in, a consistent snapshot out.
//!
//! A ledger names its [`Table`]s and lays out its own keys and values; the
//! store knows neither. Keys are byte strings in lexicographic order, so
//! numbers in keys are big-endian.
//!
//! | module | what it holds |
//! |---|---|
//! | [`batch`] | [`Batch`]: the writes that become visible together or not at all |
//! | [`error`] | [`StoreError`]: told apart by what an operator can do |
//! | [`open`](mod@open) | [`open()`](open()): from an address to a [`Store`] |
//! | [`defaults`] | every limit and time-out, with its reason |
//! | `memory` | a persistent map: snapshots cost nothing; for tests and demos |
//! | `sqlite` | one file, one writing process, any number of reading ones |
//! | `postgres` | one schema per chain, one writing process, readers on any host |
//! | [`testing`] | (feature `testing`) the conformance suite, a private PostgreSQL |

pub mod batch;
pub mod defaults;
pub mod error;
mod memory;
pub mod open;
mod postgres;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;

pub use batch::{Batch, Op};
pub use error::StoreError;
pub use open::{Access, Options, open};

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

/// A named, ordered table of byte keys and byte values. The name is of
/// lower-case letters, digits and `_`, starts with a letter, and is at most
/// [`defaults::MAX_NAME`] long; keys are at most [`defaults::MAX_KEY`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table(pub &'static str);

/// Which end of a range comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Forward,
    /// Greatest key first.
    Backward,
}

/// An engine. One process writes; any number of tasks read.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Applies a batch whole or not at all. When this returns, the batch
    /// survives `kill -9` and power loss (as far as the engine can promise).
    ///
    /// After [`StoreError::Unavailable`] the batch is there whole or not at
    /// all, but which of the two is not known: a server can die between doing
    /// and saying. Read before going on, or commit the same batch again.
    async fn commit(&self, batch: Batch) -> Result<(), StoreError>;

    /// A view of the store as of one moment: batches committed later are not
    /// seen through it. Short-lived: it may hold a connection.
    ///
    /// Fails with [`StoreError::Unavailable`] when every reader stays taken
    /// for [`Options::reader_wait`]; one that outlives
    /// [`defaults::SNAPSHOT_LIFETIME`] may be ended by the store.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// The newest value of one key. The same as asking a fresh snapshot, but
    /// in one statement, which on a server halves the round trips.
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.snapshot().await?.get(table, key).await
    }

    /// Bytes on disk, for people; 0 where the engine cannot tell.
    async fn size(&self) -> Result<u64, StoreError>;

    /// Tells the engine that a bulk load is over, so that it refreshes what
    /// it knows of its tables.
    async fn settle(&self) -> Result<(), StoreError>;
}

/// A consistent view of a [`Store`].
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// The value of a key.
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// At most `limit` entries with `range.start <= key < range.end`, in
    /// `direction`.
    async fn range(
        &self,
        table: Table,
        range: Range<Vec<u8>>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError>;
}
