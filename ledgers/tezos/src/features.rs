//! What light mode promises, promise by promise, and how each is kept: the
//! table behind `docs/tezos-methods.md`.

/// One promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// What is promised.
    pub promise: &'static str,
    /// How it is kept here, and where that differs from Octez.
    pub here: &'static str,
    /// Whether it works.
    pub state: State,
}

/// Whether a promise is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works, and tests hold it.
    Works,
    /// It works within limits, which the row names.
    Partly,
}

impl State {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Partly => "works in part",
        }
    }
}

const fn works(promise: &'static str, here: &'static str) -> Feature {
    Feature {
        promise,
        here,
        state: State::Works,
    }
}

const fn partly(promise: &'static str, here: &'static str) -> Feature {
    Feature {
        promise,
        here,
        state: State::Partly,
    }
}

const FEATURES: &[Feature] = &[
    works(
        "data from several endpoints that agree on one chain and block",
        "one root per block, for all keys; the block's hash is fixed when a request enters",
    ),
    works(
        "at least two endpoints",
        "checked when the sources file is read, with Octez's words; duplicates count and are warned of",
    ),
    works(
        "the data comes from one endpoint",
        "the first in the file's order that can serve it; a second one is asked when it is slow or fails",
    ),
    works(
        "the others confirm by Merkle trees before anything is taken",
        "ceil(min_agreement·n) in Octez's arithmetic; without agreement the read is an error, never a missing value",
    ),
    works(
        "the flag --mode light",
        "light, proxy and client, with Octez's errors",
    ),
    works(
        "the mode chooses how a client's calls are answered",
        "the served interface answers what it can check and passes on the rest, marked",
    ),
    works(
        "a key that lies below one that was read costs no call",
        "accounts and v1 are read whole where that is small; what an older block's tree shows unchanged is taken over",
    ),
    works(
        "a key is fetched before it is looked up",
        "everybody who needs one proof waits for the same one",
    ),
    works(
        "distant trees are merged into the local one",
        "proofs of merkle_tree_v2 and merkle_tree alike, hashes compared at every level",
    ),
    works(
        "hash-only trees are compared with the local one",
        "an endpoint that only has merkle_tree votes with the hash of the directory data",
    ),
    works(
        "enough endpoints agree",
        "Octez's truth table and words; the votes go on counting after the answer",
    ),
    works(
        "the local tree is an in-memory Merkle tree",
        "shared between blocks, bounded by count and bytes",
    ),
    works(
        "the proof calls of a node",
        "asked: v2, binary where spoken, then v1. Served: v2 from the verified tree; v1 and directories from it where it is whole, else read, capped and checked",
    ),
    works(
        "paths are relative to the context's data",
        "the same keys as a node's raw/bytes",
    ),
    works(
        "hash, data and continue nodes of merkle_tree",
        "both historical JSON forms are read, the real one is written",
    ),
    works(
        "holey=yes gives hashes only, holey=no data as well",
        "both, byte for byte what Irmin makes",
    ),
    works(
        "(beyond) absence is proven",
        "an account that is not there has a balance of 0 because a proof says so",
    ),
    works(
        "(beyond) the state is tied to a header",
        "the commit is recomputed and looked for in the next block's header",
    ),
    works(
        "(beyond) headers are followed and checked",
        "hash, predecessor, level, fitness, time, proof-of-work stamp",
    ),
    partly(
        "(beyond) finality from a checkpoint",
        "attestations of tz1 to tz4 keys are verified; tz5 counts as unverified power; off unless switched on",
    ),
    works(
        "(beyond) lies are kept as evidence",
        "bytes that convict on their own; `heliostat verify-evidence` checks them again",
    ),
    partly(
        "(beyond) a node's text from verified values",
        "protocols 024 and 025; another protocol's calls are passed on and say so, its raw values stay verified",
    ),
];

/// All promises, for the documentation.
pub fn feature_table() -> &'static [Feature] {
    FEATURES
}
