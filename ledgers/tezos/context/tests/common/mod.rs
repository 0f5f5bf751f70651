//! The vectors, and trees made by the same rules as theirs.
#![allow(dead_code)] // Each test file uses a part.

use std::{io::Read as _, path::PathBuf};

use bytes::Bytes;
use heliostat_tezos_context::{ContextHash, Key, Tree};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A generated proof.
#[derive(Deserialize)]
pub struct Generated {
    pub name: String,
    pub key: String,
    pub holey: bool,
    pub root: ContextHash,
    pub commit: ContextHash,
    pub v2_json: Box<RawValue>,
    pub v2_bin: String,
    pub v1_bin: String,
}

impl Generated {
    pub fn label(&self) -> String {
        format!("{} {:?} holey={}", self.name, self.key, self.holey)
    }

    pub fn key(&self) -> Key {
        self.key.parse().expect("a key")
    }
}

/// A judged proof.
#[derive(Deserialize)]
pub struct Judged {
    pub label: String,
    pub key: String,
    pub real_irmin_verdict: String,
    pub v2_json: Box<RawValue>,
}

pub fn lines<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).expect("a vector file"))
        .read_to_string(&mut text)
        .expect("gzip");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a vector"))
        .collect()
}

pub fn generated() -> Vec<Generated> {
    lines("irmin_octez_generated_proofs.jsonl.gz")
}

/// The recorded mainnet proofs and headers, where the project has them beside it.
pub fn mainnet() -> Option<Mainnet> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../../shared/vectors/tezos/tezos_mainnet_15181987.json");
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("a recording")),
        Err(error) => {
            eprintln!("skipped: {}: {error}", path.display());
            None
        }
    }
}

#[derive(Deserialize)]
pub struct Mainnet {
    pub raw_header_15181988: String,
    pub commit_tail_15181987: String,
    pub proofs: Vec<MainnetProof>,
}

#[derive(Deserialize)]
pub struct MainnetProof {
    pub path: String,
    pub merkle_tree_v2: Box<RawValue>,
}

/// The root directory that the generated proofs' trees have, with this below
/// `data` beside what is in all of them.
pub fn root(below_data: impl IntoIterator<Item = (String, Vec<u8>)>) -> Tree {
    let always = [
        ("data/big_maps/next", vec![0]),
        ("data/version", b"alpha_current".to_vec()),
        ("protocol", vec![b'p'; 32]),
        ("test_chain", vec![0]),
    ];
    let pairs = below_data
        .into_iter()
        .map(|(path, value)| (format!("data/{path}"), value))
        .chain(always.map(|(path, value)| (path.to_owned(), value)));
    Tree::from_pairs(pairs.map(|(path, value)| {
        let names: Vec<Vec<u8>> = path.split('/').map(|n| n.as_bytes().to_vec()).collect();
        (names, Bytes::from(value))
    }))
    .expect("paths that do not clash")
}
