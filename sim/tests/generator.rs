//! Generated chains against the field's own crates and against the verifier,
//! which share no line with the generator's serialization, ids and digests.

use heliostat_sim::zcash::{
    Block, Generator, GeneratorConfig, Mix,
    generator::{everything_at, wallet::Wallet},
};
use heliostat_zcash_verifier::scan;
use zcash_primitives::block::Block as Parsed;
use zcash_protocol::{consensus::BlockHeight, local_consensus::LocalNetwork};
use zebra_chain::serialization::ZcashDeserializeInto;

#[path = "generator/coins.rs"]
mod coins;
#[path = "generator/fork.rs"]
mod fork;
#[path = "generator/notes.rs"]
mod notes;
#[path = "generator/trees.rs"]
mod trees;

/// Every preset, with how many blocks of it make a good sample.
const MIXES: [(Mix, u64); 4] = [
    (Mix::TINY, 300),
    (Mix::TYPICAL, 300),
    (Mix::TRANSPARENT_HEAVY, 150),
    (Mix::SHIELDED_HEAVY, 60),
];

/// A short chain of a mix, with a note planted every 10 blocks.
fn chain(seed: u64, blocks: u64, mix: Mix) -> Generator {
    eprintln!("seed {seed}");
    let mut config = GeneratorConfig::new(seed, blocks);
    config.mix = mix;
    config.plant_every = 10;
    Generator::new(config)
}

/// zcash_primitives' reading of a block above genesis.
fn parse(block: &Block, network: &LocalNetwork) -> Parsed {
    let parsed = Parsed::read(&block.raw[..], network);
    parsed.unwrap_or_else(|error| panic!("block {}: {error}", block.height))
}

/// Every byte of a chain.
fn bytes(generator: &Generator) -> Vec<u8> {
    let blocks = generator.chain().blocks.iter();
    blocks.flat_map(|block| block.raw.to_vec()).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let first = chain(11, 120, Mix::TYPICAL);
    let again = chain(11, 120, Mix::TYPICAL);
    assert!(bytes(&first) == bytes(&again));
    assert_eq!(first.plan(), again.plan());
    assert!(bytes(&first) != bytes(&chain(12, 120, Mix::TYPICAL)));
}

#[test]
fn a_longer_chain_starts_with_the_shorter_one() {
    let mut short = chain(13, 70, Mix::TYPICAL);
    let long = chain(13, 160, Mix::TYPICAL);
    assert!(bytes(&long).starts_with(&bytes(&short)));
    short.extend(90);
    assert!(bytes(&long) == bytes(&short));
    assert_eq!(long.plan(), short.plan());
}

#[test]
fn the_chain_starts_with_the_regtest_genesis() {
    let generator = chain(1, 1, Mix::TINY);
    let genesis = &generator.chain().blocks[0];
    let real = zebra_chain::block::genesis::regtest_genesis_block();
    assert_eq!(genesis.hash, real.hash().0);
    assert_eq!(genesis.txids, [real.transactions[0].hash().0]);
    assert_eq!(i64::from(genesis.time), real.header.time.timestamp());
    let mut shown = genesis.hash;
    shown.reverse();
    let expected = "029f11d80ef9765602235e1bc9727e3eb6ba20839319f761fee920d63401e327";
    assert_eq!(hex::encode(shown), expected);
}

/// Checks one block above genesis against zcash_primitives.
fn zcash_primitives_agrees(block: &Block, network: &LocalNetwork) {
    let parsed = parse(block, network);
    assert_eq!(u64::from(u32::from(parsed.claimed_height())), block.height);
    let header = parsed.header();
    assert_eq!(header.hash().0, block.hash);
    assert_eq!(header.prev_block.0, block.prev);
    assert_eq!(header.time, block.time);
    let txids: Vec<[u8; 32]> = parsed.vtx().iter().map(|tx| *tx.txid().as_ref()).collect();
    assert_eq!(txids, block.txids, "block {}", block.height);
    for (tx, range) in parsed.vtx().iter().zip(&block.txs) {
        let mut written = Vec::new();
        tx.write(&mut written).expect("memory does not fail");
        assert_eq!(block.raw[range.clone()], written);
    }
    let mut whole = Vec::new();
    parsed.write(&mut whole).expect("memory does not fail");
    assert!(block.raw == whole);
}

#[test]
fn zcash_primitives_reads_every_block_the_same_way() {
    for (mix, blocks) in MIXES {
        let generator = chain(21, blocks, mix);
        for block in &generator.chain().blocks[1..] {
            zcash_primitives_agrees(block, &generator.config().network);
        }
    }
}

#[test]
fn zebra_chain_reads_every_block_the_same_way() {
    for (mix, blocks) in MIXES {
        let generator = chain(22, blocks, mix);
        for block in &generator.chain().blocks {
            let parsed: zebra_chain::block::Block = block
                .raw
                .zcash_deserialize_into()
                .unwrap_or_else(|error| panic!("block {}: {error}", block.height));
            assert_eq!(parsed.hash().0, block.hash);
            assert_eq!(
                parsed.coinbase_height().map(|height| u64::from(height.0)),
                Some(block.height)
            );
            let txids = parsed.transactions.iter().map(|tx| tx.hash().0);
            assert!(
                txids.eq(block.txids.iter().copied()),
                "block {}",
                block.height
            );
            let root: zebra_chain::block::merkle::Root = parsed.transactions.iter().collect();
            assert_eq!(root, parsed.header.merkle_root);
            if block.height > 0 {
                commits_to_authorizing_data(block, &parsed);
            }
        }
    }
}

/// The header's commitment is to the authorizing data, and to a history root
/// that stands in for the real one.
fn commits_to_authorizing_data(block: &Block, parsed: &zebra_chain::block::Block) {
    let hash = |name: &[u8; 16], parts: [&[u8]; 3]| {
        let mut state = blake2b_simd::Params::new()
            .hash_length(32)
            .personal(name)
            .to_state();
        parts.iter().for_each(|part| {
            state.update(part);
        });
        state.finalize()
    };
    let history = hash(b"heliostat filler", [&block.prev, &[], &[]]);
    let auth: [u8; 32] = parsed.auth_data_root().into();
    let expected = hash(b"ZcashBlockCommit", [history.as_bytes(), &auth, &[0; 32]]);
    assert_eq!(parsed.header.commitment_bytes[..], *expected.as_bytes());
}

#[test]
fn the_verifiers_scanner_reads_every_block_the_same_way() {
    for (mix, blocks) in MIXES {
        let generator = chain(23, blocks, mix);
        let mut sizes = [0u32; 3];
        for block in &generator.chain().blocks {
            let scanned = scan(&block.raw).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(scanned.hash, block.hash);
            assert_eq!(scanned.prev, block.prev);
            assert_eq!(scanned.time, block.time);
            assert_eq!(scanned.height, block.height);
            assert_eq!(scanned.txids, block.txids, "block {}", block.height);
            assert_eq!(scanned.merkle_root, block.raw[36..68]);
            let trees = block
                .trees
                .as_ref()
                .expect("generated blocks know their trees");
            let added = scanned.added;
            sizes[0] += added.sapling;
            sizes[1] += added.orchard;
            sizes[2] += added.ironwood;
            let told = [trees.sapling.size, trees.orchard.size, trees.ironwood.size];
            assert_eq!(sizes, told, "block {}", block.height);
        }
    }
}

#[test]
fn compact_blocks_have_the_sizes_the_presets_promise() {
    let mean = |mix| {
        let mut config = GeneratorConfig::new(24, 1_000);
        config.mix = mix;
        config.plant_every = 0;
        let generator = Generator::new(config);
        let blocks = &generator.chain().blocks[1..];
        let shielded = |block: &std::sync::Arc<Block>| {
            let scanned = scan(&block.raw).expect("generated blocks scan");
            scanned.shielded.len()
        };
        blocks.iter().map(shielded).sum::<usize>() / blocks.len()
    };
    // Without chainMetadata, which adds 2 to 14 bytes.
    let tiny = mean(Mix::TINY);
    assert!((70..=90).contains(&tiny), "tiny: {tiny} bytes");
    let typical = mean(Mix::TYPICAL);
    assert!((600..=700).contains(&typical), "typical: {typical} bytes");
}

#[test]
fn upgrades_may_activate_one_after_another() {
    let at = |height| Some(BlockHeight::from_u32(height));
    let mut config = GeneratorConfig::new(25, 120);
    config.mix = Mix::SHIELDED_HEAVY;
    config.plant_every = 10;
    config.network = LocalNetwork {
        overwinter: at(5),
        sapling: at(10),
        blossom: at(15),
        heartwood: at(20),
        canopy: at(22),
        nu5: at(30),
        nu6: at(40),
        nu6_1: at(50),
        nu6_2: at(60),
        nu6_3: at(70),
        nu7: None,
    };
    let generator = Generator::new(config);
    let network = &generator.config().network;
    for block in &generator.chain().blocks[1..] {
        zcash_primitives_agrees(block, network);
        let trees = block
            .trees
            .as_ref()
            .expect("generated blocks know their trees");
        let named = [&trees.sapling, &trees.orchard, &trees.ironwood];
        let active = named.map(|pool| !pool.state.is_empty());
        let height = block.height;
        assert_eq!(
            active,
            [height >= 10, height >= 30, height >= 70],
            "block {height}"
        );
    }
    let pools = |from, to| {
        let notes = generator.plan().notes.iter();
        let mut pools: Vec<_> = notes
            .filter(|note| (from..to).contains(&note.height))
            .map(|note| note.pool)
            .collect();
        pools.sort();
        pools.dedup();
        pools.len()
    };
    assert_eq!([pools(1, 22), pools(22, 30), pools(70, 121)], [0, 1, 3]);
}

#[test]
fn times_follow_the_base_time_and_can_end_now() {
    let config = GeneratorConfig::new(26, 100).ending_at(1_790_000_000);
    let generator = Generator::new(config);
    let blocks = &generator.chain().blocks[1..];
    assert!(blocks.windows(2).all(|pair| pair[0].time < pair[1].time));
    let tip = blocks.last().expect("100 blocks");
    assert!(tip.time <= 1_790_000_000 && tip.time > 1_790_000_000 - 150);
}

#[test]
fn the_default_network_is_what_a_wallet_can_be_told() {
    let config = GeneratorConfig::new(27, 0);
    assert_eq!(config.network, everything_at(1));
    let wallet = Wallet::new(&config.network, config.wallet_seed);
    assert_eq!(*wallet.seed(), config.wallet_seed);
}
