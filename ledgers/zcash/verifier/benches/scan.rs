//! The scanner (header hash, txids, Merkle root, both compact forms; without
//! Equihash) against zebra-chain (deserialise, txids) on the same blocks in
//! the same run: every block of zebra-test, those with a Sapling or Orchard
//! part apart from the others. Up to version 4 a txid is SHA-256d of all bytes,
//! so blocks that are large and transparent are bound by SHA-256 alone.
//!
//! `cargo bench -p heliostat-zcash-verifier`. The two take turns, block by
//! block and round by round, so that a busy host slows both alike; the ratio
//! is what counts. The load average is printed beside it.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use heliostat_zcash_verifier::scan;
use zebra_chain::{block::Block, serialization::ZcashDeserialize, transaction::Transaction};

/// Rounds over all blocks; the best round of each counts.
const ROUNDS: usize = 15;
/// A scan is repeated this often within a round, to be long enough to time.
const REPEATS: u32 = 20;

fn main() {
    let all = zebra_test::vectors::MAINNET_BLOCKS
        .iter()
        .chain(zebra_test::vectors::TESTNET_BLOCKS.iter());
    let mut groups: [(&str, Vec<&[u8]>); 3] = [
        ("Sapling or Orchard parts", Vec::new()),
        ("Sprout JoinSplits, the rest transparent", Vec::new()),
        ("transparent parts alone", Vec::new()),
    ];
    for (_, bytes) in all {
        let block = Block::zcash_deserialize(*bytes).expect("a vector of zebra-test");
        let has = |of: fn(&Transaction) -> bool| block.transactions.iter().any(|tx| of(tx));
        let shielded = has(|tx| tx.has_sapling_shielded_data() || tx.has_orchard_shielded_data());
        let group = match (shielded, has(|tx| tx.joinsplit_count() > 0)) {
            (true, _) => 0,
            (_, true) => 1,
            _ => 2,
        };
        groups[group].1.push(bytes);
    }
    println!("load average {}", load());
    for (what, blocks) in &groups {
        measure(what, blocks);
    }
    println!("load average {}", load());
}

fn measure(what: &str, blocks: &[&[u8]]) {
    let mut ours = vec![Duration::MAX; blocks.len()];
    let mut theirs = vec![Duration::MAX; blocks.len()];
    for _ in 0..ROUNDS {
        for (index, bytes) in blocks.iter().enumerate() {
            let start = Instant::now();
            for _ in 0..REPEATS {
                let _ = black_box(scan(black_box(bytes)));
            }
            ours[index] = ours[index].min(start.elapsed() / REPEATS);
            let start = Instant::now();
            let block = Block::zcash_deserialize(black_box(*bytes)).expect("read before");
            for tx in &block.transactions {
                black_box(tx.hash());
            }
            theirs[index] = theirs[index].min(start.elapsed());
        }
    }
    let bytes: usize = blocks.iter().map(|bytes| bytes.len()).sum();
    let (ours, theirs): (Duration, Duration) = (ours.iter().sum(), theirs.iter().sum());
    let rate = |time: Duration| blocks.len() as f64 / time.as_secs_f64();
    println!(
        "{what}: {} blocks, {bytes} bytes: scan {:.0} blocks/s ({:.0} MB/s), zebra-chain {:.0} blocks/s: {:.1} times as fast",
        blocks.len(),
        rate(ours),
        bytes as f64 / ours.as_secs_f64() / 1e6,
        rate(theirs),
        theirs.as_secs_f64() / ours.as_secs_f64(),
    );
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
