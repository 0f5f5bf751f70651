//! The older RPC `context/merkle_tree`: every directory on the way to a key in
//! full, as hashes beside the way and data at its end (tezos.md 1.6, 2.3).
//!
//! Its root is the directory `data`, not the root of the commit. What is read
//! here is brought into a [`Tree`] by [`adopt`] or [`union`]; a holey answer of
//! another node is compared by [`same_shape`] and [`contains`]. The messages of
//! these four are the words of Octez 10 to 14, which scripts may look for.

mod check;
mod json;
mod produce;
mod union;

pub use self::{
    check::{ContainsError, ShapeError, contains, same_shape},
    json::{read, write},
    produce::{MerkleTreeError, produce, produce_below},
    union::{UnionError, adopt, union},
};
use crate::{ContextHash, Kind, Tree, name::Name};

/// A directory on the way to the key: all its names, sorted.
#[derive(Clone, Debug, Default)]
pub struct MerkleTree {
    pub(crate) nodes: Vec<(Name, Node)>,
}

/// What a name of such a directory stands for.
#[derive(Clone, Debug)]
pub enum Node {
    /// Only its hash: it is beside the way, or the answer is holey.
    Hash {
        /// What it is; `None` in the shape of the light mode's first
        /// documentation, `{"H": …}`, which does not tell.
        kind: Option<Kind>,
        /// The hash.
        hash: ContextHash,
    },
    /// All of it: the end of the way.
    Data(Tree),
    /// The next directory on the way.
    Continue(MerkleTree),
}

impl MerkleTree {
    /// The names and what they stand for, sorted by name.
    pub fn nodes(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(name, node)| (&**name, node))
    }

    /// What a name stands for.
    pub fn get(&self, name: &[u8]) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        Some(&self.nodes[at].1)
    }
}

/// Octez writes keys in these messages with semicolons.
fn joined(key: &[Name]) -> String {
    key.iter()
        .map(|name| String::from_utf8_lossy(name))
        .collect::<Vec<_>>()
        .join(";")
}
