//! A Tezos chain with real bakers and states, and the nodes that serve it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`keys`] | [`Secret`]: signing, which the product never does |
//! | [`bakers`] | [`Baker`]: who bakes and attests, with what stake |
//! | [`accounts`] | [`Account`]: accounts that can be asked for by name |
//! | [`contracts`] | [`Contract`]: contracts with code, storage and a big map |
//! | [`constants`] | the protocol's constants, encoded |
//! | `state` | the first block's context |
//! | [`manager`] | what accounts send, and what it does |
//! | [`operations`] | transfers, attestations, and their JSON |
//! | [`world`] | [`World`]: the chain, baked block by block, forked and forged |
//! | [`network`] | [`Network`]: what the nodes of a chain share |
//! | [`node`] | [`Node`]: a simulated octez-node with switchable faults |

pub mod accounts;
pub mod bakers;
pub mod constants;
pub mod contracts;
pub mod keys;
pub mod manager;
pub mod network;
pub mod node;
pub mod operations;
mod state;
pub mod world;

pub use accounts::Account;
pub use bakers::Baker;
pub use contracts::Contract;
pub use keys::Secret;
pub use network::Network;
pub use node::{Lie, Node};

pub use world::{Attesting, Block, Change, Recipe, Settings, World};

use heliostat_tezos_context::hash::blake2b;
use num_bigint::{BigInt, BigUint};

/// 32 bytes that follow from a seed and what they are for.
fn derive(seed: u64, label: &str, number: u64) -> [u8; 32] {
    blake2b(&[
        b"heliostat tezos ",
        label.as_bytes(),
        &seed.to_be_bytes(),
        &number.to_be_bytes(),
    ])
}

/// An unsigned integer of any size, as the context stores amounts.
fn n(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    heliostat_tezos_protocol::zarith::write_n(&BigUint::from(value), &mut out);
    out
}

/// A signed integer of any size, as the context stores counters.
fn z(value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    heliostat_tezos_protocol::zarith::write_z(&BigInt::from(value), &mut out);
    out
}
