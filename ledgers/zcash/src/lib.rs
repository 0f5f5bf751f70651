//! The Zcash ledger: what follows a chain over a node's JSON-RPC, keeps a
//! verified copy of it, and serves it as `CompactTxStreamer`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rpc`] | [`Rpc`](rpc::Rpc): one node's JSON-RPC endpoint |
//! | [`credentials`] | where a node listens, and how we prove to it who we are |
//! | [`source`] | [`ZcashSource`](source::ZcashSource): a node as an upstream that is followed |
//! | [`node_info`] | what a node says of itself |
//! | [`error`] | settings that cannot be used, calls that fail |
//! | [`defaults`] | limits and time-outs towards a node |
//! | [`replica`] | [`ZcashReplica`](replica::ZcashReplica): verified blocks into the store, one atomic batch per commit |
//! | [`chunk`] | how runs of blocks lie in the store |
//! | [`view`] | what readers see: one committed state, pinned |
//! | [`frames`] | runs of wire frames, as slices of stored chunks |
//! | [`filter`] | the field skipper: other pools, nullifiers |
//! | [`range`] | GetBlockRange and GetBlockRangeNullifiers |
//! | [`audit`](mod@audit) | `heliostat verify`: the store proven again from its bytes |
//! | [`api`] | the other methods, health, reflection; the whole as routes |

pub mod api;
pub mod audit;
pub mod chunk;
pub mod credentials;
pub mod defaults;
pub mod error;
pub mod filter;
pub mod frames;
pub mod node_info;
pub mod range;
pub mod replica;
pub mod rpc;
pub mod source;
pub mod view;
