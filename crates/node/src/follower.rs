//! The follow loop: choose an upstream, fetch ahead, verify off the runtime,
//! commit, publish.
//!
//! | module | what it holds |
//! |---|---|
//! | `prepare` | before a session: where our chain and the upstream's part |
//! | `session` | one upstream, one chain, until something ends it |
//! | `end` | what ended it |
//! | `pipeline` | fetching ahead and checking, in order, within a window |
//! | `check` | checking threads, and positions that cannot be read here |
//! | `writer` | batches on their way into the replica |
//! | `heads` | where the upstream's head is |
//! | `patience` | how long an answer is waited for |
//!
//! **Forks.** Where a ledger has a weight, a branch is read and verified from
//! the common ancestor while ours stays as it is, and replaces ours in one
//! commit once it is heavier. A branch that outgrows
//! [`Settings::branch_bytes`] before that is read twice: once to weigh it,
//! keeping ids only, and once to store it; only then does a process killed in
//! between find a shorter chain, of the branch that is known to win, and goes
//! on from there. Without a weight, the followed upstream's branch replaces
//! ours as soon as all of it is verified. A head that is merely lower than
//! ours, on our own chain, is an upstream that is behind and never a reason
//! to forget anything.

mod check;
mod end;
mod heads;
mod patience;
mod pipeline;
mod prepare;
mod session;
mod writer;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use heliostat_core::{Change, Fault, Link, Source, Verifier};
use heliostat_store::StoreError;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use self::{
    end::End,
    prepare::{Memory, lighter},
    session::Session,
    writer::Committed,
};
use crate::{
    Agreement, ChangeFeed, Progress, Replica, State, defaults,
    progress::Tracker,
    upstream::{Clock, Upstream, Upstreams, back_off, system_clock},
    witness::Witness,
};

/// The limits of a follower. The defaults and their reasons are in
/// [`defaults`].
#[derive(Clone)]
pub struct Settings {
    /// Requests in flight.
    pub fetches: usize,
    /// Hand-overs to checking threads in flight.
    pub checkers: usize,
    /// Positions between being asked for and being durable.
    pub window_blocks: usize,
    /// Bytes between being asked for and being durable; one position is
    /// always let through, however big.
    pub window_bytes: usize,
    /// Positions in one commit while syncing.
    pub commit_blocks: usize,
    /// Bytes in one commit while syncing.
    pub commit_bytes: usize,
    /// The longest a verified position waits for its commit.
    pub commit_time: Duration,
    /// The deepest fork that is followed.
    pub max_rewind: u64,
    /// Bytes held of a branch that is not yet the heavier one.
    pub branch_bytes: usize,
    /// Between two questions for the head when nothing hints at news.
    pub poll: Duration,
    /// A head older than this raises the alarm; `None` for chains that stand
    /// still.
    pub head_age: Option<Duration>,
    /// Seconds since the Unix epoch.
    pub clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fetches: defaults::FETCHES,
            checkers: std::thread::available_parallelism().map_or(1, Into::into),
            window_blocks: defaults::WINDOW_BLOCKS,
            window_bytes: defaults::WINDOW_BYTES,
            commit_blocks: defaults::COMMIT_BLOCKS,
            commit_bytes: defaults::COMMIT_BYTES,
            commit_time: defaults::COMMIT_TIME,
            max_rewind: defaults::MAX_REWIND,
            branch_bytes: defaults::BRANCH_BYTES,
            poll: defaults::POLL,
            head_age: Some(defaults::HEAD_AGE),
            clock: system_clock(),
        }
    }
}

/// What a follower's tasks have in common.
pub(crate) struct Shared<S: Source, V: Verifier, R> {
    pub upstreams: Arc<Upstreams<S>>,
    pub verifier: Arc<V>,
    pub replica: Arc<R>,
    pub settings: Settings,
    pub tracker: Tracker,
    pub feed: ChangeFeed,
    pub agreement: Arc<Agreement>,
    /// A commit that failed, and may be there all the same.
    unsure: Mutex<Option<Committed>>,
}

impl<S: Source, V: Verifier, R> Shared<S, V, R> {
    /// Tells what a commit did.
    fn publish(&self, done: Committed) {
        if let Some(keep) = done.rewound {
            let from = self.feed.tip().map(|link| link.height);
            let to = done.link.map(|link| link.height);
            tracing::info!(keep = keep.height, from, to, "rewound");
            self.agreement.rewind(keep.height);
            self.feed.publish(Change::Rewind(keep));
        }
        if let Some(link) = done.link {
            self.feed.publish(Change::Extend(link));
        }
        self.tracker.local(done.link, done.blocks as u64);
    }

    /// The replica was read, and ends at `link`. Tells of a commit that was
    /// taken to have failed and is there.
    fn settle(&self, link: Option<Link>) {
        let unsure = self
            .unsure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(done) = unsure.filter(|done| done.link == link) {
            self.publish(done);
        }
        self.agreement.release();
        self.feed.begin(link);
        self.tracker.local(link, 0);
    }
}

/// Keeps a replica at the head of its upstreams' chain.
pub struct Follower<S: Source, V: Verifier, R> {
    shared: Arc<Shared<S, V, R>>,
}

/// What one turn of the loop leaves for the next.
struct Turn<S> {
    memory: Memory,
    /// Races in a row without a commit, and with whom.
    races: u32,
    racing: Option<Arc<Upstream<S>>>,
    store_failures: u32,
}

impl<S, V, R> Follower<S, V, R>
where
    S: Source<Raw = V::Raw>,
    V: Verifier,
    R: Replica<V>,
{
    /// A follower that writes to `replica`; it must be the only one.
    pub fn new(
        upstreams: Arc<Upstreams<S>>,
        verifier: Arc<V>,
        replica: Arc<R>,
        settings: Settings,
    ) -> Self {
        let tracker = Tracker::new(Arc::clone(&settings.clock), settings.head_age);
        let agreement = Arc::clone(upstreams.agreement());
        Self {
            shared: Arc::new(Shared {
                upstreams,
                verifier,
                replica,
                settings,
                tracker,
                feed: ChangeFeed::new(),
                agreement,
                unsure: Mutex::default(),
            }),
        }
    }

    /// How far the replica is, now and from now on.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.tracker.subscribe()
    }

    /// What becomes of the replica.
    pub fn changes(&self) -> ChangeFeed {
        self.shared.feed.clone()
    }

    /// What the other upstreams say of our chain.
    pub fn agreement(&self) -> Arc<Agreement> {
        Arc::clone(&self.shared.agreement)
    }

    /// Follows until `stop` is cancelled; then it stores what is verified and
    /// returns. No upstream makes it return, and neither does a store that is
    /// full, read-only or away: those are waited for.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] and [`StoreError::Address`]: waiting does not
    /// help.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let ticker = async move { shared.tracker.tick().await };
        let ticker = AbortOnDropHandle::new(tokio::spawn(ticker));
        // With one upstream there is nobody else to ask.
        let witness = (self.shared.upstreams.all().len() > 1).then(|| {
            let witness = Witness::new(Arc::clone(&self.shared));
            AbortOnDropHandle::new(tokio::spawn(witness.run()))
        });
        let result = self.turns(&stop).await;
        // Waited for: they hold what the store is held by.
        for task in [Some(ticker), witness].into_iter().flatten() {
            task.abort();
            let _ = task.await;
        }
        self.shared.tracker.state(State::Stopped);
        if let Err(error) = self.shared.upstreams.persist().await {
            tracing::warn!(%error, "findings not stored");
        }
        result
    }

    async fn turns(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let mut turn = Turn {
            memory: Memory::default(),
            races: 0,
            racing: None,
            store_failures: 0,
        };
        while !stop.is_cancelled() {
            let Some(upstream) = stop.run_until_cancelled(self.choose()).await else {
                break;
            };
            if turn
                .racing
                .as_ref()
                .is_none_or(|one| !Arc::ptr_eq(one, &upstream))
            {
                turn.races = 0;
                turn.racing = Some(Arc::clone(&upstream));
            }
            let prepared = self.shared.prepare(&upstream, &mut turn.memory);
            let end = match stop.run_until_cancelled(prepared).await {
                None => break,
                Some(Err(end)) => end,
                Some(Ok((start, head))) => {
                    let shared = Arc::clone(&self.shared);
                    let session = Session::new(shared, Arc::clone(&upstream), start, head);
                    let (end, committed) = session.run(stop).await;
                    if committed {
                        turn.races = 0;
                        turn.store_failures = 0;
                    }
                    end
                }
            };
            if let End::Store(error @ (StoreError::Corrupt { .. } | StoreError::Address { .. })) =
                end
            {
                return Err(error);
            }
            // A stop in the middle of this loses nothing: all is stored.
            let handled = self.handle(&upstream, end, &mut turn);
            if stop.run_until_cancelled(handled).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Waits until there is an upstream to ask.
    async fn choose(&self) -> Arc<Upstream<S>> {
        let upstreams = &self.shared.upstreams;
        loop {
            if let Some(best) = upstreams.best() {
                return best;
            }
            self.shared
                .tracker
                .state(State::Waiting(upstreams.troubles()));
            // With nobody left to wait for, only a person can help, and they
            // will restart us.
            let longest = Instant::now() + defaults::RETRY_UNSUPPORTED;
            sleep_until(upstreams.next_retry().unwrap_or(longest)).await;
        }
    }

    /// Draws the consequences of the end of a session.
    async fn handle(&self, upstream: &Arc<Upstream<S>>, end: End, turn: &mut Turn<S>) {
        let shared = &self.shared;
        match end {
            End::Cancelled | End::Switch => {}
            End::Heavier(survey) => turn.memory.survey = Some(survey),
            End::Fault(fault) => shared.upstreams.report(upstream, &fault),
            End::Lighter { keep, end } => {
                let head = shared.upstreams.head(upstream);
                turn.memory.refused = head.zip(shared.feed.tip());
                if let Ok(Some(fork)) = shared.fork(upstream, keep + 1).await {
                    shared.upstreams.disagree(fork);
                }
                shared.upstreams.report(upstream, &lighter(Some(keep), end));
            }
            race @ (End::Moved | End::Unlinked { .. } | End::Missing { .. }) => {
                self.race(upstream, race, turn).await;
            }
            End::Store(error) => {
                turn.store_failures += 1;
                if turn.store_failures == 1 {
                    tracing::error!(%error, "store down");
                }
                shared.tracker.state(State::Store(error.to_string()));
                sleep(back_off(turn.store_failures, defaults::STORE_RETRY)).await;
                return;
            }
        }
        if let Err(error) = shared.upstreams.persist().await {
            tracing::debug!(%error, "findings not stored yet");
        }
    }

    /// The chain moved between two questions: nobody's fault, until it keeps
    /// happening without anything coming of it.
    async fn race(&self, upstream: &Arc<Upstream<S>>, race: End, turn: &mut Turn<S>) {
        turn.races += 1;
        if turn.races <= defaults::RACES {
            sleep(defaults::RACE_PAUSE * (turn.races - 1)).await;
            return;
        }
        turn.races = 0;
        let fault = match race {
            End::Missing { height, fault } => {
                self.shared.upstreams.doubt(upstream, Some(height));
                fault
            }
            End::Unlinked { height, parent } => {
                let parent = S::show(&parent);
                let why = format!(
                    "its position {height} names {parent} as its parent, which is not what it has there itself"
                );
                match self.shared.feed.tip() {
                    Some(_) => Fault::Behind(why),
                    None => Fault::Unsupported(format!(
                        "its position {height} does not continue the start of this chain; is it on another network?"
                    )),
                }
            }
            _ => Fault::Behind("its chain keeps changing between two questions".to_owned()),
        };
        self.shared.upstreams.report(upstream, &fault);
    }
}
