//! Other branches, and chains that are not true.

use std::sync::Arc;

use bytes::Bytes;
use heliostat_tezos_context::{Key, Tree, hash::blake2b};
use heliostat_tezos_protocol::ContractId;

use super::{Attesting, Block, Change, Recipe, World, balance_key, change::edited};
use crate::tezos::n;

impl World {
    /// The chain up to and including a level, to go on in another way: what is
    /// baked on it differs from all other branches by the name.
    ///
    /// # Panics
    ///
    /// For a level before the first block's.
    #[must_use]
    pub fn fork(&self, level: i32, name: &str) -> Self {
        let keep = |block: &&Arc<Block>| block.level <= level;
        let blocks: Vec<_> = self.blocks.iter().take_while(keep).cloned().collect();
        assert!(!blocks.is_empty(), "level {level} lies before the chain");
        let mut branch = blake2b(&[&self.branch, name.as_bytes()]);
        branch[0] ^= 1;
        Self {
            plan: self.plan.clone(),
            blocks,
            branch,
        }
    }

    /// The same headers over other states: what liars in collusion share. The
    /// next header does not commit to such a state.
    #[must_use]
    pub fn forge(&self, edit: impl Fn(&Tree) -> Tree) -> Self {
        let forged = |block: &Arc<Block>| {
            Arc::new(Block {
                state: edit(&block.state),
                ..Block::clone(block)
            })
        };
        Self {
            blocks: self.blocks.iter().map(forged).collect(),
            ..self.clone()
        }
    }

    /// [`World::forge`] with one value changed, or removed.
    ///
    /// # Panics
    ///
    /// For a key that leads through contents.
    #[must_use]
    pub fn forge_value(&self, key: &Key, value: Option<Bytes>) -> Self {
        self.forge(|tree| edited(tree, key, value.clone()))
    }

    /// [`World::forge`] with another balance.
    #[must_use]
    pub fn forge_balance(&self, account: &ContractId, mutez: u64) -> Self {
        self.forge_value(&balance_key(account), Some(n(mutez).into()))
    }

    /// An alternative chain from the block after `level` on, in which `change`
    /// happened: stamped, linked and growing as it should, but signed by
    /// nobody who may. It is as long as this one and one block more.
    #[must_use]
    pub fn usurp(&self, level: i32, change: &[Change]) -> Self {
        let mut forged = self.fork(level, "usurped");
        let blocks = self.head().level - level + 1;
        for at in 0..blocks.max(2) {
            forged.bake_as(Recipe {
                changes: if at == 0 { change.to_vec() } else { Vec::new() },
                attesting: Attesting::Impostors,
                ..Recipe::default()
            });
        }
        forged
    }
}
