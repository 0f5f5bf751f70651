//! How far the replica is, for people, readiness checks and metrics.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use heliostat_core::Link;
use serde::Serialize;
use tokio::{sync::watch, time::Instant};

use crate::{defaults, upstream::Clock};

/// What the follower is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state", content = "why")]
pub enum State {
    /// No upstream can be asked, and why.
    Waiting(String),
    /// Fetching what is missing.
    Syncing,
    /// At the upstream's head.
    Following,
    /// The store does not take anything, and why.
    Store(String),
    /// The follower has returned.
    Stopped,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting(why) => write!(f, "waiting for an upstream: {why}"),
            Self::Syncing => f.write_str("syncing"),
            Self::Following => f.write_str("following"),
            Self::Store(why) => write!(f, "store: {why}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// How far the replica is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// What the follower is doing.
    #[serde(flatten)]
    pub state: State,
    /// Where the replica ends.
    pub local: Option<Link>,
    /// The height the followed upstream claims to have.
    pub target: Option<u64>,
    /// Positions made durable per second, averaged over a few seconds.
    pub rate: f64,
    /// The head's age is above the threshold: what is served is out of date.
    pub stale: bool,
}

impl Progress {
    /// The height of the replica.
    pub fn height(&self) -> Option<u64> {
        self.local.map(|link| link.height)
    }

    /// Positions still to come.
    pub fn missing(&self) -> Option<u64> {
        let have = self.local.map_or(0, |link| link.height + 1);
        Some(self.target?.saturating_add(1).saturating_sub(have))
    }

    /// How long the sync takes at the present rate.
    pub fn remaining(&self) -> Option<Duration> {
        let missing = self.missing()?;
        let seconds = missing as f64 / self.rate;
        (self.rate > 0.0 || missing == 0)
            .then(|| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default())
    }

    /// The seconds that went by between the time our newest position claims
    /// and `now` (seconds since the Unix epoch).
    pub fn head_age(&self, now: u64) -> Option<u64> {
        self.local.map(|link| now.saturating_sub(link.time))
    }
}

/// The writing end of a [`Progress`] channel.
pub(crate) struct Tracker {
    sender: watch::Sender<Progress>,
    rate: Mutex<Rate>,
    clock: Clock,
    threshold: Option<Duration>,
}

struct Rate {
    /// The average so far, with zero for the time before it began.
    sum: f64,
    /// How much of `sum` is measured, from 0 to 1: what it is divided by, so
    /// that the first seconds of a sync do not look slow.
    measured: f64,
    counted: u64,
    since: Instant,
}

impl Rate {
    fn new() -> Self {
        Self {
            sum: 0.0,
            measured: 0.0,
            counted: 0,
            since: Instant::now(),
        }
    }

    /// Moves the average by what was counted since the last time; the longer
    /// that was, the more it counts.
    fn settle(&mut self) -> f64 {
        let elapsed = self.since.elapsed().as_secs_f64();
        if elapsed > 0.0 {
            let weight = 1.0 - (-elapsed / defaults::RATE_TIME.as_secs_f64()).exp();
            let fresh = self.counted as f64 / elapsed;
            self.sum += weight * (fresh - self.sum);
            self.measured += weight * (1.0 - self.measured);
            (self.counted, self.since) = (0, Instant::now());
        }
        match self.measured > 0.0 {
            true => self.sum / self.measured,
            false => 0.0,
        }
    }
}

impl Tracker {
    pub fn new(clock: Clock, threshold: Option<Duration>) -> Self {
        let progress = Progress {
            state: State::Waiting("none was asked yet".to_owned()),
            local: None,
            target: None,
            rate: 0.0,
            stale: false,
        };
        Self {
            sender: watch::Sender::new(progress),
            rate: Mutex::new(Rate::new()),
            clock,
            threshold,
        }
    }

    pub fn subscribe(&self) -> watch::Receiver<Progress> {
        self.sender.subscribe()
    }

    /// Tells what the follower is doing.
    pub fn state(&self, state: State) {
        if state == State::Syncing && self.sender.borrow().state != State::Syncing {
            *self.rate.lock().unwrap_or_else(PoisonError::into_inner) = Rate::new();
        }
        self.sender.send_if_modified(|progress| {
            let changed = progress.state != state;
            progress.state = state;
            changed
        });
    }

    pub fn target(&self, target: u64) {
        self.sender.send_if_modified(|progress| {
            let changed = progress.target != Some(target);
            progress.target = Some(target);
            changed
        });
    }

    /// The replica now ends here, after `stored` more positions.
    pub fn local(&self, local: Option<Link>, stored: u64) {
        let rate = {
            let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
            rate.counted += stored;
            rate.settle()
        };
        self.sender.send_modify(|progress| {
            progress.local = local;
            progress.rate = rate;
        });
        self.look();
    }

    /// Looks at the head's age.
    pub fn look(&self) {
        let Some(threshold) = self.threshold else {
            return;
        };
        let now = (self.clock)();
        self.sender.send_if_modified(|progress| {
            let Some(age) = progress.head_age(now) else {
                return false;
            };
            let stale = age > threshold.as_secs();
            let changed = std::mem::replace(&mut progress.stale, stale) != stale;
            // An initial sync passes through years of old heads.
            if changed && progress.state != State::Syncing {
                let height = progress.height();
                match stale {
                    true => tracing::error!(height, age, "head stale"),
                    false => tracing::info!(height, age, "head fresh"),
                }
            }
            changed
        });
    }

    /// Keeps the rate and the age true while nothing happens.
    pub async fn tick(&self) {
        loop {
            tokio::time::sleep(defaults::HEAD_AGE_TICK).await;
            let local = self.sender.borrow().local;
            self.local(local, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use heliostat_core::Id;

    use super::*;

    fn link(height: u64) -> Link {
        Link {
            height,
            id: Id::default(),
            parent: Id::default(),
            time: 1_000 + height,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_nears_what_is_stored_and_falls_when_nothing_is() {
        let tracker = Tracker::new(Arc::new(|| 0), None);
        tracker.target(1_999);
        for second in 1..=40 {
            tokio::time::advance(Duration::from_secs(1)).await;
            tracker.local(Some(link(second * 25 - 1)), 25);
        }
        let progress = tracker.subscribe().borrow().clone();
        assert!((24.9..=25.1).contains(&progress.rate), "{}", progress.rate);
        let remaining = progress.remaining().unwrap().as_secs();
        assert!((39..=41).contains(&remaining), "{remaining}");
        tokio::time::advance(Duration::from_secs(60)).await;
        tracker.local(progress.local, 0);
        assert!(tracker.subscribe().borrow().rate < 0.01);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_second_of_a_sync_shows_its_rate_however_long_the_wait_was() {
        let tracker = Tracker::new(Arc::new(|| 0), None);
        tokio::time::advance(Duration::from_secs(60)).await;
        tracker.local(None, 0);
        tracker.state(State::Syncing);
        tokio::time::advance(Duration::from_secs(1)).await;
        tracker.local(Some(link(999)), 1_000);
        let rate = tracker.subscribe().borrow().rate;
        assert!((999.0..=1_001.0).contains(&rate), "{rate}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_head_raises_the_alarm_without_anything_happening() {
        let now = Arc::new(AtomicU64::new(1_050));
        let clock = Arc::clone(&now);
        let clock: Clock = Arc::new(move || clock.load(Ordering::Relaxed));
        let tracker = Tracker::new(clock, Some(Duration::from_secs(100)));
        tracker.local(Some(link(0)), 1);
        let watching = tracker.subscribe();
        assert!(!watching.borrow().stale);
        now.store(1_101, Ordering::Relaxed);
        tokio::select! {
            () = tracker.tick() => {},
            () = tokio::time::sleep(defaults::HEAD_AGE_TICK * 2) => {},
        }
        assert!(watching.borrow().stale);
        assert_eq!(watching.borrow().head_age(1_101), Some(101));
        tracker.local(Some(link(90)), 1);
        assert!(!watching.borrow().stale);
    }

    #[test]
    fn a_state_reads_as_a_sentence() {
        let state = State::Waiting("node is unreachable: refused".into());
        assert_eq!(
            state.to_string(),
            "waiting for an upstream: node is unreachable: refused"
        );
    }
}
