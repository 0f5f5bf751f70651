//! What ties a block's state and operations to headers.

use heliostat_tezos_context::{ContextHash, Tree, tree::Place};
use heliostat_tezos_verifier::{
    Header, OperationHash, OperationListListHash, Protocol, ProtocolHash, commit, operations,
};

/// Whether the commit of the state after `header`'s block, with this root, is
/// the one that the next block's header names as its `context`. The number of
/// operations, which only the commit's message holds, is found by search.
pub fn commits(header: &Header, root: &ContextHash, context: &ContextHash) -> bool {
    matches!(
        commit::find_message(header, *root, *context, None),
        Ok(Some(_))
    )
}

/// The protocol of a state, as its root says it. The root directory is shown
/// by every proof, with the protocol's hash blinded; so it is not read but
/// recognised, among the protocols that this release knows and `claimed`.
pub fn protocol(root: &Tree, claimed: Option<ProtocolHash>) -> Option<ProtocolHash> {
    let Place::Found(entry) = root.get(&[b"protocol"]) else {
        return None;
    };
    let wanted = entry.hash();
    let known = Protocol::known().iter().rev().map(|known| known.hash);
    known
        .chain(claimed)
        .find(|hash| Tree::contents(hash.as_bytes().to_vec()).hash() == wanted)
}

/// Whether the headers of this protocol name the state before their own block,
/// so that a root that is not found in the next header is refuted by it.
pub fn must_link(protocol: Option<ProtocolHash>) -> bool {
    let known = protocol.and_then(|hash| Protocol::of(&hash));
    known.is_some_and(|known| !known.carries_own_context())
}

/// The operations' root that an answer to `/operation_hashes` or `/operations`
/// comes to; `None` when it is of another shape.
pub fn operations_root(answer: &[u8]) -> Option<OperationListListHash> {
    let passes: Vec<Vec<Listed>> = serde_json::from_slice(answer).ok()?;
    let hashes: Vec<Vec<_>> = passes
        .into_iter()
        .map(|pass| pass.into_iter().map(Listed::hash).collect())
        .collect();
    Some(operations::operations_hash(&hashes))
}

/// Whether an answer with all operations of a block contradicts its header.
pub fn operations_contradict(answer: &[u8], header: &Header) -> bool {
    operations_root(answer).is_some_and(|root| root != header.operations_hash)
}

/// An operation in a list: its hash, or an object that has it.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Listed {
    Hash(OperationHash),
    Whole { hash: OperationHash },
}

impl Listed {
    fn hash(self) -> OperationHash {
        match self {
            Self::Hash(hash) | Self::Whole { hash } => hash,
        }
    }
}
