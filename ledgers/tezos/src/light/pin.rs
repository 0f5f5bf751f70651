//! The root of one block, as the endpoints vote on it.
//!
//! An endpoint votes with the root of a proof that it gave for this block; the
//! vote of one that only has the old proof call is the hash of the directory
//! `data` below the root. Once enough agree the root is pinned: from then on
//! one proof of one endpoint is enough for any further key.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use heliostat_tezos_context::ContextHash;
use tokio::sync::watch;

/// What commits to the state of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// The root directory: what a header's context commits to.
    Full(ContextHash),
    /// Its directory `data`: all that the old proof call shows.
    Data(ContextHash),
}

impl Root {
    /// The hash, whatever it is of.
    pub fn hash(&self) -> ContextHash {
        match self {
            Self::Full(hash) | Self::Data(hash) => *hash,
        }
    }
}

/// What one endpoint said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vote {
    /// It was asked.
    Asked,
    /// Its root.
    Root(Root),
    /// No vote, and why.
    Failed(String),
}

/// What the votes come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// More votes are awaited.
    Open,
    /// Enough agree on this root.
    Pinned(Root),
    /// Everybody was heard and too few agree; the most that did.
    Failed(usize),
}

/// The votes of all endpoints on one block.
pub struct Board {
    needed: usize,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

struct State {
    votes: Vec<Option<Vote>>,
    /// The directory `data` below a root, where a proof showed it.
    data_below: HashMap<ContextHash, ContextHash>,
    pinned: Option<Root>,
    /// What a header contradicts: no number of votes pins it.
    refuted: Vec<Root>,
}

impl Board {
    /// Nobody of `n` has voted; `needed` must agree.
    pub fn new(n: usize, needed: usize) -> Self {
        Self {
            needed,
            state: Mutex::new(State {
                votes: vec![None; n],
                data_below: HashMap::new(),
                pinned: None,
                refuted: Vec::new(),
            }),
            changed: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pinned root.
    pub fn pinned(&self) -> Option<Root> {
        self.state().pinned
    }

    /// Marks an endpoint as asked; `false` when it voted or is being asked.
    pub fn ask(&self, endpoint: usize) -> bool {
        let mut state = self.state();
        match state.votes.get_mut(endpoint) {
            Some(vote @ (None | Some(Vote::Failed(_)))) => {
                *vote = Some(Vote::Asked);
                true
            }
            _ => false,
        }
    }

    /// Whether anybody was asked or has voted.
    pub fn is_begun(&self) -> bool {
        let open = |vote: &Option<Vote>| matches!(vote, Some(Vote::Asked | Vote::Root(_)));
        self.state().votes.iter().any(open)
    }

    /// Takes a vote, and pins the root if that decides it. A first root is
    /// never changed by a second vote of the same endpoint: it is returned,
    /// because it contradicts.
    pub fn cast(&self, endpoint: usize, vote: Vote, data: Option<ContextHash>) -> Option<Root> {
        let mut state = self.state();
        if let (Vote::Root(Root::Full(root)), Some(data)) = (&vote, data) {
            state.data_below.insert(*root, data);
        }
        let slot = state.votes.get_mut(endpoint)?;
        let contradicted = match (&*slot, &vote) {
            (Some(Vote::Root(_)), Vote::Asked | Vote::Failed(_)) => return None,
            (Some(Vote::Root(first)), Vote::Root(second)) => {
                // The old call and the new one speak of different directories.
                let same_kind = matches!(first, Root::Full(_)) == matches!(second, Root::Full(_));
                (first != second && same_kind).then_some(*first)
            }
            _ => {
                *slot = Some(vote);
                None
            }
        };
        if state.pinned.is_none()
            && let Decision::Pinned(root) = state.decide(self.needed, false)
        {
            state.pinned = Some(root);
        }
        drop(state);
        self.changed.send_modify(|count| *count += 1);
        contradicted
    }

    /// Pins a root that a header commits to, whatever the votes say.
    pub fn pin(&self, root: Root) {
        let mut state = self.state();
        state.pinned = Some(root);
        state.refuted.retain(|refuted| *refuted != root);
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Notes that a header contradicts a root, which is then forgotten; whether
    /// it was pinned.
    pub fn refute(&self, root: Root) -> bool {
        let mut state = self.state();
        let was_pinned = state.pinned == Some(root);
        if was_pinned {
            state.pinned = None;
        }
        // At most one for each endpoint: others have no votes that could count.
        if !state.refuted.contains(&root) && state.support(&root) > 0 {
            state.refuted.push(root);
        }
        was_pinned
    }

    /// Whether an endpoint voted for a root that a header contradicts.
    pub fn is_refuted(&self, endpoint: usize) -> bool {
        let state = self.state();
        match state.votes.get(endpoint) {
            Some(Some(Vote::Root(root))) => state.refuted.contains(root),
            _ => false,
        }
    }

    /// What the votes come to now; with `hurry`, awaited ones do not count.
    pub fn decide(&self, hurry: bool) -> Decision {
        let mut state = self.state();
        if let Some(root) = state.pinned {
            return Decision::Pinned(root);
        }
        let decision = state.decide(self.needed, hurry);
        if let Decision::Pinned(root) = decision {
            state.pinned = Some(root);
        }
        decision
    }

    /// Whether some root has the votes it needs, though others are awaited.
    pub fn is_reached(&self) -> bool {
        let state = self.state();
        state.pinned.is_some() || state.best().is_some_and(|(_, votes)| votes >= self.needed)
    }

    /// Whether two roots are of one state, as far as proofs have shown it.
    pub fn are_same(&self, one: &Root, other: &Root) -> bool {
        self.state().is_same(one, other)
    }

    /// Notified at every vote.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// How many voted for a root, counted now.
    pub fn support(&self, root: &Root) -> usize {
        self.state().support(root)
    }

    /// The votes for another root than this one, by endpoint.
    pub fn against(&self, root: &Root) -> Vec<(usize, Root)> {
        let state = self.state();
        let votes = state.votes.iter().enumerate();
        votes
            .filter_map(|(endpoint, vote)| match vote {
                Some(Vote::Root(other)) if !state.is_same(root, other) => Some((endpoint, *other)),
                _ => None,
            })
            .collect()
    }

    /// Those who did not vote for the root with the most votes, with that root
    /// and theirs.
    pub fn sides(&self) -> Vec<(usize, Root, Root)> {
        let best = self.state().best();
        let Some((best, _)) = best else {
            return Vec::new();
        };
        let against = self.against(&best).into_iter();
        against.map(|(at, theirs)| (at, best, theirs)).collect()
    }

    /// Whether a vote of the old call cannot be compared yet: somebody voted for
    /// a whole root, of which no proof has shown the directory `data`.
    pub fn is_undecidable(&self, root: &Root) -> bool {
        let state = self.state();
        let is_open = |vote: &Vote| match vote {
            Vote::Root(Root::Full(full)) => !state.data_below.contains_key(full),
            _ => false,
        };
        matches!(root, Root::Data(_)) && state.votes.iter().flatten().any(is_open)
    }

    /// The endpoints whose votes are awaited.
    pub fn awaited(&self) -> Vec<usize> {
        let state = self.state();
        let votes = state.votes.iter().enumerate();
        votes
            .filter(|(_, vote)| matches!(vote, Some(Vote::Asked)))
            .map(|(endpoint, _)| endpoint)
            .collect()
    }

    /// Why endpoints did not vote.
    pub fn failures(&self) -> Vec<(usize, String)> {
        let state = self.state();
        let votes = state.votes.iter().enumerate();
        votes
            .filter_map(|(endpoint, vote)| match vote {
                Some(Vote::Failed(why)) => Some((endpoint, why.clone())),
                _ => None,
            })
            .collect()
    }

    /// The endpoints that voted for a root.
    pub fn voters(&self, root: &Root) -> Vec<usize> {
        let state = self.state();
        let votes = state.votes.iter().enumerate();
        votes
            .filter(
                |(_, vote)| matches!(vote, Some(Vote::Root(other)) if state.is_same(root, other)),
            )
            .map(|(endpoint, _)| endpoint)
            .collect()
    }

    /// Takes back what an endpoint said: it was caught lying.
    pub fn dismiss(&self, endpoint: usize) {
        let mut state = self.state();
        if let Some(vote) = state.votes.get_mut(endpoint) {
            *vote = Some(Vote::Failed("it was caught lying".to_owned()));
        }
        if let Some(root) = state.pinned
            && state.support(&root) < self.needed
        {
            state.pinned = None;
        }
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }
}

impl State {
    fn is_same(&self, one: &Root, other: &Root) -> bool {
        match (one, other) {
            (Root::Full(full), Root::Data(data)) | (Root::Data(data), Root::Full(full)) => {
                self.data_below.get(full) == Some(data)
            }
            _ => one == other,
        }
    }

    fn support(&self, root: &Root) -> usize {
        let is_for = |vote: &&Option<Vote>| match vote {
            Some(Vote::Root(other)) => self.is_same(root, other),
            _ => false,
        };
        self.votes.iter().filter(is_for).count()
    }

    /// The root with the most votes; of several the one whose first voter
    /// comes first in the list, and a whole root before `data` alone.
    fn best(&self) -> Option<(Root, usize)> {
        let mut best: Option<(Root, usize)> = None;
        for vote in self.votes.iter().flatten() {
            let Vote::Root(root) = vote else { continue };
            if self.refuted.contains(root) {
                continue;
            }
            let votes = self.support(root);
            let is_better = match &best {
                None => true,
                Some((known, most)) => {
                    votes > *most
                        || (votes == *most
                            && matches!((known, root), (Root::Data(_), Root::Full(_)))
                            && self.is_same(known, root))
                }
            };
            if is_better {
                best = Some((*root, votes));
            }
        }
        best
    }

    fn decide(&self, needed: usize, hurry: bool) -> Decision {
        let awaited = self
            .votes
            .iter()
            .filter(|vote| matches!(vote, Some(Vote::Asked)))
            .count();
        let awaited = if hurry { 0 } else { awaited };
        let best = self.best();
        // Where two roots could both have enough, all votes are heard first.
        let is_unique = 2 * needed > self.votes.len();
        match best {
            Some((root, votes)) if votes >= needed && (is_unique || awaited == 0) => {
                Decision::Pinned(root)
            }
            _ if awaited > 0 => Decision::Open,
            best => Decision::Failed(best.map_or(0, |(_, votes)| votes)),
        }
    }
}

#[cfg(test)]
mod tests;
