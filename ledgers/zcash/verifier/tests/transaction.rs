//! Single transactions, held against zebra-chain and against the same
//! transactions in their blocks.

use heliostat_zcash_proto::{CompactBlock, CompactTx};
use heliostat_zcash_verifier::{ScanError, defaults::MAX_BLOCK_BYTES, scan, transaction};
use proptest::{collection::vec, prelude::*, sample::Index};
use prost::Message as _;
use zebra_chain::{
    block::Block,
    serialization::{ZcashDeserialize, ZcashSerialize},
    transaction::Transaction,
    transparent::Input,
};

#[path = "shared/chains.rs"]
mod chains;
use chains::{from_display, real_blocks, recordings};

/// What must hold of one transaction whose reading by zebra-chain is at hand.
fn holds(bytes: &[u8], theirs: &Transaction) {
    let ours = transaction::read(bytes).expect("zebra-chain reads it too");
    assert_eq!(ours.txid(), theirs.hash().0);
    assert_eq!(transaction::txid(bytes), Ok(theirs.hash().0));
    assert_eq!(ours.is_covered_by_txid(), theirs.version() < 5);
    let compact = CompactTx::decode(&ours.compact(7)[..]).expect("a CompactTx");
    assert_eq!(compact.encode_to_vec(), ours.compact(7));
    assert_eq!(compact.index, 7);
    assert_eq!(compact.txid, ours.txid().to_vec());
    let spent = theirs.inputs();
    let spent = spent.iter().filter_map(Input::outpoint);
    let listed = compact.vin.iter().map(|input| input.prevout_index);
    assert!(listed.eq(spent.map(|outpoint| outpoint.index)));
    assert_eq!(compact.vout.len(), theirs.outputs().len());
    let nullifiers = compact.spends.iter().map(|spend| spend.nf.to_vec());
    assert!(nullifiers.eq(theirs.sapling_nullifiers().map(|nf| nf.0.to_vec())));
    assert_eq!(compact.outputs.len(), theirs.sapling_outputs().count());
    assert_eq!(compact.actions.len(), theirs.orchard_actions().count());
    let ironwood = theirs.ironwood_actions().count();
    assert_eq!(compact.ironwood_actions.len(), ironwood);

    let shielded = CompactTx {
        vin: Vec::new(),
        vout: Vec::new(),
        ..compact
    };
    let parts = shielded.spends.len() + shielded.outputs.len() + shielded.actions.len() + ironwood;
    let expected = (parts > 0).then(|| shielded.encode_to_vec());
    assert_eq!(ours.shielded(7), expected);
}

#[test]
fn every_transaction_of_zebras_blocks_is_read_alone_as_in_its_block() {
    let mut versions = [0; 7];
    for (network, height, bytes) in real_blocks() {
        let place = format!("{} {height}", network.name());
        let block = Block::zcash_deserialize(bytes).expect("its own vector");
        let scanned = scan(bytes).expect(&place);
        let compact = CompactBlock::decode(&scanned.full[..]).expect("a CompactBlock");
        assert_eq!(block.transactions.len(), compact.vtx.len());
        for (theirs, placed) in block.transactions.iter().zip(&compact.vtx) {
            let bytes = theirs.zcash_serialize_to_vec().expect("to memory");
            holds(&bytes, theirs);
            let ours = transaction::read(&bytes).expect("read before");
            assert!(
                ours.compact(placed.index) == placed.encode_to_vec(),
                "{place}"
            );
            versions[theirs.version() as usize] += 1;
        }
    }
    assert!(
        versions[1..=5].iter().all(|count| *count > 0),
        "{versions:?}"
    );
}

#[test]
fn zebras_single_transactions_have_zebras_ids() {
    use zebra_test::vectors::{DUMMY_TX1, GENERIC_TESTNET_TX};
    for bytes in [&DUMMY_TX1[..], &GENERIC_TESTNET_TX] {
        let theirs = Transaction::zcash_deserialize(bytes).expect("its own vector");
        holds(bytes, &theirs);
    }
}

#[test]
fn recorded_transactions_of_versions_4_to_6_have_the_ids_the_node_gives() {
    let mut versions = [0; 7];
    for block in recordings().into_iter().flatten() {
        let ids = block.verbose["tx"].as_array().expect("txids");
        let scanned = scan(&block.raw).expect("a block");
        // The node's own blocks hold one transaction each: all that follows
        // the header and the count.
        let [id] = &ids[..] else { continue };
        let bytes = &block.raw[scanned.header_len + 1..];
        assert_eq!(
            transaction::txid(bytes),
            Ok(from_display(id.as_str().expect("hex")))
        );
        let ours = transaction::read(bytes).expect("read before");
        let compact = CompactBlock::decode(&scanned.full[..]).expect("a CompactBlock");
        assert_eq!(ours.compact(0), compact.vtx[0].encode_to_vec());
        versions[usize::from(bytes[0])] += 1;
    }
    assert!(
        versions[4..=6].iter().all(|count| *count > 0),
        "{versions:?}"
    );
}

#[test]
fn what_is_no_transaction_is_refused_with_the_reason() {
    let bytes = &zebra_test::vectors::DUMMY_TX1[..];
    let longer = [bytes, &[0]].concat();
    assert_eq!(
        transaction::txid(&longer),
        Err(ScanError::Trailing { count: 1 })
    );
    for cut in 0..bytes.len() {
        let error = transaction::txid(&bytes[..cut]).expect_err("it is cut");
        assert!(!error.is_opaque(), "{cut}: {error}");
    }
    let newer = [&[9, 0, 0, 0x80, 1, 2, 3, 4][..], &[0; 60]].concat();
    assert!(transaction::txid(&newer).is_err_and(|error| error.is_opaque()));
    let len = MAX_BLOCK_BYTES + 1;
    assert_eq!(
        transaction::txid(&vec![0; len]),
        Err(ScanError::TooLong {
            len,
            most: MAX_BLOCK_BYTES
        })
    );
}

/// What must hold of any bytes.
fn sound(bytes: &[u8]) {
    let Ok(ours) = transaction::read(bytes) else {
        return;
    };
    for index in [0, 1, u64::MAX] {
        let compact = ours.compact(index);
        let message = CompactTx::decode(&compact[..]).expect("a CompactTx");
        assert_eq!(message.encode_to_vec(), compact);
        if let Some(shielded) = ours.shielded(index) {
            let message = CompactTx::decode(&shielded[..]).expect("a CompactTx");
            assert_eq!(message.encode_to_vec(), shielded);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(
        version in prop::sample::select(vec![
            &b""[..], b"\x01\0\0\0", b"\x02\0\0\0", b"\x03\0\0\x80\x70\x82\xc4\x03",
            b"\x04\0\0\x80\x85\x20\x2f\x89", b"\x05\0\0\x80\x0a\x27\xa7\x26",
            b"\x06\0\0\x80\x98\xb6\x84\xd8", b"\x07\0\0\x80\0\0\0\0",
        ]),
        body in vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..3_000),
    ) {
        sound(&[version, &body].concat());
    }

    #[test]
    fn damaged_transactions_never_panic(
        seed: Index,
        damage in vec((any::<Index>(), any::<u8>()), 0..6),
        cut: Option<Index>,
    ) {
        let blocks: Vec<_> = real_blocks().filter(|(_, _, bytes)| bytes.len() < 20_000).collect();
        let block = seed.get(&blocks).2;
        let header = scan(block).expect("a vector").header_len;
        // From the count on: the first transaction, damaged, and its followers.
        let mut bytes = block[header + 1..].to_vec();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        sound(&bytes);
    }
}
