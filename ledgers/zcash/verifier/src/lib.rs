//! Zcash's rules for a light node: one pass over a raw block gives its hash,
//! its txids and its compact forms, and the checks here tie it to its chain.
//! No I/O, no clock, no runtime, no arithmetic on curves.
//!
//! | module | what it holds |
//! |---|---|
//! | [`scan()`] | the one pass: header, height, txids, Merkle root, compact bytes |
//! | [`transaction`], `txid` | layouts of transaction versions 1–6 and their ids; one transaction alone |
//! | `compact`, `protobuf` | compact blocks, written as bytes |
//! | [`Header`], `merkle` | what a header says, and the tree over the txids |
//! | [`rule`] | names of the rules a block can break |
//! | `target`, `difficulty` | `nBits`, and what the blocks before require of them |
//! | [`Tip`] | the chain so far: [`genesis`](Tip::genesis), [`joined`](Tip::joined), [`rebuild`](Tip::rebuild) |
//! | [`ZcashVerifier`] | [`check`](heliostat_core::Verifier::check) and [`extend`](heliostat_core::Verifier::extend) |
//! | [`convict`] | the verdict again, from evidence alone |
//! | [`another_transaction`], [`another_tree_state`] | evidence of an answer to another question |
//! | [`recheck()`] | a stored chain proven again |
//! | [`Network`] | what differs between main, test and regtest |
//! | [`defaults`] | every limit, with its reason |
//!
//! What is **not** checked, because a light node cannot or need not: scripts,
//! signatures and proofs of transactions, and the authorizing data of versions
//! 5 and 6, which no txid covers (it stands under the header's block
//! commitment, which needs the whole chain history). Flipping a bit there
//! changes nothing that this crate hands on.

mod compact;
mod cursor;
pub mod defaults;
mod described;
mod difficulty;
mod error;
mod evidence;
mod header;
mod merkle;
mod params;
mod protobuf;
mod recheck;
mod rules;
mod scan;
mod sizes;
mod target;
mod tip;
pub mod transaction;
mod txid;
mod verifier;

pub use described::{Described, DescribedTx, RawBlock};
pub use error::{NotAChain, ScanError};
pub use evidence::{NotConvicting, another_transaction, another_tree_state, convict};
pub use header::Header;
pub use params::Network;
pub use recheck::{Rechecked, recheck};
pub use rules::{Broken, rule};
pub use scan::{Scanned, scan};
pub use sizes::TreeSizes;
pub use tip::{Joined, Stored, Tip};
pub use verifier::{Checked, Verified, ZcashVerifier};
