//! Making proofs: what a read touches is shown, everything else is blinded.

use std::{collections::HashSet, sync::Arc};

use super::Proof;
use crate::{
    ContextHash, Key, Limits, Tree,
    tree::{Branch, Bucket, Entry, Inode, Part, Step},
};

/// Why a tree cannot prove a key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProduceError {
    /// The tree is not known where the proof has to show it.
    #[error("the tree is blinded at or below the key {key}; read that key from a node first")]
    Blinded {
        /// The key, below `data`.
        key: Key,
    },
    /// The key's directory holds more than a proof may.
    #[error("a proof of {key} would have more than {limit} nodes; ask for a smaller key")]
    TooLarge {
        /// The key, below `data`.
        key: Key,
        /// The limit.
        limit: usize,
    },
}

impl Proof {
    /// The proof of what is at a key, or that nothing is, from a root
    /// directory. A directory is shown with all that is in it. A holey proof
    /// reads nothing: it is the blinded root.
    pub fn produce(tree: &Tree, key: &Key, holey: bool) -> Result<Self, ProduceError> {
        if holey {
            return Ok(Self::of(Tree::blinded(tree.kind(), tree.hash())));
        }
        Self::produce_many(tree, [key])
    }

    /// One proof of several keys: what they have in common is shown once.
    pub fn produce_many<'a>(
        tree: &Tree,
        keys: impl IntoIterator<Item = &'a Key>,
    ) -> Result<Self, ProduceError> {
        let mut reading = Reading {
            read: HashSet::new(),
            left: Limits::default().nodes,
        };
        for key in keys {
            reading
                .read(tree, &key.from_root())
                .map_err(|stop| match stop {
                    Stop::Blinded => ProduceError::Blinded { key: key.clone() },
                    Stop::TooLarge => ProduceError::TooLarge {
                        key: key.clone(),
                        limit: Limits::default().nodes,
                    },
                })?;
        }
        Ok(Self::of(reading.shown(tree)))
    }
}

/// The parts that were read, by hash. As in the original, a part that was read
/// is shown wherever it occurs beside what was read.
struct Reading {
    read: HashSet<ContextHash>,
    left: usize,
}

enum Stop {
    Blinded,
    TooLarge,
}

impl Reading {
    /// Reads along a path, and all that is at its end.
    fn read(&mut self, tree: &Tree, path: &[&[u8]]) -> Result<(), Stop> {
        let mut here = tree;
        for name in path {
            match &here.0 {
                // Nothing is below contents; that they are there is enough.
                Part::Contents(_) => return Ok(()),
                Part::Flat(_) | Part::Blinded(..) => {}
                Part::Wide(branch) => self.along(branch, name)?,
            }
            match here.child(name) {
                Step::Found(child) => {
                    self.note(here.hash())?;
                    here = child;
                }
                Step::Absent => {
                    if !here.is_blinded() {
                        self.note(here.hash())?;
                    }
                    return Ok(());
                }
                Step::Unknown => return Err(Stop::Blinded),
            }
        }
        self.all(here)
    }

    /// The inodes on the way to a name, the first excepted: it has the
    /// directory's hash.
    fn along(&mut self, branch: &Branch, name: &[u8]) -> Result<(), Stop> {
        let mut branch = branch;
        while let Some(child) = branch.child_of(name) {
            match child {
                Inode::Blinded(_) => return Err(Stop::Blinded),
                Inode::Values(bucket) => {
                    return self.note(bucket.hash());
                }
                Inode::Branch(below) => {
                    self.note(below.hash())?;
                    branch = below;
                }
            }
        }
        Ok(())
    }

    fn all(&mut self, tree: &Tree) -> Result<(), Stop> {
        match &tree.0 {
            Part::Blinded(..) => Err(Stop::Blinded),
            Part::Contents(contents) => self.note(contents.hash),
            Part::Flat(bucket) => self.entries(bucket),
            Part::Wide(branch) => self.children(branch),
        }
    }

    fn entries(&mut self, bucket: &Bucket) -> Result<(), Stop> {
        self.note(bucket.hash())?;
        bucket.entries.iter().try_for_each(|e| self.all(&e.tree))
    }

    fn children(&mut self, branch: &Branch) -> Result<(), Stop> {
        self.note(branch.hash())?;
        branch
            .children
            .iter()
            .try_for_each(|(_, child)| match child {
                Inode::Blinded(_) => Err(Stop::Blinded),
                Inode::Values(bucket) => self.entries(bucket),
                Inode::Branch(below) => self.children(below),
            })
    }

    fn note(&mut self, hash: ContextHash) -> Result<(), Stop> {
        if self.read.insert(hash) {
            self.left = self.left.checked_sub(1).ok_or(Stop::TooLarge)?;
        }
        Ok(())
    }

    /// The tree with everything blinded that was not read.
    fn shown(&self, tree: &Tree) -> Tree {
        let hash = tree.hash();
        if !self.read.contains(&hash) {
            return Tree::blinded(tree.kind(), hash);
        }
        Tree(match &tree.0 {
            Part::Contents(_) | Part::Blinded(..) => return tree.clone(),
            Part::Flat(bucket) => Part::Flat(Arc::new(bucket.showing(self.shown_entries(bucket)))),
            Part::Wide(branch) => Part::Wide(Arc::new(branch.showing(self.shown_children(branch)))),
        })
    }

    fn shown_entries(&self, bucket: &Bucket) -> Vec<Entry> {
        let blind = |entry: &Entry| Entry {
            name: entry.name.clone(),
            tree: self.shown(&entry.tree),
        };
        bucket.entries.iter().map(blind).collect()
    }

    fn shown_children(&self, branch: &Branch) -> Vec<(u8, Inode)> {
        let blind = |(index, child): &(u8, Inode)| {
            let hash = child.hash();
            let shown = match child {
                _ if !self.read.contains(&hash) => Inode::Blinded(hash),
                Inode::Blinded(_) => Inode::Blinded(hash),
                Inode::Values(bucket) => {
                    Inode::Values(Arc::new(bucket.showing(self.shown_entries(bucket))))
                }
                Inode::Branch(below) => {
                    Inode::Branch(Arc::new(below.showing(self.shown_children(below))))
                }
            };
            (*index, shown)
        };
        branch.children.iter().map(blind).collect()
    }
}
