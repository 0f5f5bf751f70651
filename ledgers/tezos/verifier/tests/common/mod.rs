//! What several test files read.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod committee;
pub mod signing;

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
