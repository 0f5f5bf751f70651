//! The commit: what a block header's `context` is the hash of.

use crate::{ContextHash, hash::blake2b};

/// What Octez writes as the author of every commit.
pub const AUTHOR: &str = "Tezos";

/// A commit of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The root directory's hash: the `before` of a proof.
    pub root: ContextHash,
    /// The commit (none for genesis) that the state was made from.
    pub parents: Vec<ContextHash>,
    /// The block's timestamp, seconds since 1970.
    pub date: i64,
    /// [`AUTHOR`].
    pub author: String,
    /// What the protocol says about the block.
    pub message: String,
}

impl Commit {
    /// The commit's hash (tezos.md 3.1, rule 4). Parents are hashed in sorted
    /// order.
    pub fn hash(&self) -> ContextHash {
        let mut parents = self.parents.clone();
        parents.sort_unstable();
        let mut bytes = Vec::with_capacity(160 + self.author.len() + self.message.len());
        let number = |bytes: &mut Vec<u8>, n: usize| bytes.extend((n as u64).to_be_bytes());
        number(&mut bytes, self.root.0.len());
        bytes.extend(self.root.0);
        number(&mut bytes, parents.len());
        for parent in &parents {
            number(&mut bytes, parent.0.len());
            bytes.extend(parent.0);
        }
        bytes.extend(self.date.to_be_bytes());
        for text in [&self.author, &self.message] {
            number(&mut bytes, text.len());
            bytes.extend(text.as_bytes());
        }
        ContextHash(blake2b(&[&bytes]))
    }
}
