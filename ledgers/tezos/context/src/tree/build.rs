//! Directories out of parts that come from outside: what cannot belong to any
//! real tree is refused here, so that every [`Tree`] is well-formed.

use std::sync::Arc;

use super::{Branch, Bucket, Entry, Inode, Part, Tree, edit::partition, union};
use crate::{
    defaults::{BRANCHING, MAX_FLAT, MAX_INODE_DEPTH, MAX_VALUES},
    rules,
};

/// Why parts do not make a directory.
pub(crate) type Refused = &'static str;

/// A directory out of all its entries, in any order. The same entry twice is
/// one entry, as the original has it.
pub(crate) fn directory(entries: Vec<Entry>) -> Result<Tree, Refused> {
    let entries = in_order(entries)?;
    if entries.len() <= MAX_FLAT {
        return Ok(Tree(Part::Flat(Arc::new(Bucket::flat(entries)))));
    }
    let branch = partition(0, entries).map_err(|_| "too many names share their hashes")?;
    Ok(Tree(Part::Wide(branch)))
}

/// The lowest kind of inode, at the end of `path`: the indices from the
/// directory's first inode down to it.
pub(crate) fn values(path: &[u8], entries: Vec<Entry>) -> Result<Inode, Refused> {
    let entries = in_order(entries)?;
    if entries.is_empty() || entries.len() > MAX_VALUES {
        return Err("an inode of values with no entry, or more than 32");
    }
    for entry in &entries {
        if (0u8..)
            .zip(path)
            .any(|(depth, index)| rules::index(depth, &entry.name) != *index)
        {
            return Err("a name in an inode where its hash does not lead");
        }
    }
    Ok(Inode::Values(Arc::new(Bucket::values(entries))))
}

/// An inode with children; one of depth 0 is a directory of its own.
pub(crate) fn wide(
    depth: usize,
    total: u64,
    children: Vec<(u8, Inode)>,
) -> Result<Arc<Branch>, Refused> {
    let fewest = if depth == 0 { MAX_FLAT } else { MAX_VALUES };
    if depth >= MAX_INODE_DEPTH {
        return Err("inodes deeper than names have hash bits for");
    }
    if total <= fewest as u64 {
        return Err("an inode of so few entries that it would not be one");
    }
    let ascending = children.is_sorted_by(|(a, _), (b, _)| a < b);
    if !ascending
        || children
            .last()
            .is_none_or(|(index, _)| usize::from(*index) >= BRANCHING)
    {
        return Err("an inode's children out of order, twice, or none");
    }
    let known = children
        .iter()
        .filter_map(|(_, child)| child.count())
        .fold(0u64, u64::saturating_add);
    let blinded = children.iter().any(|(_, c)| matches!(c, Inode::Blinded(_)));
    if known > total || known < total && !blinded {
        return Err("an inode's length is not that of its children");
    }
    Ok(Arc::new(Branch::new(depth as u8, total, children)))
}

/// Inodes of one child each, from `depth` down along `segment` to `end`.
pub(crate) fn extender(
    depth: usize,
    total: u64,
    segment: &[u8],
    end: Inode,
) -> Result<Arc<Branch>, Refused> {
    let mut inode = end;
    for (below, index) in segment.iter().enumerate().rev() {
        inode = Inode::Branch(wide(depth + below, total, vec![(*index, inode)])?);
    }
    match inode {
        Inode::Branch(branch) => Ok(branch),
        _ => Err("an extender of no length"),
    }
}

/// Sorted by name; of entries with the same name and hash, what any shows.
fn in_order(mut entries: Vec<Entry>) -> Result<Vec<Entry>, Refused> {
    if entries.is_sorted_by(|a, b| *a.name < *b.name) {
        return Ok(entries);
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let mut once: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        match once.last_mut() {
            Some(last) if last.name == entry.name => {
                if last.tree.kind() != entry.tree.kind() || last.tree.hash() != entry.tree.hash() {
                    return Err("a name twice in a directory, for different things");
                }
                last.tree = union::graft(&last.tree, &entry.tree);
            }
            _ => once.push(entry),
        }
    }
    Ok(once)
}
