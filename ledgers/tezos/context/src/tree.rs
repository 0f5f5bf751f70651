//! The context as an immutable tree that may be known in part.
//!
//! A [`Tree`] is a handle: cloning it costs one counter, editing it copies the
//! path to the edit and shares the rest. Any part may be blinded, which means
//! that only its hash is known. A directory of more than 256 entries keeps the
//! inodes it is hashed by, so that what is looked up in a partly known one is
//! found along the same way the hash was made: only that way says that a name
//! is absent.

mod build;
mod edit;
mod inode;
mod union;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

pub(crate) use self::{
    build::{directory, extender, values, wide},
    inode::{Branch, Bucket, Inode},
};
pub use self::{edit::EditError, union::MergeError};
use crate::{ContextHash, Key, name::Name, rules};

/// What a part of the context is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bytes.
    Contents,
    /// Names and what they stand for.
    Directory,
}

/// Contents or a directory, known as far as it was shown.
#[derive(Clone)]
pub struct Tree(pub(crate) Part);

#[derive(Clone)]
pub(crate) enum Part {
    Contents(Arc<Contents>),
    /// A directory of at most 256 entries.
    Flat(Arc<Bucket>),
    /// A directory of more: its first inode.
    Wide(Arc<Branch>),
    Blinded(Kind, ContextHash),
}

pub(crate) struct Contents {
    pub(crate) hash: ContextHash,
    pub(crate) bytes: Bytes,
}

/// One name of a directory and what it stands for.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(crate) name: Name,
    pub(crate) tree: Tree,
}

impl Entry {
    /// The name, raw bytes.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// What the name stands for; may be blinded.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// What a tree says about a path.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// These bytes are there.
    Contents(Bytes),
    /// A directory is there; parts of it may be blinded.
    Directory(Tree),
    /// Nothing is there, and the tree's hash says so.
    Absent,
    /// The tree is not known far enough.
    Blinded,
}

/// What a tree says about a path, where the hash of what is there is enough.
#[derive(Clone, Debug)]
pub enum Place {
    /// This is there; it may be blinded, its kind and hash are known.
    Found(Tree),
    /// Nothing is there, and the tree's hash says so.
    Absent,
    /// The tree is not known far enough.
    Unknown,
}

/// [`Place`] by reference, for one step.
pub(crate) enum Step<'a> {
    Found(&'a Tree),
    Absent,
    Unknown,
}

impl Tree {
    /// The directory without entries.
    pub fn empty() -> Self {
        Self(Part::Flat(Arc::new(Bucket::flat(Vec::new()))))
    }

    /// Contents.
    pub fn contents(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let hash = rules::contents(&bytes);
        Self(Part::Contents(Arc::new(Contents { hash, bytes })))
    }

    /// A part of which only the kind and the hash are known.
    pub fn blinded(kind: Kind, hash: ContextHash) -> Self {
        Self(Part::Blinded(kind, hash))
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match &self.0 {
            Part::Contents(_) => Kind::Contents,
            Part::Flat(_) | Part::Wide(_) => Kind::Directory,
            Part::Blinded(kind, _) => *kind,
        }
    }

    /// Its hash: computed once for each part, then remembered.
    pub fn hash(&self) -> ContextHash {
        match &self.0 {
            Part::Contents(contents) => contents.hash,
            Part::Flat(bucket) => bucket.hash(),
            Part::Wide(branch) => branch.hash(),
            Part::Blinded(_, hash) => *hash,
        }
    }

    /// Whether only the hash is known.
    pub fn is_blinded(&self) -> bool {
        matches!(self.0, Part::Blinded(..))
    }

    /// Whether nothing in it is blinded. Costs nothing.
    pub fn is_complete(&self) -> bool {
        match &self.0 {
            Part::Contents(_) => true,
            Part::Flat(bucket) => bucket.complete,
            Part::Wide(branch) => branch.complete,
            Part::Blinded(..) => false,
        }
    }

    /// The bytes, where it is contents and shown.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Part::Contents(contents) => Some(&contents.bytes),
            _ => None,
        }
    }

    /// How many entries the directory has; `None` for contents and for what is
    /// blinded. Known also where some of the entries are not.
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Part::Flat(bucket) => Some(bucket.entries.len() as u64),
            Part::Wide(branch) => Some(branch.total),
            _ => None,
        }
    }

    /// Whether it is the directory without entries.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The directory's entries, sorted by name; `None` for contents and where
    /// not all names are known. What the names stand for may be blinded.
    pub fn entries(&self) -> Option<Vec<&Entry>> {
        match &self.0 {
            Part::Flat(bucket) => Some(bucket.entries.iter().collect()),
            Part::Wide(branch) => {
                let mut entries = Vec::new();
                branch.collect(&mut entries)?;
                entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
                Some(entries)
            }
            _ => None,
        }
    }

    /// What is at a path of names below this directory; nothing is below
    /// contents.
    pub fn find(&self, path: &[&[u8]]) -> Lookup {
        match self.walk(path) {
            Step::Found(tree) => match &tree.0 {
                Part::Contents(contents) => Lookup::Contents(contents.bytes.clone()),
                Part::Blinded(..) => Lookup::Blinded,
                Part::Flat(_) | Part::Wide(_) => Lookup::Directory(tree.clone()),
            },
            Step::Absent => Lookup::Absent,
            Step::Unknown => Lookup::Blinded,
        }
    }

    /// [`Tree::find`] for a key, in the root directory.
    pub fn find_key(&self, key: &Key) -> Lookup {
        self.find(&key.from_root())
    }

    /// What is at a path, also where only its hash is known.
    pub fn get(&self, path: &[&[u8]]) -> Place {
        match self.walk(path) {
            Step::Found(tree) => Place::Found(tree.clone()),
            Step::Absent => Place::Absent,
            Step::Unknown => Place::Unknown,
        }
    }

    fn walk(&self, path: &[&[u8]]) -> Step<'_> {
        let mut here = self;
        for name in path {
            match here.child(name) {
                Step::Found(tree) => here = tree,
                other => return other,
            }
        }
        Step::Found(here)
    }

    pub(crate) fn child(&self, name: &[u8]) -> Step<'_> {
        match &self.0 {
            Part::Contents(_) | Part::Blinded(Kind::Contents, _) => Step::Absent,
            Part::Flat(bucket) => bucket.find(name),
            Part::Wide(branch) => branch.find(name),
            Part::Blinded(Kind::Directory, _) => Step::Unknown,
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match &self.0 {
            Part::Contents(_) => "contents",
            Part::Flat(_) | Part::Wide(_) => "directory",
            Part::Blinded(Kind::Contents, _) => "blinded contents",
            Part::Blinded(Kind::Directory, _) => "blinded directory",
        };
        write!(f, "{shown} {}", self.hash())
    }
}

/// A hash that is computed when it is first asked for.
pub(crate) type Lazy = OnceLock<ContextHash>;
