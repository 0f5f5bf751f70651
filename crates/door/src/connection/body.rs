//! Bodies on their way through the door. Their frames pass as they are.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicU32,
            Ordering::{Acquire, Relaxed},
        },
    },
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use thiserror::Error;

use super::{flow::Exchange, watch::Watch};
use crate::{
    counts::Refused,
    limits::memory::{Account, Charged},
    refusal::Refusal,
};

/// HTTP reads 8 KiB at once: half of that, so that no chunk holds much more
/// than is counted for it.
const SMALL_CHUNK: usize = 4 << 10;

/// Why a request body ended early.
#[derive(Debug, Error)]
pub enum BodyError {
    /// It is larger than the door lets through.
    #[error(
        "the request is larger than {limit} bytes; send less, or raise request-bytes in [door.limits]"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Its token ended.
    #[error("the token has expired; ask again with a new one")]
    Expired,
    /// The connection broke, or its bytes make no sense.
    #[error(transparent)]
    Connection(#[from] hyper::Error),
}

/// A request's body, of bounded size and counted against the memory budget
/// until it is dropped.
pub struct RequestBody {
    inner: Incoming,
    exchange: Arc<Exchange>,
    account: Arc<Account>,
    taken: u64,
    limit: u64,
}

impl RequestBody {
    pub(crate) fn new(
        inner: Incoming,
        exchange: Arc<Exchange>,
        account: Arc<Account>,
        limit: u64,
    ) -> Self {
        Self {
            inner,
            exchange,
            account,
            taken: 0,
            limit,
        }
    }
}

/// A chunk of which HTTP's read buffer is not a part. A client that sends byte
/// by byte to a service that gathers them would hold a buffer of
/// [`SMALL_CHUNK`] and more with each, and only the byte would be counted.
fn without_buffer(chunk: Bytes) -> Bytes {
    match chunk.len() < SMALL_CHUNK {
        true => Bytes::copy_from_slice(&chunk),
        false => chunk,
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            self.exchange.body.wait();
            return Poll::Pending;
        };
        let frame = frame.map(|frame| frame.map(|frame| frame.map_data(without_buffer)));
        let length = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        self.exchange.body.moved(length);
        self.taken += length as u64;
        self.account.hold(length as u64);
        if self.taken > self.limit {
            self.exchange.oversized.store(true, Relaxed);
            let limit = self.limit;
            return Poll::Ready(Some(Err(BodyError::TooLarge { limit })));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        // A service that has enough of a body is not waiting for its rest.
        self.exchange.body.go_on();
        self.account.release(self.taken);
    }
}

/// A request under way, until dropped.
pub(crate) struct UnderWay(Arc<Watch>);

impl UnderWay {
    pub(crate) fn new(watch: &Arc<Watch>) -> Self {
        watch.requests.fetch_add(1, Relaxed);
        Self(Arc::clone(watch))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let requests: &AtomicU32 = &self.0.requests;
        requests.fetch_sub(1, Relaxed);
    }
}

/// An answer's body, which waits while its connection has enough to send.
pub(crate) struct Answer {
    inner: Body,
    exchange: Arc<Exchange>,
    account: Arc<Account>,
    is_grpc: bool,
    over: bool,
    _under_way: UnderWay,
}

impl Answer {
    pub(crate) fn new(
        inner: Body,
        exchange: Arc<Exchange>,
        account: Arc<Account>,
        under_way: UnderWay,
        is_grpc: bool,
    ) -> Self {
        // Until it is asked for the first bytes, it is the client who does
        // not take them.
        exchange.answer.wait();
        Self {
            inner,
            exchange,
            account,
            is_grpc,
            over: false,
            _under_way: under_way,
        }
    }

    /// Whether the token has ended; if not, the task is woken when it has.
    fn poll_expired(&self, cx: &mut Context<'_>) -> bool {
        if self.exchange.expires.load(Relaxed) == 0 {
            return false;
        }
        self.exchange.waker.register(cx.waker());
        self.exchange.expired.load(Acquire)
    }

    /// The end of an answer whose token has ended.
    fn expired(&mut self) -> Option<Result<Frame<Charged>, axum::Error>> {
        self.exchange.answer.go_on();
        if std::mem::replace(&mut self.over, true) {
            return None;
        }
        Some(match self.is_grpc {
            true => {
                let words = BodyError::Expired.to_string();
                let refusal = Refusal::new(Refused::Unauthenticated, words);
                Ok(Frame::trailers(refusal.grpc_trailers()))
            }
            false => Err(axum::Error::new(BodyError::Expired)),
        })
    }
}

impl http_body::Body for Answer {
    type Data = Charged;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Charged>, axum::Error>>> {
        if self.poll_expired(cx) {
            return Poll::Ready(self.expired());
        }
        if !self.account.poll_room(cx) {
            // Waiting for this or another client to read. Who does not read
            // is found by what its socket takes.
            self.exchange.answer.go_on();
            return Poll::Pending;
        }
        self.exchange.answer.go_on();
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|bytes| {
                    self.exchange.answer.moved(bytes.len());
                    self.exchange.answer.wait();
                    self.account.charge(bytes)
                })
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
