//! Tezos' block rules for a light node: what a header says and hashes to, how
//! a state root is tied to it, which operations it covers, and whether a
//! quorum of bakers has attested it. No I/O, no clock, no runtime.
//!
//! | module | what it holds |
//! |---|---|
//! | [`header`] | headers: bytes, hash, JSON forms, stamp, signature, links |
//! | [`fitness`] | fitness: order, levels and rounds |
//! | [`protocols`] | what is known of a protocol by its hash |
//! | [`commit`] | the commit that ties a state's root to the next header |
//! | [`operations`] | hashes of operations and their roots |
//! | [`keys`] | keys and signatures of the five kinds |
//! | [`finality`] | bakers' rights, attestations, quorums |
//! | [`defaults`] | every limit, with its reason |

pub mod commit;
mod cursor;
pub mod defaults;
mod error;
pub mod finality;
pub mod fitness;
mod hashes;
pub mod header;
pub mod keys;
pub mod operations;
pub mod protocols;

pub use error::Error;
pub use fitness::{Fitness, RawFitness};
pub use hashes::{
    BlockHash, ChainId, NonceHash, OperationHash, OperationListHash, OperationListListHash,
    PayloadHash, ProtocolHash,
};
pub use header::{Contents, Header, LinkError};
pub use heliostat_tezos_context::ContextHash;
pub use keys::{KeyKind, PublicKey, PublicKeyHash, Signature, SignatureError};
pub use protocols::{Layout, Protocol};
