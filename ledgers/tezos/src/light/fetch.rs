//! Fetching one proof: from one endpoint, from a second one when the first is
//! slow or fails, and accepted only against the root that the block is pinned
//! to. The votes for that root are collected at the same time.

use std::sync::Arc;

use futures::{StreamExt as _, stream::FuturesUnordered};
use heliostat_core::Fault;
use heliostat_node::{Disagreement, Served};
use heliostat_tezos_context::Lookup;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Core,
    block::{BlockState, Link},
    pin::{Decision, Root, Vote},
    read::Want,
};
use crate::{
    consensus, defaults,
    endpoint::{
        Endpoint, Lack,
        proofs::{NoProof, Proved, Question},
    },
    error::ReadError,
    evidence, links,
};

/// What became of one endpoint's answer.
enum Outcome {
    /// It is verified and kept.
    Accepted,
    /// The whole of a parent is too large.
    TooLarge,
    /// It cannot be used; in words.
    Refused(String),
    /// No answer of any endpoint will do.
    Hopeless(ReadError),
}

/// Fetches what is wanted into the block's verified tree.
pub(super) async fn fetch(
    core: &Arc<Core>,
    state: &Arc<BlockState>,
    want: Want,
) -> Result<(), ReadError> {
    match race(core, state, &want).await {
        Ok(()) => Ok(()),
        Err(Failure::TooLarge) => {
            core.remember_large(&want.key);
            // The parts are asked for by the reader, which looks again.
            Ok(())
        }
        Err(Failure::Read(error)) => Err(error),
    }
}

enum Failure {
    TooLarge,
    Read(ReadError),
}

async fn race(core: &Arc<Core>, state: &Arc<BlockState>, want: &Want) -> Result<(), Failure> {
    let order = core.candidates(state);
    let mut waiting = order.into_iter();
    let mut running = FuturesUnordered::new();
    let mut reasons = Vec::new();
    let ask = |at: usize| async move {
        let endpoint = core.endpoint(at);
        let question = Question {
            chain: &core.settings.chain,
            block: &state.text,
            key: &want.key,
            holey: false,
            cap: want.cap,
        };
        (at, endpoint.prove(question).await)
    };
    let Some(first) = waiting.next() else {
        return Err(Failure::Read(core.nobody(state, want, &reasons)));
    };
    core.begin_votes(state, want, first);
    running.push(ask(first));
    let mut hedge_at = Instant::now() + core.endpoint(first).patience();
    loop {
        tokio::select! {
            Some((at, answer)) = running.next() => {
                match core.judge(state, want, at, answer).await {
                    Outcome::Accepted => return Ok(()),
                    Outcome::TooLarge => return Err(Failure::TooLarge),
                    Outcome::Hopeless(error) => return Err(Failure::Read(error)),
                    Outcome::Refused(why) => reasons.push(format!("{}: {why}", core.endpoint(at).name())),
                }
                hedge_at = Instant::now();
            }
            () = sleep_until(hedge_at), if waiting.len() > 0 => {
                if let Some(next) = waiting.next() {
                    running.push(ask(next));
                    hedge_at = Instant::now() + core.endpoint(next).patience();
                }
            }
            else => return Err(Failure::Read(core.nobody(state, want, &reasons))),
        }
    }
}

impl Core {
    fn nobody(&self, state: &BlockState, want: &Want, reasons: &[String]) -> ReadError {
        let key = want.key.to_string();
        let mut words = consensus::nobody(&self.settings.chain, &state.text, self.n(), &key);
        for why in reasons {
            words.push_str("; ");
            words.push_str(why);
        }
        ReadError::NoAgreement(words)
    }

    /// Whom to ask for a proof, best first: those that have the new call and
    /// the block, in the order of the list; much slower ones, ones that may
    /// only have the old call, and ones in a pause later. One that stands
    /// behind another root is not asked.
    fn candidates(&self, state: &BlockState) -> Vec<usize> {
        let against: Vec<usize> = match state.board.pinned() {
            Some(root) => state
                .board
                .against(&root)
                .iter()
                .map(|(at, _)| *at)
                .collect(),
            None => Vec::new(),
        };
        let all = self.upstreams.all();
        let fastest = all.iter().filter_map(|one| one.source().latency()).min();
        let rank = |at: &usize| {
            let one = &all[*at];
            let endpoint: &Endpoint = one.source();
            let is_slow = match (endpoint.latency(), fastest) {
                (Some(own), Some(best)) => {
                    own > best.mul_f64(2.0 * defaults::HEDGE_FACTOR) && own > defaults::HEDGE_LEAST
                }
                _ => false,
            };
            (
                !endpoint.may_prove(),
                !one.is_usable(),
                !endpoint.may_prove_v2(),
                self.headers.lacks(*at, &state.hash),
                is_slow,
            )
        };
        let mut order: Vec<usize> = (0..all.len())
            .filter(|at| !all[*at].is_quarantined() && !against.contains(at))
            .collect();
        order.sort_by_key(rank);
        order
    }

    /// Asks everybody but `giver`, who votes with its proof, for their root,
    /// unless the root is pinned or the next block's header will tell it.
    fn begin_votes(self: &Arc<Self>, state: &Arc<BlockState>, want: &Want, giver: usize) {
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
        match self.endpoint(at).prove(question).await {
            Ok(proved) => self.take_vote(state, at, &proved),
            Err(error) => {
                state.board.cast(at, Vote::Failed(error.words()), None);
                self.note(at, error);
            }
        }
    }

    fn take_vote(&self, state: &BlockState, at: usize, proved: &Proved) {
        self.upstreams
            .report_ok(&self.upstreams.all()[at], Served::Data);
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

    /// Reports what went wrong with a call. That a node lacks something is not
    /// held against it.
    pub(crate) fn note(self: &Arc<Self>, at: usize, error: NoProof) {
        match error {
            NoProof::Lack(_) => {}
            NoProof::Fault(Fault::Wrong(lie)) => self.convict(at, lie),
            NoProof::Fault(fault) => self.upstreams.report(&self.upstreams.all()[at], &fault),
        }
    }

    async fn judge(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
        want: &Want,
        at: usize,
        answer: Result<Proved, NoProof>,
    ) -> Outcome {
        let proved = match answer {
            Ok(proved) => proved,
            Err(NoProof::Lack(Lack::TooLarge(_))) if !want.instead.is_empty() => {
                // The giver's vote is asked for apart.
                state
                    .board
                    .cast(at, Vote::Failed("no vote yet".to_owned()), None);
                return Outcome::TooLarge;
            }
            Err(error) => {
                let why = error.words();
                state.board.cast(at, Vote::Failed(why.clone()), None);
                self.note(at, error);
                return Outcome::Refused(why);
            }
        };
        if matches!(proved.find(&want.key), Lookup::Blinded) {
            let why = "its proof does not show the key".to_owned();
            state.board.cast(at, Vote::Failed(why.clone()), None);
            return Outcome::Refused(why);
        }
        self.take_vote(state, at, &proved);
        let root = match self.settle(state, want, at, &proved).await {
            Ok(root) => root,
            Err(outcome) => return outcome,
        };
        let is_ours = match (root, proved.root) {
            (Root::Full(_), Root::Data(_)) => state.board.voters(&root).contains(&at),
            _ => root == proved.root,
        };
        if !is_ours {
            self.disagree(
                state,
                at,
                root.hash().to_string(),
                proved.root.hash().to_string(),
            );
            return Outcome::Refused("it stands behind another root for this block".to_owned());
        }
        let older = self.blocks.older(&state.hash);
        state.add(
            proved.root,
            &proved.tree,
            proved.raw.len(),
            older.as_deref(),
        );
        Outcome::Accepted
    }

    /// The root that the block is pinned to, waited for where it is not yet.
    async fn settle(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
        want: &Want,
        at: usize,
        proved: &Proved,
    ) -> Result<Root, Outcome> {
        if let Some(root) = state.board.pinned() {
            return Ok(root);
        }
        if let Some(refused) = self.settle_by_header(state, at, proved) {
            return refused;
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
                Decision::Failed(most) => {
                    return Err(Outcome::Hopeless(self.too_few(state, want, most)));
                }
                Decision::Open if state.board.is_reached() => {
                    hurry = timeout(defaults::VOTE_GRACE, votes.changed())
                        .await
                        .is_err();
                }
                Decision::Open => {
                    let _ = votes.changed().await;
                }
            }
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
            state.board.pin(proved.root);
            state.set_link(Link::Header(next.hash));
            return Some(Ok(proved.root));
        }
        if !links::must_link(links::protocol(&proved.tree, None)) {
            return None;
        }
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
        let chain = &self.settings.chain;
        let mut words = consensus::not_reached(chain, &state.text, &want.key.to_string());
        for (at, why) in state.board.failures() {
            words.push_str(&format!("; {}: {why}", self.endpoint(at).name()));
        }
        ReadError::NoAgreement(words)
    }
}
