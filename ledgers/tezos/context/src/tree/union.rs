//! What two trees show together.

use std::sync::Arc;

use super::{Branch, Bucket, Entry, Inode, Part, Tree};
use crate::ContextHash;

/// Why two trees have no union.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MergeError {
    /// They are different states.
    #[error("trees of different roots, {one} and {other}, cannot be merged")]
    Roots {
        /// The first one's hash.
        one: ContextHash,
        /// The second one's.
        other: ContextHash,
    },
}

impl Tree {
    /// What this tree and another of the same hash show together.
    pub fn merge(&self, other: &Self) -> Result<Self, MergeError> {
        let (one, two) = (self.hash(), other.hash());
        if one != two || self.kind() != other.kind() {
            return Err(MergeError::Roots { one, other: two });
        }
        Ok(graft(self, other))
    }

    /// The same tree, with what an older state's tree shows wherever a part in
    /// the same place has the same hash: what did not change since need not be
    /// read again. Costs a walk along what both show.
    pub fn graft(&self, older: &Self) -> Self {
        graft(self, older)
    }
}

pub(super) fn graft(tree: &Tree, other: &Tree) -> Tree {
    more(tree, other).unwrap_or_else(|| tree.clone())
}

/// `tree` with what `other` shows more of it; `None` where that is nothing.
fn more(tree: &Tree, other: &Tree) -> Option<Tree> {
    if tree.is_complete() {
        return None;
    }
    Some(Tree(match (&tree.0, &other.0) {
        (Part::Blinded(kind, hash), shown)
            if !matches!(shown, Part::Blinded(..))
                && other.kind() == *kind
                && other.hash() == *hash =>
        {
            shown.clone()
        }
        (Part::Flat(one), Part::Flat(two)) => Part::Flat(more_entries(one, two)?),
        (Part::Wide(one), Part::Wide(two)) => Part::Wide(more_children(one, two)?),
        _ => return None,
    }))
}

fn more_entries(bucket: &Arc<Bucket>, other: &Arc<Bucket>) -> Option<Arc<Bucket>> {
    if Arc::ptr_eq(bucket, other) {
        return None;
    }
    let mut entries: Option<Vec<Entry>> = None;
    let mut others = other.entries.iter().peekable();
    for (at, entry) in bucket.entries.iter().enumerate() {
        while others.next_if(|other| *other.name < *entry.name).is_some() {}
        let Some(same) = others.next_if(|other| *other.name == *entry.name) else {
            continue;
        };
        if let Some(tree) = more(&entry.tree, &same.tree) {
            entries.get_or_insert_with(|| bucket.entries.clone())[at].tree = tree;
        }
    }
    Some(Arc::new(bucket.showing(entries?)))
}

fn more_children(branch: &Arc<Branch>, other: &Arc<Branch>) -> Option<Arc<Branch>> {
    if Arc::ptr_eq(branch, other) {
        return None;
    }
    let mut children: Option<Vec<(u8, Inode)>> = None;
    for (at, (index, child)) in branch.children.iter().enumerate() {
        let same = other.children.binary_search_by_key(index, |(i, _)| *i);
        let Ok(same) = same.map(|at| &other.children[at].1) else {
            continue;
        };
        if let Some(inode) = more_inode(child, same) {
            children.get_or_insert_with(|| branch.children.clone())[at].1 = inode;
        }
    }
    Some(Arc::new(branch.showing(children?)))
}

fn more_inode(inode: &Inode, other: &Inode) -> Option<Inode> {
    if inode.is_complete() {
        return None;
    }
    Some(match (inode, other) {
        (Inode::Blinded(hash), Inode::Values(_) | Inode::Branch(_)) if other.hash() == *hash => {
            other.clone()
        }
        (Inode::Values(one), Inode::Values(two)) => Inode::Values(more_entries(one, two)?),
        (Inode::Branch(one), Inode::Branch(two)) => Inode::Branch(more_children(one, two)?),
        _ => return None,
    })
}
