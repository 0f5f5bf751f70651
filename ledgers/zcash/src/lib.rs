//! The Zcash ledger: what follows a chain over a node's JSON-RPC, keeps a
//! verified copy of it, and serves it as `CompactTxStreamer`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`replica`] | [`ZcashReplica`](replica::ZcashReplica): verified blocks into the store, one atomic batch per commit |
//! | [`chunk`] | how runs of blocks lie in the store |
//! | [`view`] | what readers see: one committed state, pinned |
//! | [`frames`] | runs of wire frames, as slices of stored chunks |
//! | [`filter`] | the field skipper: other pools, nullifiers |
//! | [`range`] | GetBlockRange and GetBlockRangeNullifiers |

pub mod chunk;
pub mod filter;
pub mod frames;
pub mod range;
pub mod replica;
pub mod view;
