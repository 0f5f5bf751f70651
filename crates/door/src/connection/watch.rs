//! What one connection is waiting for, and since when; and the sweep that
//! cuts those that wait too long, in `watches`.
//!
//! Nothing here sets a timer. Socket and bodies note what happens in a few
//! atomic fields, and one task of the door looks at all connections every
//! tick.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::Waker,
};

use futures::task::AtomicWaker;
use tokio_util::sync::CancellationToken;

mod watches;

pub(crate) use watches::Watches;

use super::flow::{Clock, Exchange, Flow, is_over};
use crate::{
    counts::{Counters, Cut},
    identity::{Certificate, enode::NodeId},
    limits::{
        Limits,
        penalties::{Offence, Penalties},
    },
};

/// Who a connection belongs to, as far as lists know it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entrant {
    pub(crate) certificate: Option<Arc<Certificate>>,
    pub(crate) node: Option<NodeId>,
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
    address: IpAddr,
    /// Where its offences are noted; nowhere for those who are exempt.
    penalties: Option<Arc<Penalties>>,
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
    /// Its peer speaks HTTP/1, which has no pings: at rest it has no way to
    /// show that it is there.
    is_http1: AtomicBool,
    /// Since when it was seen at rest; 0 when it was not.
    resting_since: AtomicU64,
    cut: OnceLock<Cut>,
    /// The connection should take no further requests.
    pub(crate) leaving: AtomicBool,
    /// Whoever serves it.
    pub(crate) task: AtomicWaker,
    ended: CancellationToken,
    /// HTTP has handed the socket over (WebSocket), or never had it.
    pub(crate) upgraded: AtomicBool,
    /// When the token of an upgraded socket ends; 0 without one.
    pub(crate) expires: AtomicU64,
    /// It has not begun a request; whether it should is looked at each tick.
    in_lobby: AtomicBool,
    entrant: OnceLock<Entrant>,
    /// The lists it was last looked up in by the sweep.
    generation: AtomicU64,
    pub(crate) reader: AtomicWaker,
    pub(crate) writer: AtomicWaker,
}

impl Watch {
    pub(crate) fn new(
        address: IpAddr,
        penalties: Option<&Arc<Penalties>>,
        clock: &Arc<Clock>,
        counters: &Arc<Counters>,
        tls: bool,
    ) -> Arc<Self> {
        let owed = if tls {
            Owed::Handshake
        } else {
            Owed::FirstByte
        };
        Arc::new(Self {
            address,
            penalties: penalties.map(Arc::clone),
            owed_since: AtomicU64::new(clock.now()),
            owed: AtomicU32::new(owed as u32),
            clock: Arc::clone(clock),
            counters: Arc::clone(counters),
            written: Flow::default(),
            exchanges: Mutex::default(),
            requests: AtomicU32::new(0),
            is_http1: AtomicBool::new(false),
            resting_since: AtomicU64::new(0),
            cut: OnceLock::new(),
            leaving: AtomicBool::new(false),
            task: AtomicWaker::new(),
            ended: CancellationToken::new(),
            upgraded: AtomicBool::new(false),
            expires: AtomicU64::new(0),
            in_lobby: AtomicBool::new(false),
            entrant: OnceLock::new(),
            generation: AtomicU64::new(0),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        })
    }

    /// The TLS handshake is done; HTTP has to begin.
    pub(crate) fn shook_hands(&self) {
        self.owed.store(Owed::FirstByte as u32, Relaxed);
        self.owed_since.store(self.clock.now(), Relaxed);
    }

    /// A protocol that is not HTTP has to let the peer in.
    pub(crate) fn has_to_enter(&self) {
        self.owed.store(Owed::Handshake as u32, Relaxed);
        self.owed_since.store(self.clock.now(), Relaxed);
    }

    /// Who it is; the lists have to let it in from now on.
    pub(crate) fn entered(&self, entrant: Entrant) {
        let _ = self.entrant.set(entrant);
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

    /// The first request of HTTP/1 begins.
    pub(crate) fn speaks_http1(&self) {
        if !self.is_http1.load(Relaxed) {
            self.is_http1.store(true, Relaxed);
        }
    }

    /// Whether an HTTP/1 connection has no request for too long.
    fn is_idle(&self, now: u64, limits: &Limits) -> bool {
        let at_rest = self.is_http1.load(Relaxed)
            && self.requests.load(Relaxed) == 0
            && self.owed_since.load(Relaxed) == 0
            && !self.upgraded.load(Relaxed);
        let since = self.resting_since.load(Relaxed);
        if !at_rest || since == 0 {
            let since = if at_rest { now } else { 0 };
            self.resting_since.store(since, Relaxed);
            return false;
        }
        now.saturating_sub(since) >= limits.idle_timeout.as_millis() as u64
    }

    /// A request has arrived.
    pub(crate) fn request(&self) -> Arc<Exchange> {
        self.even();
        self.resting_since.store(0, Relaxed);
        let exchange = Arc::new(Exchange::default());
        let exchanges = self.exchanges.lock();
        let mut exchanges = exchanges.unwrap_or_else(PoisonError::into_inner);
        if exchanges.len() == exchanges.capacity() {
            exchanges.retain(|exchange| exchange.strong_count() > 0);
        }
        exchanges.push(Arc::downgrade(&exchange));
        exchange
    }

    /// It has not begun a request, or no longer.
    pub(crate) fn waits_in_lobby(&self, waits: bool) {
        self.in_lobby.store(waits, Relaxed);
    }

    /// Ends the connection. The first reason is the one that counts.
    pub(crate) fn cut(&self, reason: Cut) {
        if self.cut.set(reason).is_ok() {
            self.counters.cut(reason);
            if let Some(offence) = Offence::of(reason) {
                self.note(offence);
            }
        }
        self.ended.cancel();
        self.task.wake();
        self.reader.wake();
        self.writer.wake();
    }

    /// Notes what its peer did.
    pub(crate) fn note(&self, offence: Offence) {
        if let Some(penalties) = &self.penalties {
            penalties.note(self.address, offence, self.clock.now());
        }
    }

    /// No further requests; only for use within a request.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    /// Whether it was cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.get().is_some()
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

    /// HTTP hands the socket over, or never had it; `exchange` is the request
    /// that asked for it.
    pub(crate) fn upgrade(&self, exchange: Option<&Exchange>) {
        let expires = exchange.map_or(0, |exchange| exchange.expires.load(Relaxed));
        self.expires.store(expires, Relaxed);
        self.upgraded.store(true, Release);
    }

    /// Whether something is under way that the lists let in, and these have
    /// changed since. A connection at rest is told at its next request.
    fn is_to_be_looked_up(&self, generation: u64) -> bool {
        if self.generation.load(Relaxed) == generation || self.entrant.get().is_none() {
            return false;
        }
        let exchanges = self.exchanges.lock();
        let exchanges = exchanges.unwrap_or_else(PoisonError::into_inner);
        let mut under_way = exchanges.iter().filter_map(Weak::upgrade);
        let serving = self.upgraded.load(Relaxed)
            || under_way.any(|exchange| exchange.admitted.load(Relaxed));
        if serving {
            self.generation.store(generation, Relaxed);
        }
        serving
    }

    fn overdue(&self, now: u64, unix: u64, limits: &Limits) -> Option<Cut> {
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
        if self.is_idle(now, limits) {
            return Some(Cut::Idle);
        }
        if is_over(self.expires.load(Relaxed), unix) {
            return Some(Cut::Expired);
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
            if exchange.expire(unix) {
                self.counters.cut(Cut::Expired);
            }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    #[test]
    fn the_clock_of_what_is_owed_does_not_start_anew_with_every_byte() {
        let clock = Arc::new(Clock::new());
        let address = IpAddr::from([192, 0, 2, 1]);
        let watch = Watch::new(address, None, &clock, &Arc::default(), false);
        let limits = Limits {
            header_timeout: TIMEOUT,
            ..Limits::default()
        };
        watch.begun();
        watch.begun();
        assert_eq!(watch.overdue(100, 0, &limits), None);
        assert_eq!(watch.overdue(101, 0, &limits), Some(Cut::Headers));
        watch.even();
        assert_eq!(watch.overdue(1_000, 0, &limits), None);
    }
}
