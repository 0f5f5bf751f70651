//! Zcash chains and the JSON-RPC nodes that serve them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`chain`] | [`Block`] and [`Chain`]: what a node serves |
//! | [`generator`] | [`Generator`]: deterministic regtest chains from a seed, with planted notes |

pub mod chain;
pub mod generator;

pub use chain::{Block, Chain, Pool, Trees};
pub use generator::{Generator, GeneratorConfig, Mix, Plan};
