//! Tezos context hashes and Merkle proofs.

pub mod base58;
pub mod hash;
