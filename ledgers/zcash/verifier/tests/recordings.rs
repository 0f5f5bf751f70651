//! The recordings of a real zebrad: txids of versions 4, 5 and 6, tree sizes,
//! and compact blocks against zebrad's own.

use heliostat_core::{Assurance, Verifier as _};
use heliostat_zcash_proto::{ChainMetadata, CompactBlock};
use heliostat_zcash_verifier::{Network, Stored, Tip, TreeSizes, ZcashVerifier, recheck, scan};
use prost::Message as _;

#[path = "shared/chains.rs"]
mod chains;
use chains::{from_display, raw, recordings};

#[test]
fn both_chains_verify_from_their_first_block() {
    let verifier = ZcashVerifier::new(Network::Regtest);
    let mut compared = 0;
    for chain in recordings() {
        let mut tip = Tip::genesis(Network::Regtest);
        for (height, block) in (0..).zip(&chain) {
            let checked = verifier.check(height, raw(&block.raw)).expect("a block");
            let verified = verifier.extend(&mut tip, checked).expect("the next block");
            let text = |name: &str| block.verbose[name].as_str().unwrap_or_default();
            assert_eq!(verified.link.id.0, from_display(text("hash")));
            assert_eq!(Some(verified.link.time), block.verbose["time"].as_u64());
            let txids = block.verbose["tx"].as_array().expect("txids");
            let txids = txids.iter().filter_map(|txid| txid.as_str());
            assert_eq!(verified.txids, txids.map(from_display).collect::<Vec<_>>());
            assert_eq!(verified.sizes, block.sizes(), "tree sizes at {height}");
            assert_eq!(verified.cap, Assurance::Proven);
            if let Some(compact) = &block.compact {
                assert_eq!(verified.shielded, *compact, "compact block {height}");
                compared += 1;
            }
        }
        let TreeSizes { ironwood, .. } = tip.sizes();
        assert!(ironwood > 0, "the chain holds Ironwood notes");
    }
    assert_eq!(compared, 260 + 116);
}

#[test]
fn the_recorded_blocks_add_leaves_to_all_three_trees() {
    let added = |block: &chains::Recorded| scan(&block.raw).expect("a block").added;
    let [first, second] = recordings();
    for chain in [&first, &second] {
        let sum = chain
            .iter()
            .map(added)
            .fold(TreeSizes::default(), TreeSizes::plus);
        assert_eq!(sum, chain.last().expect("blocks").sizes());
    }
    let TreeSizes {
        sapling,
        orchard,
        ironwood,
    } = first.last().expect("blocks").sizes();
    assert_eq!((sapling, orchard, ironwood), (2, 4, 7));
}

#[test]
fn compact_bytes_are_what_prost_writes_and_metadata_is_never_left_out() {
    let verifier = ZcashVerifier::new(Network::Regtest);
    for chain in recordings() {
        let mut tip = Tip::genesis(Network::Regtest);
        for (height, block) in (0..).zip(&chain) {
            let checked = verifier.check(height, raw(&block.raw)).expect("a block");
            let verified = verifier.extend(&mut tip, checked).expect("the next block");
            for bytes in [&verified.full, &verified.shielded] {
                let message = CompactBlock::decode(&bytes[..]).expect("a CompactBlock");
                assert_eq!(message.encode_to_vec(), bytes[..]);
                let TreeSizes {
                    sapling,
                    orchard,
                    ironwood,
                } = verified.sizes;
                let sizes = ChainMetadata {
                    sapling_commitment_tree_size: sapling,
                    orchard_commitment_tree_size: orchard,
                    ironwood_commitment_tree_size: ironwood,
                };
                assert_eq!(message.chain_metadata, Some(sizes));
            }
            let full = CompactBlock::decode(&verified.full[..]).expect("a CompactBlock");
            assert_eq!(full.vtx.len(), verified.txids.len());
            assert!(full.vtx[0].vin.is_empty(), "a coinbase input is left out");
        }
    }
}

#[test]
fn a_stored_chain_holds_again_and_a_changed_one_does_not() {
    let verifier = ZcashVerifier::new(Network::Regtest);
    let [chain, _] = recordings();
    let mut tip = Tip::genesis(Network::Regtest);
    let mut again = Tip::genesis(Network::Regtest);
    for (height, block) in (0..).zip(&chain) {
        let checked = verifier.check(height, raw(&block.raw)).expect("a block");
        let added = checked.scanned().added;
        let verified = verifier.extend(&mut tip, checked).expect("the next block");
        let mut wrong = verified.txids.clone();
        wrong[0][5] ^= 1;
        let broken = recheck(&mut again, &verified.header, &wrong, added);
        assert_eq!(
            broken.expect_err("a txid differs").rule,
            "zcash.merkle-root"
        );
        let held = recheck(&mut again, &verified.header, &verified.txids, added);
        let held = held.expect("nothing differs");
        assert_eq!(held.link, verified.link);
        assert_eq!((held.sizes, held.work), (verified.sizes, verified.work));
        let twice = recheck(&mut again, &verified.header, &verified.txids, added);
        assert_eq!(twice.expect_err("not its own parent").rule, "zcash.link");

        let stored = Stored {
            network: Network::Regtest,
            height,
            headers: vec![verified.header],
            sizes: verified.sizes,
            work: verified.work,
            cap: verified.cap,
        };
        let rebuilt = Tip::rebuild(stored).expect("one header is enough on regtest");
        assert_eq!(rebuilt.link(), tip.link());
        tip = rebuilt;
    }
}
