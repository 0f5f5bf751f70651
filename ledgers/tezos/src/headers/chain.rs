//! The header chain as the endpoints tell it: every header that was seen, and
//! for each endpoint the branch that ends at its head. No I/O.
//!
//! Headers are linked by hash: an endpoint that names a block as its head has
//! committed to every block below it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use heliostat_tezos_verifier::{BlockHash, Header, LinkError};

use crate::defaults;

/// A block in the chain, with how many endpoints have it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its hash.
    pub hash: BlockHash,
    /// Its header.
    pub header: Arc<Header>,
    /// How many endpoints' heads descend from it, or are it.
    pub support: usize,
}

/// Why a header is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its bytes hash to something else.
    Hash(BlockHash),
    /// It cannot stand after the block it names as its predecessor.
    Link(LinkError),
}

/// Every header that was seen, and each endpoint's branch.
pub struct Chain {
    headers: HashMap<BlockHash, Arc<Header>>,
    /// The headers that name a block as their predecessor.
    after: HashMap<BlockHash, Vec<BlockHash>>,
    /// Per endpoint: the hash it stands behind at each level.
    views: Vec<BTreeMap<i32, BlockHash>>,
}

impl Chain {
    /// Nothing is known yet of the chain of `n` endpoints.
    pub fn new(n: usize) -> Self {
        Self {
            headers: HashMap::new(),
            after: HashMap::new(),
            views: vec![BTreeMap::new(); n],
        }
    }

    /// The header of a block.
    pub fn header(&self, hash: &BlockHash) -> Option<Arc<Header>> {
        self.headers.get(hash).cloned()
    }

    /// Takes a header after checking that it has this hash and, where the
    /// block before is known, that it can stand after it. `Ok(false)` when it
    /// was known.
    pub fn insert(&mut self, hash: BlockHash, header: Header) -> Result<bool, Refused> {
        if self.headers.contains_key(&hash) {
            return Ok(false);
        }
        let own = header.hash();
        if own != hash {
            return Err(Refused::Hash(own));
        }
        if let Some(before) = self.headers.get(&header.predecessor) {
            header.follows(before).map_err(Refused::Link)?;
        }
        self.prune();
        // A header that came first, and now turns out not to fit.
        for child in self.after.get(&hash).cloned().unwrap_or_default() {
            let child_header = self.headers.get(&child);
            if child_header.is_some_and(|child| child.follows(&header).is_err()) {
                self.forget(&child);
            }
        }
        self.after.entry(header.predecessor).or_default().push(hash);
        self.headers.insert(hash, Arc::new(header));
        Ok(true)
    }

    /// The blocks that name this one as their predecessor.
    pub fn children(&self, hash: &BlockHash) -> Vec<Place> {
        let children = self.after.get(hash).into_iter().flatten();
        children
            .filter_map(|hash| {
                Some(Place {
                    hash: *hash,
                    header: self.header(hash)?,
                    support: self.support(hash),
                })
            })
            .collect()
    }

    /// Removes a header that does not hold from every branch.
    fn forget(&mut self, hash: &BlockHash) {
        let Some(header) = self.headers.remove(hash) else {
            return;
        };
        if let Some(after) = self.after.get_mut(&header.predecessor) {
            after.retain(|child| child != hash);
        }
        for view in &mut self.views {
            if view.get(&header.level) == Some(hash) {
                view.split_off(&header.level);
            }
        }
    }

    /// The newest ancestor of `hash` (or itself) whose header is missing, when
    /// it lies at most `depth` blocks back.
    pub fn gap(&self, hash: &BlockHash, depth: usize) -> Option<BlockHash> {
        let mut at = *hash;
        for _ in 0..=depth {
            match self.headers.get(&at) {
                None => return Some(at),
                Some(header) => at = header.predecessor,
            }
        }
        None
    }

    /// Notes that an endpoint's head is `hash`, whose header is known.
    pub fn set_head(&mut self, endpoint: usize, hash: &BlockHash) {
        let Some(header) = self.headers.get(hash) else {
            return;
        };
        let Some(view) = self.views.get_mut(endpoint) else {
            return;
        };
        view.split_off(&header.level);
        let (mut at, mut header) = (*hash, Arc::clone(header));
        while view.insert(header.level, at) != Some(at) {
            at = header.predecessor;
            let Some(before) = self.headers.get(&at) else {
                // What lies below belongs to a branch that this one is not
                // connected to.
                let kept = view.split_off(&header.level);
                *view = kept;
                break;
            };
            header = Arc::clone(before);
        }
        while view.len() > defaults::HEADERS {
            view.pop_first();
        }
    }

    /// Notes that an endpoint is not believed any more.
    pub fn dismiss(&mut self, endpoint: usize) {
        if let Some(view) = self.views.get_mut(endpoint) {
            view.clear();
        }
    }

    /// Drops headers that no endpoint stands behind, once there are more than
    /// the branches of all endpoints and one more can have. What one endpoint
    /// claims never costs another one its branch.
    fn prune(&mut self) {
        if self.headers.len() <= (self.views.len() + 1) * defaults::HEADERS {
            return;
        }
        let views = &self.views;
        self.headers.retain(|hash, header| {
            let has = |view: &BTreeMap<i32, BlockHash>| view.get(&header.level) == Some(hash);
            views.iter().any(has)
        });
        let headers = &self.headers;
        self.after.retain(|_, children| {
            children.retain(|child| headers.contains_key(child));
            !children.is_empty()
        });
    }

    /// How many endpoints stand behind a block.
    pub fn support(&self, hash: &BlockHash) -> usize {
        let Some(header) = self.headers.get(hash) else {
            return 0;
        };
        let has = |view: &&BTreeMap<i32, BlockHash>| view.get(&header.level) == Some(hash);
        self.views.iter().filter(has).count()
    }

    /// The newest block that at least `needed` endpoints stand behind; of
    /// several at one level the one with more of them, then with the greater
    /// fitness. It lies near the newest level that `needed` endpoints have
    /// reached: what fewer of them claim to have beyond that does not count.
    pub fn agreed_head(&self, needed: usize) -> Option<Place> {
        let mut newest: Vec<i32> = self
            .views
            .iter()
            .filter_map(|view| view.keys().next_back().copied())
            .collect();
        newest.sort_unstable_by(|a, b| b.cmp(a));
        let newest = *newest.get(needed.checked_sub(1)?)?;
        let window = i32::try_from(defaults::HEAD_WINDOW).unwrap_or(i32::MAX);
        let levels = newest.saturating_sub(window)..=newest;
        levels.rev().find_map(|level| self.at(level, needed))
    }

    /// The block at a level that at least `needed` endpoints stand behind.
    pub fn at(&self, level: i32, needed: usize) -> Option<Place> {
        let mut votes: Vec<(BlockHash, usize)> = Vec::new();
        for hash in self.views.iter().filter_map(|view| view.get(&level)) {
            match votes.iter_mut().find(|(other, _)| other == hash) {
                Some((_, count)) => *count += 1,
                None => votes.push((*hash, 1)),
            }
        }
        votes
            .into_iter()
            .filter(|(_, support)| *support >= needed)
            .filter_map(|(hash, support)| {
                let header = self.header(&hash)?;
                Some(Place {
                    hash,
                    header,
                    support,
                })
            })
            .reduce(|best, next| {
                let better =
                    (next.support, &next.header.fitness) > (best.support, &best.header.fitness);
                if better { next } else { best }
            })
    }

    /// The block `back` blocks before `hash`, as far as headers are known.
    pub fn ancestor(&self, hash: &BlockHash, back: u32) -> Option<BlockHash> {
        let mut at = *hash;
        for _ in 0..back {
            at = self.headers.get(&at)?.predecessor;
        }
        Some(at)
    }

    /// Whether `old` is `new` or an ancestor of it, as far as headers are known.
    pub fn descends(&self, new: &BlockHash, old: &BlockHash) -> bool {
        let Some(target) = self.headers.get(old).map(|header| header.level) else {
            return false;
        };
        let mut at = *new;
        loop {
            if at == *old {
                return true;
            }
            match self.headers.get(&at) {
                Some(header) if header.level > target => at = header.predecessor,
                _ => return false,
            }
        }
    }

    /// What each endpoint has at its newest level.
    pub fn heads(&self) -> Vec<Option<(i32, BlockHash)>> {
        let last = |view: &BTreeMap<i32, BlockHash>| {
            view.last_key_value().map(|(level, hash)| (*level, *hash))
        };
        self.views.iter().map(last).collect()
    }
}

#[cfg(test)]
mod tests;
