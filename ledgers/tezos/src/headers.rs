//! The followed header chain: heads as the endpoints name them, headers checked
//! against their hashes and links, and what is final.
//!
//! | module | what it holds |
//! |---|---|
//! | [`chain`] | the chain and each endpoint's branch of it; no I/O |
//! | `follow` | streams of heads, and asking where there is no stream |
//! | `finality` | from a checkpoint to the newest block that a quorum attested |

pub mod chain;

pub(crate) mod finality;
pub(crate) mod follow;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heliostat_tezos_verifier::{BlockHash, Header};
use tokio::sync::watch;

pub use chain::{Chain, Place, Refused};

/// A block at the end of the chain, with how many endpoints stand behind it.
pub type Head = Place;

/// What is known of finality.
#[derive(Clone, Debug, Default)]
pub(crate) struct Final {
    /// The newest block that is final, and every one below it in its branch.
    pub newest: Option<BlockHash>,
    /// Why it is not newer, for status.
    pub why: String,
}

/// The header chain as everybody shares it.
pub struct Headers {
    needed: usize,
    chain: Mutex<Chain>,
    finality: Mutex<Final>,
    agreed: watch::Sender<Option<Head>>,
    moved: watch::Sender<u64>,
}

impl Headers {
    /// Nothing is known of the chain of `n` endpoints, of which `needed` must
    /// agree on a head.
    pub fn new(n: usize, needed: usize) -> Self {
        Self {
            needed,
            chain: Mutex::new(Chain::new(n)),
            finality: Mutex::default(),
            agreed: watch::Sender::new(None),
            moved: watch::Sender::new(0),
        }
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finality(&self) -> MutexGuard<'_, Final> {
        self.finality.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The header of a block, checked against its hash.
    pub fn header(&self, hash: &BlockHash) -> Option<Arc<Header>> {
        self.chain().header(hash)
    }

    /// Takes a header; see [`Chain::insert`].
    pub fn insert(&self, hash: BlockHash, header: Header) -> Result<bool, Refused> {
        self.chain().insert(hash, header)
    }

    /// The ancestor of `hash` whose header is missing.
    pub fn gap(&self, hash: &BlockHash, depth: usize) -> Option<BlockHash> {
        self.chain().gap(hash, depth)
    }

    /// Notes an endpoint's head, and tells everybody when the agreed head
    /// changes.
    pub fn set_head(&self, endpoint: usize, hash: &BlockHash) {
        self.chain().set_head(endpoint, hash);
        self.publish();
    }

    /// Notes that an endpoint is not believed any more.
    pub fn dismiss(&self, endpoint: usize) {
        self.chain().dismiss(endpoint);
        self.publish();
    }

    fn publish(&self) {
        let head = self.chain().agreed_head(self.needed);
        self.moved.send_modify(|count| *count += 1);
        self.agreed.send_if_modified(|known| {
            let is_new =
                known.as_ref().map(|head| head.hash) != head.as_ref().map(|head| head.hash);
            *known = head;
            is_new
        });
    }

    /// The newest block that enough endpoints stand behind.
    pub fn agreed(&self) -> Option<Head> {
        self.agreed.borrow().clone()
    }

    /// Waits for the first such block.
    pub async fn wait_agreed(&self) -> Head {
        let mut heads = self.agreed.subscribe();
        loop {
            if let Some(head) = heads.borrow_and_update().clone() {
                return head;
            }
            // The sender lives as long as `self`.
            if heads.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The agreed heads from now on.
    pub fn subscribe(&self) -> watch::Receiver<Option<Head>> {
        self.agreed.subscribe()
    }

    /// Notified whenever any endpoint's head moves.
    pub(crate) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// The most endpoints that stand behind one block near the newest.
    pub fn most_agreed(&self) -> usize {
        let chain = self.chain();
        let heads = chain.heads();
        let support = heads.iter().flatten().map(|(_, hash)| chain.support(hash));
        support.max().unwrap_or(0)
    }

    /// What each endpoint has at its newest level.
    pub fn heads(&self) -> Vec<Option<(i32, BlockHash)>> {
        self.chain().heads()
    }

    /// How many endpoints stand behind a block.
    pub fn support(&self, hash: &BlockHash) -> usize {
        self.chain().support(hash)
    }

    /// The block at a level that enough endpoints stand behind.
    pub fn at(&self, level: i32, needed: usize) -> Option<BlockHash> {
        self.chain().at(level, needed).map(|place| place.hash)
    }

    /// The block `back` blocks before another one, as far as headers are known.
    pub fn ancestor(&self, hash: &BlockHash, back: u32) -> Option<BlockHash> {
        self.chain().ancestor(hash, back)
    }

    /// Whether `new` is `old` or descends from it, as far as headers are known.
    pub fn descends(&self, new: &BlockHash, old: &BlockHash) -> bool {
        self.chain().descends(new, old)
    }

    /// Whether an endpoint's own branch is known not to hold a block.
    pub fn lacks(&self, endpoint: usize, hash: &BlockHash) -> bool {
        let chain = self.chain();
        let Some(header) = chain.header(hash) else {
            return false;
        };
        match chain.heads().get(endpoint) {
            Some(Some((level, _))) => *level < header.level,
            _ => false,
        }
    }

    /// The header of a block and the block after it, where that one is final or
    /// enough endpoints stand behind it: it commits to the state.
    pub fn committed(&self, hash: &BlockHash) -> Option<(Arc<Header>, Place)> {
        let (header, children) = {
            let chain = self.chain();
            (chain.header(hash)?, chain.children(hash))
        };
        let is_final = |place: &&Place| self.is_final(&place.hash);
        let best = children.iter().find(is_final);
        let best = best.or_else(|| {
            let agreed = children.iter().filter(|place| place.support >= self.needed);
            agreed.max_by_key(|place| place.support)
        });
        Some((header, best?.clone()))
    }

    /// Whether a block is final: a quorum attested it or a block after it, or
    /// it is an ancestor of the checkpoint.
    pub fn is_final(&self, hash: &BlockHash) -> bool {
        let newest = self.finality().newest;
        newest.is_some_and(|newest| self.chain().descends(&newest, hash))
    }

    /// The newest final block.
    pub(crate) fn newest_final(&self) -> Option<BlockHash> {
        self.finality().newest
    }

    /// The final block at a level, as far as headers are known.
    pub fn final_at(&self, level: i32) -> Option<BlockHash> {
        let newest = self.newest_final()?;
        let chain = self.chain();
        let back = chain.header(&newest)?.level.checked_sub(level)?;
        chain.ancestor(&newest, u32::try_from(back).ok()?)
    }

    /// Notes the newest final block, whose header is known.
    pub(crate) fn set_final(&self, hash: BlockHash) {
        self.finality().newest = Some(hash);
        // Those who wait for a proven head look again.
        self.agreed.send_modify(|_| {});
    }

    /// Notes why nothing newer is final.
    pub(crate) fn set_unproven(&self, why: String) {
        self.finality().why = why;
    }

    /// The newest block whose state is proven: the one before the newest final
    /// block, whose header commits to that state.
    pub fn final_head(&self) -> Option<Head> {
        let newest = self.finality().newest?;
        let chain = self.chain();
        let before = chain.header(&newest)?.predecessor;
        Some(Head {
            hash: before,
            header: chain.header(&before)?,
            support: chain.support(&before),
        })
    }

    /// Why nothing newer is final, in words.
    pub fn why_unproven(&self) -> String {
        self.finality().why.clone()
    }
}
