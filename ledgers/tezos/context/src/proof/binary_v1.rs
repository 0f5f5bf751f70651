//! The older binary form of the same proofs, with whole bytes for every tag and
//! length. Nodes do not answer with it; other tools of Octez read and write it.

use std::sync::Arc;

use bytes::Bytes;

use super::{KindedHash, Proof, ProofError, cursor::Cursor, path::Path, segment};
use crate::{
    Kind, Limits, Tree,
    allowance::Allowance,
    defaults::{BRANCHING, DENSE_FROM_V1},
    tree::{self, Branch, Entry, Inode, Part},
};

type Read<T> = Result<T, ProofError>;

// Tags of a tree's nodes.
const VALUE: u8 = 0;
const BLINDED_VALUE: u8 = 1;
const NODE: u8 = 2;
const BLINDED_NODE: u8 = 3;
const INODE: u8 = 4;
const EXTENDER: u8 = 5;
// Tags of an inode tree's nodes.
const BLINDED_INODE: u8 = 0;
const INODE_VALUES: u8 = 1;
const INODE_TREE: u8 = 2;
const INODE_EXTENDER: u8 = 3;
const NONE: u8 = 4;
// Tags of an inode's children.
const SPARSE: u8 = 0;
const DENSE: u8 = 1;

/// Reads a proof.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Proof, ProofError> {
    let mut reader = Reader {
        from: Cursor::new(bytes),
        allowance: Allowance::new(bytes.len(), limits)?,
    };
    let version = i16::from_be_bytes(reader.from.array()?);
    let before = reader.kinded_hash()?;
    let after = reader.kinded_hash()?;
    let tree = reader.tree()?;
    reader.from.end()?;
    Ok(Proof {
        version,
        before,
        after,
        tree,
    })
}

struct Reader<'a> {
    from: Cursor<'a>,
    allowance: Allowance,
}

impl Reader<'_> {
    fn kinded_hash(&mut self) -> Read<KindedHash> {
        let kind = match self.from.byte()? {
            0 => Kind::Contents,
            1 => Kind::Directory,
            _ => return Err(self.from.wrong("a root is 00 or 01")),
        };
        let hash = self.from.hash()?;
        Ok(KindedHash { kind, hash })
    }

    fn tree(&mut self) -> Read<Tree> {
        self.allowance.enter()?;
        let tree = match self.from.byte()? {
            VALUE => Tree::contents(Bytes::copy_from_slice(self.from.counted(4)?)),
            BLINDED_VALUE => Tree::blinded(Kind::Contents, self.from.hash()?),
            BLINDED_NODE => Tree::blinded(Kind::Directory, self.from.hash()?),
            NODE => {
                let entries = self.entries()?;
                tree::directory(entries).map_err(|what| self.from.wrong(what))?
            }
            INODE => Tree(Part::Wide(self.branch(&Path::default())?)),
            EXTENDER => Tree(Part::Wide(self.extender(&Path::default())?)),
            _ => return Err(self.from.wrong("a tree has no such kind of node")),
        };
        self.allowance.leave();
        Ok(tree)
    }

    fn inode(&mut self, path: &Path) -> Read<Option<Inode>> {
        self.allowance.enter()?;
        let inode = match self.from.byte()? {
            BLINDED_INODE => Some(Inode::Blinded(self.from.hash()?)),
            INODE_VALUES => {
                let entries = self.entries()?;
                let values = tree::values(path.indices(), entries);
                Some(values.map_err(|what| self.from.wrong(what))?)
            }
            INODE_TREE => Some(Inode::Branch(self.branch(path)?)),
            INODE_EXTENDER => Some(Inode::Branch(self.extender(path)?)),
            NONE => None,
            _ => return Err(self.from.wrong("an inode's tree has no such kind of node")),
        };
        self.allowance.leave();
        Ok(inode)
    }

    /// Where a list ends that is as many bytes long as the next four say.
    fn list(&mut self) -> Read<usize> {
        let bytes = self.from.number(4)?;
        usize::try_from(bytes)
            .ok()
            .and_then(|bytes| self.from.left().checked_sub(bytes))
            .ok_or_else(|| self.from.wrong("the bytes end too early"))
    }

    fn ends(&self, end: usize) -> Read<()> {
        if self.from.left() == end {
            Ok(())
        } else {
            Err(self.from.wrong("a list is longer than it says"))
        }
    }

    fn entries(&mut self) -> Read<Vec<Entry>> {
        let end = self.list()?;
        let mut entries = Vec::new();
        while self.from.left() > end {
            let name = self.from.name()?;
            let tree = self.tree()?;
            entries.push(Entry { name, tree });
        }
        self.ends(end)?;
        Ok(entries)
    }

    fn branch(&mut self, path: &Path) -> Read<Arc<Branch>> {
        let length = self.from.number(8)?;
        let mut children = Vec::new();
        match self.from.byte()? {
            SPARSE => {
                let end = self.list()?;
                while self.from.left() > end {
                    let index = self.from.byte()?;
                    self.child(index, path, &mut children)?;
                }
                self.ends(end)?;
            }
            DENSE => {
                for index in 0..BRANCHING as u8 {
                    self.child(index, path, &mut children)?;
                }
            }
            _ => return Err(self.from.wrong("children are sparse (00) or dense (01)")),
        }
        tree::wide(path.depth(), length, children).map_err(|what| self.from.wrong(what))
    }

    fn child(&mut self, index: u8, path: &Path, children: &mut Vec<(u8, Inode)>) -> Read<()> {
        let below = self.down(path, &[index])?;
        if let Some(child) = self.inode(&below)? {
            children.push((index, child));
        }
        Ok(())
    }

    fn extender(&mut self, path: &Path) -> Read<Arc<Branch>> {
        let length = self.from.number(8)?;
        let segment = self.from.segment()?;
        let below = self.down(path, &segment)?;
        let inode = self
            .inode(&below)?
            .ok_or_else(|| self.from.wrong("an extender ends in nothing"))?;
        tree::extender(path.depth(), length, &segment, inode).map_err(|what| self.from.wrong(what))
    }

    fn down(&self, path: &Path, indices: &[u8]) -> Read<Path> {
        path.down(indices).ok_or_else(|| {
            self.from
                .wrong("inodes deeper than names have hash bits for")
        })
    }
}

/// The bytes of a proof.
pub fn write(proof: &Proof) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 << 12);
    bytes.extend(proof.version.to_be_bytes());
    for root in [&proof.before, &proof.after] {
        bytes.push(u8::from(root.kind == Kind::Directory));
        bytes.extend(root.hash.0);
    }
    write_tree(&mut bytes, &proof.tree);
    bytes
}

fn tagged_hash(bytes: &mut Vec<u8>, tag: u8, hash: &crate::ContextHash) {
    bytes.push(tag);
    bytes.extend(hash.0);
}

fn write_tree(bytes: &mut Vec<u8>, tree: &Tree) {
    match &tree.0 {
        Part::Contents(contents) => {
            bytes.push(VALUE);
            bytes.extend((contents.bytes.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&contents.bytes);
        }
        Part::Blinded(Kind::Contents, hash) => tagged_hash(bytes, BLINDED_VALUE, hash),
        Part::Blinded(Kind::Directory, hash) => tagged_hash(bytes, BLINDED_NODE, hash),
        Part::Flat(bucket) => {
            bytes.push(NODE);
            write_entries(bytes, &bucket.entries);
        }
        Part::Wide(branch) => write_branch(bytes, INODE, EXTENDER, branch),
    }
}

fn write_inode(bytes: &mut Vec<u8>, inode: &Inode) {
    match inode {
        Inode::Blinded(hash) => tagged_hash(bytes, BLINDED_INODE, hash),
        Inode::Values(bucket) => {
            bytes.push(INODE_VALUES);
            write_entries(bytes, &bucket.entries);
        }
        Inode::Branch(branch) => write_branch(bytes, INODE_TREE, INODE_EXTENDER, branch),
    }
}

fn write_branch(bytes: &mut Vec<u8>, tree: u8, extender: u8, branch: &Branch) {
    if let Some((indices, end)) = branch.chain() {
        bytes.push(extender);
        bytes.extend(branch.total.to_be_bytes());
        let segment = segment::write(&indices);
        bytes.push(segment.len() as u8);
        bytes.extend(segment);
        return write_inode(bytes, end);
    }
    bytes.push(tree);
    bytes.extend(branch.total.to_be_bytes());
    if branch.children.len() < DENSE_FROM_V1 {
        bytes.push(SPARSE);
        listed(bytes, |bytes| {
            for (index, child) in &branch.children {
                bytes.push(*index);
                write_inode(bytes, child);
            }
        });
    } else {
        bytes.push(DENSE);
        for place in 0..BRANCHING as u8 {
            match branch.at(place) {
                Some(child) => write_inode(bytes, child),
                None => bytes.push(NONE),
            }
        }
    }
}

fn write_entries(bytes: &mut Vec<u8>, entries: &[Entry]) {
    listed(bytes, |bytes| {
        for entry in entries {
            bytes.push(entry.name.len() as u8);
            bytes.extend_from_slice(&entry.name);
            write_tree(bytes, &entry.tree);
        }
    });
}

/// A list behind its length in bytes.
fn listed(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len() + 4;
    bytes.extend([0; 4]);
    write(bytes);
    let length = (bytes.len() - start) as u32;
    bytes[start - 4..start].copy_from_slice(&length.to_be_bytes());
}
