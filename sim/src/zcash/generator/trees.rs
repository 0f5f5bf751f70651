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
