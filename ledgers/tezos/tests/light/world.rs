//! A chain made up for these tests: real headers, real trees, one baker with a
//! real key whose attestations hold.

use std::collections::BTreeMap;

use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use heliostat_tezos_context::{Commit, Tree, hash::blake2b};
use heliostat_tezos_verifier::{
    BlockHash, ChainId, Contents, ContextHash, Fitness, Header, OperationHash, Protocol,
    ProtocolHash, Signature,
    commit::Message,
    finality::{Attestation, Attesters, Member, Vote},
    operations,
};

/// The record `v1/constants` of a sandbox of protocol 025 (tezt's regression
/// output of `context/constants`), with 171 of 256 slots as the threshold.
const CONSTANTS: &str = "\
020102020000000800000004000000040000000880fa7e80fa7e3fffffffffffffff80f882ad16808c8d9e02\
     000000000000c3500000010184a593260000140000001400000028000000000100000001000008e3fa01a0a9\
     07000007d000001b58000001f4c096b1023b9aca000008000000000000000100000000000000010000010000\
     0000ab000200031301f4271000010003000005f5e10005050505ffffff001005000000050102030405421019\
     010a01901f080f7f0005cfa0010000000018aa0003138080c8afa025000000960006978000024ea000000064\
     20000189c00000000500000020000000000000000000000001000000010003b100ff00ff0001020304050607\
     08090a0b0c0d0e0f101112130000000fa00000000a000008000903019006010a0988030b88030a3200002d79\
     883d200001a4010102013200ffff00010002ffffff";

/// Blocks of a cycle.
pub const CYCLE: i32 = 8;

/// The level of the first block.
pub const FIRST: i32 = 2;

/// The index of an account, which is also in its address.
pub fn index(number: u32) -> String {
    format!("0000{:040x}", u64::from(number) + 1)
}

/// The address of an account.
pub fn address(number: u32) -> String {
    use heliostat_tezos_context::base58::{Prefix, encode};
    let hash = hex::decode(&index(number)[4..]).expect("an index is hex");
    encode(Prefix::TZ1, &hash)
}

/// One block.
#[derive(Clone)]
pub struct Block {
    pub header: Header,
    pub hash: BlockHash,
    /// The state after it.
    pub tree: Tree,
    pub operations: Vec<Vec<OperationHash>>,
    /// The attestations of the block before.
    pub attestations: Vec<serde_json::Value>,
}

/// The chain.
#[derive(Clone)]
pub struct World {
    pub blocks: Vec<Block>,
    pub chain: ChainId,
    /// The protocol of all blocks.
    pub protocol: ProtocolHash,
    /// Seconds that a further block comes late.
    pub late: i64,
    /// Transfers in a further block.
    pub transfers: u8,
    key: SigningKey,
}

/// An unsigned integer as the protocol stores it.
fn zarith(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return bytes;
        }
    }
}

/// A signed one: six bits and the sign first.
fn zarith_signed(value: u64) -> Vec<u8> {
    let (low, mut rest) = ((value & 0x3f) as u8, value >> 6);
    let mut bytes = vec![if rest > 0 { low | 0x80 } else { low }];
    if rest > 0 {
        bytes.append(&mut zarith(std::mem::take(&mut rest)));
    }
    bytes
}

impl World {
    /// A chain of so many blocks with so many accounts, account `n` holding
    /// `n + 1` tez.
    pub fn new(blocks: usize, accounts: u32) -> Self {
        let newest = Protocol::known().last().expect("some protocol is known");
        Self::of(newest.hash, blocks, accounts)
    }

    /// The same, of another protocol.
    pub fn of(protocol: ProtocolHash, blocks: usize, accounts: u32) -> Self {
        let key = SigningKey::from_bytes(&[7; 32]);
        let mut world = Self {
            blocks: Vec::new(),
            chain: ChainId([1, 2, 3, 4]),
            protocol,
            late: 0,
            transfers: 1,
            key,
        };
        let tree = world.first_tree(accounts);
        world.push(tree);
        for _ in 1..blocks {
            world.grow();
        }
        world
    }

    fn first_tree(&self, accounts: u32) -> Tree {
        let mut pairs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        pairs.insert("protocol".into(), self.protocol.as_bytes().to_vec());
        pairs.insert("test_chain".into(), vec![0]);
        for number in 0..accounts {
            let at = format!("data/contracts/index/{}", index(number));
            let balance = (u64::from(number) + 1) * 1_000_000;
            pairs.insert(format!("{at}/balance"), zarith(balance));
            pairs.insert(
                format!("{at}/counter"),
                zarith_signed(u64::from(number) + 70),
            );
        }
        pairs.insert("data/contracts/global_counter".into(), zarith_signed(900));
        pairs.insert("data/version".into(), b"u025_025".to_vec());
        let constants = hex::decode(CONSTANTS).expect("the constants are hex");
        pairs.insert("data/v1/constants".into(), constants);
        pairs.insert("data/v1/cycle_eras".into(), eras());
        for cycle in 0..4 {
            let at = format!("data/cycle/{cycle}");
            pairs.insert(format!("{at}/delegate_sampler_state"), self.sampler());
            pairs.insert(format!("{at}/random_seed"), vec![cycle; 32]);
        }
        let split: Vec<(Vec<&[u8]>, Bytes)> = pairs
            .iter()
            .map(|(path, value)| {
                let path = path.split('/').map(str::as_bytes).collect();
                (path, Bytes::copy_from_slice(value))
            })
            .collect();
        Tree::from_pairs(split).expect("the pairs make a tree")
    }

    /// One baker who owns every slot.
    fn sampler(&self) -> Vec<u8> {
        let baker = || {
            let mut key = vec![0];
            key.extend(self.key.verifying_key().to_bytes());
            // No other delegate, no companion key.
            key.extend([0, 0]);
            key
        };
        let array = |element: Vec<u8>| {
            let mut bytes = 1u32.to_be_bytes().to_vec();
            bytes.extend(&element);
            bytes.extend((element.len() as u32).to_be_bytes());
            bytes.extend(&element);
            bytes
        };
        let mut bytes = 1_000i64.to_be_bytes().to_vec();
        bytes.extend(array(baker()));
        bytes.extend(array(1_000i64.to_be_bytes().to_vec()));
        bytes.extend(array(0u32.to_be_bytes().to_vec()));
        bytes
    }

    pub fn head(&self) -> &Block {
        self.blocks.last().expect("a world has a block")
    }

    /// The block so many before the head.
    pub fn back(&self, blocks: usize) -> &Block {
        &self.blocks[self.blocks.len() - 1 - blocks]
    }

    /// A further block with the same state.
    pub fn grow(&mut self) {
        let tree = self.head().tree.clone();
        self.push(tree);
    }

    /// A further block in which these accounts have another balance.
    pub fn pay(&mut self, accounts: impl IntoIterator<Item = u32>, mutez: u64) {
        let mut tree = self.head().tree.clone();
        for number in accounts {
            tree = with_balance(&tree, number, mutez);
        }
        self.push(tree);
    }

    /// A further block with this state.
    pub fn set(&mut self, tree: Tree) {
        self.push(tree);
    }

    fn push(&mut self, tree: Tree) {
        let before = self.blocks.last();
        let level = before.map_or(FIRST, |block| block.header.level + 1);
        let predecessor = before.map_or(BlockHash([9; 32]), |block| block.hash);
        let context = before.map_or(ContextHash([3; 32]), resulting_context);
        let attestations = before
            .map(|block| self.attest(block))
            .into_iter()
            .collect::<Vec<_>>();
        let hashes: Vec<OperationHash> = attestations.iter().map(Attestation::hash).collect();
        let transfer = |at: u8| OperationHash(blake2b(&[&level.to_be_bytes(), &[at]]));
        let transfers = (0..self.transfers).map(transfer).collect();
        let operations = vec![hashes, vec![], vec![], transfers];
        let rest = operations.iter().skip(1).flatten();
        let contents = Contents {
            payload_hash: operations::payload_hash(&predecessor, 0, rest),
            payload_round: 0,
            proof_of_work_nonce: [0; 8],
            seed_nonce_hash: None,
            votes: 2,
            signature: Signature::from_bytes(&[5; 64]).expect("64 bytes are a signature"),
        };
        let fitness = Fitness {
            level,
            locked_round: None,
            predecessor_round: 0,
            round: 0,
        };
        let header = Header {
            level,
            proto: 1,
            predecessor,
            timestamp: before.map_or(1_700_000_000, |before| before.header.timestamp)
                + 6
                + self.late,
            validation_passes: 4,
            operations_hash: operations::operations_hash(&operations),
            fitness: fitness.write(),
            context,
            protocol_data: contents.encode(),
        };
        let json = attestations.iter().map(json).collect();
        self.blocks.push(Block {
            hash: header.hash(),
            header,
            tree,
            operations,
            attestations: json,
        });
    }

    fn attest(&self, block: &Block) -> Attestation {
        let contents = block
            .header
            .contents()
            .expect("our headers are well-formed");
        let unsigned = Attestation {
            branch: block.header.predecessor,
            vote: Vote {
                level: block.header.level,
                round: 0,
                payload_hash: contents.payload_hash,
            },
            attesters: Attesters::One(Member { slot: 0, dal: None }),
            signature: Signature::from_bytes(&[0; 64]).expect("64 bytes are a signature"),
        };
        let message = blake2b(&[&unsigned.signed_bytes(&self.chain)]);
        let signature = self.key.sign(&message).to_bytes();
        Attestation {
            signature: Signature::from_bytes(&signature).expect("64 bytes are a signature"),
            ..unsigned
        }
    }
}

fn json(attestation: &Attestation) -> serde_json::Value {
    serde_json::json!({
        "protocol": Protocol::known().last().map(|known| known.hash),
        "hash": attestation.hash(),
        "branch": attestation.branch,
        "contents": [{
            "kind": "attestation",
            "slot": 0,
            "level": attestation.vote.level,
            "round": attestation.vote.round,
            "block_payload_hash": attestation.vote.payload_hash,
        }],
        "signature": attestation.signature,
    })
}

fn eras() -> Vec<u8> {
    let mut bytes = 16u32.to_be_bytes().to_vec();
    // First level, first cycle, blocks per cycle, blocks per commitment.
    for number in [1, 0, CYCLE, 4] {
        bytes.extend(number.to_be_bytes());
    }
    bytes
}

/// The state with another balance of an account.
pub fn with_balance(tree: &Tree, number: u32, mutez: u64) -> Tree {
    let index = index(number);
    let path: [&[u8]; 5] = [
        b"data",
        b"contracts",
        b"index",
        index.as_bytes(),
        b"balance",
    ];
    tree.insert(&path, zarith(mutez))
        .expect("a whole tree can be edited")
}

/// The commit of the state after a block.
pub fn resulting_context(block: &Block) -> ContextHash {
    let count: usize = block.operations.iter().map(Vec::len).sum();
    let fitness = block.header.fitness().expect("our headers are well-formed");
    let message = Message::Operations(count as u32).text(&fitness);
    Commit {
        root: block.tree.hash(),
        parents: vec![block.header.context],
        date: block.header.timestamp,
        author: "Tezos".into(),
        message,
    }
    .hash()
}
