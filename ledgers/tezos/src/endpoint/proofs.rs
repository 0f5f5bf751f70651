//! The proof calls of a node, read and verified.
//!
//! The new call is asked first, in its binary form where the node has one; a
//! node that only has the old call is asked that one. Bytes that contradict
//! the root they claim convict the node.

use bytes::Bytes;
use heliostat_core::Fault;
use heliostat_tezos_context::{
    ContextHash, Key, Limits, Lookup, ProofError, Tree,
    proof::{Proof, binary, json},
    tree::Place,
    v1,
};

use super::{CallError, Endpoint, Lack, Media, Reply, Serves};
use crate::{defaults, evidence, light::pin::Root};

/// What a node proved of a block's state.
#[derive(Clone, Debug)]
pub struct Proved {
    /// What the proof commits to.
    pub root: Root,
    /// The tree with that root, as far as it is shown: the root directory, or
    /// the directory `data` where the root is [`Root::Data`].
    pub tree: Tree,
    /// What was asked.
    pub path: String,
    /// The answer as sent.
    pub raw: Bytes,
}

/// Why there is no proof.
#[derive(Debug)]
pub enum NoProof {
    /// The node does not give one.
    Lack(Lack),
    /// It does not answer, or lies.
    Fault(Fault),
}

impl NoProof {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Lack(lack) => lack.to_string(),
            Self::Fault(fault) => fault.to_string(),
        }
    }
}

impl Proved {
    /// The hash of the directory `data`, where the proof shows it.
    pub fn data(&self) -> Option<ContextHash> {
        match self.root {
            Root::Data(hash) => Some(hash),
            Root::Full(_) => match self.tree.get(&[b"data"]) {
                Place::Found(tree) => Some(tree.hash()),
                Place::Absent | Place::Unknown => None,
            },
        }
    }

    /// What the proof says of a key.
    pub fn find(&self, key: &Key) -> Lookup {
        match self.root {
            Root::Full(_) => self.tree.find_key(key),
            Root::Data(_) => self.tree.find(&key.below_data()),
        }
    }
}

/// One question about a state.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The chain as the path names it.
    pub chain: &'a str,
    /// The block's hash as text.
    pub block: &'a str,
    /// The key below `data`.
    pub key: &'a Key,
    /// Only the root is wanted.
    pub holey: bool,
    /// The most bytes the answer may have.
    pub cap: usize,
}

impl Question<'_> {
    fn path(&self, call: &str) -> String {
        let holey = if self.holey { "yes" } else { "no" };
        let (chain, block, key) = (self.chain, self.block, self.key);
        format!("/chains/{chain}/blocks/{block}/context/{call}/{key}?holey={holey}")
    }
}

impl Endpoint {
    /// Whether it is worth asking for a proof.
    pub fn may_prove(&self) -> bool {
        let capability = self.capability();
        capability.v2.may() || capability.v1.may()
    }

    /// Whether it is known to have the new call, or may have it.
    pub fn may_prove_v2(&self) -> bool {
        self.capability().v2.may()
    }

    /// Asks for a proof: the new call first, then the old one.
    pub async fn prove(&self, question: Question<'_>) -> Result<Proved, NoProof> {
        let capability = self.capability();
        let mut lack = None;
        if capability.v2.may() {
            match self.prove_v2(question, capability.no_binary).await {
                Err(NoProof::Lack(found)) if found == Lack::NotFound || found.is_of_the_call() => {
                    lack = Some(found);
                }
                done => return done,
            }
        } else if let Some(refusal) = capability.v2.refusal() {
            lack = Some(refusal.clone());
        }
        let lack = lack.unwrap_or(Lack::NotFound);
        if !capability.v1.may() {
            return Err(NoProof::Lack(lack));
        }
        // A vote is for the root, which the old call shows with any key: the
        // first step has few siblings, where the whole key may have millions.
        let top = question
            .key
            .steps()
            .get(..1)
            .and_then(|top| Key::new(top).ok());
        let old = Question {
            key: top
                .as_ref()
                .filter(|_| question.holey)
                .unwrap_or(question.key),
            ..question
        };
        match self.prove_v1(old).await {
            Ok(proved) => {
                self.memory().capability.v2 = Serves::no(lack);
                Ok(proved)
            }
            // What the new call said is what an operator has to hear of.
            Err(NoProof::Lack(old)) => {
                let mut memory = self.memory();
                // A 404 is also what an unknown block gets, and a client can
                // choose a key that a node fails at: they say nothing of the
                // call.
                if lack.is_of_the_call() {
                    memory.capability.v2 = Serves::no(lack.clone());
                }
                if old.is_of_the_call() {
                    memory.capability.v1 = Serves::no(old);
                }
                Err(NoProof::Lack(lack))
            }
            fault => fault,
        }
    }

    /// Asks the new call: for bytes, and for JSON where the bytes are not
    /// understood.
    async fn prove_v2(&self, question: Question<'_>, json: bool) -> Result<Proved, NoProof> {
        let bytes = self.ask_v2(question, json).await;
        if json || !matches!(bytes, Err(NoProof::Lack(Lack::Malformed(_)))) {
            return bytes;
        }
        let text = self.ask_v2(question, true).await;
        if text.is_err() {
            return bytes;
        }
        self.memory().capability.no_binary = true;
        text
    }

    async fn ask_v2(&self, question: Question<'_>, json: bool) -> Result<Proved, NoProof> {
        let path = question.path("merkle_tree_v2");
        let accept = if json { Media::Json } else { Media::Binary };
        let mut reply = self.call(&path, accept, question.cap).await;
        if let Ok(Reply {
            status: 406 | 415, ..
        }) = reply
        {
            self.memory().capability.no_binary = true;
            reply = self.call(&path, Media::Json, question.cap).await;
        }
        let reply = whole(reply)?;
        if let Some(lack) = Lack::of(&reply) {
            return Err(NoProof::Lack(lack));
        }
        let limits = Limits {
            bytes: question.cap,
            ..Limits::default()
        };
        let verified = match read(&reply.body, &limits) {
            Ok(None) => return Err(NoProof::Lack(Lack::Null)),
            Ok(Some(proof)) if proof.version == 0 => proof.verify(),
            Ok(Some(_)) => Err(ProofError::Kind),
            Err(error) => Err(error),
        };
        match verified {
            Ok(verified) => {
                self.memory().capability.v2 = Serves::Yes;
                Ok(Proved {
                    root: Root::Full(verified.root),
                    tree: verified.tree,
                    path,
                    raw: reply.body,
                })
            }
            Err(ProofError::TooLarge { limit, .. }) => Err(NoProof::Lack(Lack::TooLarge(limit))),
            Err(error @ (ProofError::Before { .. } | ProofError::After { .. })) => {
                let lie = evidence::proof_root(&path, &reply.body, &error.to_string());
                Err(NoProof::Fault(Fault::Wrong(lie)))
            }
            Err(error) => Err(NoProof::Lack(Lack::Malformed(error.to_string()))),
        }
    }

    /// Asks the old call.
    pub(crate) async fn prove_v1(&self, question: Question<'_>) -> Result<Proved, NoProof> {
        let path = question.path("merkle_tree");
        let cap = question.cap.min(defaults::V1_BYTES);
        let reply = whole(self.call(&path, Media::Json, cap).await)?;
        if let Some(lack) = Lack::of(&reply) {
            return Err(NoProof::Lack(lack));
        }
        let limits = Limits {
            bytes: cap,
            ..Limits::default()
        };
        let malformed =
            |why: &dyn std::fmt::Display| NoProof::Lack(Lack::Malformed(why.to_string()));
        let answer = v1::read(&reply.body, &limits).map_err(|error| malformed(&error))?;
        let answer = answer.ok_or(NoProof::Lack(Lack::Null))?;
        let tree = v1::adopt(None, &answer).map_err(|error| malformed(&error))?;
        self.memory().capability.v1 = Serves::Yes;
        Ok(Proved {
            root: Root::Data(tree.hash()),
            tree,
            path,
            raw: reply.body,
        })
    }
}

fn whole(reply: Result<Reply, CallError>) -> Result<Reply, NoProof> {
    reply.map_err(|error| match error {
        CallError::TooLarge(cap) => NoProof::Lack(Lack::TooLarge(cap)),
        CallError::Fault(fault) | CallError::NotSent(fault) => NoProof::Fault(fault),
    })
}

/// Reads an answer of the new call, in either form. `None` where it says that
/// the node does not have the state.
pub(crate) fn read(answer: &[u8], limits: &Limits) -> Result<Option<Proof>, ProofError> {
    if matches!(answer.trim_ascii_start().first(), Some(b'{' | b'n')) {
        return json::read(answer, limits);
    }
    // Behind a length and the tag of what may be missing, as a node writes it.
    binary::read_answer(answer, limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_in_every_form_that_nodes_write() {
        let tree = Tree::from_pairs([(vec![&b"data"[..], b"key"], "value".into())]);
        let key = "key".parse().expect("a key");
        let proof = Proof::produce(&tree.expect("a tree"), &key, false).expect("it is whole");
        let bare = binary::write(&proof);
        let framed = binary::write_answer(Some(&proof));
        for answer in [
            &bare[..],
            &framed,
            &framed[4..],
            json::write(&proof).as_bytes(),
        ] {
            let read = read(answer, &Limits::default()).expect("an answer");
            assert_eq!(binary::write(&read.expect("a proof")), bare);
        }
        for nothing in [&binary::write_answer(None)[..], &[0], b"null\n"] {
            let read = read(nothing, &Limits::default()).expect("an answer");
            assert!(read.is_none(), "{nothing:?}");
        }
    }
}
