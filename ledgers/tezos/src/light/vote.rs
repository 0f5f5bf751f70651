//! The votes on a block's root: asking for them, taking them, and waiting until
//! they decide, or the next block's header does.

use std::{sync::Arc, time::Duration};

use heliostat_node::{Disagreement, Served};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Core,
    block::{BlockState, Link},
    fetch::Outcome,
    pin::{Decision, Root, Vote},
    read::Want,
};
use crate::{
    consensus, defaults,
    endpoint::proofs::{NoProof, Proved, Question},
    error::ReadError,
    evidence, links,
};

impl Core {
    /// Asks everybody but `giver`, who votes with its proof, for their root,
    /// unless the root is pinned or the next block's header will tell it.
    pub(super) fn begin_votes(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
        want: &Want,
        giver: usize,
    ) {
        if state.board.pinned().is_some() || self.headers.committed(&state.hash).is_some() {
            return;
        }
        state.board.ask(giver);
        self.collect_votes(state, want, false);
    }

    /// Asks for votes; those in a pause only with `all`.
    fn collect_votes(self: &Arc<Self>, state: &Arc<BlockState>, want: &Want, all: bool) -> bool {
        let mut asked = false;
        for (at, one) in self.upstreams.all().iter().enumerate() {
            let may = !one.is_quarantined() && (all || one.is_usable());
            if !may || !state.board.ask(at) {
                continue;
            }
            asked = true;
            let (core, block, want) = (Arc::clone(self), Arc::clone(state), want.clone());
            let task = AbortOnDropHandle::new(tokio::spawn(async move {
                core.vote(&block, &want, at).await;
            }));
            self.keep_task(task);
        }
        asked
    }

    async fn vote(self: &Arc<Self>, state: &Arc<BlockState>, want: &Want, at: usize) {
        let question = Question {
            chain: &self.settings.chain,
            block: &state.text,
            key: &want.key,
            holey: true,
            cap: defaults::V1_BYTES,
        };
        let answer = self.endpoint(at).prove(question).await;
        self.take_late(state, at, answer);
    }

    pub(super) fn take_vote(&self, state: &BlockState, at: usize, proved: &Proved) {
        let upstream = &self.upstreams.all()[at];
        if upstream.is_quarantined() {
            // Caught lying while this answer was under way.
            return;
        }
        self.upstreams.report_ok(upstream, Served::Data);
        let vote = Vote::Root(proved.root);
        let first = state.board.cast(at, vote, proved.data());
        let Some(ours) = first.or_else(|| state.board.pinned()) else {
            return;
        };
        let is_against = |(other, _): &(usize, Root)| *other == at;
        if first.is_some() || state.board.against(&ours).iter().any(is_against) {
            let theirs = proved.root.hash().to_string();
            self.disagree(state, at, ours.hash().to_string(), theirs);
        }
    }

    /// Keeps two answers for the state of one block.
    pub(crate) fn disagree(&self, state: &BlockState, at: usize, ours: String, theirs: String) {
        let level = self.headers.header(&state.hash).map(|header| header.level);
        self.upstreams.disagree(Disagreement {
            height: level
                .and_then(|level| u64::try_from(level).ok())
                .unwrap_or(0),
            ours,
            theirs,
            upstream: self.endpoint(at).name().to_owned(),
            at: 0,
        });
    }

    /// Takes the vote in an answer that nobody waits for any more.
    pub(super) fn take_late(
        self: &Arc<Self>,
        state: &BlockState,
        at: usize,
        answer: Result<Proved, NoProof>,
    ) {
        match answer {
            Ok(proved) => self.take_vote(state, at, &proved),
            Err(error) => {
                state.board.cast(at, Vote::Failed(error.words()), None);
                self.note(at, error);
            }
        }
    }

    /// The root that the block is pinned to, waited for where it is not yet.
    pub(super) async fn settle(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
        want: &Want,
        at: usize,
        proved: &Proved,
    ) -> Result<Root, Outcome> {
        if matches!(state.link(), Link::Unknown)
            && let Some(settled) = self.settle_by_header(state, at, proved)
        {
            return settled;
        }
        if let Some(root) = state.board.pinned() {
            return Ok(root);
        }
        let mut votes = state.board.subscribe();
        let mut has_asked_all = false;
        let mut hurry = false;
        loop {
            votes.mark_unchanged();
            match state.board.decide(hurry) {
                Decision::Pinned(root) => return Ok(root),
                Decision::Failed(_) if !has_asked_all => {
                    // Those in a pause, and those whose vote was not wanted.
                    has_asked_all = true;
                    self.collect_votes(state, want, true);
                }
                Decision::Failed(_) if state.board.is_undecidable(&proved.root) => {
                    let why = "it only has the old proof call".to_owned();
                    return Err(Outcome::Refused(why));
                }
                Decision::Failed(most) => {
                    return Err(Outcome::Hopeless(self.too_few(state, want, most)));
                }
                Decision::Open if state.board.is_reached() => {
                    let grace = self.vote_grace(state);
                    hurry = timeout(grace, votes.changed()).await.is_err();
                }
                Decision::Open => {
                    let _ = votes.changed().await;
                }
            }
        }
    }

    /// How long the votes that are missing are waited for, where those that are
    /// there would do: not at all for endpoints that owe older answers too.
    fn vote_grace(&self, state: &BlockState) -> Duration {
        let awaited = state.board.awaited();
        match awaited.iter().all(|at| self.endpoint(*at).is_overdue()) {
            true => Duration::ZERO,
            false => defaults::VOTE_GRACE,
        }
    }

    /// Pins the root where the next block's header commits to it. `None` where
    /// there is no such header, or none that can tell.
    fn settle_by_header(
        self: &Arc<Self>,
        state: &BlockState,
        at: usize,
        proved: &Proved,
    ) -> Option<Result<Root, Outcome>> {
        let Root::Full(root) = proved.root else {
            return None;
        };
        let (header, next) = self.headers.committed(&state.hash)?;
        if links::commits(&header, &root, &next.header.context) {
            state.pin(proved.root, Link::Header(next.hash));
            return Some(Ok(proved.root));
        }
        if !links::must_link(links::protocol(&proved.tree, None)) {
            return None;
        }
        state.refute(proved.root);
        let why = format!(
            "its root {root} is not the one that block {} commits to",
            next.hash
        );
        if self.headers.is_final(&next.hash) {
            let lie = evidence::state_root(&proved.path, &proved.raw, &root, &header, &next.header);
            self.convict(at, lie);
        } else {
            self.disagree(state, at, next.hash.to_string(), root.to_string());
        }
        Some(Err(Outcome::Refused(why)))
    }

    fn too_few(&self, state: &BlockState, want: &Want, most: usize) -> ReadError {
        let share = self.settings.min_agreement;
        tracing::warn!("{}", consensus::shortfall(share, most, self.n()));
        for (at, ours, theirs) in state.board.sides() {
            self.disagree(
                state,
                at,
                ours.hash().to_string(),
                theirs.hash().to_string(),
            );
        }
        let chain = &self.settings.chain;
        let mut words = consensus::not_reached(chain, &state.text, &want.key.to_string());
        for (at, why) in state.board.failures() {
            words.push_str(&format!("; {}: {why}", self.endpoint(at).name()));
        }
        ReadError::NoAgreement(words)
    }
}
