//! The chains the tests run on: zebra-test's blocks, and the recordings.

#![allow(dead_code, reason = "each test file uses a part")]

use std::{collections::BTreeMap, io::Read, path::Path};

use bytes::Bytes;
use flate2::read::GzDecoder;
use heliostat_zcash_verifier::{Network, RawBlock, TreeSizes};
use serde_json::Value;

/// Every block of zebra-test with its network and height.
pub fn real_blocks() -> impl Iterator<Item = (Network, u64, &'static [u8])> {
    let of = |network, blocks: &'static BTreeMap<u32, &'static [u8]>| {
        blocks
            .iter()
            .map(move |(height, bytes)| (network, u64::from(*height), *bytes))
    };
    of(Network::Main, &zebra_test::vectors::MAINNET_BLOCKS)
        .chain(of(Network::Test, &zebra_test::vectors::TESTNET_BLOCKS))
}

/// Blocks 0 to 10 of a public network.
pub fn first_blocks(network: Network) -> Vec<&'static [u8]> {
    real_blocks()
        .filter(|(of, height, _)| *of == network && *height <= 10)
        .map(|(_, _, bytes)| bytes)
        .collect()
}

/// A block without a description.
pub fn raw(bytes: &[u8]) -> RawBlock {
    RawBlock {
        bytes: Bytes::copy_from_slice(bytes),
        described: None,
    }
}

/// A block as recorded.
#[derive(Default)]
pub struct Recorded {
    pub raw: Vec<u8>,
    /// The verbose reply.
    pub verbose: Value,
    /// zebrad's own compact block; none for the first block.
    pub compact: Option<Vec<u8>>,
}

impl Recorded {
    /// The tree sizes the node gives; it leaves out empty trees.
    pub fn sizes(&self) -> TreeSizes {
        let size = |pool: &str| {
            let size = self.verbose["trees"][pool]["size"].as_u64().unwrap_or(0);
            u32::try_from(size).expect("a tree has at most 2^32 leaves")
        };
        TreeSizes {
            sapling: size("sapling"),
            orchard: size("orchard"),
            ironwood: size("ironwood"),
        }
    }
}

/// The two recorded chains, from height 0 on.
pub fn recordings() -> [Vec<Recorded>; 2] {
    ["nu63_at_110", "nu63_at_1"].map(recording)
}

fn recording(name: &str) -> Vec<Recorded> {
    let mut blocks: BTreeMap<u64, Recorded> = BTreeMap::new();
    for line in lines(&format!("zebrad7_regtest_{name}.jsonl.gz")) {
        let (method, params) = (&line["method"], &line["params"]);
        let result = &line["reply"]["result"];
        if method != "getblock" || result.is_null() {
            continue;
        }
        let height = params[0].as_str().and_then(|height| height.parse().ok());
        let block = blocks.entry(height.expect("a height")).or_default();
        match result.as_str() {
            Some(raw) => block.raw = hex::decode(raw).expect("hex"),
            None => block.verbose = result.clone(),
        }
    }
    for line in lines(&format!("zebrad7_compact_{name}.jsonl.gz")) {
        let height = line["height"].as_u64().expect("a height");
        let compact = line["compact_block"].as_str().expect("hex");
        blocks.entry(height).or_default().compact = hex::decode(compact).ok();
    }
    blocks.into_values().collect()
}

/// The first parameter and the reply of each recorded call of a method.
pub fn replies(method: &str) -> Vec<(String, Value)> {
    let files = ["nu63_at_110", "nu63_at_1"].map(|name| format!("zebrad7_regtest_{name}.jsonl.gz"));
    let all = files.iter().flat_map(|file| lines(file));
    all.filter(|line| line["method"] == method)
        .map(|mut line| {
            let asked = line["params"][0].as_str().expect("a string").to_owned();
            (asked, line["reply"].take())
        })
        .collect()
}

fn lines(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    let file = std::fs::File::open(&path).expect("the recording is part of the crate");
    let mut text = String::new();
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("gzip");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// A hash as JSON-RPC shows it, in internal byte order.
pub fn from_display(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).expect("64 hex digits");
    hash.reverse();
    hash
}
