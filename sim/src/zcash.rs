//! Zcash chains and the JSON-RPC nodes that serve them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`chain`] | [`Block`] and [`Chain`]: what a node serves |

pub mod chain;

pub use chain::{Block, Chain, Pool, Trees};
