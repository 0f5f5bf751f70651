//! The seam towards a ledger.

use std::future::Future;

use bytes::Bytes;

/// A write as a client gave it.
#[derive(Clone, Debug)]
pub struct Write {
    /// All that has to reach the upstream, in the ledger's own form. Two
    /// writes are the same when these bytes are.
    pub payload: Bytes,
    /// The id the network will know it by, if it can be told from the bytes.
    /// Without one it cannot be looked for.
    pub id: Option<Bytes>,
}

/// What came of handing a write to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The upstream took it. The reply to the client, in the ledger's form.
    Taken(Bytes),
    /// The upstream read it and refused it. Its words, in the ledger's form.
    Refused(Bytes),
    /// Not one byte of it left, or it was turned away unread. In words.
    NotSent(String),
    /// It was sent, and nobody knows what the upstream did with it. In words.
    Unknown(String),
}

/// Whether the network knows a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nobody who was asked knows it, or nobody could be asked.
    No,
    /// It waits to be included. The reply a success has.
    Waiting(Bytes),
    /// It is part of the chain. The reply a success has.
    Included(Bytes),
}

/// What a ledger brings to its [`Outbox`](super::Outbox).
pub trait Carrier: Send + Sync + 'static {
    /// The upstreams that can be handed a write now, best first, each by a
    /// name that stays the same over a restart.
    fn ways(&self) -> Vec<String>;

    /// Hands a write to the upstream of this name, once, bounded in time. The
    /// receipt is durable when this is called.
    fn submit(&self, way: &str, write: &Write) -> impl Future<Output = Sent> + Send;

    /// Looks for the write of this id, bounded in time.
    fn seen(&self, id: &[u8]) -> impl Future<Output = Seen> + Send;
}
