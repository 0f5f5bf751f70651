//! Following one upstream along one chain, until something ends it.

use std::sync::{Arc, PoisonError};

use heliostat_core::{Fault, Id, Link, Point, Source, Verifier};
use heliostat_store::StoreError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    end::{End, Survey, rejected, stopped},
    heads::Heads,
    patience::outdone,
    pipeline::{Checks, Pipeline},
    writer::{Committed, Rewind, Wake, Writer},
};
use crate::{
    Replica, State, defaults,
    upstream::{Served, Upstream},
};

/// Where a session starts.
pub(super) struct Start<T> {
    /// The chain state it extends.
    pub tip: T,
    /// Given when that is not the end of our chain.
    pub rewind: Option<Rewind>,
    /// What a survey saw above `tip`; anything else is another branch.
    pub expect: Vec<Id>,
}

/// What a branch is being read for.
struct Branch {
    ids: Vec<Id>,
    /// Its items are not kept any more: it is longer than we can hold, and
    /// only whether it is heavier is still of interest.
    surveying: bool,
    expect: Vec<Id>,
}

pub(super) struct Session<S: Source, V: Verifier, R> {
    shared: Arc<Shared<S, V, R>>,
    upstream: Arc<Upstream<S>>,
    tip: V::Tip,
    pipeline: Pipeline<S, V>,
    writer: Writer<V, R>,
    heads: Heads<S>,
    branch: Option<Branch>,
    committed: bool,
    /// Since when nothing but the upstream keeps us from going on.
    waiting: Option<Instant>,
}

enum Event<C> {
    Checks(Checks<C>),
    Wake(Wake),
    Head(Result<Point, Fault>),
    /// The upstream keeps us waiting, and another one does not.
    Outdone,
}

impl<S, V, R> Session<S, V, R>
where
    S: Source<Raw = V::Raw>,
    V: Verifier,
    R: Replica<V>,
{
    pub fn new(
        shared: Arc<Shared<S, V, R>>,
        upstream: Arc<Upstream<S>>,
        start: Start<V::Tip>,
        head: Point,
    ) -> Self {
        let Start {
            tip,
            rewind,
            expect,
        } = start;
        let settings = &shared.settings;
        let pipeline = Pipeline::new(
            Arc::clone(&shared.upstreams),
            Arc::clone(&upstream),
            Arc::clone(&shared.verifier),
            settings.clone(),
            V::next_height(&tip)..=head.height,
        );
        let branch = rewind.is_some().then(|| Branch {
            ids: Vec::new(),
            surveying: false,
            expect,
        });
        Self {
            pipeline,
            writer: Writer::new(Arc::clone(&shared.replica), settings.clone(), rewind),
            heads: Heads::new(Arc::clone(&upstream), settings.poll, head),
            shared,
            upstream,
            tip,
            branch,
            committed: false,
            waiting: None,
        }
    }

    /// Runs until something ends it, and then stores what is verified. Also
    /// tells whether anything was committed.
    pub async fn run(mut self, stop: &CancellationToken) -> (End, bool) {
        if self.branch.is_none() {
            self.shared.upstreams.set_serving(Some(&self.upstream));
        }
        self.tell_state();
        let mut end = self.pump(stop).await;
        if !matches!(end, End::Store(_))
            && let Err(error) = self.flush().await
        {
            end = End::Store(error);
        }
        self.shared.upstreams.set_serving(None);
        (end, self.committed)
    }

    async fn pump(&mut self, stop: &CancellationToken) -> End {
        loop {
            if let Some(end) = self.advance() {
                return end;
            }
            let idle = self.pipeline.is_drained() && self.writer.is_idle();
            let held = self.writer.held();
            let next = V::next_height(&self.tip);
            let waiting = idle || self.pipeline.is_waiting();
            let since = self
                .waiting
                .filter(|_| waiting)
                .unwrap_or_else(Instant::now);
            self.waiting = waiting.then_some(since);
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => return End::Cancelled,
                wake = self.writer.next() => Event::Wake(wake),
                checks = self.pipeline.next(held) => Event::Checks(checks),
                head = self.heads.next(idle) => Event::Head(head),
                () = self.shared.upstreams.outdone(&self.upstream, next, since), if waiting => {
                    Event::Outdone
                }
            };
            let end = match event {
                Event::Wake(Wake::Committed(done)) => {
                    self.committed(done);
                    None
                }
                Event::Wake(Wake::Failed(error, done)) => Some(self.failed(error, done).into()),
                Event::Wake(Wake::Due) => None,
                Event::Checks(checks) => {
                    self.waiting = None;
                    self.extend(checks).err()
                }
                Event::Head(Ok(head)) => {
                    // What it says of its head excuses nothing when
                    // positions are waited for.
                    if idle {
                        self.waiting = None;
                    }
                    self.head(head, idle)
                }
                Event::Head(Err(fault)) => Some(End::Fault(fault)),
                // Its answer is here, and being checked.
                Event::Outdone if !idle && !self.pipeline.is_waiting() => None,
                Event::Outdone => {
                    self.shared.upstreams.doubt(&self.upstream, Some(next));
                    Some(End::Fault(outdone(&format!("position {next}"))))
                }
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Starts a commit when one is due, and looks whether all is done.
    fn advance(&mut self) -> Option<End> {
        self.pipeline.fill(self.writer.held());
        let drained = self.pipeline.is_drained();
        if drained && let Some(keep) = self.undecided() {
            return Some(self.lighter(keep));
        }
        if drained && self.is_mixed() {
            self.writer.discard();
            return Some(End::Moved);
        }
        // Nothing more comes until this is written: the head is reached, or
        // the window is full.
        let last = match self.writer.is_whole() {
            true => drained,
            false => self.pipeline.is_empty(),
        };
        if self.writer.is_due(last) {
            self.write(drained);
        }
        if self.upstream.is_quarantined() {
            // Somebody else caught it lying.
            return Some(End::Switch);
        }
        if !drained || !self.writer.is_idle() {
            return None;
        }
        self.shared.tracker.state(State::Following);
        let best = self.shared.upstreams.best()?;
        (!Arc::ptr_eq(&best, &self.upstream)).then_some(End::Switch)
    }

    fn write(&mut self, caught_up: bool) {
        if let Some(rewind) = self.writer.rewind() {
            self.shared.agreement.hold(rewind.keep.height);
        }
        self.writer.start(&self.tip, caught_up);
    }

    /// The branch that was read is not the one that ends at the head which
    /// made us read it: the chain moved meanwhile, or the upstream's ids are
    /// of another chain than its positions.
    fn is_mixed(&self) -> bool {
        let head = self.heads.seen();
        let end = V::link(&self.tip).map(|link| link.point());
        self.writer.is_whole() && end.is_some_and(|end| end.height >= head.height && end != head)
    }

    /// Where the branch being read leaves ours, while it is not the heavier.
    fn undecided(&self) -> Option<Link> {
        let rewind = self.writer.rewind()?;
        rewind.beat.map(|_| rewind.keep)
    }

    fn lighter(&self, keep: Link) -> End {
        End::Lighter {
            keep: keep.height,
            end: V::next_height(&self.tip).saturating_sub(1),
        }
    }

    fn extend(&mut self, checks: Checks<V::Checked>) -> Result<(), End> {
        for block in checks.blocks {
            let height = V::next_height(&self.tip);
            let item = match self.shared.verifier.extend(&mut self.tip, block.checked) {
                Ok(item) => item,
                Err(reject) => return Err(rejected(height, reject)),
            };
            if let Some(branch) = &mut self.branch
                && let Some(link) = V::link(&self.tip)
            {
                let expected = branch.expect.get(branch.ids.len());
                if expected.is_some_and(|id| *id != link.id) {
                    // Without this item, what is pending does not end at the
                    // tip; and it is not the branch that was weighed.
                    self.writer.discard();
                    return Err(End::Moved);
                }
                branch.ids.push(link.id);
                if branch.surveying {
                    continue;
                }
            }
            self.writer.push(item, block.size);
        }
        self.weigh()?;
        match checks.stop {
            Some(stop) => Err(stopped(stop)),
            None => Ok(()),
        }
    }

    /// Looks whether a branch that must be heavier than ours has become so.
    fn weigh(&mut self) -> Result<(), End> {
        let Some(keep) = self.undecided() else {
            return Ok(());
        };
        self.writer.weigh(V::weight(&self.tip));
        let Some(branch) = &mut self.branch else {
            return Ok(());
        };
        if !self.writer.is_held() {
            if branch.surveying {
                let ids = std::mem::take(&mut branch.ids);
                return Err(End::Heavier(Survey { keep, ids }));
            }
            return Ok(());
        }
        if branch.ids.len() > defaults::BRANCH_BLOCKS {
            return Err(self.lighter(keep));
        }
        if self.writer.pending_bytes() > self.shared.settings.branch_bytes {
            branch.surveying = true;
            self.writer.discard();
        }
        Ok(())
    }

    fn committed(&mut self, done: Committed) {
        self.committed = true;
        if done.rewound.is_some() {
            self.branch = None;
            self.shared.upstreams.set_serving(Some(&self.upstream));
        }
        let upstreams = &self.shared.upstreams;
        upstreams.report_ok(&self.upstream, Served::Data);
        upstreams.doubt(&self.upstream, None);
        self.shared.publish(done);
    }

    /// A store that went away in mid-commit may have done it all the same.
    fn failed(&self, error: StoreError, done: Committed) -> StoreError {
        *self
            .shared
            .unsure
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(done);
        error
    }

    fn head(&mut self, head: Point, idle: bool) -> Option<End> {
        let shared = &self.shared;
        shared
            .upstreams
            .report_ok(&self.upstream, Served::Head(head));
        shared.tracker.target(head.height);
        self.pipeline.raise(head.height);
        self.tell_state();
        let ours = V::link(&self.tip)?.point();
        let moved = head.height < ours.height || (head.height == ours.height && head != ours);
        (idle && moved).then_some(End::Moved)
    }

    fn tell_state(&self) {
        let behind = self
            .pipeline
            .target()
            .saturating_sub(V::next_height(&self.tip));
        let state = match behind >= defaults::FOLLOW_SLACK {
            true => State::Syncing,
            false => State::Following,
        };
        self.shared.tracker.state(state);
    }

    /// Stores what is verified. A branch is stored only when it is known to
    /// be the one to follow.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let missing = V::next_height(&self.tip) <= self.pipeline.target();
        if self.writer.is_held() || (self.writer.is_whole() && missing) {
            self.writer.discard();
        }
        while !self.writer.is_idle() {
            if self.writer.is_due(true) {
                self.write(false);
            }
            match self.writer.next().await {
                Wake::Committed(done) => self.committed(done),
                Wake::Failed(error, done) => return Err(self.failed(error, done)),
                Wake::Due => {}
            }
        }
        Ok(())
    }
}
