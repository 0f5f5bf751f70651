//! Fetching ahead and checking off the runtime, in the order of heights.

use std::{collections::VecDeque, sync::Arc};

use futures::{FutureExt, StreamExt, stream::FuturesOrdered};
use heliostat_core::{Fault, Reject, Source, Verifier};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Settings,
    check::{Describer, check, defect},
    patience::ask,
};
use crate::{
    defaults,
    upstream::{Upstream, Upstreams},
};

/// What is held in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub blocks: usize,
    pub bytes: usize,
}

/// A position that stands by itself.
pub(super) struct Block<C> {
    pub checked: C,
    pub size: usize,
}

/// Why a pipeline ended at `height`: everything below it came out before.
#[derive(Debug)]
pub(super) struct Stop {
    pub height: u64,
    pub why: Why,
}

#[derive(Debug)]
pub(super) enum Why {
    Fault(Fault),
    Reject(Reject),
}

/// Consecutive positions that were checked together.
pub(super) struct Checks<C> {
    pub blocks: Vec<Block<C>>,
    pub stop: Option<Stop>,
}

type Fetch<Raw> = AbortOnDropHandle<Result<Raw, Fault>>;
type Check<C> = AbortOnDropHandle<Checks<C>>;

/// Positions on their way from one upstream to `Verifier::extend`. Dropping
/// it ends its tasks.
pub(super) struct Pipeline<S: Source, V: Verifier> {
    upstreams: Arc<Upstreams<S>>,
    upstream: Arc<Upstream<S>>,
    verifier: Arc<V>,
    settings: Settings,
    /// The next height to ask for, and the last.
    next: u64,
    target: u64,
    fetches: FuturesOrdered<Fetch<V::Raw>>,
    /// Fetched, in order, not yet handed to a checking thread. The first one
    /// stands at `ready_from`.
    ready: Vec<(usize, V::Raw)>,
    ready_bytes: usize,
    ready_from: u64,
    checks: FuturesOrdered<Check<V::Checked>>,
    /// What each of `checks` holds.
    checking: VecDeque<Load>,
    /// What a position that was asked for is taken to weigh.
    estimate: usize,
    stop: Option<Stop>,
}

impl<S, V> Pipeline<S, V>
where
    S: Source<Raw = V::Raw>,
    V: Verifier,
{
    pub fn new(
        upstreams: Arc<Upstreams<S>>,
        upstream: Arc<Upstream<S>>,
        verifier: Arc<V>,
        settings: Settings,
        heights: std::ops::RangeInclusive<u64>,
    ) -> Self {
        Self {
            upstreams,
            upstream,
            verifier,
            settings,
            next: *heights.start(),
            target: *heights.end(),
            fetches: FuturesOrdered::new(),
            ready: Vec::new(),
            ready_bytes: 0,
            ready_from: *heights.start(),
            checks: FuturesOrdered::new(),
            checking: VecDeque::new(),
            estimate: defaults::FIRST_ESTIMATE,
            stop: None,
        }
    }

    /// The upstream has more.
    pub fn raise(&mut self, target: u64) {
        self.target = self.target.max(target);
    }

    pub fn target(&self) -> u64 {
        self.target
    }

    /// Everything up to the target has come out.
    pub fn is_drained(&self) -> bool {
        self.next > self.target && self.stop.is_none() && self.is_empty()
    }

    /// Nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.fetches.is_empty() && self.ready.is_empty() && self.checks.is_empty()
    }

    /// The upstream was asked, and nothing can be done until it answers.
    pub fn is_waiting(&self) -> bool {
        !self.fetches.is_empty() && self.checks.is_empty()
    }

    /// The next positions, when they are checked; pending while there are
    /// none to come. `held` is what the caller holds of those that came out
    /// before: it counts against the window. Nothing is lost when the future
    /// is dropped.
    pub async fn next(&mut self, held: Load) -> Checks<V::Checked> {
        loop {
            self.fill(held);
            while let Some(Some(fetched)) = self.fetch_now() {
                self.take(fetched);
            }
            self.dispatch();
            if self.is_empty() {
                let Some(stop) = self.stop.take() else {
                    return std::future::pending().await;
                };
                return Checks {
                    blocks: Vec::new(),
                    stop: Some(stop),
                };
            }
            let gather = self.can_gather();
            tokio::select! {
                biased;
                Some(done) = self.checks.next(), if !self.checks.is_empty() => {
                    self.checking.pop_front();
                    return self.finished(done);
                }
                Some(fetched) = self.fetches.next(), if gather => self.take(fetched),
            }
        }
    }

    /// Asks for as many positions as the window has room for beside what the
    /// caller holds.
    pub fn fill(&mut self, held: Load) {
        while self.stop.is_none()
            && self.next <= self.target
            && self.fetches.len() < self.settings.fetches.max(1)
            && self.has_room(held)
        {
            let (upstream, height) = (Arc::clone(&self.upstream), self.next);
            let fetch = async move { ask("a position", upstream.source().fetch(height)).await };
            self.fetches
                .push_back(AbortOnDropHandle::new(tokio::spawn(fetch)));
            self.next += 1;
        }
    }

    /// Whether one more position fits. One always does, however big.
    fn has_room(&self, held: Load) -> bool {
        let checking = |of: fn(&Load) -> usize| self.checking.iter().map(of).sum::<usize>();
        let blocks = held.blocks + self.fetches.len() + self.ready.len() + checking(|l| l.blocks);
        let expected = (self.fetches.len() + 1).saturating_mul(self.estimate);
        let bytes = held.bytes + self.ready_bytes + checking(|l| l.bytes) + expected;
        blocks == 0 || (blocks < self.settings.window_blocks && bytes <= self.settings.window_bytes)
    }

    fn can_gather(&self) -> bool {
        self.ready.len() < defaults::CHECK_BLOCKS && self.ready_bytes < defaults::CHECK_BYTES
    }

    /// The next fetched position if it is there already.
    fn fetch_now(&mut self) -> Option<Option<Fetched<V::Raw>>> {
        if !self.can_gather() {
            return None;
        }
        self.fetches.next().now_or_never()
    }

    fn take(&mut self, fetched: Fetched<V::Raw>) {
        let fault = match fetched {
            Ok(Ok(raw)) => {
                let size = V::size(&raw);
                let decayed = self.estimate - self.estimate / defaults::ESTIMATE_DECAY;
                self.estimate = decayed.max(size);
                self.ready_bytes += size;
                self.ready.push((size, raw));
                return;
            }
            Ok(Err(fault)) => fault,
            Err(error) => Fault::Unreachable(format!("fetching failed: {error}")),
        };
        self.end(self.ready_from + self.ready.len() as u64, Why::Fault(fault));
    }

    /// Nothing from `height` on will come out.
    fn end(&mut self, height: u64, why: Why) {
        self.fetches = FuturesOrdered::new();
        self.stop = Some(Stop { height, why });
    }

    /// Hands what is ready to a checking thread, in portions big enough to be
    /// worth it; the last portion is as big as it is.
    fn dispatch(&mut self) {
        let worth = self.ready.len() >= defaults::CHECK_GATHER
            || self.ready_bytes >= defaults::CHECK_BYTES
            || self.fetches.is_empty();
        if self.ready.is_empty() || !worth || self.checks.len() >= self.settings.checkers.max(1) {
            return;
        }
        let raws = std::mem::take(&mut self.ready);
        let from = self.ready_from;
        self.ready_from += raws.len() as u64;
        self.checking.push_back(Load {
            blocks: raws.len(),
            bytes: std::mem::take(&mut self.ready_bytes),
        });
        let describer = Describer {
            upstreams: Arc::clone(&self.upstreams),
            upstream: Arc::clone(&self.upstream),
        };
        let verifier = Arc::clone(&self.verifier);
        let check = tokio::spawn(check(describer, verifier, from, raws));
        self.checks.push_back(AbortOnDropHandle::new(check));
    }

    fn finished(
        &mut self,
        done: Result<Checks<V::Checked>, tokio::task::JoinError>,
    ) -> Checks<V::Checked> {
        let done = done.unwrap_or_else(|error| Checks {
            blocks: Vec::new(),
            stop: Some(defect(self.ready_from, &error)),
        });
        if done.stop.is_some() {
            // What was fetched behind it is of no use.
            self.fetches = FuturesOrdered::new();
            self.checks = FuturesOrdered::new();
            self.checking.clear();
            self.ready.clear();
            self.ready_bytes = 0;
        }
        done
    }
}

type Fetched<Raw> = Result<Result<Raw, Fault>, tokio::task::JoinError>;
