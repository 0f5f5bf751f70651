//! Reading and writing the JSON.

use super::{MerkleTree, Node};
use crate::{ContextHash, Kind, Limits, ProofError, allowance::Allowance, pull::Pull, raw};

type Read<T> = Result<T, ProofError>;

/// Reads an answer, in the shape of nodes or in that of the light mode's first
/// documentation (objects tagged `H`, `D` and `C`). `None` is the answer
/// `null`: the node does not have the block's state.
pub fn read(text: &[u8], limits: &Limits) -> Result<Option<MerkleTree>, ProofError> {
    let mut reader = Reader {
        json: Pull::new(text),
        allowance: Allowance::new(text.len(), limits)?,
    };
    let tree = if reader.json.word("null") {
        None
    } else {
        reader.allowance.enter()?;
        Some(reader.tree()?)
    };
    reader.json.end()?;
    Ok(tree)
}

/// The text a node answers with; `None` where a part of the data is blinded.
pub fn write(tree: &MerkleTree) -> Option<String> {
    let mut text = String::new();
    write_tree(&mut text, tree)?;
    Some(text)
}

struct Reader<'a> {
    json: Pull<'a>,
    allowance: Allowance,
}

impl Reader<'_> {
    fn tree(&mut self) -> Read<MerkleTree> {
        self.json.expect(b'[', "a list of names is expected")?;
        let mut nodes = Vec::new();
        let mut first = true;
        while self.json.another(&mut first, b']')? {
            self.json.expect(b'[', "a name's pair is expected")?;
            let name = raw::name(&mut self.json)?;
            self.json.expect(b',', "a name's pair is expected")?;
            let node = self.node()?;
            self.json.expect(b']', "a name's pair is expected")?;
            nodes.push((name, node));
        }
        if !nodes.is_sorted_by(|(a, _), (b, _)| a < b) {
            nodes.sort_by(|(a, _), (b, _)| a.cmp(b));
            if !nodes.is_sorted_by(|(a, _), (b, _)| a < b) {
                return Err(self.json.wrong("a name twice in a directory"));
            }
        }
        Ok(MerkleTree { nodes })
    }

    fn node(&mut self) -> Read<Node> {
        self.allowance.enter()?;
        let node = match self.json.peek() {
            Some(b'[') => self.list()?,
            Some(b'{') => match self.tagged()? {
                Some(node) => node,
                None => Node::Data(raw::read_in(&mut self.json, &mut self.allowance)?),
            },
            _ => Node::Data(raw::read_in(&mut self.json, &mut self.allowance)?),
        };
        self.allowance.leave();
        Ok(node)
    }

    /// A hash with its kind, or a list of names.
    fn list(&mut self) -> Read<Node> {
        let start = self.json.position();
        self.json.expect(b'[', "a list is expected")?;
        let kind = if self.json.word("true") {
            Kind::Contents
        } else if self.json.word("false") {
            Kind::Directory
        } else {
            self.json.rewind(start);
            return self.tree().map(Node::Continue);
        };
        self.json.expect(b',', "a hash's pair is expected")?;
        let hash = self.hash()?;
        self.json.expect(b']', "a hash's pair is expected")?;
        Ok(Node::Hash {
            kind: Some(kind),
            hash,
        })
    }

    fn hash(&mut self) -> Read<ContextHash> {
        let at = self.json.position();
        ContextHash::from_text(self.json.string()?)
            .map_err(|source| ProofError::Hash { at, source })
    }

    /// A node in the tagged shape: an object with one name, `H`, `D` or `C`,
    /// and what belongs to it. Anything else is a directory's data, and stays
    /// where it is.
    fn tagged(&mut self) -> Read<Option<Node>> {
        let start = self.json.position();
        self.json.expect(b'{', "an object is expected")?;
        if self.json.peek() == Some(b'"') {
            let tag = self.json.string()?;
            self.json.expect(b':', "a colon is expected")?;
            let node = match (tag, self.json.peek()) {
                (b"H", Some(b'"')) => self.hash().ok().map(|hash| Node::Hash { kind: None, hash }),
                (b"C", Some(b'[')) => Some(Node::Continue(self.tree()?)),
                (b"D", _) => Some(Node::Data(raw::read_in(
                    &mut self.json,
                    &mut self.allowance,
                )?)),
                _ => None,
            };
            if node.is_some() && self.json.take(b'}') {
                return Ok(node);
            }
        }
        self.json.rewind(start);
        Ok(None)
    }
}

fn write_tree(text: &mut String, tree: &MerkleTree) -> Option<()> {
    text.push('[');
    for (at, (name, node)) in tree.nodes.iter().enumerate() {
        text.push_str(if at == 0 { "[" } else { ",[" });
        raw::write_name(text, name);
        text.push(',');
        match node {
            Node::Hash { kind, hash } => {
                // Where the kind was not told it cannot be; the commoner one
                // is written.
                let contents = *kind == Some(Kind::Contents);
                text.push_str(&format!("[{contents},\"{hash}\"]"));
            }
            Node::Data(data) => raw::write_in(text, data, None)?,
            Node::Continue(below) => write_tree(text, below)?,
        }
        text.push(']');
    }
    text.push(']');
    Some(())
}
