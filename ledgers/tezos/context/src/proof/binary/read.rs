//! Reading the binary form.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    AFTER_NODE, BEFORE_NODE, BLINDED_INODE, BLINDED_NODE, BLINDED_VALUE, DENSE, EXTENDER,
    INODE_EXTENDER, NODE, NODE_COUNT, NONE, NOTHING, SOMETHING, SPARSE_COUNT, VALUE, WIDTH,
};
use crate::{
    Kind, Limits, Proof, ProofError, Tree,
    allowance::Allowance,
    defaults::{BRANCHING, DENSE_FROM},
    proof::{KindedHash, cursor::Cursor, path::Path},
    tree::{self, Branch, Entry, Inode, Part},
};

type Read<T> = Result<T, ProofError>;

/// Reads a proof.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Proof, ProofError> {
    let mut reader = Reader {
        from: Cursor::new(bytes),
        allowance: Allowance::new(bytes.len(), limits)?,
    };
    let flags = reader.from.byte()?;
    if flags & !(BEFORE_NODE | AFTER_NODE) != 0 {
        return Err(reader.from.wrong("a proof's first byte is at most 3"));
    }
    let kind = |flag| match flags & flag {
        0 => Kind::Contents,
        _ => Kind::Directory,
    };
    let version = i16::from_be_bytes(reader.from.array()?);
    let before = KindedHash {
        kind: kind(BEFORE_NODE),
        hash: reader.from.hash()?,
    };
    let after = KindedHash {
        kind: kind(AFTER_NODE),
        hash: reader.from.hash()?,
    };
    let tree = reader.tree()?;
    reader.from.end()?;
    Ok(Proof {
        version,
        before,
        after,
        tree,
    })
}

/// Reads a node's answer: the proof itself, or one in the output type ("a
/// proof or nothing"), with or without the length before it. `None` is
/// "nothing": the node does not have the block's state.
pub fn read_answer(bytes: &[u8], limits: &Limits) -> Result<Option<Proof>, ProofError> {
    let framed = match bytes.split_first_chunk() {
        Some((length, rest)) if u32::from_be_bytes(*length) as usize == rest.len() => rest,
        _ => bytes,
    };
    match framed {
        [NOTHING] => Ok(None),
        // The proof itself may also begin so, if `after` is contents: never in
        // a node's answer.
        [SOMETHING, proof @ ..] => read(proof, limits).map(Some),
        proof => read(proof, limits).map(Some),
    }
}

struct Reader<'a> {
    from: Cursor<'a>,
    allowance: Allowance,
}

/// Bytes of a length that a tag tells the width of.
fn width(tag: u8) -> usize {
    1 << (tag & WIDTH)
}

impl Reader<'_> {
    fn tree(&mut self) -> Read<Tree> {
        self.allowance.enter()?;
        let tag = self.from.byte()?;
        let tree = match tag {
            _ if tag & NODE == 0 => Tree(Part::Wide(self.branch(tag, &Path::default())?)),
            _ if tag & !NODE_COUNT == NODE => {
                let entries = self.entries(tag)?;
                tree::directory(entries).map_err(|what| self.from.wrong(what))?
            }
            BLINDED_VALUE => Tree::blinded(Kind::Contents, self.from.hash()?),
            BLINDED_NODE => Tree::blinded(Kind::Directory, self.from.hash()?),
            _ if tag & !WIDTH == VALUE => {
                let width = match tag & WIDTH {
                    0b00 => 1,
                    0b01 => 2,
                    0b11 => 4,
                    _ => return Err(self.from.wrong("a value's length has 1, 2 or 4 bytes")),
                };
                Tree::contents(Bytes::copy_from_slice(self.from.counted(width)?))
            }
            _ if tag & !WIDTH == EXTENDER => {
                Tree(Part::Wide(self.extender(tag, &Path::default())?))
            }
            _ => return Err(self.from.wrong("a tree has no such kind of node")),
        };
        self.allowance.leave();
        Ok(tree)
    }

    fn inode(&mut self, path: &Path) -> Read<Option<Inode>> {
        self.allowance.enter()?;
        let tag = self.from.byte()?;
        let inode = match tag {
            _ if tag & NODE == 0 => Some(Inode::Branch(self.branch(tag, path)?)),
            _ if tag & !NODE_COUNT == NODE => {
                let entries = self.entries(tag)?;
                let values = tree::values(path.indices(), entries);
                Some(values.map_err(|what| self.from.wrong(what))?)
            }
            BLINDED_INODE => Some(Inode::Blinded(self.from.hash()?)),
            NONE => None,
            _ if tag & !WIDTH == INODE_EXTENDER => Some(Inode::Branch(self.extender(tag, path)?)),
            _ => return Err(self.from.wrong("an inode's tree has no such kind of node")),
        };
        self.allowance.leave();
        Ok(inode)
    }

    fn entries(&mut self, tag: u8) -> Read<Vec<Entry>> {
        let mut entries = Vec::new();
        if tag & NODE_COUNT == NODE_COUNT {
            // Too many for the tag: the list's bytes are counted instead.
            let bytes = self.from.number(4)?;
            let end = usize::try_from(bytes)
                .ok()
                .and_then(|bytes| self.from.left().checked_sub(bytes))
                .ok_or_else(|| self.from.wrong("the bytes end too early"))?;
            while self.from.left() > end {
                entries.push(self.entry()?);
            }
            if self.from.left() != end {
                return Err(self.from.wrong("a list is longer than it says"));
            }
        } else {
            for _ in 0..tag & NODE_COUNT {
                entries.push(self.entry()?);
            }
        }
        Ok(entries)
    }

    fn entry(&mut self) -> Read<Entry> {
        Ok(Entry {
            name: self.from.name()?,
            tree: self.tree()?,
        })
    }

    fn branch(&mut self, tag: u8, path: &Path) -> Read<Arc<Branch>> {
        let length = self.from.number(width(tag))?;
        let mut children = Vec::new();
        if tag & DENSE != 0 {
            if tag & SPARSE_COUNT != 0 {
                return Err(self.from.wrong("an inode's tag has unknown bits"));
            }
            for index in 0..BRANCHING as u8 {
                self.child(index, path, &mut children)?;
            }
        } else {
            let count = usize::from((tag & SPARSE_COUNT) >> 2);
            if count >= DENSE_FROM {
                return Err(self.from.wrong("a sparse inode has fewer than 15 children"));
            }
            for _ in 0..count {
                let index = self.from.byte()?;
                self.child(index, path, &mut children)?;
            }
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

    fn extender(&mut self, tag: u8, path: &Path) -> Read<Arc<Branch>> {
        let length = self.from.number(width(tag))?;
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
