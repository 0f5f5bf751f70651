//! What the nodes of one chain share: its blocks, the operations that wait
//! for the next one, and the untrue chains that liars tell of.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use heliostat_tezos_context::Tree;
use heliostat_tezos_verifier::BlockHash;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    node::{Lie, Plot},
    world::{Block, Change, Recipe, World},
};

/// How many forged states are kept.
const FORGED_STATES: usize = 64;

/// A chain that goes on, and its mempool. Clones are the same network.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

struct Shared {
    world: watch::Sender<Arc<World>>,
    /// Held while the chain is changed, so that no block is lost.
    changing: Mutex<()>,
    pending: Mutex<Vec<Bytes>>,
    /// Blocks that are on the chain no more; nodes know them by hash.
    orphans: Mutex<HashMap<BlockHash, Arc<Block>>>,
    nodes: AtomicU64,
    told: Mutex<HashMap<(Lie, Plot), Told>>,
    forged: Mutex<HashMap<(Lie, Plot, BlockHash), Tree>>,
}

/// A chain that a lie is about, as long as the true one allows.
#[derive(Clone)]
struct Told {
    over: BlockHash,
    world: Arc<World>,
}

impl Network {
    /// A network whose nodes have this chain.
    pub fn new(world: World) -> Self {
        let shared = Shared {
            world: watch::Sender::new(Arc::new(world)),
            changing: Mutex::default(),
            pending: Mutex::default(),
            orphans: Mutex::default(),
            nodes: AtomicU64::new(0),
            told: Mutex::default(),
            forged: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The true chain as it is now.
    pub fn world(&self) -> Arc<World> {
        self.shared.world.borrow().clone()
    }

    /// Bakes the next block, with the operations that wait.
    ///
    /// # Panics
    ///
    /// As [`World::bake`].
    pub fn bake(&self, changes: &[Change]) -> Arc<Block> {
        self.bake_as(Recipe {
            changes: changes.to_vec(),
            ..Recipe::default()
        })
    }

    /// The same in another way.
    ///
    /// # Panics
    ///
    /// As [`World::bake`].
    pub fn bake_as(&self, mut recipe: Recipe) -> Arc<Block> {
        let _alone = lock(&self.shared.changing);
        recipe.injected.append(&mut lock(&self.shared.pending));
        let mut world = World::clone(&self.world());
        let block = world.bake_as(recipe);
        self.replace(world);
        block
    }

    /// Bakes an empty block, or one with what waits, every so often until the
    /// answer is dropped.
    #[must_use]
    pub fn bake_every(&self, pause: Duration) -> Baking {
        let network = self.clone();
        Baking(tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let network = network.clone();
                let baked = tokio::task::spawn_blocking(move || network.bake(&[]));
                if baked.await.is_err() {
                    return tracing::error!("the simulated chain cannot go on");
                }
            }
        }))
    }

    /// Replaces the chain: a reorganization, of whatever depth.
    pub fn set_world(&self, world: World) {
        let _alone = lock(&self.shared.changing);
        self.replace(world);
    }

    fn replace(&self, world: World) {
        let old = self.world();
        let left = old.blocks().iter().rev();
        let left = left.take_while(|block| world.find(&block.hash).is_none());
        let left = left.map(|block| (block.hash, block.clone()));
        lock(&self.shared.orphans).extend(left);
        self.shared.world.send_replace(Arc::new(world));
    }

    /// Operations that wait for the next block: branch and data each.
    pub fn pending(&self) -> Vec<Bytes> {
        lock(&self.shared.pending).clone()
    }

    /// Puts an operation, branch and data, among those that wait.
    pub fn inject(&self, operation: impl Into<Bytes>) {
        let (operation, mut pending) = (operation.into(), lock(&self.shared.pending));
        if !pending.contains(&operation) {
            pending.push(operation);
        }
    }

    /// Tells when the chain changes.
    pub fn watch(&self) -> watch::Receiver<Arc<World>> {
        self.shared.world.subscribe()
    }

    /// A block that was on the chain once.
    pub(super) fn orphan(&self, hash: &BlockHash) -> Option<Arc<Block>> {
        lock(&self.shared.orphans).get(hash).cloned()
    }

    /// A number that no other node of the network has.
    pub(super) fn next_node(&self) -> u64 {
        self.shared.nodes.fetch_add(1, Ordering::Relaxed)
    }

    /// The chain that a lie tells of; it grows with the true one.
    pub(super) fn told(&self, lie: Lie, plot: Plot) -> Arc<World> {
        let world = self.world();
        let mut all = lock(&self.shared.told);
        let old = all.get(&(lie, plot));
        if let Some(told) = old.filter(|told| told.over == world.head().hash) {
            return told.world.clone();
        }
        let told = Arc::new(match old {
            Some(told) if world.find(&told.over).is_some() => {
                let over = world.find(&told.over).map_or(0, |block| block.level);
                lie.longer(&told.world, world.head().level - over)
            }
            _ => lie.world(&world, plot),
        });
        let over = world.head().hash;
        let world = told.clone();
        all.insert((lie, plot), Told { over, world });
        told
    }

    /// The state of a block that a lie tells of.
    pub(super) fn forged(&self, lie: Lie, plot: Plot, block: &Block) -> Tree {
        let at = (lie, plot, block.hash);
        if let Some(tree) = lock(&self.shared.forged).get(&at) {
            return tree.clone();
        }
        let tree = lie.state(&self.world(), block, plot);
        let mut all = lock(&self.shared.forged);
        if all.len() >= FORGED_STATES {
            all.clear();
        }
        all.insert(at, tree.clone());
        tree
    }
}

/// Blocks are baked until it is dropped.
pub struct Baking(JoinHandle<()>);

impl Drop for Baking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
