//! What is known of one upstream's health, and when to ask it again.

use std::time::Duration;

use heliostat_core::{Fault, Point};
use rand::Rng;
use serde::Serialize;
use tokio::time::Instant;

use crate::defaults;

/// What an upstream did well.
#[derive(Clone, Copy, Debug)]
pub enum Served {
    /// It said where its head is. That shows that it is up, and nothing more:
    /// one that names a head and then cannot deliver is not healthy, so this
    /// does not shorten the next pause.
    Head(Point),
    /// It gave what was asked for: positions that hold, or an id we have too.
    Data,
}

/// The last fault of an upstream that has not recovered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The name of the [`Fault`]'s kind, such as `unreachable`.
    pub kind: &'static str,
    /// The fault in words.
    pub words: String,
    /// When this kind of trouble began, in seconds since the Unix epoch.
    pub since: u64,
}

/// A change of state that is worth one event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Up,
    Down,
    Quarantined,
}

/// The health of one upstream.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub up_since: Option<u64>,
    pub trouble: Option<Trouble>,
    /// Faults since it last delivered.
    pub failures: u32,
    /// Not to be asked before.
    pub retry_at: Option<Instant>,
    pub head: Option<Point>,
    /// Claimed heads from this height on are not believed until that moment:
    /// it was asked for this position and did not have it.
    pub doubt: Option<(u64, Instant)>,
    pub last_seen: Option<u64>,
    /// The evidence record that convicts it.
    pub quarantined: Option<u64>,
}

impl Health {
    /// Notes something done well at `unix` seconds.
    pub fn ok(&mut self, served: Served, unix: u64) -> Option<Turn> {
        if self.quarantined.is_some() {
            return None;
        }
        self.last_seen = Some(unix);
        match served {
            Served::Head(point) => {
                self.head = Some(point);
                // What it lacked, it lacks until it delivers.
                if self.trouble.as_ref().is_some_and(|t| t.kind == "behind") {
                    return None;
                }
            }
            Served::Data => {
                self.failures = 0;
                self.retry_at = None;
            }
        }
        let recovered = self.trouble.take().is_some() || self.up_since.is_none();
        recovered.then(|| {
            self.up_since = Some(unix);
            Turn::Up
        })
    }

    /// Notes a fault that is no lie, and when to try again.
    pub fn fault(&mut self, fault: &Fault, unix: u64, now: Instant) -> Option<Turn> {
        if self.quarantined.is_some() {
            return None;
        }
        if !matches!(fault, Fault::Unreachable(_)) {
            self.last_seen = Some(unix);
        }
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + pause(fault, self.failures));
        self.up_since = None;
        let before = self.trouble.take();
        let same = before.filter(|trouble| trouble.kind == fault.kind());
        let turn = same.is_none().then_some(Turn::Down);
        self.trouble = Some(Trouble {
            kind: fault.kind(),
            words: words(fault),
            since: same.map_or(unix, |trouble| trouble.since),
        });
        turn
    }

    /// Notes a lie, for good.
    pub fn quarantine(&mut self, fault: &Fault, record: u64, unix: u64) -> Turn {
        self.quarantined = Some(record);
        self.up_since = None;
        self.trouble = Some(Trouble {
            kind: fault.kind(),
            words: words(fault),
            since: unix,
        });
        Turn::Quarantined
    }

    /// Notes the lowest position it did not deliver; `None` once it delivered
    /// one. One that is believed to have less is asked for nothing while there
    /// is another, so it could never show that it has recovered: after a while
    /// it is believed again.
    pub fn doubt(&mut self, height: Option<u64>, now: Instant) {
        let before = self.doubt.filter(|(_, until)| now < *until);
        self.doubt = height.map(|height| {
            let lowest = before.map_or(height, |(low, _)| low.min(height));
            (lowest, now + defaults::DOUBT)
        });
    }

    /// Whether it may be asked now.
    pub fn usable(&self, now: Instant) -> bool {
        self.quarantined.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }

    /// The height it is believed to have.
    pub fn believed(&self, now: Instant) -> Option<u64> {
        let head = self.head?.height;
        let doubt = self.doubt.filter(|(_, until)| now < *until);
        Some(doubt.map_or(head, |(low, _)| head.min(low.saturating_sub(1))))
    }
}

/// The fault in words, which an upstream may have chosen: cut to what a person
/// reads.
pub(super) fn words(fault: &Fault) -> String {
    let mut words = fault.to_string();
    words.truncate(words.floor_char_boundary(defaults::TROUBLE_BYTES));
    words
}

/// How long to leave an upstream alone after its `failures`th fault in a row.
fn pause(fault: &Fault, failures: u32) -> Duration {
    let longest = match fault {
        Fault::Unreachable(_) => defaults::RETRY_UNREACHABLE,
        Fault::Behind(_) => defaults::RETRY_BEHIND,
        Fault::Unsupported(_) | Fault::Wrong(_) => defaults::RETRY_UNSUPPORTED,
    };
    back_off(failures, longest)
}

/// A pause that doubles with each failure up to `longest`, with jitter so
/// that many mirrors do not ask a restarted node at the same moment.
pub(crate) fn back_off(failures: u32, longest: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = defaults::RETRY_FIRST
        .saturating_mul(1 << doublings)
        .min(longest);
    full.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Fault {
        Fault::Unreachable("connection refused".into())
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_doubles_up_to_its_limit_and_is_reset_by_delivery() {
        let mut health = Health::default();
        let now = Instant::now();
        for failures in 1..=20 {
            health.fault(&away(), 1, now);
            let full = (defaults::RETRY_FIRST * (1 << (failures - 1).min(10)))
                .min(defaults::RETRY_UNREACHABLE);
            let pause = health.retry_at.unwrap() - now;
            assert!(full / 2 <= pause && pause <= full, "{failures}: {pause:?}");
            assert!(!health.usable(now));
        }
        health.ok(Served::Data, 2);
        assert!(health.usable(now));
        health.fault(&away(), 3, now);
        assert!(health.retry_at.unwrap() - now <= defaults::RETRY_FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_is_told_once_and_not_at_every_retry() {
        let mut health = Health::default();
        let now = Instant::now();
        let head = Served::Head(Point {
            height: 9,
            id: heliostat_core::Id::default(),
        });
        assert_eq!(health.ok(head, 1), Some(Turn::Up));
        assert_eq!(health.ok(head, 2), None);
        assert_eq!(health.fault(&away(), 3, now), Some(Turn::Down));
        assert_eq!(health.fault(&away(), 4, now), None);
        assert_eq!(health.trouble.as_ref().unwrap().since, 3);
        let other = Fault::Unsupported("it is on testnet".into());
        assert_eq!(health.fault(&other, 5, now), Some(Turn::Down));
        assert_eq!(health.ok(head, 6), Some(Turn::Up));
    }

    #[tokio::test(start_paused = true)]
    async fn a_claimed_head_does_not_cure_what_was_not_delivered() {
        let mut health = Health::default();
        let now = Instant::now();
        let head = Served::Head(Point {
            height: 900,
            id: heliostat_core::Id::default(),
        });
        health.ok(head, 1);
        health.fault(&Fault::Behind("no block 7".into()), 2, now);
        health.doubt(Some(7), now);
        health.doubt(Some(8), now);
        assert_eq!(health.ok(head, 3), None);
        assert_eq!(health.believed(now), Some(6));
        let later = now + defaults::DOUBT;
        assert_eq!(health.believed(later), Some(900), "for a while only");
        health.doubt(Some(9), later);
        assert_eq!(health.believed(later), Some(8));
        assert!(health.trouble.is_some());
        assert_eq!(health.ok(Served::Data, 4), Some(Turn::Up));
    }
}
