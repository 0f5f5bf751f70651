//! The Tezos context as a light node sees it: hashes, partial trees, and the
//! proofs that nodes answer with. No I/O, no clock, no runtime.
//!
//! | module | what it holds |
//! |---|---|
//! | [`base58`] | base58check with Tezos' prefixes |
//! | [`hash`] | BLAKE2b |
//! | [`Key`], [`ContextHash`], [`Commit`] | a place, a hash, what a header's `context` hashes |
//! | [`tree`] | [`Tree`]: contents, directories and blinded parts; find, edit, merge, graft |
//! | [`proof`] | `merkle_tree_v2`: make, verify, JSON and both binary forms |
//! | [`v1`] | `merkle_tree`, the older RPC: make, union, shape check, contains |
//! | [`raw`] | `raw/bytes`: contents and whole directories without proof |
//! | [`defaults`] | every limit, with its reason |
//!
//! Bytes from outside go through `read` functions that are bounded by
//! [`Limits`]; whatever they return can be searched, merged and written without
//! further checks, but says nothing yet: [`proof::Proof::verify`] ties it to a
//! root, and only an agreed or proven root makes it true.

mod allowance;
pub mod base58;
mod commit;
mod context_hash;
pub mod defaults;
pub mod hash;
mod key;
mod name;
pub mod proof;
mod pull;
pub mod raw;
mod rules;
pub mod tree;
pub mod v1;

pub use commit::{AUTHOR, Commit};
pub use context_hash::ContextHash;
pub use defaults::Limits;
pub use key::{DATA, Key, KeyError};
pub use proof::{Proof, ProofError, Verified};
pub use tree::{Kind, Lookup, Tree};
