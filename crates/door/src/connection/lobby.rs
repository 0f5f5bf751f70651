//! Where a connection waits until it has said what it wants.
//!
//! HTTP's own machinery takes tens of kilobytes for a connection, most of them
//! for buffers, from its first byte on. Here it takes what it has sent so far:
//! whoever is silent, or sends the head or the body of its first request byte
//! by byte, gets no more. A body is waited for until it is whole, a message of
//! gRPC is, or as much of it is there as has to come within its time-out anyway.
//! A service that would answer before that cannot: none does.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{body::UnderWay, flow::Exchange, frames::Speech, guarded::Guarded, watch::Watch};
use crate::{counts::Cut, defaults, house::House, limits::Limits};

mod head;

use head::{Head, is_whole};

/// Waits until HTTP has something to do with what came on `io`; `None` if that
/// is not going to be, because the peer left, was cut, or the door closes.
/// `hello` is what HTTP/2 says first: many clients wait for it before they ask
/// for anything.
pub(super) fn wait<S, H>(
    house: &House,
    io: Guarded<S, H>,
    watch: &Arc<Watch>,
    hello: Bytes,
) -> impl Future<Output = Option<Guarded<S, H>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut waiting = Some(io);
    let mut visit = Visit {
        looked: 0,
        head: None,
        body: None,
        hello,
        since: house.clock.now(),
    };
    watch.waits_in_lobby(true);
    // No async block: that would have room for `io` twice.
    poll_fn(move |cx| {
        watch.task.register(cx.waker());
        if house.is_cutting() {
            watch.cut(Cut::Drain);
        }
        let Some(io) = waiting.as_mut().filter(|_| !watch.is_cut()) else {
            return Poll::Ready(None);
        };
        loop {
            match io.poll_gather(cx) {
                Poll::Pending if house.is_stopping() && visit.body.is_none() => {
                    return Poll::Ready(None);
                }
                Poll::Pending if !matches!(io.speech(), Speech::Http2(_)) => return Poll::Pending,
                Poll::Pending => {
                    return match ready!(io.poll_say(cx, &mut visit.hello)) {
                        Err(_) => Poll::Ready(None),
                        Ok(()) if visit.is_over(io, watch.clock.now()) => {
                            Poll::Ready(waiting.take())
                        }
                        Ok(()) => Poll::Pending,
                    };
                }
                Poll::Ready(Err(_) | Ok(None)) => return Poll::Ready(None),
                Poll::Ready(Ok(Some(length))) => {
                    let limits = &house.rules().limits;
                    if length > defaults::HTTP1_BUFFER || visit.is_enough(io, limits) {
                        return Poll::Ready(waiting.take());
                    }
                    visit.expect_body(io, watch);
                }
            }
        }
    })
}

/// One connection's time in here.
struct Visit {
    /// How much of HTTP/1's head was looked at.
    looked: usize,
    /// That head, once it is whole.
    head: Option<Head>,
    /// A request whose body is waited for. It may dawdle as little as one
    /// that HTTP reads.
    body: Option<Awaited>,
    /// What HTTP/2 still has to say first.
    hello: Bytes,
    /// When it came, in milliseconds of the door's clock.
    since: u64,
}

/// A body on its way.
struct Awaited {
    exchange: Arc<Exchange>,
    /// Bytes gathered so far.
    gathered: usize,
    _under_way: UnderWay,
}

impl Visit {
    /// Whether there is something for HTTP to do.
    fn is_enough<S, H>(&mut self, io: &Guarded<S, H>, limits: &Limits) -> bool {
        match io.speech() {
            Speech::Unknown(_) => false,
            Speech::Http1 => {
                let said = io.gathered();
                if self.head.is_none() {
                    let from = std::mem::replace(&mut self.looked, said.len());
                    if !is_whole(said, from) {
                        return false;
                    }
                }
                let head = self.head.get_or_insert_with(|| Head::read(said, limits));
                head.is_followed_by_enough(said)
            }
            Speech::Http2(frames) => frames.is_between() && frames.has_asked(limits.min_progress),
        }
    }

    /// Notes that the peer has to go on with the body of its request, if it
    /// has begun one.
    fn expect_body<S, H>(&mut self, io: &Guarded<S, H>, watch: &Arc<Watch>) {
        let begun = match io.speech() {
            Speech::Unknown(_) => false,
            Speech::Http1 => self.head.is_some(),
            Speech::Http2(frames) => frames.is_between() && frames.has_begun(),
        };
        let gathered = io.gathered().len();
        match &mut self.body {
            Some(body) => {
                let before = std::mem::replace(&mut body.gathered, gathered);
                body.exchange.body.moved(gathered - before);
                body.exchange.body.wait();
            }
            None if begun => {
                let exchange = watch.request();
                exchange.body.wait();
                self.body = Some(Awaited {
                    exchange,
                    gathered,
                    _under_way: UnderWay::new(watch),
                });
            }
            None => {}
        }
    }

    /// Whether an HTTP/2 connection at rest was here for long enough: HTTP/2
    /// confirms the client's settings, and finds out with pings whether it is
    /// still there.
    fn is_over<S, H>(&self, io: &Guarded<S, H>, now: u64) -> bool {
        let Speech::Http2(frames) = io.speech() else {
            return false;
        };
        let lingered = now.saturating_sub(self.since);
        let rests = frames.is_between() && self.body.is_none();
        rests && lingered >= defaults::LINGER.as_millis() as u64
    }
}
