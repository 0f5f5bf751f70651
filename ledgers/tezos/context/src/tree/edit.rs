//! Making and changing trees: the path to a change is copied, the rest shared.

use std::sync::Arc;

use bytes::Bytes;

use super::{Branch, Bucket, Entry, Inode, Part, Step, Tree};
use crate::{
    defaults::{BRANCHING, MAX_FLAT, MAX_INODE_DEPTH, MAX_NAME, MAX_STEPS, MAX_VALUES},
    name::Name,
    rules,
};

/// Why a tree cannot be changed so.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EditError {
    /// The change, or the inodes it would rearrange, lie in a part of which
    /// only the hash is known.
    #[error("the tree is blinded where it would change; read that part first")]
    Blinded,
    /// No name, too many of them, or one that is empty or too long.
    #[error("a path needs 1 to {MAX_STEPS} names of 1 to {MAX_NAME} bytes")]
    Path,
    /// Contents and a directory in the same place.
    #[error("one path is given contents and leads to other paths as well")]
    Clash,
    /// More than 32 names that agree in all their hash bits.
    #[error("too many names share their hashes; a directory cannot hold them")]
    Crowded,
}

impl Tree {
    /// A tree of contents by path, in any order; of the same path twice the
    /// last counts. The quick way to a large tree.
    pub fn from_pairs<N: AsRef<[u8]>, P: AsRef<[N]>>(
        pairs: impl IntoIterator<Item = (P, Bytes)>,
    ) -> Result<Self, EditError> {
        let mut pairs: Vec<(Vec<Name>, Bytes)> = pairs
            .into_iter()
            .map(|(path, bytes)| Ok((names(path.as_ref())?, bytes)))
            .collect::<Result<_, EditError>>()?;
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut once: Vec<(Vec<Name>, Bytes)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match once.last_mut() {
                Some(last) if last.0 == pair.0 => *last = pair,
                _ => once.push(pair),
            }
        }
        grown(&once, 0)
    }

    /// The tree with these contents at the path. Directories are made on the
    /// way, contents on the way are replaced by them.
    pub fn insert(&self, path: &[&[u8]], bytes: impl Into<Bytes>) -> Result<Self, EditError> {
        names(path)?;
        let new = Self::contents(bytes);
        Ok(edited(Some(self), path, Some(&new))?.unwrap_or_else(Self::empty))
    }

    /// The tree without what is at the path; directories that this empties go
    /// as well. Unchanged where nothing is there.
    pub fn remove(&self, path: &[&[u8]]) -> Result<Self, EditError> {
        names(path)?;
        Ok(edited(Some(self), path, None)?.unwrap_or_else(Self::empty))
    }

    /// The directory with an entry set or removed.
    fn with_child(&self, name: &Name, new: Option<Self>) -> Result<Self, EditError> {
        let branch = match &self.0 {
            Part::Wide(branch) => branch.clone(),
            Part::Blinded(..) => return Err(EditError::Blinded),
            Part::Contents(_) => return Self::empty().with_child(name, new),
            Part::Flat(bucket) => {
                let entries = with_entry(bucket, name, new);
                if entries.len() <= MAX_FLAT {
                    return Ok(Self(Part::Flat(Arc::new(Bucket::flat(entries)))));
                }
                return Ok(Self(Part::Wide(partition(0, entries)?)));
            }
        };
        Ok(Self(match branch.with_child(name, new)? {
            Edited::Branch(branch) => Part::Wide(branch),
            Edited::Few(entries) => Part::Flat(Arc::new(Bucket::flat(entries))),
        }))
    }
}

fn names<N: AsRef<[u8]>>(path: &[N]) -> Result<Vec<Name>, EditError> {
    let fits = |name: &N| (1..=MAX_NAME).contains(&name.as_ref().len());
    if !(1..=MAX_STEPS).contains(&path.len()) || !path.iter().all(fits) {
        return Err(EditError::Path);
    }
    Ok(path.iter().map(|name| Name::new(name.as_ref())).collect())
}

/// The directory of sorted paths that agree in their first `depth` names.
fn grown(pairs: &[(Vec<Name>, Bytes)], depth: usize) -> Result<Tree, EditError> {
    let mut entries = Vec::new();
    for group in pairs.chunk_by(|(a, _), (b, _)| a.get(depth) == b.get(depth)) {
        let (path, bytes) = &group[0];
        let Some(name) = path.get(depth) else {
            return Err(EditError::Clash);
        };
        let tree = if group.len() == 1 && path.len() == depth + 1 {
            Tree::contents(bytes.clone())
        } else {
            grown(group, depth + 1)?
        };
        entries.push(Entry {
            name: name.clone(),
            tree,
        });
    }
    if entries.len() <= MAX_FLAT {
        return Ok(Tree(Part::Flat(Arc::new(Bucket::flat(entries)))));
    }
    Ok(Tree(Part::Wide(partition(0, entries)?)))
}

/// What is at `here` with the change made below it; `None` where that leaves
/// nothing.
fn edited(
    here: Option<&Tree>,
    path: &[&[u8]],
    new: Option<&Tree>,
) -> Result<Option<Tree>, EditError> {
    let Some((name, rest)) = path.split_first() else {
        return Ok(new.cloned());
    };
    let child = match here.map(|here| here.child(name)) {
        Some(Step::Found(child)) => Some(child),
        Some(Step::Unknown) => return Err(EditError::Blinded),
        Some(Step::Absent) | None => None,
    };
    if child.is_none() && new.is_none() {
        return Ok(here.cloned());
    }
    let child = edited(child, rest, new)?;
    let directory = match here {
        Some(tree) if tree.kind() == super::Kind::Directory => tree.clone(),
        _ => Tree::empty(),
    };
    let changed = directory.with_child(&Name::new(name), child)?;
    Ok((!changed.is_empty()).then_some(changed))
}

fn with_entry(bucket: &Bucket, name: &Name, new: Option<Tree>) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(bucket.entries.len() + 1);
    entries.extend_from_slice(&bucket.entries);
    match (bucket.position(name), new) {
        (Ok(at), Some(tree)) => entries[at].tree = tree,
        (Ok(at), None) => drop(entries.remove(at)),
        (Err(at), Some(tree)) => entries.insert(
            at,
            Entry {
                name: name.clone(),
                tree,
            },
        ),
        (Err(_), None) => {}
    }
    entries
}

/// An inode after a change: still one, or too few entries for it.
enum Edited {
    Branch(Arc<Branch>),
    Few(Vec<Entry>),
}

impl Branch {
    fn with_child(&self, name: &Name, new: Option<Tree>) -> Result<Edited, EditError> {
        let index = rules::index(self.depth, name);
        let position = self.children.binary_search_by_key(&index, |(i, _)| *i);
        let old = position.ok().map(|at| &self.children[at].1);
        let before = match old {
            Some(inode) => inode.count().ok_or(EditError::Blinded)?,
            None => 0,
        };
        let child = match old {
            None | Some(Inode::Blinded(_)) => {
                let entries = with_entry(&Bucket::values(Vec::new()), name, new);
                inode(self.depth + 1, entries)?
            }
            Some(Inode::Values(bucket)) => inode(self.depth + 1, with_entry(bucket, name, new))?,
            Some(Inode::Branch(below)) => match below.with_child(name, new)? {
                Edited::Branch(branch) => Some(Inode::Branch(branch)),
                Edited::Few(entries) => inode(self.depth + 1, entries)?,
            },
        };
        let after = child.as_ref().and_then(Inode::count).unwrap_or(0);
        let mut children = self.children.clone();
        match (position, child) {
            (Ok(at), Some(child)) => children[at].1 = child,
            (Ok(at), None) => drop(children.remove(at)),
            (Err(at), Some(child)) => children.insert(at, (index, child)),
            (Err(_), None) => {}
        }
        let total = self.total.saturating_sub(before).saturating_add(after);
        let changed = Self::new(self.depth, total, children);
        let fewest = if self.depth == 0 {
            MAX_FLAT
        } else {
            MAX_VALUES
        };
        if total > fewest as u64 {
            return Ok(Edited::Branch(Arc::new(changed)));
        }
        let mut entries = Vec::new();
        changed.collect(&mut entries).ok_or(EditError::Blinded)?;
        let mut entries: Vec<Entry> = entries.into_iter().cloned().collect();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Edited::Few(entries))
    }
}

/// The inode of these sorted entries; none for none.
fn inode(depth: u8, entries: Vec<Entry>) -> Result<Option<Inode>, EditError> {
    Ok(match entries.len() {
        0 => None,
        1..=MAX_VALUES => Some(Inode::Values(Arc::new(Bucket::values(entries)))),
        _ => Some(Inode::Branch(partition(depth, entries)?)),
    })
}

/// The branching inode of more sorted entries than fit a lower one.
pub(super) fn partition(depth: u8, entries: Vec<Entry>) -> Result<Arc<Branch>, EditError> {
    if usize::from(depth) >= MAX_INODE_DEPTH {
        return Err(EditError::Crowded);
    }
    let total = entries.len() as u64;
    let mut shares = vec![Vec::new(); BRANCHING];
    for entry in entries {
        shares[usize::from(rules::index(depth, &entry.name))].push(entry);
    }
    let mut children = Vec::new();
    for (index, share) in (0u8..).zip(shares) {
        if let Some(child) = inode(depth + 1, share)? {
            children.push((index, child));
        }
    }
    Ok(Arc::new(Branch::new(depth, total, children)))
}
