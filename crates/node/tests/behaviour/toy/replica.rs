//! The toy ledger's replica in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use heliostat_core::{Id, Link};
use heliostat_node::Replica;
use heliostat_store::StoreError;
use tokio::time::sleep;

use super::{Block, Rules, Tip};

/// A replica in memory. It takes a commit whole or not at all, and checks
/// what it is given.
#[derive(Default)]
pub struct MapReplica {
    inner: Mutex<Stored>,
}

#[derive(Default)]
pub struct Stored {
    pub blocks: BTreeMap<u64, Block>,
    /// Where the chain was joined; nothing of that position is stored.
    pub joined: Option<Link>,
    /// The ledger has no measure.
    pub weightless: bool,
    /// Before a commit is done, and before the tip is read.
    pub delay: Duration,
    /// The next commits fail: the disk is full.
    pub full: usize,
    /// The next commits are done, and then the store goes away before it says
    /// so.
    pub lost_replies: usize,
    /// Called when readers can see a commit, before the follower hears of it.
    #[allow(clippy::type_complexity)]
    pub visible: Option<Box<dyn FnMut(Link) + Send>>,
    /// Every commit: what was kept, how many were appended, and the hint.
    pub commits: Vec<(Option<u64>, usize, bool)>,
}

impl MapReplica {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn stored(&self) -> MutexGuard<'_, Stored> {
        self.inner.lock().expect("no test panics while it holds it")
    }

    pub fn blocks(&self) -> Vec<Block> {
        self.stored().blocks.values().cloned().collect()
    }

    pub fn link(&self) -> Option<Link> {
        self.stored().tip(u64::MAX).link
    }
}

impl Stored {
    fn tip(&self, height: u64) -> Tip {
        let blocks = || self.blocks.range(..=height).map(|(_, block)| block);
        Tip {
            link: blocks().next_back().map(|block| block.link).or(self.joined),
            weight: (!self.weightless).then(|| blocks().map(|b| u128::from(b.weight)).sum()),
        }
    }
}

impl Replica<Rules> for MapReplica {
    async fn tip(&self) -> Result<Tip, StoreError> {
        let delay = self.stored().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        Ok(self.stored().tip(u64::MAX))
    }

    async fn tip_at(&self, height: u64) -> Result<Tip, StoreError> {
        Ok(self.stored().tip(height))
    }

    async fn id_at(&self, height: u64) -> Result<Option<Id>, StoreError> {
        let stored = self.stored();
        let joined = stored.joined.filter(|link| link.height == height);
        let block = stored.blocks.get(&height).map(|block| block.link);
        Ok(block.or(joined).map(|link| link.id))
    }

    async fn floor(&self) -> Result<Option<u64>, StoreError> {
        let stored = self.stored();
        let joined = stored.joined.map(|link| link.height);
        Ok(joined.or_else(|| stored.blocks.keys().next().copied()))
    }

    async fn commit(
        &self,
        keep: Option<u64>,
        items: Vec<Block>,
        tip: &Tip,
        caught_up: bool,
    ) -> Result<(), StoreError> {
        let delay = self.stored().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let mut stored = self.stored();
        if stored.full > 0 {
            stored.full -= 1;
            return Err(StoreError::Full {
                store: "toy".to_owned(),
                reason: "no space left".to_owned(),
            });
        }
        if let Some(keep) = keep {
            assert!(
                stored.blocks.contains_key(&keep)
                    || stored.joined.is_some_and(|link| link.height == keep),
                "a rewind ends on a stored block, or where the chain was joined"
            );
            stored.blocks.retain(|height, _| *height <= keep);
        }
        let before = stored.tip(u64::MAX).weight;
        stored.commits.push((keep, items.len(), caught_up));
        for block in items {
            let parent = stored.tip(u64::MAX).link;
            assert_eq!(
                block.link.parent,
                parent.map_or(Id::default(), |link| link.id)
            );
            assert_eq!(block.link.height, parent.map_or(0, |link| link.height + 1));
            stored.blocks.insert(block.link.height, block);
        }
        assert!(before <= stored.tip(u64::MAX).weight);
        assert_eq!(stored.tip(u64::MAX), *tip, "the items end at the tip");
        if let (Some(mut visible), Some(link)) = (stored.visible.take(), tip.link) {
            visible(link);
            stored.visible = Some(visible);
        }
        if stored.lost_replies > 0 {
            stored.lost_replies -= 1;
            return Err(StoreError::Unavailable {
                store: "toy".to_owned(),
                reason: "connection lost".to_owned(),
            });
        }
        Ok(())
    }
}
