//! Other branches, and other states below the same headers.

use std::sync::Arc;

use heliostat_tezos_context::{Tree, hash::blake2b};

use super::{Block, World};

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
}
