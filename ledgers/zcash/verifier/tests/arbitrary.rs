//! Bytes from outside never panic, whatever they are. The stable companion of
//! the fuzz target in `fuzz/`.

use std::sync::LazyLock;

use bytes::Bytes;
use heliostat_core::{Evidence, Exhibit, Reject, Verifier as _};
use heliostat_zcash_proto::CompactBlock;
use heliostat_zcash_verifier::{
    Described, DescribedTx, Header, Network, RawBlock, TreeSizes, ZcashVerifier, convict, scan,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use prost::Message as _;

#[path = "shared/chains.rs"]
mod chains;
use chains::{raw, real_blocks, recordings};

/// What holds of any bytes that scan.
fn holds(bytes: &[u8]) {
    let Ok(scanned) = scan(bytes) else { return };
    let full = CompactBlock::decode(&scanned.full[..]).expect("a CompactBlock");
    assert_eq!(full.encode_to_vec(), scanned.full);
    assert_eq!(full.vtx.len(), scanned.txids.len());
    let shielded = CompactBlock::decode(&scanned.shielded[..]).expect("a CompactBlock");
    assert_eq!(shielded.encode_to_vec(), scanned.shielded);
    let outputs: usize = shielded.vtx.iter().map(|tx| tx.outputs.len()).sum();
    assert_eq!(outputs, scanned.added.sapling as usize);
    let header = Header::at_front_of(bytes).expect("it scanned");
    assert_eq!(header.bytes().len(), scanned.header_len);
}

/// Blocks of up to 20 kB with every kind of transaction.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let real = real_blocks().map(|(_, _, bytes)| bytes.to_vec());
    let recorded = recordings().into_iter().flatten().map(|block| block.raw);
    let small = real
        .chain(recorded.step_by(23))
        .filter(|bytes| bytes.len() < 20_000);
    small.collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..4_000)) {
        holds(&bytes);
        let _ = Header::parse(&bytes);
    }

    #[test]
    fn arbitrary_transactions_after_a_real_header_never_panic(
        count in 0u8..5,
        version in prop::sample::select(vec![
            &b"\x01\0\0\0"[..], b"\x02\0\0\0", b"\x03\0\0\x80\x70\x82\xc4\x03",
            b"\x04\0\0\x80\x85\x20\x2f\x89", b"\x05\0\0\x80\x0a\x27\xa7\x26",
            b"\x06\0\0\x80\x98\xb6\x84\xd8", b"\x07\0\0\x80\0\0\0\0",
        ]),
        body in vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..3_000),
    ) {
        let header = Header::at_front_of(zebra_test::vectors::MAINNET_BLOCKS[&1]).expect("one");
        holds(&[header.bytes(), &[count], version, &body].concat());
    }

    #[test]
    fn damaged_blocks_never_panic(
        seed: Index,
        damage in vec((any::<Index>(), any::<u8>()), 1..8),
        cut: Option<Index>,
    ) {
        let mut bytes = seed.get(&SEEDS).clone();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        holds(&bytes);
        for network in [Network::Main, Network::Test, Network::Regtest] {
            if let Err(Reject::Wrong(evidence)) = ZcashVerifier::new(network).check(7, raw(&bytes)) {
                prop_assert_eq!(convict(&evidence), Ok(()));
            }
        }
    }

    #[test]
    fn arbitrary_descriptions_never_panic(
        block in vec(any::<u8>(), 0..300),
        txs in vec((any::<[u8; 32]>(), vec(any::<u8>(), 0..80)), 0..4),
    ) {
        let txs = txs.into_iter().map(|(txid, raw)| DescribedTx { txid, raw: raw.into() });
        let described = Described { txs: txs.collect(), sizes: TreeSizes::default() };
        let header = Header::at_front_of(zebra_test::vectors::MAINNET_BLOCKS[&1]).expect("one");
        let bytes = Bytes::from([header.bytes(), &block].concat());
        let block = RawBlock { bytes, described: Some(described) };
        if let Err(Reject::Wrong(evidence)) = ZcashVerifier::new(Network::Regtest).check(1, block) {
            prop_assert_eq!(convict(&evidence), Ok(()));
        }
    }

    #[test]
    fn arbitrary_evidence_never_panics(
        rule in "zcash\\.[a-z-]{4,12}",
        network in prop::sample::select(vec!["main", "test", "regtest", "moon"]),
        asked in vec(any::<u8>(), 0..10),
        block in vec(any::<u8>(), 0..2_000),
        description in proptest::option::of(vec(any::<u8>(), 0..200)),
        previous in proptest::option::of(vec(any::<u8>(), 0..500)),
    ) {
        let mut exhibits = vec![
            Exhibit::new("network", network),
            Exhibit::new("height asked for", asked),
            Exhibit::new("block as sent", block),
        ];
        exhibits.extend(description.map(|bytes| Exhibit::new("description as sent", bytes)));
        exhibits.extend(previous.map(|bytes| Exhibit::new("headers before the block", bytes)));
        let words = String::new();
        let _ = convict(&Evidence { rule, words, height: None, exhibits });
    }
}
