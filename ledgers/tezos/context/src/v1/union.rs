//! Bringing an answer into a tree.

use super::{MerkleTree, Node, joined};
use crate::{
    ContextHash, Kind, Tree,
    name::Name,
    tree::{self, Entry, Step},
};

/// Why an answer does not fit a tree. The words are Octez'.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnionError {
    /// It is of another state.
    #[error(
        "Hash of the irmin tree {tree} does not correspond to hash of the merkle tree {merkle}"
    )]
    Root {
        /// The tree's hash.
        tree: ContextHash,
        /// The answer's.
        merkle: ContextHash,
    },
    /// A hash beside the way is not the tree's.
    #[error("At {key}: Irmin tree hash is {tree} while Merkle node hash is {merkle}")]
    Hash {
        /// Where.
        key: String,
        /// The tree's hash.
        tree: ContextHash,
        /// The answer's.
        merkle: ContextHash,
    },
    /// The data does not have the hash that the tree has there.
    #[error("At {key}: hash of Data is {tree} while incoming hash is {merkle}")]
    Data {
        /// Where.
        key: String,
        /// The tree's hash.
        tree: ContextHash,
        /// The answer's.
        merkle: ContextHash,
    },
    /// A directory of the answer has another hash than the tree's.
    #[error(
        "The hash of the shallow tree {before} does not correspond to the unshallowed one {after}"
    )]
    Shallow {
        /// The tree's hash.
        before: ContextHash,
        /// With what the answer adds.
        after: ContextHash,
    },
    /// The answer has the shape of the first documentation, which does not
    /// tell contents from directories, and nothing else tells it here.
    #[error("at {key}: the answer gives a hash without its kind; a node's own answer has one")]
    Kind {
        /// Where.
        key: String,
    },
    /// Names that make no directory.
    #[error("at {key}: {what}")]
    Malformed {
        /// Where.
        key: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// What an answer shows, as the directory `data`: checked against the pinned
/// tree of the block, where there is one.
pub fn adopt(pinned: Option<&Tree>, answer: &MerkleTree) -> Result<Tree, UnionError> {
    let fresh = unite(pinned, answer, false, &mut Vec::new())?;
    let Some(pinned) = pinned else {
        return Ok(fresh);
    };
    if fresh.hash() != pinned.hash() {
        return Err(UnionError::Root {
            tree: pinned.hash(),
            merkle: fresh.hash(),
        });
    }
    Ok(pinned.graft(&fresh))
}

/// The directory `data` with what an answer shows of it. Every hash of the
/// answer has to be the tree's, and the tree's hash stays what it is.
pub fn union(tree: &Tree, answer: &MerkleTree) -> Result<Tree, UnionError> {
    let fresh = unite(Some(tree), answer, true, &mut Vec::new())?;
    Ok(tree.graft(&fresh))
}

/// The directory that an answer lists, with the names that only the tree has;
/// if `checked`, every part has to have the hash that the tree has there.
fn unite(
    tree: Option<&Tree>,
    answer: &MerkleTree,
    checked: bool,
    key: &mut Vec<Name>,
) -> Result<Tree, UnionError> {
    let mut entries = Vec::with_capacity(answer.nodes.len());
    for (name, node) in &answer.nodes {
        let ours = match tree.map(|tree| tree.child(name)) {
            Some(Step::Found(ours)) => Some(ours),
            _ => None,
        };
        key.push(name.clone());
        let tree = united(ours, node, checked, key)?;
        key.pop();
        entries.push(Entry {
            name: name.clone(),
            tree,
        });
    }
    // A directory that is known lists all its names; one that is not, none.
    if let Some(known) = tree.and_then(Tree::entries) {
        let only_ours = |entry: &&Entry| answer.get(entry.name()).is_none();
        entries.extend(known.into_iter().filter(only_ours).cloned());
    }
    let fresh = tree::directory(entries).map_err(|what| UnionError::Malformed {
        key: joined(key),
        what,
    })?;
    match tree {
        Some(tree) if checked && tree.hash() != fresh.hash() => Err(UnionError::Shallow {
            before: tree.hash(),
            after: fresh.hash(),
        }),
        _ => Ok(fresh),
    }
}

/// What a name of an answer stands for.
fn united(
    ours: Option<&Tree>,
    node: &Node,
    checked: bool,
    key: &mut Vec<Name>,
) -> Result<Tree, UnionError> {
    let against = ours.filter(|_| checked).map(Tree::hash);
    match node {
        Node::Hash { kind, hash } => {
            if let Some(tree) = against.filter(|tree| tree != hash) {
                return Err(UnionError::Hash {
                    key: joined(key),
                    tree,
                    merkle: *hash,
                });
            }
            let kind: Kind = kind
                .or(ours.map(Tree::kind))
                .ok_or_else(|| UnionError::Kind { key: joined(key) })?;
            Ok(Tree::blinded(kind, *hash))
        }
        Node::Data(data) => {
            let merkle = data.hash();
            if let Some(tree) = against.filter(|tree| *tree != merkle) {
                return Err(UnionError::Data {
                    key: joined(key),
                    tree,
                    merkle,
                });
            }
            Ok(data.clone())
        }
        Node::Continue(below) => unite(ours, below, checked, key),
    }
}
