//! The tree states against zebra-chain's own trees, fed with the commitments
//! zebra-chain reads from the blocks.

use heliostat_sim::zcash::Mix;
use zebra_chain::{
    block::Block, orchard::tree::NoteCommitmentTree as Orchard,
    sapling::tree::NoteCommitmentTree as Sapling, serialization::ZcashDeserializeInto,
};

use super::chain;

#[test]
fn tree_states_are_what_zebra_would_serve() {
    for (mix, blocks) in [(Mix::TYPICAL, 200), (Mix::SHIELDED_HEAVY, 40)] {
        let generator = chain(51, blocks, mix);
        let mut sapling = Sapling::default();
        let (mut orchard, mut ironwood) = (Orchard::default(), Orchard::default());
        for block in &generator.chain().blocks[1..] {
            let parsed: Block = block.raw.zcash_deserialize_into().expect("it parses");
            for commitment in parsed.sapling_note_commitments() {
                sapling.append(commitment).expect("there is room");
            }
            for commitment in parsed.orchard_note_commitments() {
                orchard.append(commitment).expect("there is room");
            }
            for commitment in parsed.ironwood_note_commitments() {
                ironwood.append(commitment).expect("there is room");
            }
            let trees = block
                .trees
                .as_ref()
                .expect("generated blocks know their trees");
            let height = block.height;
            assert_eq!(
                *trees.sapling.state,
                sapling.to_rpc_bytes(),
                "block {height}"
            );
            assert_eq!(
                *trees.orchard.state,
                orchard.to_rpc_bytes(),
                "block {height}"
            );
            assert_eq!(
                *trees.ironwood.state,
                ironwood.to_rpc_bytes(),
                "block {height}"
            );
            let sizes = [trees.sapling.size, trees.orchard.size, trees.ironwood.size];
            let counts = [sapling.count(), orchard.count(), ironwood.count()];
            assert_eq!(sizes.map(u64::from), counts, "block {height}");
        }
        assert!(sapling.count() > 300 && orchard.count() > 60 && ironwood.count() > 60);
    }
}

#[test]
fn states_read_back_to_the_roots_zebra_computes() {
    use incrementalmerkletree::frontier::CommitmentTree;
    use orchard::tree::MerkleHashOrchard;
    use zcash_primitives::merkle_tree::read_commitment_tree;

    let generator = chain(52, 120, Mix::TYPICAL);
    let mut sapling = Sapling::default();
    let mut orchard = Orchard::default();
    for block in &generator.chain().blocks[1..] {
        let parsed: Block = block.raw.zcash_deserialize_into().expect("it parses");
        for commitment in parsed.sapling_note_commitments() {
            sapling.append(commitment).expect("there is room");
        }
        for commitment in parsed.orchard_note_commitments() {
            orchard.append(commitment).expect("there is room");
        }
        if !block.height.is_multiple_of(10) {
            continue;
        }
        let trees = block
            .trees
            .as_ref()
            .expect("generated blocks know their trees");
        let tree: CommitmentTree<sapling_crypto::Node, 32> =
            read_commitment_tree(&trees.sapling.state[..]).expect("a tree");
        assert_eq!(tree.root().to_bytes(), <[u8; 32]>::from(sapling.root()));
        let tree: CommitmentTree<MerkleHashOrchard, 32> =
            read_commitment_tree(&trees.orchard.state[..]).expect("a tree");
        assert_eq!(tree.root().to_bytes(), <[u8; 32]>::from(orchard.root()));
    }
}
