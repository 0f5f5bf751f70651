//! Blocks with a transaction of a version this release does not know: the
//! node's description lets the chain go on, at a lower grade, and a false
//! description is evidence.

use bytes::Bytes;
use heliostat_core::{Assurance, Reject, Verifier as _};
use heliostat_zcash_proto::CompactBlock;
use heliostat_zcash_verifier::{
    Described, DescribedTx, Header, Network, RawBlock, Tip, TreeSizes, Verified, ZcashVerifier,
    convict, rule, scan,
};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

#[path = "shared/chains.rs"]
mod chains;
use chains::{raw, recordings};

const AFTER: TreeSizes = TreeSizes {
    sapling: 1_000,
    orchard: 2_000,
    ironwood: 3_000,
};

/// A transaction of version 9, and the id a node would give it.
fn future() -> DescribedTx {
    DescribedTx {
        txid: [0x5a; 32],
        raw: Bytes::from_static(
            b"\x09\x00\x00\x80\xaa\xbb\xcc\xdd whatever a later upgrade brings",
        ),
    }
}

/// The recorded block at height 1 with the future transaction appended.
fn block() -> RawBlock {
    let [chain, _] = recordings();
    let recorded = &chain[1].raw;
    let scanned = scan(recorded).expect("a block");
    let coinbase = DescribedTx {
        txid: scanned.txids[0],
        raw: Bytes::copy_from_slice(&recorded[scanned.header_len + 1..]),
    };
    let txs = vec![coinbase, future()];
    let mut bytes = recorded[..scanned.header_len].to_vec();
    let pair = [txs[0].txid, txs[1].txid];
    bytes[36..68].copy_from_slice(&Sha256::digest(Sha256::digest(pair.as_flattened())));
    bytes.push(2);
    for tx in &txs {
        bytes.extend_from_slice(&tx.raw);
    }
    RawBlock {
        bytes: bytes.into(),
        described: Some(Described { txs, sizes: AFTER }),
    }
}

fn tip() -> Tip {
    let [chain, _] = recordings();
    let mut tip = Tip::genesis(Network::Regtest);
    let verifier = ZcashVerifier::new(Network::Regtest);
    let checked = verifier.check(0, raw(&chain[0].raw)).expect("sound");
    verifier.extend(&mut tip, checked).expect("the first block");
    tip
}

fn check(block: RawBlock) -> Result<Verified, Reject> {
    let verifier = ZcashVerifier::new(Network::Regtest);
    let checked = verifier.check(1, block)?;
    verifier.extend(&mut tip(), checked)
}

/// Changes the description and gives the rule the evidence convicts under.
fn lie(change: impl FnOnce(&mut Vec<DescribedTx>)) -> String {
    let mut block = block();
    change(&mut block.described.as_mut().expect("described").txs);
    let Err(Reject::Wrong(evidence)) = check(block) else {
        panic!("a false description passed");
    };
    assert_eq!(convict(&evidence), Ok(()), "{}", evidence.words);
    evidence.rule
}

#[test]
fn without_a_description_the_block_is_opaque_and_nobodys_fault() {
    let mut block = block();
    block.described = None;
    let Err(Reject::Opaque(why)) = check(block) else {
        panic!("an unknown version was read");
    };
    assert!(why.contains("0x80000009"), "{why}");
}

#[test]
fn with_a_description_the_chain_goes_on_relayed_from_there() {
    let verifier = ZcashVerifier::new(Network::Regtest);
    let mut tip = tip();
    assert_eq!(tip.cap(), Assurance::Proven);
    let checked = verifier.check(1, block()).expect("described");
    let verified = verifier.extend(&mut tip, checked).expect("linked");
    assert_eq!(verified.cap, Assurance::Relayed);
    assert_eq!(verified.sizes, AFTER);
    assert_eq!(verified.txids[1], future().txid);

    let full = CompactBlock::decode(&verified.full[..]).expect("a CompactBlock");
    assert_eq!(full.encode_to_vec(), verified.full[..]);
    assert_eq!(full.vtx.len(), 2);
    assert_eq!(
        (full.vtx[1].index, &full.vtx[1].txid[..]),
        (1, &[0x5a; 32][..])
    );
    let shielded = CompactBlock::decode(&verified.shielded[..]).expect("a CompactBlock");
    assert!(shielded.vtx.iter().all(|tx| tx.index != 1));

    // The next block is readable, but its sizes count on from a node's word.
    let [chain, _] = recordings();
    let mut next = chain[2].raw.clone();
    next[4..36].copy_from_slice(&verified.link.id.0);
    let added = scan(&next).expect("a block").added;
    let checked = verifier.check(2, raw(&next)).expect("sound");
    let verified = verifier.extend(&mut tip, checked).expect("linked");
    assert_eq!(verified.cap, Assurance::Relayed);
    assert_eq!(verified.sizes, AFTER.plus(added));
}

#[test]
fn a_description_is_ignored_where_the_block_can_be_read() {
    let [chain, _] = recordings();
    let mut block = raw(&chain[1].raw);
    let txs = vec![future()];
    block.described = Some(Described { txs, sizes: AFTER });
    let verified = check(block).expect("a block");
    assert_eq!(verified.cap, Assurance::Proven);
    assert_ne!(verified.sizes, AFTER);
}

#[test]
fn false_descriptions_convict() {
    assert_eq!(lie(|txs| txs[1].txid[0] ^= 1), rule::MERKLE_ROOT);
    assert_eq!(lie(|txs| txs[0].txid[0] ^= 1), rule::DESCRIPTION);
    assert_eq!(lie(|txs| txs.truncate(1)), rule::DESCRIPTION);
    assert_eq!(
        lie(|txs| txs[1].raw = Bytes::from_static(b"else")),
        rule::DESCRIPTION
    );
    assert_eq!(lie(|txs| txs.swap(0, 1)), rule::DESCRIPTION);
    assert_eq!(lie(Vec::clear), rule::DESCRIPTION);
}

#[test]
fn described_sizes_below_the_counted_ones_are_not_taken() {
    let [chain, _] = recordings();
    let at = |index: usize| scan(&chain[index].raw).expect("a block").added;
    let height = (1..chain.len()).find(|index| at(*index) != TreeSizes::default());
    assert!(height.is_some(), "some block adds leaves");
    let mut tip = Tip::joined(heliostat_zcash_verifier::Joined {
        network: Network::Regtest,
        height: 0,
        headers: vec![Bytes::copy_from_slice(
            Header::at_front_of(&chain[0].raw)
                .expect("a header")
                .bytes(),
        )],
        sizes: AFTER.plus(AFTER),
        rooted: true,
        sizes_vouched: true,
    })
    .expect("one header");
    let verifier = ZcashVerifier::new(Network::Regtest);
    let checked = verifier.check(1, block()).expect("described");
    let placed = verifier.extend(&mut tip, checked);
    assert!(matches!(placed, Err(Reject::Opaque(_))));
    assert_eq!(tip.sizes(), AFTER.plus(AFTER), "the tip is as it was");
}
