//! The seam towards the local copy of a chain.

use std::future::Future;

use heliostat_core::{Id, Verifier};
use heliostat_store::StoreError;

/// A ledger's local copy of its chain: it turns verified items into store
/// batches in the ledger's own layout, and publishes what readers see once
/// the batch is durable. One follower writes to it.
pub trait Replica<V: Verifier>: Send + Sync + 'static {
    /// The chain state after the newest stored position, or before the first.
    fn tip(&self) -> impl Future<Output = Result<V::Tip, StoreError>> + Send;

    /// The chain state after `height`, whose id is known; for rewinding.
    fn tip_at(&self, height: u64) -> impl Future<Output = Result<V::Tip, StoreError>> + Send;

    /// The id at a height; `None` below the [`floor`](Self::floor) and above
    /// the newest.
    fn id_at(&self, height: u64) -> impl Future<Output = Result<Option<Id>, StoreError>> + Send;

    /// The lowest height whose id is known: the one a chain was joined at,
    /// which is known without being stored, or the lowest stored one. `None`
    /// while there is neither. A rewind never goes below it, and a rewind to
    /// it may leave nothing stored.
    fn floor(&self) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// In one atomic batch: forgets everything above `keep` (when given), then
    /// appends `items`, which end at `tip`. `caught_up` is a hint that the
    /// upstream's head is reached, so small batches follow.
    fn commit(
        &self,
        keep: Option<u64>,
        items: Vec<V::Item>,
        tip: &V::Tip,
        caught_up: bool,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
