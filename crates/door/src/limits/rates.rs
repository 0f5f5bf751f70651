//! How fast requests may come.

use std::{
    hash::Hash,
    net::IpAddr,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use sha2::{Digest, Sha256};

use super::{Rate, addresses::subscriber};
use crate::defaults;

/// Requests between two clean-ups of a full table.
const CLEAN_EVERY: u32 = 1_000;

/// Buckets by key, in bounded memory.
#[derive(Debug)]
struct Buckets<K: Hash + Eq + Clone> {
    by_key: DefaultKeyedRateLimiter<K>,
    /// For everybody new while the table is full.
    overflow: DefaultDirectRateLimiter,
    capacity: usize,
    since_cleaned: AtomicU32,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(rate: Rate, capacity: usize) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            by_key: RateLimiter::keyed(quota),
            overflow: RateLimiter::direct(quota),
            capacity,
            since_cleaned: AtomicU32::new(0),
            clock: DefaultClock::default(),
        }
    }

    /// Takes one from the key's bucket, or says when to come back.
    fn take(&self, key: &K) -> Result<(), Duration> {
        let taken = if self.has_room() {
            self.by_key.check_key(key)
        } else {
            self.overflow.check()
        };
        taken.map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Forgets full buckets now and then, at the latest when the table is
    /// full; looking at all of it for every request would be an attack by
    /// itself.
    fn has_room(&self) -> bool {
        let asked = self.since_cleaned.fetch_add(1, Relaxed);
        if asked < CLEAN_EVERY {
            return self.by_key.len() < self.capacity;
        }
        self.since_cleaned.store(0, Relaxed);
        self.by_key.retain_recent();
        self.by_key.len() < self.capacity
    }
}

/// The rates of one door.
#[derive(Debug)]
pub(crate) struct Rates {
    addresses: Option<Buckets<IpAddr>>,
    identities: Option<Buckets<[u8; 32]>>,
}

impl Rates {
    pub(crate) fn new(address: Option<Rate>, identity: Option<Rate>) -> Self {
        Self {
            addresses: address.map(|rate| Buckets::new(rate, defaults::MAX_RATE_KEYS)),
            identities: identity.map(|rate| Buckets::new(rate, defaults::MAX_RATE_KEYS)),
        }
    }

    /// A request from `address`; the error is when to come back.
    pub(crate) fn address(&self, address: IpAddr) -> Result<(), Duration> {
        match &self.addresses {
            Some(buckets) => buckets.take(&subscriber(address)),
            None => Ok(()),
        }
    }

    /// A request by the identity of this name; the error is when to come
    /// back.
    pub(crate) fn identity(&self, name: &str) -> Result<(), Duration> {
        match &self.identities {
            // Of a fixed size, whatever a token says.
            Some(buckets) => buckets.take(&Sha256::digest(name.as_bytes()).into()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(burst: u32) -> Rate {
        Rate::new(1, burst).expect("not zero")
    }

    #[test]
    fn the_burst_passes_and_one_more_is_told_when_to_come_back() {
        let buckets = Buckets::new(slow(3), 10);
        for _ in 0..3 {
            buckets.take(&1).expect("within the burst");
        }
        let wait = buckets.take(&1).expect_err("one beyond");
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1));
        buckets.take(&2).expect("another's bucket");
    }

    #[test]
    fn many_keys_share_a_bucket_once_the_table_is_full() {
        let buckets = Buckets::new(slow(2), 4);
        let passed = (0..100).filter(|key| buckets.take(key).is_ok()).count();
        assert_eq!(buckets.by_key.len(), 4);
        assert_eq!(passed, 4 + 2, "four of their own, two for all others");
    }
}
