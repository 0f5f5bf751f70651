//! The recorded mainnet blocks against the crate they come from.

use std::path::Path;

use heliostat_sim::zcash::{Block, mainnet_sample, mainnet_scattered};
use zebra_chain::{
    block::Block as Parsed,
    serialization::{ZcashDeserializeInto, ZcashSerialize},
};
use zebra_test::vectors::MAINNET_BLOCKS;

/// The later blocks that the sample keeps: JoinSplits, every upgrade up to
/// NU5, runs and loners, Sapling and Orchard, 470 bytes to 73 kB.
const LATER: [u32; 18] = [
    396, 347_500, 347_501, 419_200, 419_201, 419_202, 653_600, 903_000, 903_001, 949_496, 975_066,
    982_681, 1_046_400, 1_046_401, 1_180_900, 1_687_106, 1_687_107, 1_687_108,
];

/// The sample file as its layout has it, from the crate's vectors.
fn encode() -> Vec<u8> {
    let mut file = Vec::new();
    for height in (0..=10).chain(LATER) {
        let raw = MAINNET_BLOCKS[&height];
        let parsed: Parsed = raw.zcash_deserialize_into().expect("the vectors parse");
        file.extend(height.to_le_bytes());
        file.extend((raw.len() as u32).to_le_bytes());
        file.extend((parsed.transactions.len() as u32).to_le_bytes());
        for tx in &parsed.transactions {
            let bytes = tx.zcash_serialize_to_vec().expect("memory does not fail");
            file.extend(tx.hash().0);
            file.extend((bytes.len() as u32).to_le_bytes());
        }
        file.extend(raw);
    }
    file
}

#[test]
fn the_sample_file_holds_the_vectors_of_zebra_test() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mainnet-sample.bin");
    let expected = encode();
    if std::env::var_os("HELIOSTAT_WRITE_SAMPLE").is_some() {
        std::fs::write(&path, &expected).expect("the data folder can be written");
    }
    let kept = std::fs::read(&path).expect("the sample file is there");
    assert!(
        kept == expected,
        "data/mainnet-sample.bin differs from zebra-test"
    );
    assert!(kept.len() < 1_000_000);
}

/// Everything a loaded block says of itself, against zebra-chain's reading.
fn agrees(block: &Block) {
    let height = u32::try_from(block.height).expect("mainnet is young");
    assert_eq!(block.raw, MAINNET_BLOCKS[&height]);
    let parsed: Parsed = block.raw.zcash_deserialize_into().expect("it parses");
    assert_eq!(block.hash, parsed.hash().0, "height {height}");
    assert_eq!(block.prev, parsed.header.previous_block_hash.0);
    assert_eq!(i64::from(block.time), parsed.header.time.timestamp());
    assert_eq!(block.txids.len(), parsed.transactions.len());
    for ((txid, range), tx) in block.txids.iter().zip(&block.txs).zip(&parsed.transactions) {
        assert_eq!(*txid, tx.hash().0);
        let bytes = tx.zcash_serialize_to_vec().expect("memory does not fail");
        assert_eq!(block.raw[range.clone()], bytes);
    }
}

#[test]
fn the_first_blocks_are_mainnets_and_linked() {
    let chain = mainnet_sample();
    assert_eq!(chain.blocks.len(), 11);
    let genesis = "00040fe8ec8471911baa1db1266ea15dd06b4a8a5c453883c000b031973dce08";
    let mut hash = chain.blocks[0].hash;
    hash.reverse();
    assert_eq!(hex::encode(hash), genesis);
    chain.blocks.iter().for_each(|block| agrees(block));
    for pair in chain.blocks.windows(2) {
        assert_eq!(pair[1].prev, pair[0].hash);
        assert_eq!(pair[1].height, pair[0].height + 1);
    }
}

#[test]
fn the_scattered_blocks_are_mainnets() {
    let blocks = mainnet_scattered();
    let heights: Vec<_> = blocks.iter().map(|block| block.height).collect();
    assert_eq!(heights, LATER.map(u64::from));
    blocks.iter().for_each(agrees);
}
