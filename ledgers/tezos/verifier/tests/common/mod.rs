//! What several test files read.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod committee;
pub mod signing;

use heliostat_tezos_context::ContextHash;
use heliostat_tezos_verifier::{BlockHash, Fitness, Header, OperationListListHash};

/// The header of some block at the level of its fitness.
pub fn header(fitness: Fitness) -> Header {
    Header {
        level: fitness.level,
        proto: 3,
        predecessor: BlockHash([1; 32]),
        timestamp: 1000,
        validation_passes: 4,
        operations_hash: OperationListListHash([2; 32]),
        fitness: fitness.write(),
        context: ContextHash([3; 32]),
        protocol_data: vec![],
    }
}

/// The mainnet vector that lies beside the project, if it is there. It is not
/// part of the repository: its origin is a third party's capture.
pub fn mainnet() -> Option<serde_json::Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../../shared/vectors/tezos/tezos_mainnet_15181987.json"
    );
    match std::fs::read(path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("the vector is JSON")),
        Err(error) => {
            eprintln!("skipped: no mainnet vector at {path}: {error}");
            None
        }
    }
}
