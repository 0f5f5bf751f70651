//! The seam towards an upstream that is followed.

use std::future::Future;

use crate::{Fault, Id, Point};

/// One upstream of a ledger whose chain is followed position by position. A
/// ledger that only reads on demand has no `Source`.
///
/// An implementation bounds every reply in bytes and in time, and tells the
/// four kinds of [`Fault`] apart. It verifies nothing.
pub trait Source: Send + Sync + 'static {
    /// What [`fetch`](Self::fetch) returns and the verifier reads.
    type Raw: Send + 'static;

    /// The newest position this upstream claims to have. Also the call that
    /// finds out whether it is up, synced, and on the expected network.
    fn head(&self) -> impl Future<Output = Result<Point, Fault>> + Send;

    /// The id it claims for a height; `None` above its head.
    fn id_at(&self, height: u64) -> impl Future<Output = Result<Option<Id>, Fault>> + Send;

    /// The raw bytes of a position.
    fn fetch(&self, height: u64) -> impl Future<Output = Result<Self::Raw, Fault>> + Send;

    /// The same position with the upstream's own description of whatever the
    /// verifier said it cannot read ([`Reject::Opaque`](crate::Reject::Opaque)).
    fn describe(&self, height: u64) -> impl Future<Output = Result<Self::Raw, Fault>> + Send;

    /// Returns when the head may have moved past `seen`. A hint that is never
    /// trusted: returning early or late costs time only.
    fn watch(&self, seen: Point) -> impl Future<Output = ()> + Send;

    /// An id the way the ledger's people write it.
    fn show(id: &Id) -> String;
}
