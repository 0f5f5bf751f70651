//! Real proof-of-work with bits flipped: every field of the header is under
//! the hash, the solution or the Merkle root.

use std::{ops::Range, sync::Arc};

use heliostat_sim::zcash::{Block, Chain, Node, Profile, mainnet_sample};
use heliostat_zcash_verifier::rule;

use super::stage::{Stage, tip};

/// The block whose bits are flipped.
const FORGED: u64 = 5;
/// Every field of a header by its byte range, and the rules one of which a
/// flipped bit must break.
const FIELDS: [(&str, Range<usize>, &[&str]); 9] = [
    ("version", 0..4, POW),
    ("parent", 4..36, POW),
    ("Merkle root", 36..68, &[rule::MERKLE_ROOT]),
    ("commitment", 68..100, POW),
    ("time", 100..104, POW),
    ("nBits", 104..108, POW),
    ("nonce", 108..140, POW),
    ("size of the solution", 140..143, &[rule::LAYOUT]),
    ("solution", 143..1_487, POW),
];
const POW: &[&str] = &[rule::TARGET, rule::EQUIHASH, rule::BITS];

async fn node(chain: Chain) -> Node {
    Node::start_as(Profile::mainnet(), chain).await.unwrap()
}

/// Mainnet's first blocks, one with a bit flipped.
fn flipped(byte: usize, bit: u8) -> Chain {
    let mut chain = mainnet_sample();
    let block = &mut chain.blocks[FORGED as usize];
    let mut raw = block.raw.to_vec();
    raw[byte] ^= 1 << bit;
    *block = Arc::new(Block {
        raw: raw.into(),
        ..Block::clone(block)
    });
    chain
}

/// A liar with these bytes is convicted, alone and beside an honest node.
async fn convicts(what: &str, forged: Chain, rules: &[&str]) {
    let real = mainnet_sample();
    let (bad, good) = (node(forged).await, node(real.clone()).await);
    let network = "network = 'main'";
    let stage = Stage::with(network, &[&bad, &good]).await;
    stage.serves(&real).await;
    let broken = stage.quarantined(&[&bad]).await;
    assert!(rules.contains(&&*broken[0]), "{what}: {broken:?}");
    assert_eq!(stage.evidence().await[0].1.height, Some(FORGED), "{what}");
    assert_eq!(stage.grade(tip(&real)).await, "proven");
    stage.end().await;

    let stage = Stage::with(network, &[&bad]).await;
    let wrong = |status: &heliostat_observe::ChainStatus| status.upstreams[0].state == "wrong";
    let status = stage.until("convicted", wrong).await;
    assert_eq!(status.local_height, Some(FORGED - 1), "{what}");
    assert_eq!(stage.looks_like(&real, &[]).await, Some(FORGED as usize));
    stage.quarantined(&[&bad]).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_field_of_a_mainnet_header_convicts() {
    assert_eq!(FIELDS[8].1.end, 1_487, "the fields are the whole header");
    for (field, range, rules) in FIELDS {
        for (byte, bit) in [(range.start, 0), (range.end - 1, 7)] {
            convicts(field, flipped(byte, bit), rules).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_mainnet_transaction_convicts() {
    let block = mainnet_sample().blocks[FORGED as usize].clone();
    let (first, last) = (block.txs[0].start, block.raw.len() - 1);
    for byte in [first + 4 + 1, last - 4, last] {
        let rules = [rule::MERKLE_ROOT, rule::LAYOUT];
        convicts("transaction", flipped(byte, 0), &rules).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_mainnet_block_than_the_one_asked_for_convicts() {
    let mut chain = mainnet_sample();
    // The right bytes of the wrong height.
    let other = chain.blocks[FORGED as usize + 1].raw.clone();
    let block = &mut chain.blocks[FORGED as usize];
    *block = Arc::new(Block {
        raw: other,
        ..Block::clone(block)
    });
    convicts("height", chain, &[rule::HEIGHT]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_sooner_lowers_no_grade_of_proven_blocks() {
    let real = mainnet_sample();
    let (short, good) = (node(real.up_to(5)).await, node(real.clone()).await);
    let stage = Stage::with("network = 'main'", &[&short, &good]).await;
    stage.serves_after(&real, &[]).await;
    assert_eq!(stage.grade(tip(&real)).await, "proven");
    stage.quarantined(&[]).await;
    stage.end().await;
}
