//! Reading the JSON form.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    ContextHash, Kind, Limits, Proof, ProofError, Tree,
    allowance::Allowance,
    defaults::{BRANCHING, MAX_NAME, MAX_WRAPPERS},
    name::Name,
    proof::{KindedHash, path::Path, segment},
    pull::{Pull, decimal},
    tree::{self, Branch, Entry, Inode, Part},
};

type Read<T> = Result<T, ProofError>;

/// Reads an answer; `None` is the answer `null`: the node does not have the
/// block's state.
pub fn read(text: &[u8], limits: &Limits) -> Result<Option<Proof>, ProofError> {
    let allowance = Allowance::new(text.len(), limits)?;
    let mut reader = Reader {
        json: Pull::new(text),
        allowance,
    };
    let proof = if reader.json.word("null") {
        None
    } else {
        Some(reader.proof()?)
    };
    reader.json.end()?;
    Ok(proof)
}

struct Reader<'a> {
    json: Pull<'a>,
    allowance: Allowance,
}

impl<'a> Reader<'a> {
    fn proof(&mut self) -> Read<Proof> {
        self.json.expect(b'{', "a proof's object is expected")?;
        let (mut version, mut before, mut after, mut state) = (None, None, None, None);
        let mut first = true;
        while self.json.another(&mut first, b'}')? {
            match self.json.name()? {
                b"version" => version = Some(self.version()?),
                b"before" => before = Some(self.kinded_hash()?),
                b"after" => after = Some(self.kinded_hash()?),
                b"state" if state.is_none() => state = Some(self.tree()?),
                _ => return Err(self.json.wrong("a proof has no such field")),
            }
        }
        match (version, before, after, state) {
            (Some(version), Some(before), Some(after), Some(tree)) => Ok(Proof {
                version,
                before,
                after,
                tree,
            }),
            _ => Err(self
                .json
                .wrong("a proof needs 'version', 'before', 'after' and 'state'")),
        }
    }

    fn version(&mut self) -> Read<i16> {
        let negative = self.json.take(b'-');
        let number = i64::try_from(self.json.number()?).ok();
        number
            .map(|number| if negative { -number } else { number })
            .and_then(|number| i16::try_from(number).ok())
            .ok_or_else(|| self.json.wrong("a version has 16 bits"))
    }

    fn kinded_hash(&mut self) -> Read<KindedHash> {
        self.json.expect(b'{', "a root's object is expected")?;
        let kind = match self.json.name()? {
            b"node" => Kind::Directory,
            b"value" => Kind::Contents,
            _ => return Err(self.json.wrong("a root is a 'node' or a 'value'")),
        };
        let hash = self.hash()?;
        self.json.expect(b'}', "a root's object has one field")?;
        Ok(KindedHash { kind, hash })
    }

    fn hash(&mut self) -> Read<ContextHash> {
        let at = self.json.position();
        ContextHash::from_text(self.json.string()?)
            .map_err(|source| ProofError::Hash { at, source })
    }

    /// Opens a node: its tag, and how many objects to close after it.
    fn open(&mut self) -> Read<(&'a [u8], usize)> {
        let mut wrappers = 0;
        loop {
            self.json.expect(b'{', "a node's object is expected")?;
            match self.json.name()? {
                b"other_trees" | b"other_inode_trees" if wrappers < MAX_WRAPPERS => wrappers += 1,
                tag => return Ok((tag, wrappers + 1)),
            }
        }
    }

    fn close(&mut self, objects: usize) -> Read<()> {
        for _ in 0..objects {
            self.json.expect(b'}', "a node's object has one field")?;
        }
        self.allowance.leave();
        Ok(())
    }

    fn tree(&mut self) -> Read<Tree> {
        self.allowance.enter()?;
        let (tag, objects) = self.open()?;
        let tree = match tag {
            b"value" => Tree::contents(self.hex()?),
            b"blinded_value" => Tree::blinded(Kind::Contents, self.hash()?),
            b"blinded_node" => Tree::blinded(Kind::Directory, self.hash()?),
            b"node" => {
                let entries = self.entries()?;
                tree::directory(entries).map_err(|what| self.json.wrong(what))?
            }
            b"inode" => Tree(Part::Wide(self.branch(&Path::default())?)),
            b"extender" => Tree(Part::Wide(self.extender(&Path::default())?)),
            _ => return Err(self.json.wrong("a tree has no such kind of node")),
        };
        self.close(objects)?;
        Ok(tree)
    }

    /// A node of an inode's tree; `None` where the text says that none is.
    fn inode(&mut self, path: &Path) -> Read<Option<Inode>> {
        self.allowance.enter()?;
        let (tag, objects) = self.open()?;
        let inode = match tag {
            b"blinded_inode" => Some(Inode::Blinded(self.hash()?)),
            b"inode_values" => {
                let entries = self.entries()?;
                let values = tree::values(path.indices(), entries);
                Some(values.map_err(|what| self.json.wrong(what))?)
            }
            b"inode_tree" => Some(Inode::Branch(self.branch(path)?)),
            b"inode_extender" => Some(Inode::Branch(self.extender(path)?)),
            b"none" => {
                self.json.expect(b'{', "'none' is an empty object")?;
                self.json.expect(b'}', "'none' is an empty object")?;
                None
            }
            _ => return Err(self.json.wrong("an inode's tree has no such kind of node")),
        };
        self.close(objects)?;
        Ok(inode)
    }

    fn entries(&mut self) -> Read<Vec<Entry>> {
        self.json.expect(b'[', "a list of entries is expected")?;
        let mut entries = Vec::new();
        let mut first = true;
        while self.json.another(&mut first, b']')? {
            self.json.expect(b'[', "an entry's pair is expected")?;
            let name = self.name()?;
            self.json.expect(b',', "an entry's pair is expected")?;
            let tree = self.tree()?;
            self.json.expect(b']', "an entry's pair is expected")?;
            entries.push(Entry { name, tree });
        }
        Ok(entries)
    }

    fn name(&mut self) -> Read<Name> {
        let text = self.json.string()?;
        let mut buffer = [0; MAX_NAME];
        let bytes = buffer
            .get_mut(..text.len() / 2)
            .ok_or_else(|| self.json.wrong("a name is longer than 255 bytes"))?;
        self.unhex(text, bytes)?;
        Ok(Name::new(bytes))
    }

    fn hex(&mut self) -> Read<Bytes> {
        let text = self.json.string()?;
        let mut bytes = vec![0; text.len() / 2];
        self.unhex(text, &mut bytes)?;
        Ok(bytes.into())
    }

    fn unhex(&self, text: &[u8], bytes: &mut [u8]) -> Read<()> {
        if text.len() != 2 * bytes.len() || faster_hex::hex_decode(text, bytes).is_err() {
            return Err(self.json.wrong("hex is expected, two digits a byte"));
        }
        Ok(())
    }

    /// A number written as a string.
    fn length(&mut self) -> Read<u64> {
        let text = if self.json.peek() == Some(b'"') {
            decimal(self.json.string()?)
        } else {
            Some(self.json.number()?)
        };
        text.ok_or_else(|| self.json.wrong("a length is expected"))
    }

    fn branch(&mut self, path: &Path) -> Read<Arc<Branch>> {
        self.json.expect(b'{', "an inode's object is expected")?;
        let (mut length, mut proofs) = (None, None);
        let mut first = true;
        while self.json.another(&mut first, b'}')? {
            match self.json.name()? {
                b"length" => length = Some(self.length()?),
                b"proofs" if proofs.is_none() => proofs = Some(self.proofs(path)?),
                _ => return Err(self.json.wrong("an inode has no such field")),
            }
        }
        let (Some(length), Some(proofs)) = (length, proofs) else {
            return Err(self.json.wrong("an inode needs 'length' and 'proofs'"));
        };
        tree::wide(path.depth(), length, proofs).map_err(|what| self.json.wrong(what))
    }

    fn proofs(&mut self, path: &Path) -> Read<Vec<(u8, Inode)>> {
        self.json.expect(b'{', "an object of proofs is expected")?;
        let dense = match self.json.name()? {
            b"dense_proof" => true,
            b"sparse_proof" => false,
            _ => {
                return Err(self
                    .json
                    .wrong("'sparse_proof' or 'dense_proof' is expected"));
            }
        };
        self.json.expect(b'[', "a list of proofs is expected")?;
        let mut children = Vec::new();
        let mut first = true;
        let mut place = 0;
        while self.json.another(&mut first, b']')? {
            if place == BRANCHING {
                return Err(self.json.wrong("an inode has at most 32 children"));
            }
            let index = if dense {
                place as u8
            } else {
                self.json.expect(b'[', "a child's pair is expected")?;
                let index = self.json.number()?;
                self.json.expect(b',', "a child's pair is expected")?;
                u8::try_from(index).map_err(|_| self.json.wrong("an index is below 32"))?
            };
            let below = self.down(path, &[index])?;
            let child = self.inode(&below)?;
            if !dense {
                self.json.expect(b']', "a child's pair is expected")?;
            }
            if let Some(child) = child {
                children.push((index, child));
            }
            place += 1;
        }
        self.json
            .expect(b'}', "an object of proofs has one field")?;
        Ok(children)
    }

    fn extender(&mut self, path: &Path) -> Read<Arc<Branch>> {
        self.json.expect(b'{', "an extender's object is expected")?;
        let (mut length, mut segment, mut proof) = (None, None, None);
        let mut first = true;
        while self.json.another(&mut first, b'}')? {
            match self.json.name()? {
                b"length" => length = Some(self.length()?),
                b"segment" if segment.is_none() => segment = Some(self.segment()?),
                b"proof" if proof.is_none() => {
                    // Only the segment says where the proof is: one that comes
                    // first is passed, and read once the segment is known.
                    proof = Some(match &segment {
                        Some(segment) => After::Read(self.end(path, segment)?),
                        None => After::At(self.json.position()),
                    });
                    if segment.is_none() {
                        self.json.skip()?;
                    }
                }
                _ => return Err(self.json.wrong("an extender has no such field")),
            }
        }
        let (Some(length), Some(segment), Some(proof)) = (length, segment, proof) else {
            return Err(self
                .json
                .wrong("an extender needs 'length', 'segment' and 'proof'"));
        };
        let inode = match proof {
            After::Read(inode) => inode,
            After::At(proof) => {
                let end = self.json.position();
                self.json.rewind(proof);
                let inode = self.end(path, &segment)?;
                self.json.rewind(end);
                inode
            }
        };
        tree::extender(path.depth(), length, &segment, inode).map_err(|what| self.json.wrong(what))
    }

    /// What an extender leads to.
    fn end(&mut self, path: &Path, segment: &[u8]) -> Read<Inode> {
        let below = self.down(path, segment)?;
        self.inode(&below)?
            .ok_or_else(|| self.json.wrong("an extender ends in nothing"))
    }

    fn segment(&mut self) -> Read<Vec<u8>> {
        let bytes = self.hex()?;
        segment::read(&bytes)
            .ok_or_else(|| self.json.wrong("a segment of 5-bit indices is expected"))
    }

    fn down(&self, path: &Path, indices: &[u8]) -> Read<Path> {
        path.down(indices).ok_or_else(|| {
            self.json
                .wrong("inodes deeper than names have hash bits for")
        })
    }
}

/// An extender's proof: read, or still to be read.
enum After {
    Read(Inode),
    At(usize),
}
