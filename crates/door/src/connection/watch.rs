//! What one connection is waiting for, and since when; and the sweep that
//! cuts those that wait too long.
//!
//! Nothing here sets a timer. Socket and bodies note what happens in a few
//! atomic fields, and one task of the door looks at all connections every
//! tick.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::Waker,
    time::{Duration, Instant},
};

use futures::task::AtomicWaker;
use tokio_util::sync::CancellationToken;

use crate::{
    counts::{Counters, Cut},
    limits::Limits,
};

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

/// Bytes that somebody should move. It stalls when it waited at two looks and
/// less than the wanted bytes moved in between.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    waiting: AtomicBool,
    bytes: AtomicU64,
    /// Only the sweep writes these two.
    window: AtomicU64,
    bytes_then: AtomicU64,
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

    fn stalled(&self, now: u64, timeout: Duration, wanted: u64) -> bool {
        let bytes = self.bytes();
        let window = self.window.load(Relaxed);
        let waiting = self.waiting.load(Relaxed);
        let over = now.saturating_sub(window) >= timeout.as_millis() as u64;
        if waiting && window != 0 && !over {
            return false;
        }
        let moved = bytes - self.bytes_then.load(Relaxed);
        let stalled = waiting && window != 0 && moved < wanted;
        self.window.store(if waiting { now } else { 0 }, Relaxed);
        self.bytes_then.store(bytes, Relaxed);
        stalled
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
}

/// What a connection has to send next.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Owed {
    FirstByte,
    Handshake,
    Headers,
}

/// One connection, seen from outside.
pub(crate) struct Watch {
    pub(crate) clock: Arc<Clock>,
    counters: Arc<Counters>,
    /// Since when something is owed; 0 when nothing is.
    owed_since: AtomicU64,
    owed: AtomicU32,
    /// What the socket takes.
    pub(crate) written: Flow,
    exchanges: Mutex<Vec<Weak<Exchange>>>,
    /// Requests under way.
    pub(crate) requests: AtomicU32,
    cut: OnceLock<Cut>,
    ended: CancellationToken,
    /// HTTP has handed the socket over (WebSocket).
    pub(crate) upgraded: AtomicBool,
    pub(crate) reader: AtomicWaker,
    pub(crate) writer: AtomicWaker,
}

impl Watch {
    pub(crate) fn new(clock: &Arc<Clock>, counters: &Arc<Counters>, tls: bool) -> Arc<Self> {
        let owed = if tls {
            Owed::Handshake
        } else {
            Owed::FirstByte
        };
        Arc::new(Self {
            owed_since: AtomicU64::new(clock.now()),
            owed: AtomicU32::new(owed as u32),
            clock: Arc::clone(clock),
            counters: Arc::clone(counters),
            written: Flow::default(),
            exchanges: Mutex::default(),
            requests: AtomicU32::new(0),
            cut: OnceLock::new(),
            ended: CancellationToken::new(),
            upgraded: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        })
    }

    /// The TLS handshake is done; HTTP has to begin.
    pub(crate) fn shook_hands(&self) {
        self.owed.store(Owed::FirstByte as u32, Relaxed);
        self.owed_since.store(self.clock.now(), Relaxed);
    }

    /// Something was begun that the peer has to finish; does not start the
    /// clock anew.
    pub(crate) fn begun(&self) {
        if self.owed.load(Relaxed) != Owed::Headers as u32 {
            self.owed.store(Owed::Headers as u32, Relaxed);
        }
        if self.owed_since.load(Relaxed) == 0 {
            self.owed_since.store(self.clock.now(), Relaxed);
        }
    }

    /// Nothing is owed.
    pub(crate) fn even(&self) {
        if self.owed_since.load(Relaxed) != 0 {
            self.owed_since.store(0, Relaxed);
        }
    }

    /// A request has arrived.
    pub(crate) fn request(&self) -> Arc<Exchange> {
        self.even();
        let exchange = Arc::new(Exchange::default());
        let exchanges = self.exchanges.lock();
        let mut exchanges = exchanges.unwrap_or_else(PoisonError::into_inner);
        if exchanges.len() == exchanges.capacity() {
            exchanges.retain(|exchange| exchange.strong_count() > 0);
        }
        exchanges.push(Arc::downgrade(&exchange));
        exchange
    }

    /// Ends the connection. The first reason is the one that counts.
    pub(crate) fn cut(&self, reason: Cut) {
        if self.cut.set(reason).is_ok() {
            self.counters.cut(reason);
        }
        self.ended.cancel();
        self.reader.wake();
        self.writer.wake();
    }

    /// Whether it was cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Returns when it is cut.
    pub(crate) async fn until_cut(&self) {
        self.ended.cancelled().await;
    }

    /// Whether an upgraded socket has to end; if not, the task is woken when
    /// it has to.
    pub(crate) fn poll_cut(&self, slot: &AtomicWaker, waker: &Waker) -> bool {
        if !self.upgraded.load(Acquire) {
            return false;
        }
        slot.register(waker);
        self.is_cut()
    }

    /// HTTP hands the socket over.
    pub(crate) fn upgrade(&self) {
        self.upgraded.store(true, Release);
    }

    fn overdue(&self, now: u64, limits: &Limits) -> Option<Cut> {
        let since = self.owed_since.load(Relaxed);
        if since != 0 {
            let owed = self.owed.load(Relaxed);
            let (timeout, reason) = if owed == Owed::Handshake as u32 {
                (limits.handshake_timeout, Cut::Handshake)
            } else if owed == Owed::FirstByte as u32 {
                (limits.header_timeout, Cut::Silent)
            } else {
                (limits.header_timeout, Cut::Headers)
            };
            if now.saturating_sub(since) >= timeout.as_millis() as u64 {
                return Some(reason);
            }
        }
        let wanted = limits.min_progress;
        if self.written.stalled(now, limits.unread_timeout, wanted) {
            return Some(Cut::Unread);
        }
        let exchanges = self.exchanges.lock();
        let mut exchanges = exchanges.unwrap_or_else(PoisonError::into_inner);
        let mut overdue = None;
        exchanges.retain(|exchange| {
            let Some(exchange) = exchange.upgrade() else {
                return false;
            };
            if exchange.body.stalled(now, limits.body_timeout, wanted) {
                overdue = Some(Cut::Body);
            }
            if exchange.answer.stalled(now, limits.unread_timeout, wanted) {
                overdue = Some(Cut::Unread);
            }
            true
        });
        overdue
    }
}

/// All connections of a door.
#[derive(Default)]
pub(crate) struct Watches(Mutex<Vec<Weak<Watch>>>);

impl Watches {
    pub(crate) fn add(&self, watch: &Arc<Watch>) {
        let watches = self.0.lock();
        let mut watches = watches.unwrap_or_else(PoisonError::into_inner);
        watches.push(Arc::downgrade(watch));
    }

    /// Cuts what waited too long.
    pub(crate) fn sweep(&self, now: u64, limits: &Limits) {
        let watches = self.0.lock();
        let mut watches = watches.unwrap_or_else(PoisonError::into_inner);
        watches.retain(|watch| {
            let Some(watch) = watch.upgrade() else {
                return false;
            };
            if !watch.is_cut()
                && let Some(reason) = watch.overdue(now, limits)
            {
                watch.cut(reason);
            }
            true
        });
    }
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
    fn the_clock_of_what_is_owed_does_not_start_anew_with_every_byte() {
        let clock = Arc::new(Clock::new());
        let watch = Watch::new(&clock, &Arc::default(), false);
        let limits = Limits {
            header_timeout: TIMEOUT,
            ..Limits::default()
        };
        watch.begun();
        watch.begun();
        assert_eq!(watch.overdue(100, &limits), None);
        assert_eq!(watch.overdue(101, &limits), Some(Cut::Headers));
        watch.even();
        assert_eq!(watch.overdue(1_000, &limits), None);
    }
}
