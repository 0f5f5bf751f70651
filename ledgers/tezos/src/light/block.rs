//! What is known of the state of one block, and the few blocks it is kept of.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::future::{BoxFuture, Shared};
use heliostat_tezos_context::{DATA, Key, Lookup, Tree, tree::Place};
use heliostat_tezos_verifier::BlockHash;

use super::pin::{Board, Root};
use crate::{defaults, error::ReadError};

/// A proof that is being fetched, for everybody who waits for it.
pub(crate) type Flight = Shared<BoxFuture<'static, Result<(), ReadError>>>;

/// Whether the pinned root was found in the next block's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Not looked for, or there was no next block.
    #[default]
    Unknown,
    /// The header of this block commits to the root.
    Header(BlockHash),
    /// The header of this block does not say it, and need not: the protocol is
    /// not known here.
    Silent(BlockHash),
    /// The root is the operator's checkpoint.
    Checkpoint,
}

/// The state of one block.
pub struct BlockState {
    /// The block.
    pub hash: BlockHash,
    /// Its text, for paths.
    pub text: String,
    /// The votes on its root.
    pub board: Board,
    known: Mutex<Known>,
    pub(crate) flights: Mutex<HashMap<Key, Flight>>,
}

#[derive(Default)]
struct Known {
    /// The verified root directory.
    full: Option<Tree>,
    /// The verified directory `data`, as the old proof call shows it.
    data: Option<Tree>,
    /// Bytes of the proofs in them, those taken over from other blocks counted.
    bytes: usize,
    link: Link,
    /// How often what was verified was given up, because its root was refuted
    /// or lost its votes.
    given_up: u64,
}

impl Known {
    fn give_up(&mut self) {
        *self = Self {
            given_up: self.given_up + 1,
            ..Self::default()
        };
    }
}

impl BlockState {
    fn new(hash: BlockHash, n: usize, needed: usize) -> Self {
        Self {
            text: hash.to_string(),
            hash,
            board: Board::new(n, needed),
            known: Mutex::default(),
            flights: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The verified root directory.
    pub fn tree(&self) -> Option<Tree> {
        self.known().full.clone()
    }

    /// What is verified of a key.
    pub fn find(&self, key: &Key) -> Lookup {
        let known = self.known();
        let full = known.full.as_ref().map(|tree| tree.find_key(key));
        match (full, &known.data) {
            (Some(Lookup::Blinded) | None, Some(data)) => data.find(&key.below_data()),
            (Some(found), _) => found,
            (None, None) => Lookup::Blinded,
        }
    }

    /// Whether a root of the old proof call is the directory `data` here.
    pub fn is_data(&self, root: &Root) -> bool {
        let known = self.known();
        let below = known.full.as_ref().map(|tree| tree.get(&[DATA]));
        let own = match below {
            Some(Place::Found(data)) => Some(data.hash()),
            _ => known.data.as_ref().map(Tree::hash),
        };
        own == Some(root.hash())
    }

    /// Whether nothing is verified yet.
    pub fn is_empty(&self) -> bool {
        let known = self.known();
        known.full.is_none() && known.data.is_none()
    }

    /// Whether the pinned root was found in a header.
    pub fn link(&self) -> Link {
        self.known().link
    }

    /// Notes the header that commits to the pinned root.
    pub fn set_link(&self, link: Link) {
        self.known().link = link;
    }

    /// How often what was verified was given up. Values that were read while
    /// this was another number belong to another root than the pinned one.
    pub fn times_given_up(&self) -> u64 {
        self.known().given_up
    }

    /// Pins the root that a header or the operator commits to, whatever the
    /// votes say. What was verified against another one is given up.
    pub fn pin(&self, root: Root, link: Link) {
        let mut known = self.known();
        let pinned = self.board.pinned();
        if pinned.is_some_and(|pinned| !self.board.are_same(&pinned, &root)) {
            known.give_up();
        }
        self.board.pin(root);
        known.link = link;
    }

    /// Notes that a header refutes a root. Where that one is pinned it is
    /// forgotten, with everything that was verified against it.
    pub fn refute(&self, root: Root) {
        let mut known = self.known();
        if self.board.refute(root) {
            known.give_up();
        }
    }

    /// Adds what a proof with this root shows; `false` where the block is not
    /// pinned to that root any more. What an older block's tree knows of parts
    /// that did not change is taken over.
    pub fn add(&self, root: Root, tree: &Tree, bytes: usize, older: Option<&Self>) -> bool {
        let older = older.map(|older| {
            let known = older.known();
            let tree = match root {
                Root::Full(_) => known.full.clone(),
                Root::Data(_) => known.data.clone(),
            };
            (tree, known.bytes)
        });
        let mut known = self.known();
        let is_pinned = match (self.board.pinned(), root) {
            (Some(full @ Root::Full(_)), Root::Data(_)) => self.board.are_same(&full, &root),
            (pinned, root) => pinned == Some(root),
        };
        if !is_pinned {
            return false;
        }
        let is_full = known.bytes + bytes > defaults::BLOCK_TREE_BYTES;
        known.bytes = if is_full { bytes } else { known.bytes + bytes };
        let slot = match root {
            Root::Full(_) => known.full.take(),
            Root::Data(_) => known.data.take(),
        };
        let mut merged = match slot.filter(|_| !is_full) {
            // Both have the pinned root, so that they can be merged.
            Some(mine) => mine.merge(tree).unwrap_or_else(|_| tree.clone()),
            None => tree.clone(),
        };
        if let Some((Some(old), old_bytes)) = older
            && known.bytes.max(old_bytes) + bytes <= defaults::BLOCK_TREE_BYTES
        {
            merged = merged.graft(&old);
            known.bytes = known.bytes.max(old_bytes + bytes);
        }
        match root {
            Root::Full(_) => known.full = Some(merged),
            Root::Data(_) => known.data = Some(merged),
        }
        true
    }

    /// Takes back what an endpoint said about this block. What was verified is
    /// forgotten where its root has too few votes without it.
    pub fn dismiss(&self, endpoint: usize) {
        let mut known = self.known();
        if matches!(known.link, Link::Unknown | Link::Silent(_)) {
            let was_pinned = self.board.pinned().is_some();
            self.board.dismiss(endpoint);
            if was_pinned && self.board.pinned().is_none() {
                known.give_up();
            }
        }
    }

    fn bytes(&self) -> usize {
        self.known().bytes
    }
}

/// The blocks whose states are kept, the one used last at the end.
pub struct Blocks {
    n: usize,
    needed: usize,
    kept: Mutex<VecDeque<Arc<BlockState>>>,
}

impl Blocks {
    /// No block yet, of a chain with `n` endpoints of which `needed` must
    /// agree.
    pub fn new(n: usize, needed: usize) -> Self {
        Self {
            n,
            needed,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<BlockState>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of a block.
    pub fn get(&self, hash: &BlockHash) -> Arc<BlockState> {
        let mut kept = self.kept();
        let known = kept.iter().position(|state| state.hash == *hash);
        let state = match known.and_then(|at| kept.remove(at)) {
            Some(state) => state,
            None => Arc::new(BlockState::new(*hash, self.n, self.needed)),
        };
        kept.push_back(Arc::clone(&state));
        // Grafted parts are shared, so that the sum counts them often: it errs
        // on the side of keeping less.
        while kept.len() > 2
            && (kept.len() > defaults::BLOCKS
                || kept.iter().map(|state| state.bytes()).sum::<usize>() > defaults::TREE_BYTES)
        {
            // Blocks that were only named cost no block its state.
            let last = kept.len() - 1;
            let idle = kept.iter().take(last).position(|state| state.is_empty());
            kept.remove(idle.unwrap_or(0));
        }
        state
    }

    /// The block used last before this one that something is verified of.
    pub fn older(&self, than: &BlockHash) -> Option<Arc<BlockState>> {
        let kept = self.kept();
        let mut others = kept.iter().rev().filter(|state| state.hash != *than);
        others.find(|state| !state.is_empty()).cloned()
    }

    /// All blocks that are kept.
    pub fn all(&self) -> Vec<Arc<BlockState>> {
        self.kept().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use heliostat_tezos_verifier::ContextHash;

    use super::*;
    use crate::light::pin::Vote;

    fn state() -> BlockState {
        BlockState::new(BlockHash([7; 32]), 2, 1)
    }

    fn tree(value: &'static [u8]) -> (Root, Tree) {
        let tree = Tree::from_pairs([(vec![DATA, b"key"], value.into())]);
        let tree = tree.expect("one value makes a tree");
        (Root::Full(tree.hash()), tree)
    }

    #[test]
    fn what_belongs_to_a_root_that_was_refuted_is_neither_kept_nor_added_later() {
        let state = state();
        let ((one, forged), (two, truth)) = (tree(b"forged"), tree(b"truth"));
        let key: Key = "key".parse().expect("a key");
        state.board.cast(0, Vote::Root(one), None);
        assert!(state.add(one, &forged, 10, None));
        let before = state.times_given_up();
        state.pin(two, Link::Header(BlockHash([8; 32])));
        assert_eq!(state.times_given_up(), before + 1);
        // A proof that was judged before, and comes to be added only now.
        assert!(!state.add(one, &forged, 10, None));
        assert!(matches!(state.find(&key), Lookup::Blinded));
        assert!(state.add(two, &truth, 10, None));
        assert!(matches!(state.find(&key), Lookup::Contents(bytes) if bytes == "truth"));
        // The same root again changes nothing.
        state.pin(two, Link::Header(BlockHash([9; 32])));
        assert_eq!(state.times_given_up(), before + 1);
        state.refute(one);
        assert_eq!(state.times_given_up(), before + 1);
        state.refute(two);
        assert_eq!(state.times_given_up(), before + 2);
        assert!(state.is_empty() && state.link() == Link::Unknown);
    }

    #[test]
    fn the_directory_that_the_old_call_shows_stays_when_its_root_is_pinned() {
        let state = state();
        let (root, whole) = tree(b"value");
        let Place::Found(data) = whole.get(&[DATA]) else {
            panic!("the tree has the directory");
        };
        let below = Root::Data(data.hash());
        state.board.cast(0, Vote::Root(below), None);
        assert!(state.add(below, &data, 10, None));
        state.board.cast(1, Vote::Root(root), Some(data.hash()));
        state.pin(root, Link::Header(BlockHash([8; 32])));
        assert_eq!(state.times_given_up(), 0);
        assert!(state.add(below, &data, 10, None));
        let other = Root::Data(ContextHash([3; 32]));
        assert!(!state.add(other, &data, 10, None));
    }
}
