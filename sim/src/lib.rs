//! Honest and hostile upstreams for the demo and the tests: everything an
//! upstream can say, and everything it can do wrong, on loopback and from a
//! printed seed.
//!
//! | module | what it holds |
//! |---|---|
//! | [`tezos`] | a Tezos chain with real keys and states, and the nodes that serve it |
//! | [`zcash`] | Zcash chains and the JSON-RPC nodes that serve them |

mod served;
pub mod tezos;
mod wire;
pub mod zcash;

pub use served::Served;
