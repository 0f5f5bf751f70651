//! One block, with everything a node can be asked about it.

use bytes::Bytes;
use heliostat_tezos_context::{ContextHash, Tree};
use heliostat_tezos_verifier::{
    BlockHash, ChainId, Header, OperationHash, ProtocolHash, RawFitness, operations,
};

use crate::tezos::{derive, operations::Operation};

/// Hash of the protocol before the first one.
const BEFORE_GENESIS: &str = "PrihK96nBAFSxVL1GLJTVhu9YnzkMFiBeuJRPA8NwuZVZCE1L6i";

/// Hash of the protocol that genesis activates.
const GENESIS: &str = "Ps9mPmXaRzmzk35gbAYNCAw6UXdE2qoABTHbN2oEEc1qM7CwT9P";

/// Seconds between genesis and the first block that is held.
const AGE: i64 = 86_400;

/// One block.
#[derive(Clone, Debug)]
pub struct Block {
    /// Distance from genesis.
    pub level: i32,
    /// Hash of the header; of genesis a hash that is nothing's.
    pub hash: BlockHash,
    /// The header.
    pub header: Header,
    /// The protocol that the block was baked by.
    pub protocol: ProtocolHash,
    /// The protocol that the state after it belongs to.
    pub next_protocol: ProtocolHash,
    /// The root directory of the state after it; complete.
    pub state: Tree,
    /// The operations of its passes.
    pub operations: Vec<Vec<Operation>>,
}

impl Block {
    /// Its round; 0 for genesis.
    pub fn round(&self) -> i32 {
        self.header.fitness().map_or(0, |fitness| fitness.round)
    }

    /// The hashes of its operations, by pass.
    pub fn operation_hashes(&self) -> Vec<Vec<OperationHash>> {
        let hashes = |pass: &Vec<Operation>| pass.iter().map(|one| one.hash).collect();
        self.operations.iter().map(hashes).collect()
    }

    /// Operations of all passes.
    pub fn operation_count(&self) -> u32 {
        self.operations.iter().map(|pass| pass.len() as u32).sum()
    }
}

fn protocol(text: &str) -> ProtocolHash {
    text.parse()
        .expect("a protocol hash, because it is a known one")
}

/// The chain's id and its genesis block, whose hash is chosen, not computed.
pub(super) fn genesis(seed: u64, begins: i64) -> (ChainId, Block) {
    let hash = BlockHash(derive(seed, "genesis", 0));
    let names = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let next_protocol = protocol(GENESIS);
    let state = Tree::from_pairs([
        (names("data/version"), Bytes::from_static(b"genesis")),
        (names("protocol"), next_protocol.as_bytes().to_vec().into()),
        (names("test_chain"), Bytes::from_static(&[0])),
    ]);
    let header = Header {
        level: 0,
        proto: 0,
        predecessor: hash,
        timestamp: begins - AGE,
        validation_passes: 0,
        operations_hash: operations::operations_hash(&[]),
        fitness: RawFitness(Vec::new()),
        context: ContextHash(derive(seed, "genesis context", 0)),
        protocol_data: Vec::new(),
    };
    let block = Block {
        level: 0,
        hash,
        header,
        protocol: protocol(BEFORE_GENESIS),
        next_protocol,
        state: state.expect("three paths that do not clash"),
        operations: Vec::new(),
    };
    (ChainId::of_genesis(&hash), block)
}
