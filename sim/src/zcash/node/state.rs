//! What the node holds: its best chain, every block it ever had, and its
//! mempool.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;

use super::{addresses::AddressIndex, layout};
use crate::zcash::chain::{Block, Chain};

/// A hash in internal byte order.
pub(super) type Hash = [u8; 32];

/// Zatoshis per pool in the node's order: transparent, sprout, sapling,
/// orchard, lockbox, ironwood. The lockbox stays empty: regtest has no
/// funding stream into it.
pub(super) type Pools = [i64; 6];

/// The node's data.
#[derive(Default)]
pub(super) struct State {
    pub chain: Chain,
    /// Every block that was ever on a chain of this node.
    blocks: HashMap<Hash, Arc<Block>>,
    /// Where a transaction was mined, on any of those.
    mined: HashMap<Hash, Vec<(Hash, usize)>>,
    /// Not mined yet, by txid in display order, which is the order a node
    /// lists them in.
    pub mempool: BTreeMap<Hash, Bytes>,
    /// Pool values after each block of the best chain, as far as asked for.
    pools: Mutex<Vec<Pools>>,
    addresses: OnceLock<AddressIndex>,
}

impl State {
    /// A node that holds a chain.
    pub fn of(chain: Chain) -> Self {
        let mut state = Self::default();
        state.set_chain(chain);
        state
    }

    /// Replaces the best chain. What is mined on it leaves the mempool.
    pub fn set_chain(&mut self, chain: Chain) {
        let same = |(old, new): &(&Arc<Block>, &Arc<Block>)| old.hash == new.hash;
        let pairs = self.chain.blocks.iter().zip(&chain.blocks);
        let kept = pairs.take_while(same).count();
        self.forget_above(kept);
        for block in &chain.blocks[kept..] {
            self.learn(block);
        }
        self.chain = chain;
    }

    /// Appends blocks to the best chain.
    pub fn extend(&mut self, blocks: impl IntoIterator<Item = Arc<Block>>) {
        self.forget_above(self.chain.blocks.len());
        for block in blocks {
            self.learn(&block);
            self.chain.blocks.push(block);
        }
    }

    /// Drops what was computed from blocks of index `kept` and above.
    fn forget_above(&mut self, kept: usize) {
        self.addresses = OnceLock::new();
        let pools = self.pools.get_mut();
        pools.unwrap_or_else(PoisonError::into_inner).truncate(kept);
    }

    fn learn(&mut self, block: &Arc<Block>) {
        let known = self.blocks.insert(block.hash, block.clone()).is_some();
        for (index, txid) in block.txids.iter().enumerate() {
            if !known {
                self.mined
                    .entry(*txid)
                    .or_default()
                    .push((block.hash, index));
            }
            self.mempool.remove(&reversed(txid));
        }
    }

    /// A block by hash, on the best chain or not.
    pub fn block(&self, hash: &Hash) -> Option<&Arc<Block>> {
        self.blocks.get(hash)
    }

    /// The block a transaction was mined in and its place there: on the best
    /// chain if it is there, else on the first other one.
    pub fn find(&self, txid: &Hash) -> Option<(&Arc<Block>, usize)> {
        let places = self.mined.get(txid)?;
        let on_best = |&&(hash, _): &&(Hash, usize)| {
            let block = self.blocks.get(&hash);
            block.is_some_and(|block| self.is_best(block))
        };
        let (hash, index) = places.iter().find(on_best).or(places.first())?;
        Some((self.blocks.get(hash)?, *index))
    }

    /// Whether a block is on the best chain.
    pub fn is_best(&self, block: &Block) -> bool {
        let there = self.chain.at(block.height);
        there.is_some_and(|there| there.hash == block.hash)
    }

    /// The raw bytes of a mined transaction.
    pub fn raw(block: &Block, index: usize) -> Bytes {
        let range = block.txs.get(index).cloned().unwrap_or(0..0);
        block.raw.slice(range)
    }

    /// The value of an output that some block created.
    pub fn output_value(&self, txid: &Hash, index: u32) -> Option<i64> {
        let (block, place) = self.find(txid)?;
        let raw = Self::raw(block, place);
        let tx = layout::read(&raw)?;
        let output = tx.outputs.get(usize::try_from(index).ok()?)?;
        Some(output.value)
    }

    /// What each pool holds after the block at `index` of the best chain.
    pub fn pools(&self, index: usize) -> Pools {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        while pools.len() <= index {
            let Some(block) = self.chain.blocks.get(pools.len()) else {
                break;
            };
            let mut sums = pools.last().copied().unwrap_or_default();
            // The genesis coinbase was never added to the transaction set.
            if block.height > 0 {
                self.add_block(&mut sums, block);
            }
            // Generated transactions spend notes that nobody paid for. A node's
            // pools are never negative (ZIP 209), and clients rely on it.
            sums = sums.map(|sum| sum.max(0));
            pools.push(sums);
        }
        pools.get(index).copied().unwrap_or_default()
    }

    fn add_block(&self, sums: &mut Pools, block: &Block) {
        for range in &block.txs {
            let Some(tx) = layout::read(&block.raw[range.clone()]) else {
                continue;
            };
            let created: i64 = tx.outputs.iter().map(|output| output.value).sum();
            let spent = |input: &layout::Input<'_>| self.output_value(&input.txid, input.index);
            let spent: i64 = tx.inputs.iter().filter_map(spent).sum();
            sums[0] += created - spent;
            sums[1] += tx.sprout;
            sums[2] += tx.sapling;
            sums[3] += tx.orchard;
            sums[5] += tx.ironwood;
        }
    }

    /// Who received and spent what on the best chain.
    pub fn addresses(&self, mainnet: bool) -> &AddressIndex {
        self.addresses
            .get_or_init(|| AddressIndex::of(&self.chain, mainnet))
    }
}

/// A hash in the other byte order.
pub(super) fn reversed(hash: &Hash) -> Hash {
    let mut turned = *hash;
    turned.reverse();
    turned
}

/// A hash the way the node's replies write it: display order, hex.
pub(super) fn show(hash: &Hash) -> String {
    faster_hex::hex_string(&reversed(hash))
}
