//! Fetching one proof: from one endpoint, from a second one when the first is
//! slow or fails, and accepted only against the root that the block is pinned
//! to. The votes for that root are collected at the same time.

use std::sync::Arc;

use heliostat_core::Fault;
use heliostat_tezos_context::{Key, Lookup};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Core,
    block::BlockState,
    pin::{Root, Vote},
    read::Want,
};
use crate::{
    consensus, defaults,
    endpoint::{
        Endpoint, Lack,
        proofs::{NoProof, Proved, Question},
    },
    error::ReadError,
};

/// What became of one endpoint's answer.
pub(super) enum Outcome {
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

/// Why a proof is neither taken nor a vote.
const BLINDED: &str = "its proof does not show the key";

/// An endpoint's answer to a question for a proof.
type Answer = (usize, Result<Proved, NoProof>);

async fn race(core: &Arc<Core>, state: &Arc<BlockState>, want: &Want) -> Result<(), Failure> {
    let (sender, mut answers) = mpsc::channel(core.n());
    let result = run(core, state, want, &sender, &mut answers).await;
    // Answers that come later tell still who is gone, or lies.
    answers.close();
    while let Ok((at, answer)) = answers.try_recv() {
        if let Err(error) = answer {
            core.note(at, error);
        }
    }
    result
}

async fn run(
    core: &Arc<Core>,
    state: &Arc<BlockState>,
    want: &Want,
    sender: &mpsc::Sender<Answer>,
    answers: &mut mpsc::Receiver<Answer>,
) -> Result<(), Failure> {
    let mut waiting = core.candidates(state).into_iter();
    let mut running = 1;
    let mut reasons = Vec::new();
    let Some(first) = waiting.next() else {
        return Err(Failure::Read(core.nobody(state, want, &reasons)));
    };
    core.begin_votes(state, want, first);
    core.ask_for_proof(state, want, first, sender.clone());
    let mut hedge_at = Instant::now() + core.endpoint(first).patience();
    loop {
        tokio::select! {
            Some((at, answer)) = answers.recv(), if running > 0 => {
                running -= 1;
                match core.judge(state, want, at, answer).await {
                    Outcome::Accepted => return Ok(()),
                    Outcome::TooLarge => return Err(Failure::TooLarge),
                    Outcome::Hopeless(error) => return Err(Failure::Read(error)),
                    Outcome::Refused(why) => {
                        reasons.push(format!("{}: {why}", core.endpoint(at).name()));
                    }
                }
                hedge_at = Instant::now();
            }
            () = sleep_until(hedge_at), if waiting.len() > 0 => {
                if let Some(next) = waiting.next() {
                    running += 1;
                    core.ask_for_proof(state, want, next, sender.clone());
                    hedge_at = Instant::now() + core.endpoint(next).patience();
                }
            }
            else => return Err(Failure::Read(core.nobody(state, want, &reasons))),
        }
    }
}

impl Core {
    /// Asks one endpoint for a proof. The question outlives the reader, who may
    /// have been answered by another one meanwhile.
    fn ask_for_proof(
        self: &Arc<Self>,
        state: &Arc<BlockState>,
        want: &Want,
        at: usize,
        sender: mpsc::Sender<Answer>,
    ) {
        let (core, state) = (Arc::clone(self), Arc::clone(state));
        let (key, cap) = (want.key.clone(), want.cap);
        let task = tokio::spawn(async move {
            let question = Question {
                chain: &core.settings.chain,
                block: &state.text,
                key: &key,
                holey: false,
                cap,
            };
            let answer = core.endpoint(at).prove(question).await;
            // The reader may be waiting for this very vote, to judge the answer
            // of another one that was asked meanwhile.
            core.hear(&state, &key, at, &answer);
            if let Err(late) = sender.send((at, answer)).await
                && let (at, Err(error)) = late.0
            {
                core.note(at, error);
            }
        });
        self.keep_task(AbortOnDropHandle::new(task));
    }

    /// Takes the vote that is in a proof.
    fn hear(&self, state: &BlockState, key: &Key, at: usize, answer: &Result<Proved, NoProof>) {
        let why = match answer {
            Ok(proved) if matches!(proved.find(key), Lookup::Blinded) => BLINDED.to_owned(),
            Ok(proved) => return self.take_vote(state, at, proved),
            Err(error) => error.words(),
        };
        state.board.cast(at, Vote::Failed(why), None);
    }

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
    /// only have the old call, ones that owe an answer, ones in a pause, and
    /// ones whose root a header contradicts later. One that stands behind
    /// another root than the pinned one is not asked.
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
                state.board.is_refuted(*at),
                !endpoint.may_prove(),
                !one.is_usable(),
                endpoint.is_overdue(),
                one.status().trouble.is_some(),
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
                return Outcome::TooLarge;
            }
            Err(error) => {
                let why = error.words();
                self.note(at, error);
                return Outcome::Refused(why);
            }
        };
        if self.upstreams.all()[at].is_quarantined() {
            return Outcome::Refused("it was caught lying meanwhile".to_owned());
        }
        if matches!(proved.find(&want.key), Lookup::Blinded) {
            return Outcome::Refused(BLINDED.to_owned());
        }
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
        let (tree, bytes) = (&proved.tree, proved.raw.len());
        match state.add(proved.root, tree, bytes, older.as_deref()) {
            true => Outcome::Accepted,
            false => Outcome::Refused("its root was refuted meanwhile".to_owned()),
        }
    }
}
