//! What the door notes of a request and its answer, and the clock it notes
//! it by. Nothing here sets a timer.

use std::{
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, Release},
    },
    time::{Duration, Instant},
};

use futures::task::AtomicWaker;

use crate::defaults;

/// Milliseconds since the door opened, as of the last tick; never zero.
#[derive(Debug)]
pub(crate) struct Clock {
    opened: Instant,
    now: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            now: AtomicU64::new(1),
        }
    }

    /// Reads the real clock.
    pub(crate) fn tick(&self) -> u64 {
        let passed = self.opened.elapsed().as_millis();
        let now = u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(1);
        self.now.store(now, Relaxed);
        now
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }
}

/// Bytes that somebody should move. It stalls when it waits at a look, and
/// less than the wanted bytes moved in a whole time-out before.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    waiting: AtomicBool,
    bytes: AtomicU64,
    /// Since when progress is looked for; 0 while it rests. Only the sweep
    /// writes this and the two below.
    window: AtomicU64,
    /// What had moved at that time.
    bytes_then: AtomicU64,
    /// What had moved at the last look.
    bytes_seen: AtomicU64,
}

impl Flow {
    /// Bytes moved; who moves them is not waited for now.
    pub(crate) fn moved(&self, bytes: usize) {
        // Not an addition in one step: only one task moves a flow's bytes.
        let sum = self.bytes.load(Relaxed) + bytes as u64;
        self.bytes.store(sum, Relaxed);
        self.go_on();
    }

    /// The peer is waited for.
    pub(crate) fn wait(&self) {
        if !self.waiting.load(Relaxed) {
            self.waiting.store(true, Relaxed);
        }
    }

    /// The peer is not waited for.
    pub(crate) fn go_on(&self) {
        if self.waiting.load(Relaxed) {
            self.waiting.store(false, Relaxed);
        }
    }

    /// Bytes moved in all.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(super) fn stalled(&self, now: u64, timeout: Duration, wanted: u64) -> bool {
        let bytes = self.bytes();
        let waiting = self.waiting.load(Relaxed);
        let seen = self.bytes_seen.load(Relaxed);
        self.bytes_seen.store(bytes, Relaxed);
        // A look that falls between one byte and the wait for the next finds
        // nobody waiting: that is no rest.
        let rests = !waiting && bytes == seen;
        let window = self.window.load(Relaxed);
        if rests || window == 0 {
            self.look_anew(if waiting { now } else { 0 }, bytes);
            return false;
        }
        if now.saturating_sub(window) < timeout.as_millis() as u64 {
            return false;
        }
        let moved = bytes - self.bytes_then.load(Relaxed);
        if moved < wanted && !waiting {
            return false;
        }
        self.look_anew(now, bytes);
        moved < wanted
    }

    fn look_anew(&self, now: u64, bytes: u64) {
        self.window.store(now, Relaxed);
        self.bytes_then.store(bytes, Relaxed);
    }
}

/// One request and its answer.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// The request's body; waiting while the service asks for more of it.
    pub(crate) body: Flow,
    /// The answer's body; waiting while the client could have more of it.
    pub(crate) answer: Flow,
    /// The request was larger than allowed.
    pub(crate) oversized: AtomicBool,
    /// Lists, rates and sizes let the request pass.
    pub(crate) admitted: AtomicBool,
    /// When its token ends, in seconds since 1970; 0 without one.
    pub(crate) expires: AtomicU64,
    /// Its token has ended.
    pub(crate) expired: AtomicBool,
    /// Whoever makes its answer, for the end of the token.
    pub(crate) waker: AtomicWaker,
}

impl Exchange {
    /// Ends the answer of a token that has ended; true for the first time.
    pub(super) fn expire(&self, unix: u64) -> bool {
        let over = is_over(self.expires.load(Relaxed), unix);
        let now = over && !self.expired.swap(true, Release);
        if now {
            self.waker.wake();
        }
        now
    }
}

/// Whether a token that ends at `expires` has ended at `unix`, both in seconds
/// since 1970, the leeway included; 0 never ends.
pub(super) fn is_over(expires: u64, unix: u64) -> bool {
    expires != 0 && unix >= expires.saturating_add(defaults::TOKEN_LEEWAY.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    #[test]
    fn a_flow_stalls_only_when_waited_for_and_too_little_moved() {
        let flow = Flow::default();
        assert!(!flow.stalled(1, TIMEOUT, 10));
        flow.wait();
        assert!(!flow.stalled(50, TIMEOUT, 10), "the first look");
        flow.moved(9);
        flow.wait();
        assert!(!flow.stalled(149, TIMEOUT, 10), "within the time");
        assert!(flow.stalled(150, TIMEOUT, 10), "one byte too few");
        flow.moved(10);
        flow.wait();
        assert!(!flow.stalled(250, TIMEOUT, 10), "enough moved");
        flow.go_on();
        assert!(!flow.stalled(999, TIMEOUT, 10), "nobody waits");
    }

    #[test]
    fn a_look_between_two_bytes_is_no_new_beginning() {
        let flow = Flow::default();
        flow.wait();
        assert!(!flow.stalled(50, TIMEOUT, 10), "the first look");
        flow.moved(1);
        assert!(!flow.stalled(100, TIMEOUT, 10), "just between");
        flow.moved(1);
        assert!(!flow.stalled(151, TIMEOUT, 10), "between again, and late");
        flow.wait();
        assert!(flow.stalled(152, TIMEOUT, 10), "waiting after all");
    }

    #[test]
    fn who_works_on_what_came_waits_for_nobody() {
        let flow = Flow::default();
        flow.wait();
        assert!(!flow.stalled(50, TIMEOUT, 10), "the first look");
        flow.moved(1);
        assert!(!flow.stalled(100, TIMEOUT, 10), "at work");
        assert!(!flow.stalled(200, TIMEOUT, 10), "still");
        flow.wait();
        assert!(!flow.stalled(300, TIMEOUT, 10), "the first look again");
        assert!(flow.stalled(400, TIMEOUT, 10), "nothing came");
    }

    #[test]
    fn a_token_ends_with_its_leeway_and_its_answer_is_told_once() {
        let leeway = defaults::TOKEN_LEEWAY.as_secs();
        let exchange = Exchange::default();
        assert!(!exchange.expire(u64::MAX), "without a token");
        exchange.expires.store(1_000, Relaxed);
        assert!(!exchange.expire(999 + leeway));
        assert!(exchange.expire(1_000 + leeway));
        assert!(!exchange.expire(1_000 + leeway), "once");
        assert!(!is_over(u64::MAX, u64::MAX - 1), "no overflow");
    }
}
