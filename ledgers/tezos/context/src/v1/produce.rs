//! Making the answer.

use super::{MerkleTree, Node};
use crate::{
    DATA, Key, Kind, Limits, Tree,
    name::Name,
    tree::{Place, Step},
};

/// Why there is no answer for a key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MerkleTreeError {
    /// The empty key; a node answers HTTP 500 with these words.
    #[error("Reached end of key (top-level key was: )")]
    NoKey,
    /// The key leads through contents; a node answers HTTP 500 with these
    /// words.
    #[error(
        "(`Contents _, l) when l <> [_] (in other words: found a leaf node whereas key {rest} \
         (top-level key: {key}) wasn't fully consumed)"
    )]
    ThroughContents {
        /// What is left of the key there.
        rest: String,
        /// The key.
        key: String,
    },
    /// The tree does not know a directory on the way, or all that is at its
    /// end.
    #[error("the tree is blinded on the way to the key or at its end; read it from a node first")]
    Blinded,
    /// A directory on the way is too wide for an answer.
    #[error("a directory on the way to the key has more than {limit} entries; use merkle_tree_v2")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

/// The answer for a key, from a root directory: hashes beside the way; at its
/// end all that is there, or only the hash if the answer is to be holey. A name
/// that is absent is not listed.
pub fn produce(root: &Tree, key: &Key, holey: bool) -> Result<MerkleTree, MerkleTreeError> {
    let data = match root.get(&[DATA]) {
        Place::Found(data) => data,
        Place::Absent => return Ok(MerkleTree::default()),
        Place::Unknown => return Err(MerkleTreeError::Blinded),
    };
    produce_below(&data, key, holey)
}

/// [`produce`] from the directory `data` itself.
pub fn produce_below(data: &Tree, key: &Key, holey: bool) -> Result<MerkleTree, MerkleTreeError> {
    directory(data, key.steps(), key, holey)
}

fn directory(
    tree: &Tree,
    path: &[Vec<u8>],
    key: &Key,
    holey: bool,
) -> Result<MerkleTree, MerkleTreeError> {
    let Some((name, rest)) = path.split_first() else {
        return Err(MerkleTreeError::NoKey);
    };
    if tree.kind() == Kind::Contents {
        // Below contents a last name has no siblings.
        if rest.is_empty() {
            return Ok(MerkleTree::default());
        }
        let joined = |steps: &[Vec<u8>]| {
            super::joined(&steps.iter().map(|s| Name::new(s)).collect::<Vec<_>>())
        };
        return Err(MerkleTreeError::ThroughContents {
            rest: joined(path),
            key: joined(key.steps()),
        });
    }
    let limit = Limits::default().nodes;
    if tree.len().is_some_and(|entries| entries > limit as u64) {
        return Err(MerkleTreeError::TooLarge { limit });
    }
    let mut nodes = Vec::new();
    for entry in tree.entries().ok_or(MerkleTreeError::Blinded)? {
        nodes.push((
            entry.name.clone(),
            Node::Hash {
                kind: Some(entry.tree.kind()),
                hash: entry.tree.hash(),
            },
        ));
    }
    if let Step::Found(child) = tree.child(name) {
        let node = match rest {
            [] if holey => None,
            [] if !child.is_complete() => return Err(MerkleTreeError::Blinded),
            [] => Some(Node::Data(child.clone())),
            rest => Some(Node::Continue(directory(child, rest, key, holey)?)),
        };
        let at = nodes.binary_search_by(|(n, _)| (**n).cmp(name));
        if let (Ok(at), Some(node)) = (at, node) {
            nodes[at].1 = node;
        }
    }
    Ok(MerkleTree { nodes })
}
