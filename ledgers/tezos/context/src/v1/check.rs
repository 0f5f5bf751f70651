//! Comparing a holey answer with data, and with a tree.

use super::{MerkleTree, Node};
use crate::{ContextHash, Key, Tree, tree::Step};

/// Why a tree does not contain an answer. The words are Octez'.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ContainsError {
    /// A name that the tree does not have, or does not know.
    #[error("Key {key}, which is in Merkle tree, cannot be found in in-memory tree")]
    Missing {
        /// The name.
        key: String,
    },
    /// A hash that is not the tree's.
    #[error("Key {key} has hash {tree} in Irmin tree while node hash is {merkle}")]
    Hash {
        /// The name.
        key: String,
        /// The tree's hash.
        tree: ContextHash,
        /// The answer's.
        merkle: ContextHash,
    },
    /// Data where only hashes were asked for.
    #[error(
        "Data node found in Merkle tree. While I could check that the data is in the in-memory \
         tree, this is unexpected: only inclusion of hashes should be checked."
    )]
    Data,
}

/// Why two answers for a key are not alike. The words are Octez'.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ShapeError {
    /// A name that only one has.
    #[error("Key \"{key}\" is missing in one of the trees.")]
    Missing {
        /// The name.
        key: String,
    },
    /// A name that stands for different shapes, beside the way to the key.
    #[error("Nodes have different shapes. Left: {left}. Right: {right}.")]
    Shape {
        /// What it is in one.
        left: &'static str,
        /// What it is in the other.
        right: &'static str,
    },
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// That every hash of a holey answer is the hash in the directory `data`.
pub fn contains(tree: &Tree, answer: &MerkleTree) -> Result<(), ContainsError> {
    for (name, node) in &answer.nodes {
        if matches!(node, Node::Data(_)) {
            return Err(ContainsError::Data);
        }
        let Step::Found(ours) = tree.child(name) else {
            return Err(ContainsError::Missing { key: text(name) });
        };
        match node {
            Node::Hash { hash, .. } if *hash != ours.hash() => {
                return Err(ContainsError::Hash {
                    key: text(name),
                    tree: ours.hash(),
                    merkle: *hash,
                });
            }
            Node::Continue(below) => contains(ours, below)?,
            Node::Hash { .. } | Node::Data(_) => {}
        }
    }
    Ok(())
}

/// That two answers for a key list the same names with the same shapes; along
/// the key one may have data where the other has a hash. All differences.
pub fn same_shape(key: &Key, left: &MerkleTree, right: &MerkleTree) -> Result<(), Vec<ShapeError>> {
    let mut errors = Vec::new();
    compare(Some(key.steps()), left, right, &mut errors);
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

fn compare(
    way: Option<&[Vec<u8>]>,
    left: &MerkleTree,
    right: &MerkleTree,
    errors: &mut Vec<ShapeError>,
) {
    for (name, one) in &left.nodes {
        let Some(other) = right.get(name) else {
            errors.push(ShapeError::Missing { key: text(name) });
            continue;
        };
        let below = way
            .and_then(<[_]>::split_first)
            .filter(|(step, _)| ***step == **name)
            .map(|(_, rest)| rest);
        match (one, other) {
            (Node::Hash { .. }, Node::Hash { .. }) | (Node::Data(_), Node::Data(_)) => {}
            (Node::Continue(one), Node::Continue(other)) => compare(below, one, other, errors),
            _ if below.is_some() => {}
            _ => errors.push(ShapeError::Shape {
                left: shape(one),
                right: shape(other),
            }),
        }
    }
    for (name, _) in &right.nodes {
        if left.get(name).is_none() {
            errors.push(ShapeError::Missing { key: text(name) });
        }
    }
}

fn shape(node: &Node) -> &'static str {
    match node {
        Node::Hash { .. } => "Hash",
        Node::Data(_) => "Data",
        Node::Continue(_) => "Continue",
    }
}
