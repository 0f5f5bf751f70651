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
//! | `memory`, `sqlite`, `postgres` | the engines |

pub mod batch;
pub mod error;

pub use batch::{Batch, Op};
pub use error::StoreError;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

/// A named, ordered table of byte keys and byte values.
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
    async fn commit(&self, batch: Batch) -> Result<(), StoreError>;

    /// A view of the store as of one moment: batches committed later are not
    /// seen through it. Short-lived: it may hold a connection.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

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
