//! Addresses that are refused for a while, because of what their connections
//! were cut for.
//!
//! An attacker who is cut can come back at once, with a new connection and a
//! new allowance, thousands of times a second; refusing it where sockets are
//! accepted is the cheapest there is. A flood earns a penalty by itself,
//! because nobody makes one by accident; slowness and nonsense only in numbers,
//! because bad networks and bad clients exist. Penalties begin short, so that
//! whoever shares an address with a culprit is not locked out for long, and
//! double for those who go on.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use super::addresses::subscriber;
use crate::{counts::Cut, defaults};

/// New addresses between two clean-ups of the table; looking at all of it for
/// each would be an attack by itself.
const CLEAN_EVERY: usize = 1_000;

/// What a connection did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence {
    /// What happens to good clients too, but not often.
    Small,
    /// What no good client does.
    Grave,
}

impl Offence {
    /// What a connection did that was cut for this.
    pub(crate) fn of(cut: Cut) -> Option<Self> {
        match cut {
            Cut::Flood => Some(Self::Grave),
            Cut::Handshake | Cut::Headers | Cut::Body => Some(Self::Small),
            // Browsers open connections in advance, and wallets sleep.
            Cut::Silent | Cut::Unread | Cut::Idle => None,
            Cut::Drain | Cut::Network | Cut::Identity | Cut::Expired => None,
        }
    }
}

/// Times are milliseconds of the door's clock.
#[derive(Debug, Default)]
struct Record {
    /// Small offences, one of which is forgotten each second.
    small: u64,
    /// When these were last counted.
    counted: u64,
    /// The end of the last penalty.
    until: u64,
    /// How often the next penalty is doubled.
    doublings: u32,
}

impl Record {
    /// Forgets what is old enough.
    fn forget(&mut self, now: u64) {
        let second = 1_000;
        let seconds = now.saturating_sub(self.counted) / second;
        self.small = self.small.saturating_sub(seconds);
        self.counted += seconds * second;
        let pause = millis(defaults::PENALTY_FORGOTTEN);
        let pauses = now.saturating_sub(self.until) / pause;
        let forgotten = u32::try_from(pauses).unwrap_or(u32::MAX);
        if forgotten > 0 && self.doublings > 0 {
            self.doublings = self.doublings.saturating_sub(forgotten);
            self.until += pauses * pause;
        }
    }

    fn is_blank(&self, now: u64) -> bool {
        self.small == 0 && self.doublings == 0 && self.until <= now
    }
}

/// Records by [`subscriber`], in bounded memory.
#[derive(Debug, Default)]
struct Table {
    records: HashMap<IpAddr, Record>,
    since_cleaned: usize,
}

impl Table {
    /// The record of this address, new if need be and there is room.
    fn record(&mut self, key: IpAddr, now: u64) -> Option<&mut Record> {
        if !self.records.contains_key(&key) {
            self.since_cleaned += 1;
            if self.since_cleaned >= CLEAN_EVERY {
                self.since_cleaned = 0;
                self.clean(now);
            }
            if self.records.len() >= defaults::MAX_PENALTIES {
                return None;
            }
        }
        Some(self.records.entry(key).or_insert_with(|| Record {
            counted: now,
            ..Record::default()
        }))
    }

    fn clean(&mut self, now: u64) {
        self.records.retain(|_, record| {
            record.forget(now);
            !record.is_blank(now)
        });
    }
}

/// The penalties of one door.
#[derive(Debug)]
pub(crate) struct Penalties {
    /// In milliseconds; 0 for none at all.
    longest: AtomicU64,
    table: Mutex<Table>,
    /// How many records there are: without any nobody takes the lock.
    known: AtomicUsize,
    imposed: AtomicU64,
}

impl Penalties {
    /// Without any so far; none is going to be longer than `longest`.
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            longest: AtomicU64::new(millis(longest)),
            table: Mutex::default(),
            known: AtomicUsize::new(0),
            imposed: AtomicU64::new(0),
        }
    }

    /// Changes how long further ones may be; zero also ends those in force.
    pub(crate) fn resize(&self, longest: Duration) {
        self.longest.store(millis(longest), Relaxed);
    }

    /// Whether this address is to be refused.
    pub(crate) fn refuse(&self, address: IpAddr, now: u64) -> bool {
        if self.known.load(Relaxed) == 0 || self.longest.load(Relaxed) == 0 {
            return false;
        }
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let record = table.records.get(&subscriber(address));
        record.is_some_and(|record| now < record.until)
    }

    /// Notes what a connection of this address was cut for. What comes during
    /// a penalty comes from connections that were open before, and does not
    /// count.
    pub(crate) fn note(&self, address: IpAddr, offence: Offence, now: u64) {
        let longest = self.longest.load(Relaxed);
        if longest == 0 {
            return;
        }
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(record) = table.record(subscriber(address), now) else {
            return;
        };
        if now < record.until {
            return;
        }
        record.forget(now);
        record.small += match offence {
            Offence::Small => 1,
            Offence::Grave => defaults::SMALL_OFFENCES,
        };
        if record.small >= defaults::SMALL_OFFENCES {
            let doubled = millis(defaults::FIRST_PENALTY).checked_shl(record.doublings);
            let length = doubled.unwrap_or(u64::MAX).min(longest);
            record.small = 0;
            record.until = now + length;
            // Beyond the longest there is nothing to double, and what is not
            // counted need not be forgotten.
            record.doublings += u32::from(length < longest);
            self.imposed.fetch_add(1, Relaxed);
        }
        self.known.store(table.records.len(), SeqCst);
    }

    /// Penalties so far.
    pub(crate) fn imposed(&self) -> u64 {
        self.imposed.load(Relaxed)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(60);
    const FIRST: u64 = 1_000;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a literal address")
    }

    /// Commits a grave offence at `now`; how long that is punished.
    fn flood(penalties: &Penalties, address: IpAddr, now: u64) -> u64 {
        penalties.note(address, Offence::Grave, now);
        let over = (0..=70_000).find(|after| !penalties.refuse(address, now + after));
        over.expect("a penalty ends")
    }

    #[test]
    fn a_flood_is_punished_for_as_long_as_the_first_penalty() {
        let penalties = Penalties::new(LONGEST);
        assert!(!penalties.refuse(ip("192.0.2.1"), 1));
        assert_eq!(flood(&penalties, ip("192.0.2.1"), 1), FIRST);
        assert!(!penalties.refuse(ip("192.0.2.2"), 1), "another's");
        assert_eq!(penalties.imposed(), 1);
    }

    #[test]
    fn who_goes_on_is_refused_for_twice_as_long_up_to_the_longest() {
        let (penalties, address) = (Penalties::new(LONGEST), ip("192.0.2.1"));
        let mut now = 1;
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            let length = flood(&penalties, address, now);
            assert_eq!(length, expected * 1_000);
            now += length;
        }
        assert_eq!(penalties.imposed(), 8);
    }

    #[test]
    fn what_comes_during_a_penalty_does_not_make_it_longer() {
        let (penalties, address) = (Penalties::new(LONGEST), ip("192.0.2.1"));
        for _ in 0..256 {
            penalties.note(address, Offence::Grave, 1);
        }
        assert!(!penalties.refuse(address, 1 + FIRST));
        assert_eq!(penalties.imposed(), 1);
    }

    #[test]
    fn a_quiet_minute_takes_back_one_doubling() {
        let (penalties, address) = (Penalties::new(LONGEST), ip("192.0.2.1"));
        let mut now = 1;
        for _ in 0..3 {
            now += flood(&penalties, address, now);
        }
        now += millis(defaults::PENALTY_FORGOTTEN);
        assert_eq!(flood(&penalties, address, now), 4 * FIRST);
        now += 4 * FIRST + 10 * millis(defaults::PENALTY_FORGOTTEN);
        assert_eq!(flood(&penalties, address, now), FIRST, "all is forgotten");
    }

    #[test]
    fn small_offences_are_punished_in_numbers_only() {
        let (penalties, address) = (Penalties::new(LONGEST), ip("192.0.2.1"));
        let small = |now| penalties.note(address, Offence::Small, now);
        for _ in 1..defaults::SMALL_OFFENCES {
            small(1);
        }
        assert!(!penalties.refuse(address, 1));
        small(1);
        assert!(penalties.refuse(address, 1), "one beyond");
        // One a second can go on for ever.
        for second in 10..1_000 {
            small(second * 1_000);
            assert!(!penalties.refuse(address, second * 1_000));
        }
    }

    #[test]
    fn without_a_longest_penalty_there_is_none() {
        let (penalties, address) = (Penalties::new(Duration::ZERO), ip("192.0.2.1"));
        assert_eq!(flood(&penalties, address, 1), 0);
        penalties.resize(LONGEST);
        assert_eq!(flood(&penalties, address, 1), FIRST);
        penalties.resize(Duration::ZERO);
        assert!(!penalties.refuse(address, 1));
    }

    #[test]
    fn a_v6_network_of_64_bits_is_punished_as_one() {
        let penalties = Penalties::new(LONGEST);
        flood(&penalties, ip("2001:db8::1"), 1);
        assert!(penalties.refuse(ip("2001:db8::ffff:2"), 2));
        assert!(!penalties.refuse(ip("2001:db8:0:1::1"), 2));
    }

    #[test]
    fn the_table_is_bounded_and_forgets() {
        let penalties = Penalties::new(LONGEST);
        for n in 0..defaults::MAX_PENALTIES as u32 + 10 {
            penalties.note(IpAddr::from(n.to_be_bytes()), Offence::Grave, 1);
        }
        assert_eq!(penalties.known.load(SeqCst), defaults::MAX_PENALTIES);
        let beyond = IpAddr::from((defaults::MAX_PENALTIES as u32 + 1).to_be_bytes());
        assert!(!penalties.refuse(beyond, 1));
        let later = 2 * millis(defaults::PENALTY_FORGOTTEN) + FIRST + 1;
        penalties.table.lock().expect("not poisoned").clean(later);
        assert_eq!(flood(&penalties, beyond, later), FIRST);
        assert_eq!(penalties.known.load(SeqCst), 1);
    }
}
