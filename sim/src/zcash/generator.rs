//! Deterministic regtest chains from a seed: real blocks in every layout,
//! with notes planted for a known wallet.
//!
//! What is true of a generated chain: serialization, ids, Merkle roots, links,
//! heights, authorizing data roots, tree states and their sizes; ephemeral
//! keys are points, commitments and nullifiers are field elements; the planted
//! notes decrypt under the known wallet's keys, and their spends publish their
//! nullifiers. What is filler, because no light node can check it: proofs,
//! signatures, anchors, the chain history root inside the block commitment,
//! the ciphertexts of notes to nobody, and the amounts that move between
//! pools. Regtest has no proof-of-work.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | [`GeneratorConfig`]: what a chain is made from |
//! | [`mix`] | [`Mix`]: what a block is made of |
//! | [`plan`] | [`Plan`]: what was planted and spent |
//! | [`wallet`] | [`Wallet`]: the known keys, and the planting |
//! | `draft` | the transactions of one block, as they are thought up |
//! | `tx`, `digest` | layouts; ids and roots |
//! | `block` | header and coinbase |
//! | `coins` | transparent outputs and their scripts |
//! | `filler` | parts nobody checks, but everybody parses |
//! | `trees` | note commitment trees |

mod block;
mod coins;
pub mod config;
pub(crate) mod digest;
mod draft;
mod filler;
pub mod mix;
pub mod plan;
mod trees;
mod tx;
pub mod wallet;

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zcash_protocol::consensus::{BlockHeight, BranchId, NetworkUpgrade, Parameters};

use super::chain::{Block, Chain};
use {
    block::{Body, Header},
    coins::Coins,
    draft::{Draft, FEE},
    filler::Filler,
    trees::{Active, Forest, Leaves},
    tx::Version,
};
pub use {
    config::{GeneratorConfig, SPACING, everything_at},
    mix::Mix,
    plan::{Balance, Plan, PlantedNote, Shielded, Spent},
    wallet::Wallet,
};

/// What a block pays its miner, in zatoshi; it never halves here.
const SUBSIDY: u64 = 625_000_000;
/// Planting starts above this height: a wallet asks for the tree state before
/// its first block, and `GetTreeState` takes height 0 for "not given", so no
/// wallet sees block 1.
const UNPLANTED: u64 = 2;

/// The height to fork at is above the chain's tip.
#[derive(Debug, thiserror::Error)]
#[error("cannot fork at height {height}: the chain ends at {tip}; extend it first")]
pub struct NoSuchHeight {
    /// The height asked for.
    pub height: u64,
    /// The newest height there is.
    pub tip: u64,
}

/// A chain under construction.
#[derive(Clone, Debug)]
pub struct Generator {
    config: GeneratorConfig,
    filler: Arc<Filler>,
    wallet: Arc<Wallet>,
    /// Sets this branch's chance apart from every other branch's.
    branch: [u8; 32],
    /// The height this branch starts above.
    start: u64,
    chain: Chain,
    plan: Plan,
    forest: Forest,
    coins: Coins,
}

impl Generator {
    /// Generates `config.blocks` blocks on top of the regtest genesis.
    ///
    /// # Panics
    ///
    /// For a wallet seed without keys ([`Wallet::new`]).
    pub fn new(config: GeneratorConfig) -> Self {
        let derive = |name| digest::derive(name, &[&config.seed.to_le_bytes()]);
        let mut holders = ChaCha8Rng::from_seed(derive(b"heliostat holder"));
        let mut generator = Self {
            filler: Arc::new(Filler::new(derive(b"heliostat filler"))),
            wallet: Arc::new(Wallet::new(&config.network, config.wallet_seed)),
            branch: derive(b"heliostat branch"),
            start: UNPLANTED,
            chain: Chain {
                blocks: vec![block::genesis()],
            },
            plan: Plan::default(),
            forest: Forest::new(),
            coins: Coins::new(&mut holders),
            config,
        };
        generator.extend(generator.config.blocks);
        generator
    }

    /// The chain so far; cloning it is cheap.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What was planted on this branch so far.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The wallet the notes are for.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// What the chain is made from.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// The newest height.
    pub fn height(&self) -> u64 {
        self.tip().height
    }

    fn tip(&self) -> &Arc<Block> {
        self.chain.tip().expect("a chain starts with its genesis")
    }

    /// Appends `n` blocks.
    pub fn extend(&mut self, n: u64) {
        for _ in 0..n {
            self.append();
        }
    }

    /// Another valid branch: this chain up to and including `height`, then `n`
    /// blocks that differ from this branch's and from those of every other
    /// `seed`. Its first block plants a note in every pool, if notes are
    /// planted at all.
    pub fn fork(&self, height: u64, n: u64, seed: u64) -> Result<Self, NoSuchHeight> {
        let Some(tip) = self.chain.at(height) else {
            let tip = self.height();
            return Err(NoSuchHeight { height, tip });
        };
        let trees = tip.trees.as_ref();
        let forest = trees.map_or_else(Forest::new, Forest::after);
        let parts = [&self.branch[..], &height.to_le_bytes(), &seed.to_le_bytes()];
        let mut fork = Self {
            config: self.config.clone(),
            filler: self.filler.clone(),
            wallet: self.wallet.clone(),
            branch: digest::derive(b"heliostat branch", &parts),
            start: height.max(UNPLANTED),
            chain: self.chain.up_to(height),
            plan: self.plan.up_to(height),
            forest,
            coins: self.coins.up_to(height),
        };
        fork.extend(n);
        Ok(fork)
    }

    /// Appends one block.
    fn append(&mut self) {
        let height = self.height() + 1;
        let seed = digest::derive(b"heliostat blocks", &[&self.branch, &height.to_le_bytes()]);
        let mut rng = ChaCha8Rng::from_seed(seed);
        let time = self.time(height, &mut rng);
        let (filler, wallet) = (self.filler.clone(), self.wallet.clone());
        let mut draft = Draft {
            height,
            branch: BranchId::for_height(&self.config.network, block_height(height)).into(),
            newest: self.newest(height),
            filler: &filler,
            wallet: &wallet,
            rng,
            txs: Vec::new(),
            planted: Vec::new(),
            spent: Vec::new(),
            locked: Vec::new(),
        };
        self.add_coinbase(&mut draft);
        draft.fill(&self.config.mix, &mut self.coins);
        self.plant(&mut draft);
        let fees = FEE * (draft.txs.len() as u64 - 1);
        draft.txs[0].vout[0].value += fees;
        let block = self.seal(&draft, time);
        self.chain.blocks.push(block);
    }

    fn add_coinbase(&self, draft: &mut Draft<'_>) {
        let lock = self.coins.lock(&mut draft.rng);
        let output = self.coins.output(lock, SUBSIDY);
        let script = block::coinbase_script(draft.height, &draft.rng.random());
        let expiry = match draft.newest >= Version::V5 {
            true => draft.height,
            false => 0,
        };
        let frame = draft.frame(draft.newest, expiry);
        draft.txs.push(block::coinbase(frame, script, output));
        draft.locked.push((0, 0, lock));
    }

    /// Plants and spends what this height is due.
    fn plant(&self, draft: &mut Draft<'_>) {
        let every = self.config.plant_every;
        let Some(since) = draft.height.checked_sub(self.start + 1) else {
            return;
        };
        let pools = self.pools(draft.height);
        if every == 0 || pools.is_empty() {
            return;
        }
        if since == 0 {
            pools.iter().for_each(|pool| draft.plant(*pool));
        } else if since.is_multiple_of(every) {
            draft.plant(pools[(since / every) as usize % pools.len()]);
        }
        if since % every == every / 2 && draft.rng.random() {
            let unspent = |note: &&PlantedNote| note.spent.is_none();
            let count = self.plan.notes.iter().filter(unspent).count();
            if count > 0 {
                let pick = draft.rng.random_range(0..count);
                let notes = self.plan.notes.iter().enumerate();
                let mut notes = notes.filter(|(_, note)| unspent(note));
                if let Some((index, note)) = notes.nth(pick) {
                    draft.spend(index, note);
                }
            }
        }
    }

    /// The pools that notes can be planted in. Before Canopy a note's key is
    /// drawn in another way (ZIP 212), so nothing is planted.
    fn pools(&self, height: u64) -> Vec<Shielded> {
        let steps = [
            (NetworkUpgrade::Canopy, Shielded::Sapling),
            (NetworkUpgrade::Nu5, Shielded::Orchard),
            (NetworkUpgrade::Nu6_3, Shielded::Ironwood),
        ];
        let active = steps.iter().filter(|(nu, _)| self.active(*nu, height));
        active.map(|(_, pool)| *pool).collect()
    }

    fn active(&self, upgrade: NetworkUpgrade, height: u64) -> bool {
        let network = &self.config.network;
        network.is_nu_active(upgrade, block_height(height))
    }

    /// The newest layout at a height.
    fn newest(&self, height: u64) -> Version {
        let steps = [
            (NetworkUpgrade::Nu6_3, Version::V6),
            (NetworkUpgrade::Nu5, Version::V5),
            (NetworkUpgrade::Sapling, Version::V4),
            (NetworkUpgrade::Overwinter, Version::V3),
        ];
        let newest = steps.iter().find(|(nu, _)| self.active(*nu, height));
        newest.map_or(Version::V1, |(_, version)| *version)
    }

    fn time(&self, height: u64, rng: &mut ChaCha8Rng) -> u32 {
        let blocks = u32::try_from(height - 1).unwrap_or(u32::MAX);
        let late = rng.random_range(0..SPACING / 3);
        let time = self.config.base_time.saturating_add(late);
        time.saturating_add(blocks.saturating_mul(SPACING))
    }

    /// Serializes a draft, and notes what it did to trees, coins and plan.
    fn seal(&mut self, draft: &Draft<'_>, time: u32) -> Arc<Block> {
        let mut body = Body::default();
        let mut leaves = Leaves::default();
        let mut firsts = Vec::with_capacity(draft.txs.len());
        let before = self.forest.sizes();
        for tx in &draft.txs {
            body.push(tx);
            firsts.push([
                before[0] + leaves.sapling.len() as u64,
                before[1] + leaves.orchard.len() as u64,
                before[2] + leaves.ironwood.len() as u64,
            ]);
            let sapling = tx.sapling.outputs.iter().map(|output| output.cmu);
            leaves.sapling.extend(sapling);
            let orchard = tx.orchard.actions.iter().map(|action| action.cmx);
            leaves.orchard.extend(orchard);
            let ironwood = tx.ironwood.actions.iter().map(|action| action.cmx);
            leaves.ironwood.extend(ironwood);
        }
        self.note(draft, &body.txids, &firsts);
        let height = draft.height;
        let active = Active {
            sapling: self.active(NetworkUpgrade::Sapling, height),
            orchard: self.active(NetworkUpgrade::Nu5, height),
            ironwood: self.active(NetworkUpgrade::Nu6_3, height),
        };
        let trees = self.forest.extend(&leaves, active);
        let header = Header {
            height,
            prev: self.tip().hash,
            commitment: self.commitment(height, &body.auths),
            time,
        };
        body.seal(header, trees)
    }

    /// Writes a draft's notes, spends and coins into the books.
    fn note(&mut self, draft: &Draft<'_>, txids: &[[u8; 32]], firsts: &[[u64; 3]]) {
        let height = draft.height;
        for (index, tx) in &draft.spent {
            let txid = txids[*tx];
            self.plan.notes[*index].spent = Some(Spent { height, txid });
        }
        for pending in &draft.planted {
            let position = firsts[pending.tx][pending.pool as usize] + pending.index as u64;
            self.plan.notes.push(PlantedNote {
                pool: pending.pool,
                height,
                txid: txids[pending.tx],
                index: pending.index as u32,
                position,
                value: pending.value,
                nullifier: self.wallet.nullifier(&pending.nullifier, position),
                spent: None,
            });
        }
        for (tx, index, lock) in &draft.locked {
            let value = draft.txs[*tx].vout[*index as usize].value;
            let point = (txids[*tx], *index);
            self.coins.add((height, *tx == 0), point, *lock, value);
        }
    }

    /// The header's third hash (protocol specification § 7.6): reserved, then
    /// Sapling's root, then the chain history root, then both and more.
    fn commitment(&self, height: u64, auths: &[[u8; 32]]) -> [u8; 32] {
        let history = digest::derive(b"heliostat filler", &[&self.tip().hash]);
        if self.active(NetworkUpgrade::Nu5, height) {
            digest::block_commitment(&history, &digest::auth_root(auths.to_vec()))
        } else if self.active(NetworkUpgrade::Heartwood, height) {
            history
        } else if self.active(NetworkUpgrade::Sapling, height) {
            self.forest.sapling_root()
        } else {
            [0; 32]
        }
    }
}

fn block_height(height: u64) -> BlockHeight {
    BlockHeight::from_u32(u32::try_from(height).unwrap_or(u32::MAX))
}
