//! The note commitment trees of a chain, block by block.

use std::sync::Arc;

use incrementalmerkletree::{
    Hashable, Level,
    frontier::{CommitmentTree, Frontier},
};
use orchard::tree::MerkleHashOrchard;
use sapling_crypto::Node;
use zcash_primitives::merkle_tree::{HashSer, read_commitment_tree, write_commitment_tree};

use crate::zcash::chain::{Pool, Trees};

/// Levels of every tree (protocol specification § 5.3).
const DEPTH: u8 = 32;
/// Levels of the subtrees whose roots nodes list (ZIP 307).
const SUBTREE: u8 = 16;

/// The frontiers of the three trees.
#[derive(Clone, Debug)]
pub(super) struct Forest {
    sapling: Tree<Node>,
    orchard: Tree<MerkleHashOrchard>,
    ironwood: Tree<MerkleHashOrchard>,
}

/// The leaves a block adds, in order.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    pub sapling: Vec<[u8; 32]>,
    pub orchard: Vec<[u8; 32]>,
    pub ironwood: Vec<[u8; 32]>,
}

/// Which trees exist at a height.
#[derive(Clone, Copy, Debug)]
pub(super) struct Active {
    pub sapling: bool,
    pub orchard: bool,
    pub ironwood: bool,
}

/// One frontier, and its last serialization.
#[derive(Clone, Debug)]
struct Tree<H> {
    frontier: Frontier<H, DEPTH>,
    state: Arc<[u8]>,
}

impl Forest {
    /// Trees without leaves.
    pub(super) fn new() -> Self {
        Self {
            sapling: Tree::read(&[]),
            orchard: Tree::read(&[]),
            ironwood: Tree::read(&[]),
        }
    }

    /// The trees as a block left them.
    pub(super) fn after(trees: &Trees) -> Self {
        Self {
            sapling: Tree::read(&trees.sapling.state),
            orchard: Tree::read(&trees.orchard.state),
            ironwood: Tree::read(&trees.ironwood.state),
        }
    }

    /// Leaves in each tree: Sapling, Orchard, Ironwood.
    pub(super) fn sizes(&self) -> [u64; 3] {
        [
            self.sapling.frontier.tree_size(),
            self.orchard.frontier.tree_size(),
            self.ironwood.frontier.tree_size(),
        ]
    }

    /// Sapling's root, for the headers of the upgrades that carry it.
    pub(super) fn sapling_root(&self) -> [u8; 32] {
        self.sapling.frontier.root().to_bytes()
    }

    /// Appends a block's leaves.
    pub(super) fn extend(&mut self, leaves: &Leaves, active: Active) -> Trees {
        let node = |bytes: &[u8; 32]| Node::from_bytes(*bytes).into_option();
        let hash = |bytes: &[u8; 32]| MerkleHashOrchard::from_bytes(bytes).into_option();
        Trees {
            sapling: self.sapling.extend(&leaves.sapling, active.sapling, node),
            orchard: self.orchard.extend(&leaves.orchard, active.orchard, hash),
            ironwood: self
                .ironwood
                .extend(&leaves.ironwood, active.ironwood, hash),
        }
    }
}

impl<H: Hashable + HashSer + Clone> Tree<H> {
    /// Reads a serialized tree; no bytes at all are the tree of a pool that
    /// is not active.
    fn read(state: &[u8]) -> Self {
        if state.is_empty() {
            return Self {
                frontier: Frontier::empty(),
                state: state.into(),
            };
        }
        let tree: CommitmentTree<H, DEPTH> =
            read_commitment_tree(state).expect("this state was written below");
        Self {
            frontier: tree.to_frontier(),
            state: state.into(),
        }
    }

    fn extend(
        &mut self,
        leaves: &[[u8; 32]],
        active: bool,
        decode: impl Fn(&[u8; 32]) -> Option<H>,
    ) -> Pool {
        let mut completed = Vec::new();
        for leaf in leaves {
            let leaf = decode(leaf).expect("the generator makes canonical commitments only");
            assert!(self.frontier.append(leaf), "a tree holds 2^32 notes");
            completed.extend(self.completed());
        }
        if active && (self.state.is_empty() || !leaves.is_empty()) {
            let mut bytes = Vec::new();
            let tree = CommitmentTree::from_frontier(&self.frontier);
            write_commitment_tree(&tree, &mut bytes).expect("writing to memory does not fail");
            self.state = bytes.into();
        }
        Pool {
            size: u32::try_from(self.frontier.tree_size()).expect("a tree holds 2^32 notes"),
            state: self.state.clone(),
            completed,
        }
    }

    /// The root of the subtree that the last leaf completed, if it did.
    fn completed(&self) -> Option<[u8; 32]> {
        if !self.frontier.tree_size().is_multiple_of(1 << SUBTREE) {
            return None;
        }
        let root = self.frontier.value()?.root(Some(Level::from(SUBTREE)));
        let mut bytes = Vec::with_capacity(32);
        root.write(&mut bytes)
            .expect("writing to memory does not fail");
        bytes.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Result, Write};

    use super::*;

    /// A node whose hash is cheap, so that a whole subtree fits a test.
    #[derive(Clone, Debug, PartialEq)]
    struct Sum(u64);

    impl Hashable for Sum {
        fn empty_leaf() -> Self {
            Self(0)
        }

        fn combine(level: Level, left: &Self, right: &Self) -> Self {
            let odd = 2 * u64::from(u8::from(level)) + 3;
            Self(left.0.wrapping_mul(odd).wrapping_add(right.0 ^ odd))
        }
    }

    impl HashSer for Sum {
        fn read<R: Read>(mut reader: R) -> Result<Self> {
            let mut bytes = [0; 32];
            reader.read_exact(&mut bytes)?;
            let mut low = [0; 8];
            low.copy_from_slice(&bytes[..8]);
            Ok(Self(u64::from_le_bytes(low)))
        }

        fn write<W: Write>(&self, mut writer: W) -> Result<()> {
            writer.write_all(&self.0.to_le_bytes())?;
            writer.write_all(&[0; 24])
        }
    }

    #[test]
    fn a_block_that_completes_a_subtree_names_its_root() {
        let leaf = |number: u64| {
            let mut leaf = [0; 32];
            leaf[..8].copy_from_slice(&number.to_le_bytes());
            leaf
        };
        let decode = |bytes: &[u8; 32]| Sum::read(&bytes[..]).ok();
        let leaves: Vec<_> = (0..3 << 15).map(leaf).collect();
        let mut tree = Tree::<Sum>::read(&[]);
        let mut completed = Vec::new();
        for (block, leaves) in leaves.chunks(1000).enumerate() {
            let pool = tree.extend(leaves, true, decode);
            assert!(pool.completed.is_empty() || block == (1 << 16) / 1000);
            completed.extend(pool.completed);
        }
        let mut row: Vec<_> = (0..1 << 16).map(Sum).collect();
        for level in 0..SUBTREE {
            let join = |pair: &[Sum]| Sum::combine(level.into(), &pair[0], &pair[1]);
            row = row.chunks(2).map(join).collect();
        }
        assert_eq!(completed, [leaf(row[0].0)]);
    }

    #[test]
    fn a_tree_continues_from_its_serialization() {
        let leaf = |number: u8| [number; 32];
        let leaves: Vec<_> = (1..20).map(leaf).collect();
        let decode = |bytes: &[u8; 32]| Node::from_bytes(*bytes).into_option();
        let mut whole = Tree::<Node>::read(&[]);
        let whole = whole.extend(&leaves, true, decode);
        for cut in 0..leaves.len() {
            let mut first = Tree::<Node>::read(&[]);
            let first = first.extend(&leaves[..cut], true, decode);
            let mut second = Tree::<Node>::read(&first.state);
            let second = second.extend(&leaves[cut..], true, decode);
            assert_eq!((second.size, &second.state), (whole.size, &whole.state));
        }
    }
}
