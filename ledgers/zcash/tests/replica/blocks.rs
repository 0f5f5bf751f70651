//! Made-up blocks, and what the projections of them must be by decoding,
//! filtering and encoding.

use bytes::Bytes;
use heliostat_core::{Assurance, Id, Link};
use heliostat_zcash::{
    filter::{Filter, Pools},
    frames::Projection,
    replica::NewBlock,
};
use heliostat_zcash_proto::{
    ChainMetadata, CompactBlock, CompactOrchardAction, CompactSaplingOutput, CompactSaplingSpend,
    CompactTx, CompactTxIn, TxOut,
};
use prost::Message as _;

/// A small generator of chance, so that a block follows from its seed alone.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    /// splitmix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn bytes(&mut self, length: usize) -> Bytes {
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn many<T>(&mut self, most: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }
}

fn action(chance: &mut Chance) -> CompactOrchardAction {
    CompactOrchardAction {
        nullifier: chance.bytes(32),
        cmx: chance.bytes(32),
        ephemeral_key: chance.bytes(32),
        ciphertext: chance.bytes(52),
    }
}

fn transaction(chance: &mut Chance, index: u64) -> CompactTx {
    let output = |chance: &mut Chance| CompactSaplingOutput {
        cmu: chance.bytes(32),
        ephemeral_key: chance.bytes(32),
        ciphertext: chance.bytes(52),
    };
    let mut tx = CompactTx {
        index,
        txid: chance.bytes(32),
        ..Default::default()
    };
    if chance.below(3) == 0 {
        tx.spends = chance.many(2, |c| CompactSaplingSpend { nf: c.bytes(32) });
        tx.outputs = chance.many(3, output);
    }
    if chance.below(3) == 0 {
        tx.actions = chance.many(3, action);
    }
    if chance.below(4) == 0 {
        tx.ironwood_actions = chance.many(2, action);
    }
    if chance.below(2) == 0 {
        tx.vin = chance.many(2, |c| CompactTxIn {
            prevout_txid: c.bytes(32),
            prevout_index: c.below(4) as u32,
        });
        tx.vout = chance.many(2, |c| TxOut {
            value: c.below(1 << 40),
            script_pub_key: c.bytes(25),
        });
    }
    tx
}

/// The block that follows from a seed, on top of a parent.
pub fn block(seed: u64, height: u64, parent: Id, most_txs: u64) -> NewBlock {
    let mut chance = Chance::new(seed ^ (height << 32));
    let id: [u8; 32] = chance.bytes(32)[..]
        .try_into()
        .expect("32 bytes were asked for");
    let time = 1_700_000_000 + height;
    let count = chance.below(most_txs + 1);
    let mut compact = CompactBlock {
        height,
        hash: Bytes::copy_from_slice(&id),
        prev_hash: Bytes::copy_from_slice(&parent.0),
        time: time as u32,
        header: Bytes::new(),
        vtx: (0..count).map(|i| transaction(&mut chance, i)).collect(),
        chain_metadata: Some(ChainMetadata {
            sapling_commitment_tree_size: height as u32,
            ..Default::default()
        }),
    };
    let txids = compact.vtx.iter().map(|tx| tx.txid[..].try_into());
    let txids = txids
        .collect::<Result<_, _>>()
        .expect("txids have 32 bytes");
    let full = compact.encode_to_vec();
    filter_slowly(&mut compact, Filter::pools(Pools::SHIELDED));
    NewBlock {
        link: Link {
            height,
            id: Id(id),
            parent,
            time,
        },
        header: chance.bytes(140),
        txids,
        full: full.into(),
        shielded: compact.encode_to_vec().into(),
        sizes: [height as u32, 0, 0],
        work: u128::from(height) << 70,
        cap: if chance.below(20) == 0 {
            Assurance::Relayed
        } else {
            Assurance::Proven
        },
    }
}

/// Consecutive blocks on top of a parent.
pub fn run(seed: u64, first: u64, parent: Id, count: u64, most_txs: u64) -> Vec<NewBlock> {
    let mut parent = parent;
    let mut blocks = Vec::new();
    for height in first..first + count {
        let next = block(seed, height, parent, most_txs);
        parent = next.link.id;
        blocks.push(next);
    }
    blocks
}

/// lightwalletd's filter on a decoded block.
pub fn filter_slowly(block: &mut CompactBlock, filter: Filter) {
    let has = |pool| filter.pools.contains(pool);
    for tx in &mut block.vtx {
        if !has(Pools::SAPLING) {
            tx.spends.clear();
            tx.outputs.clear();
        }
        if !has(Pools::ORCHARD) {
            tx.actions.clear();
        }
        if !has(Pools::IRONWOOD) {
            tx.ironwood_actions.clear();
        }
        if !has(Pools::TRANSPARENT) {
            tx.vin.clear();
            tx.vout.clear();
        }
    }
    let empty = |tx: &CompactTx| {
        tx.spends.is_empty()
            && tx.outputs.is_empty()
            && tx.actions.is_empty()
            && tx.ironwood_actions.is_empty()
            && tx.vin.is_empty()
            && tx.vout.is_empty()
    };
    block.vtx.retain(|tx| filter.keep_empty || !empty(tx));
    if !filter.nullifiers {
        return;
    }
    block.chain_metadata = Some(ChainMetadata::default());
    for tx in &mut block.vtx {
        tx.outputs.clear();
        tx.vin.clear();
        tx.vout.clear();
        for action in tx.actions.iter_mut().chain(&mut tx.ironwood_actions) {
            let nullifier = std::mem::take(&mut action.nullifier);
            *action = CompactOrchardAction {
                nullifier,
                ..Default::default()
            };
        }
    }
}

/// A block as the projection must give it.
pub fn project(block: &NewBlock, projection: Projection) -> CompactBlock {
    let mut compact = CompactBlock::decode(block.full.clone()).expect("encoded by prost");
    match projection {
        Projection::Full => {}
        Projection::Shielded => filter_slowly(&mut compact, Filter::pools(Pools::SHIELDED)),
        Projection::Filtered(filter) => filter_slowly(&mut compact, filter),
    }
    compact
}

/// The frames of some blocks in the order given.
pub fn frames<'a>(blocks: impl Iterator<Item = &'a NewBlock>, projection: Projection) -> Vec<u8> {
    let mut out = Vec::new();
    for block in blocks {
        let message = project(block, projection).encode_to_vec();
        out.push(0);
        out.extend_from_slice(&(message.len() as u32).to_be_bytes());
        out.extend_from_slice(&message);
    }
    out
}

/// Any of the projections a client can cause.
pub fn any_projection(chance: &mut Chance) -> Projection {
    let types: Vec<i32> = (0..chance.below(5))
        .map(|_| chance.below(6) as i32)
        .collect();
    match chance.below(6) {
        0 => Projection::Full,
        1 => Projection::Shielded,
        2 => Projection::block_nullifiers(),
        3 => Projection::range_nullifiers(&types),
        4 => Projection::pools(Pools::ALL),
        _ => Projection::pools(Pools::requested(&types)),
    }
}
