//! The state of a chain that the next block is checked against.

use std::collections::VecDeque;

use bytes::Bytes;
use heliostat_core::{Assurance, Id, Link};

use crate::{
    Header, Network, NotAChain, TreeSizes, defaults::CONTEXT_HEADERS, difficulty::Past, rules,
};

/// Everything the next block is checked against: the last link, the headers
/// the difficulty rule looks back at, tree sizes, work, and the best grade a
/// block on this chain can still have.
#[derive(Clone, Debug)]
pub struct Tip {
    pub(crate) network: Network,
    pub(crate) link: Option<Link>,
    /// The newest headers, oldest first, at most [`CONTEXT_HEADERS`]; none on
    /// a network without proof-of-work.
    pub(crate) headers: VecDeque<Bytes>,
    pub(crate) sizes: TreeSizes,
    pub(crate) work: u128,
    pub(crate) cap: Assurance,
}

/// Where a chain is joined that is not followed from its first block.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Its network.
    pub network: Network,
    /// Height of the last header, the one before the first block to come.
    pub height: u64,
    /// Serialized headers, oldest first, up to `height`. The difficulty rule
    /// needs [`Network::context`]`(height + 1)` of them; one at least.
    pub headers: Vec<Bytes>,
    /// Tree sizes after the last header's block.
    pub sizes: TreeSizes,
    /// The last header's hash is a configured checkpoint.
    pub rooted: bool,
    /// The tree sizes are configured with that checkpoint, not a node's word.
    pub sizes_vouched: bool,
}

/// What a store holds of the newest block and the headers up to it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The chain's network.
    pub network: Network,
    /// Height of the last header.
    pub height: u64,
    /// Serialized headers, oldest first, up to `height`: the newest
    /// [`CONTEXT_HEADERS`], or all there are.
    pub headers: Vec<Bytes>,
    /// [`Verified::sizes`](crate::Verified::sizes) of the last block.
    pub sizes: TreeSizes,
    /// [`Verified::work`](crate::Verified::work) of the last block.
    pub work: u128,
    /// [`Verified::cap`](crate::Verified::cap) of the last block.
    pub cap: Assurance,
}

impl Tip {
    /// Before the first block.
    pub fn genesis(network: Network) -> Self {
        Self {
            network,
            link: None,
            headers: VecDeque::new(),
            sizes: TreeSizes::default(),
            work: 0,
            cap: Assurance::Proven,
        }
    }

    /// A chain joined in the middle. Its work counts from here.
    ///
    /// Blocks on it are `proven` only when it is rooted in a checkpoint, its
    /// sizes are vouched for, and there are all the headers the difficulty
    /// rule needs; a chain that begins with less stays at `relayed`, since
    /// everything later rests on what was not checked.
    ///
    /// # Errors
    ///
    /// [`NotAChain`] when the headers do not link up or one has no valid
    /// proof-of-work.
    pub fn joined(join: Joined) -> Result<Self, NotAChain> {
        let mut tip = Self::linked(join.network, join.height, join.headers)?;
        let first = join.height + 1 - tip.headers.len() as u64;
        for (height, bytes) in (first..).zip(&tip.headers) {
            let unreadable = |_| NotAChain::Header { height };
            let header = Header::parse(bytes).map_err(unreadable)?;
            let hash = header.hash();
            rules::genesis(join.network, height, &hash)
                .and_then(|()| rules::proof_of_work(join.network, &header, &hash))
                .map_err(|broken| NotAChain::Broken {
                    height,
                    words: broken.words,
                })?;
        }
        tip.sizes = join.sizes;
        let enough = tip.headers.len() >= join.network.context(join.height + 1);
        if join.rooted && join.sizes_vouched && enough {
            tip.cap = Assurance::Proven;
        }
        tip.forget();
        Ok(tip)
    }

    /// The state of a stored chain, whose blocks were verified when they were
    /// stored; only the links are checked again.
    ///
    /// # Errors
    ///
    /// [`NotAChain`] when the headers do not link up, or are fewer than a
    /// `proven` last block was checked with.
    pub fn rebuild(stored: Stored) -> Result<Self, NotAChain> {
        let mut tip = Self::linked(stored.network, stored.height, stored.headers)?;
        let given = tip.headers.len();
        // What the last block was checked with, and itself. Fewer than the next
        // one needs can be right: the rule looks back farther from NU7 on.
        let before = stored.network.context(stored.height);
        let needed = (before + 1).min(CONTEXT_HEADERS);
        if given < needed && stored.cap == Assurance::Proven {
            return Err(NotAChain::TooFew {
                given,
                needed,
                height: stored.height,
            });
        }
        tip.sizes = stored.sizes;
        tip.work = stored.work;
        tip.cap = stored.cap;
        tip.forget();
        Ok(tip)
    }

    fn linked(network: Network, height: u64, headers: Vec<Bytes>) -> Result<Self, NotAChain> {
        // A coinbase says a height in 32 bits.
        if height > u64::from(u32::MAX) {
            return Err(NotAChain::Height { height });
        }
        let given = headers.len();
        if given as u64 > height + 1 {
            return Err(NotAChain::TooMany { given, height });
        }
        let mut link: Option<Link> = None;
        let first = height + 1 - given as u64;
        for (height, bytes) in (first..).zip(&headers) {
            let header = Header::parse(bytes).map_err(|_| NotAChain::Header { height })?;
            let parent = Id(header.prev());
            if link.is_some_and(|before| before.id != parent) {
                return Err(NotAChain::Unlinked { height });
            }
            link = Some(Link {
                height,
                id: Id(header.hash()),
                parent,
                time: u64::from(header.time()),
            });
        }
        Ok(Self {
            network,
            link: Some(link.ok_or(NotAChain::Empty)?),
            headers: headers.into(),
            sizes: TreeSizes::default(),
            work: 0,
            cap: Assurance::Relayed,
        })
    }

    /// Drops the headers no rule will look at again.
    fn forget(&mut self) {
        let keep = if self.network.has_proof_of_work() {
            CONTEXT_HEADERS
        } else {
            0
        };
        let excess = self.headers.len().saturating_sub(keep);
        self.headers.drain(..excess);
    }

    /// The chain's network.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The last block; `None` before the first.
    pub fn link(&self) -> Option<Link> {
        self.link
    }

    /// The height the next block stands at.
    pub fn next_height(&self) -> u64 {
        self.link.map_or(0, |link| link.height.saturating_add(1))
    }

    /// Tree sizes after the last block.
    pub fn sizes(&self) -> TreeSizes {
        self.sizes
    }

    /// Work from the first block, or from where the chain was joined.
    pub fn work(&self) -> u128 {
        self.work
    }

    /// The best grade a block on this chain can still have.
    pub fn cap(&self) -> Assurance {
        self.cap
    }

    /// What the id of the next block's parent has to be.
    pub(crate) fn parent(&self) -> Id {
        self.link.map_or(Id([0; 32]), |link| link.id)
    }

    /// Times and targets of the headers kept, newest first.
    pub(crate) fn past(&self) -> Vec<Past> {
        let needed = self.network.context(self.next_height());
        let newest = self.headers.iter().rev().take(needed);
        // They were read when they came in.
        newest
            .filter_map(|bytes| Header::parse(bytes).ok().map(Past::from))
            .collect()
    }

    /// Moves on to a block that passed every check.
    pub(crate) fn advance(&mut self, link: Link, header: Bytes, bits: u32) {
        self.link = Some(link);
        self.work = self.work.saturating_add(rules::work(bits));
        self.headers.push_back(header);
        self.forget();
    }
}
