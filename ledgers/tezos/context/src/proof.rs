//! Proofs as the RPC `context/merkle_tree_v2` answers them: the tree as far as
//! a read needs it, everything beside it blinded.
//!
//! [`json`] and [`binary`] read and write a node's answers, [`binary_v1`] the
//! older binary form. Reading gives a [`Proof`] that is well-formed;
//! [`Proof::verify`] says that its tree has the root it claims.

pub mod binary;
pub mod binary_v1;
mod cursor;
pub mod json;
mod path;
mod produce;
mod segment;

pub use self::produce::ProduceError;
use crate::{ContextHash, Key, Kind, Lookup, Tree, base58::Base58Error};

/// The hash of a tree, with the tree's kind: what Irmin calls a kinded hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindedHash {
    /// What it is the hash of.
    pub kind: Kind,
    /// The hash.
    pub hash: ContextHash,
}

impl KindedHash {
    /// Of a tree.
    pub fn of(tree: &Tree) -> Self {
        Self {
            kind: tree.kind(),
            hash: tree.hash(),
        }
    }
}

/// A proof, as it was read or made.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Bit 0: a stream proof; bit 1: a binary tree. Both are 0 in a context's
    /// proof; a real verifier takes any, and clients only compare it.
    pub version: i16,
    /// The root that was read from.
    pub before: KindedHash,
    /// The root after the reading: the same.
    pub after: KindedHash,
    /// The root directory, as far as it is shown.
    pub tree: Tree,
}

/// A tree that has the root it was said to have. What it shows is true of that
/// root; whether the root is true is for agreement or a header to say.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The root's hash.
    pub root: ContextHash,
    /// The root directory, as far as it is shown.
    pub tree: Tree,
}

impl Verified {
    /// What is at a key.
    pub fn find(&self, key: &Key) -> Lookup {
        self.tree.find_key(key)
    }
}

/// What is wrong with a proof.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProofError {
    /// Not the encoding, or parts that make no tree.
    #[error("the proof is malformed at byte {at}: {what}; is the answer one of merkle_tree?")]
    Malformed {
        /// Where, counted from the first byte.
        at: usize,
        /// What is expected there.
        what: &'static str,
    },
    /// A hash in it that is no context hash.
    #[error("the proof is malformed at byte {at}: {source}")]
    Hash {
        /// Where, counted from the first byte.
        at: usize,
        /// What is wrong with the text.
        source: Base58Error,
    },
    /// More than the caller allows.
    #[error("the proof has more than {limit} {what}; raise the limit or ask for a smaller key")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The tree is not what `before` says.
    #[error("the proof's tree has the hash {actual}, its field 'before' says {said}")]
    Before {
        /// What the tree hashes to.
        actual: ContextHash,
        /// What the proof says.
        said: ContextHash,
    },
    /// `after` is not `before`, though a read changes nothing.
    #[error(
        "the proof's field 'after' is {after}, 'before' is {before}; a read leaves the root as it is"
    )]
    After {
        /// One.
        before: ContextHash,
        /// The other.
        after: ContextHash,
    },
    /// A root of another kind than the tree.
    #[error(
        "the proof says that its root is contents where its tree is a directory, or the reverse"
    )]
    Kind,
}

impl Proof {
    /// That the tree has the root the proof claims, before and after.
    pub fn verify(&self) -> Result<Verified, ProofError> {
        let actual = KindedHash::of(&self.tree);
        if actual.hash != self.before.hash {
            return Err(ProofError::Before {
                actual: actual.hash,
                said: self.before.hash,
            });
        }
        if self.after.hash != self.before.hash {
            return Err(ProofError::After {
                before: self.before.hash,
                after: self.after.hash,
            });
        }
        if actual.kind != self.before.kind || actual.kind != self.after.kind {
            return Err(ProofError::Kind);
        }
        Ok(Verified {
            root: actual.hash,
            tree: self.tree.clone(),
        })
    }

    /// The proof that shows of a tree what it shows.
    pub fn of(tree: Tree) -> Self {
        let root = KindedHash::of(&tree);
        Self {
            version: 0,
            before: root,
            after: root,
            tree,
        }
    }
}
