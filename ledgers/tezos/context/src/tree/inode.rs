//! What a directory is made of.

use std::sync::Arc;

use super::{Entry, Lazy, Step};
use crate::{ContextHash, rules};

/// Entries sorted by name, no name twice: a small directory, or the lowest kind
/// of inode.
pub(crate) struct Bucket {
    rule: Rule,
    pub(super) hash: Lazy,
    pub(super) complete: bool,
    pub(crate) entries: Vec<Entry>,
}

/// How a bucket is hashed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Flat,
    Values,
}

/// An inode with children.
pub(crate) struct Branch {
    pub(super) hash: Lazy,
    pub(super) complete: bool,
    /// Inodes above it in its directory.
    pub(crate) depth: u8,
    /// Entries below it.
    pub(crate) total: u64,
    /// Ascending by index, each below 32.
    pub(crate) children: Vec<(u8, Inode)>,
}

#[derive(Clone)]
pub(crate) enum Inode {
    Blinded(ContextHash),
    Values(Arc<Bucket>),
    Branch(Arc<Branch>),
}

impl Bucket {
    pub(crate) fn flat(entries: Vec<Entry>) -> Self {
        Self::new(Rule::Flat, entries)
    }

    pub(crate) fn values(entries: Vec<Entry>) -> Self {
        Self::new(Rule::Values, entries)
    }

    fn new(rule: Rule, entries: Vec<Entry>) -> Self {
        Self {
            rule,
            hash: Lazy::new(),
            complete: entries.iter().all(|entry| entry.tree.is_complete()),
            entries,
        }
    }

    /// The same bucket with more of it shown.
    pub(crate) fn showing(&self, entries: Vec<Entry>) -> Self {
        Self {
            hash: self.hash.clone(),
            ..Self::new(self.rule, entries)
        }
    }

    pub(crate) fn hash(&self) -> ContextHash {
        *self.hash.get_or_init(|| match self.rule {
            Rule::Flat => rules::flat(&self.entries),
            Rule::Values => rules::values(&self.entries),
        })
    }

    pub(super) fn position(&self, name: &[u8]) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| (*entry.name).cmp(name))
    }

    pub(super) fn find(&self, name: &[u8]) -> Step<'_> {
        match self.position(name) {
            Ok(at) => Step::Found(&self.entries[at].tree),
            Err(_) => Step::Absent,
        }
    }
}

impl Branch {
    pub(crate) fn new(depth: u8, total: u64, children: Vec<(u8, Inode)>) -> Self {
        Self {
            hash: Lazy::new(),
            complete: children.iter().all(|(_, child)| child.is_complete()),
            depth,
            total,
            children,
        }
    }

    /// The same inode with more of it shown.
    pub(crate) fn showing(&self, children: Vec<(u8, Inode)>) -> Self {
        Self {
            hash: self.hash.clone(),
            ..Self::new(self.depth, self.total, children)
        }
    }

    pub(crate) fn hash(&self) -> ContextHash {
        *self
            .hash
            .get_or_init(|| rules::branch(self.depth, self.total, &self.children))
    }

    /// The child that a name belongs to.
    pub(crate) fn child_of(&self, name: &[u8]) -> Option<&Inode> {
        self.at(rules::index(self.depth, name))
    }

    /// The child of an index.
    pub(crate) fn at(&self, index: u8) -> Option<&Inode> {
        let at = self
            .children
            .binary_search_by_key(&index, |(index, _)| *index)
            .ok()?;
        Some(&self.children[at].1)
    }

    /// Where two or more inodes of one child each follow one another from here
    /// on: their children's indices, and the inode they lead to. Proofs write
    /// such a chain as one extender.
    pub(crate) fn chain(&self) -> Option<(Vec<u8>, &Inode)> {
        let [(index, child)] = &self.children[..] else {
            return None;
        };
        let mut indices = vec![*index];
        let mut end = child;
        while let Inode::Branch(below) = end
            && let [(index, child)] = &below.children[..]
        {
            indices.push(*index);
            end = child;
        }
        (indices.len() > 1).then_some((indices, end))
    }

    pub(super) fn find(&self, name: &[u8]) -> Step<'_> {
        let mut branch = self;
        loop {
            match branch.child_of(name) {
                None => return Step::Absent,
                Some(Inode::Blinded(_)) => return Step::Unknown,
                Some(Inode::Values(bucket)) => return bucket.find(name),
                Some(Inode::Branch(below)) => branch = below,
            }
        }
    }

    /// Adds all entries below it; `None` where some are not known.
    pub(super) fn collect<'a>(&'a self, entries: &mut Vec<&'a Entry>) -> Option<()> {
        for (_, child) in &self.children {
            match child {
                Inode::Blinded(_) => return None,
                Inode::Values(bucket) => entries.extend(&bucket.entries),
                Inode::Branch(below) => below.collect(entries)?,
            }
        }
        Some(())
    }
}

impl Inode {
    pub(crate) fn hash(&self) -> ContextHash {
        match self {
            Self::Blinded(hash) => *hash,
            Self::Values(bucket) => bucket.hash(),
            Self::Branch(branch) => branch.hash(),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Blinded(_) => false,
            Self::Values(bucket) => bucket.complete,
            Self::Branch(branch) => branch.complete,
        }
    }

    /// Entries below it, where it is shown.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Self::Blinded(_) => None,
            Self::Values(bucket) => Some(bucket.entries.len() as u64),
            Self::Branch(branch) => Some(branch.total),
        }
    }
}
