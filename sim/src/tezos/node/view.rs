//! What one node takes for the truth, or says it does, while it answers one
//! request.

use std::sync::Arc;

use heliostat_tezos_context::Tree;
use heliostat_tezos_verifier::{BlockHash, Header};

use super::{Lie, Manner, Plot};
use crate::tezos::{
    Network,
    world::{Block, World},
};

/// One node's view.
pub(super) struct View {
    pub network: Network,
    pub world: Arc<World>,
    pub manner: Manner,
    pub lie: Option<(Lie, Plot)>,
}

/// Seconds that a false header is off.
const OFF: i64 = 1;

impl View {
    pub fn new(network: Network, manner: Manner, lie: Option<(Lie, Plot)>) -> Self {
        let world = match lie {
            Some((lie, plot)) if lie.has_own_blocks() => network.told(lie, plot),
            _ => network.world(),
        };
        Self {
            network,
            world,
            manner,
            lie,
        }
    }

    /// Whether it tells this lie.
    pub fn tells(&self, lie: Lie) -> bool {
        self.lie.is_some_and(|(told, _)| told == lie)
    }

    /// The plot of its lie.
    pub fn plot(&self) -> Plot {
        self.lie.map_or(0, |(_, plot)| plot)
    }

    /// Its newest block.
    pub fn head(&self) -> &Arc<Block> {
        let blocks = self.world.blocks();
        let last = blocks.len().saturating_sub(1 + self.manner.behind);
        &blocks[last]
    }

    /// The block that an id names, as Octez reads them: `head`, `genesis`,
    /// `checkpoint`, `savepoint`, `caboose`, a level or a hash, with `~n` or
    /// `-n` for n blocks before and `+n` for n after.
    pub fn block(&self, id: &str) -> Option<Arc<Block>> {
        let split = id.find(['~', '-', '+']).unwrap_or(id.len());
        let (base, rest) = id.split_at(split);
        let offset: i32 = match rest.split_at_checked(1) {
            None => 0,
            Some((sign, number)) => {
                let number: i32 = number.parse().ok()?;
                if sign == "+" { number } else { -number }
            }
        };
        let base = match base {
            "head" => self.head().clone(),
            "genesis" => self.world.genesis().clone(),
            "checkpoint" => self.at(self.head().level - 2)?,
            "savepoint" => self.at(self.oldest_state())?,
            "caboose" => self.world.first().clone(),
            other => match other.parse::<i32>() {
                Ok(level) => self.at(level)?,
                Err(_) => {
                    let hash: BlockHash = other.parse().ok()?;
                    match self.world.find(&hash) {
                        Some(found) => (found.level <= self.head().level).then(|| found.clone())?,
                        None => self.network.orphan(&hash)?,
                    }
                }
            },
        };
        if offset == 0 {
            return Some(base);
        }
        self.at(base.level.checked_add(offset)?)
    }

    /// The block at a level.
    pub fn at(&self, level: i32) -> Option<Arc<Block>> {
        let found = self.world.at(level).filter(|_| level <= self.head().level);
        found.cloned()
    }

    /// The level of the oldest block whose state it has.
    pub fn oldest_state(&self) -> i32 {
        let first = self.world.first().level;
        let keeps = self.manner.keeps.map(|keeps| keeps as i32);
        keeps.map_or(first, |keeps| (self.head().level - keeps + 1).max(first))
    }

    /// The true state after a block; `None` once it is pruned.
    pub fn true_state(&self, block: &Block) -> Option<Tree> {
        let has = block.level == 0 || block.level >= self.oldest_state();
        has.then(|| block.state.clone())
    }

    /// The state that proofs are made from.
    pub fn proven_state(&self, block: &Block) -> Option<Tree> {
        let state = self.true_state(block)?;
        Some(match self.lie {
            Some((lie, plot)) if lie.proofs_are_forged() && block.level > 0 => {
                self.network.forged(lie, plot, block)
            }
            _ => state,
        })
    }

    /// The state that values are read from.
    pub fn plain_state(&self, block: &Block) -> Option<Tree> {
        match self.lie {
            Some((lie @ Lie::Plain, plot)) if block.level > 0 => {
                let has = self.true_state(block).is_some();
                has.then(|| self.network.forged(lie, plot, block))
            }
            _ => self.proven_state(block),
        }
    }

    /// The header it gives for a block.
    pub fn header(&self, block: &Block) -> Header {
        let mut header = block.header.clone();
        if self.tells(Lie::Header) && block.level > 0 {
            header.timestamp += OFF + self.plot() as i64;
        }
        header
    }
}
