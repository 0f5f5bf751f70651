//! Zcash chains and the JSON-RPC nodes that serve them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`chain`] | [`Block`] and [`Chain`]: what a node serves |
//! | [`generator`] | [`Generator`]: deterministic regtest chains from a seed, with planted notes |
//! | [`node`] | [`Node`]: a simulated zebrad with switchable faults |
//! | [`recorded`] | recordings of a real zebrad, as chains |
//! | [`mainnet`] | [`mainnet_sample`], [`mainnet_scattered`]: recorded blocks with their proof-of-work |

pub mod chain;
pub mod generator;
pub mod mainnet;
pub mod node;
pub mod recorded;

pub use chain::{Block, Chain, Pool, Trees};
pub use generator::{Generator, GeneratorConfig, Mix, Plan};
pub use mainnet::{mainnet_sample, mainnet_scattered};
pub use node::{Filter, Handle, Misbehaviour, Node, Profile};
