//! HTTP, from the first request of a connection to its end.

use std::{
    convert::Infallible,
    error::Error,
    future::{pending, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use hyper::{
    Request,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower::Service;

use super::{Ends, Held, body::RequestBody, frames::Speech, guarded::Guarded, lobby, watch::Watch};
use crate::{
    counts::{Cut, Refused},
    defaults,
    gate::Gate,
    house::House,
    limits::{Limits, penalties::Offence},
};

/// HTTP/1.1 and HTTP/2 within the limits.
pub(crate) struct Http {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    /// What HTTP/2 says first: its SETTINGS.
    hello: Bytes,
}

impl Http {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            // The watch's, as all time-outs: hyper's own is not started in
            // every order of events.
            .header_read_timeout(None)
            .max_buf_size(defaults::HTTP1_BUFFER);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .keep_alive_interval(defaults::KEEPALIVE_INTERVAL)
            .keep_alive_timeout(defaults::KEEPALIVE_TIMEOUT)
            .initial_stream_window_size(defaults::STREAM_WINDOW)
            .initial_connection_window_size(defaults::CONNECTION_WINDOW)
            .max_send_buf_size(defaults::SEND_BUFFER)
            .max_pending_accept_reset_streams(defaults::MAX_PENDING_RESETS)
            .max_local_error_reset_streams(defaults::MAX_ERROR_RESETS)
            .max_header_list_size(defaults::HTTP2_HEADERS);
        let hello = hello(&http2);
        Self {
            http1,
            http2,
            hello,
        }
    }
}

/// What HTTP/2 says before it hears anything, from itself.
fn hello(http2: &http2::Builder<TokioExecutor>) -> Bytes {
    const ROOM: usize = 1 << 10;
    let (ours, theirs) = tokio::io::duplex(ROOM);
    let service = service_fn(|_| pending::<Result<Response<Body>, Infallible>>());
    let connection = http2.serve_connection(TokioIo::new(theirs), service);
    let mut cx = Context::from_waker(Waker::noop());
    let mut said = [0; ROOM];
    let mut said = ReadBuf::new(&mut said);
    // It waits for the client's first words, and there are none to read but
    // its own: neither can fail.
    let _ = pin!(connection).poll(&mut cx);
    let _ = pin!(ours).poll_read(&mut cx, &mut said);
    Bytes::copy_from_slice(said.filled())
}

/// Waits until the peer has begun a request, and answers it and all further
/// ones.
pub(super) async fn speak<S, I>(
    house: Arc<House>,
    io: Guarded<I, Held>,
    gate: Gate<S>,
    watch: Arc<Watch>,
    ends: Ends,
) where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = Arc::clone(&house.rules().http);
    let waiting = lobby::wait(&house, io, &watch, http.hello.clone());
    let Some(io) = waiting.await else {
        return;
    };
    // On the heap, each version for itself: what waits above pays for neither.
    let (house, watch) = (&*house, &*watch);
    watch.waits_in_lobby(false);
    if matches!(io.speech(), Speech::Http2(_)) {
        let connection = http.http2.serve_connection(TokioIo::new(io), gate);
        Box::pin(converse(house, watch, connection, |connection| {
            connection.graceful_shutdown();
        }))
        .await;
    } else {
        let connection = http.http1.serve_connection(TokioIo::new(io), gate);
        let connection = connection.with_upgrades();
        Box::pin(converse(house, watch, connection, |connection| {
            connection.graceful_shutdown();
        }))
        .await;
    }
    if watch.upgraded.load(Relaxed) && !watch.is_cut() {
        tokio::select! {
            () = ends.gone.cancelled() => {}
            () = ends.cut.cancelled() => watch.cut(Cut::Drain),
        }
    }
}

/// Runs one connection until it ends, is cut, or has left; `leave` asks it to.
async fn converse<C>(house: &House, watch: &Watch, connection: C, leave: impl Fn(Pin<&mut C>))
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let mut leaving = false;
    // Flags and not cancellation tokens: this is polled for every few bytes,
    // and each look at a token takes a lock, of which all connections share
    // two.
    let ended = poll_fn(|cx| {
        watch.task.register(cx.waker());
        if house.is_cutting() {
            watch.cut(Cut::Drain);
        }
        if watch.is_cut() {
            return Poll::Ready(Ok(()));
        }
        loop {
            // Before it is asked to leave: what came in the lobby is a request
            // under way.
            let polled = connection.as_mut().poll(cx);
            let asked_to_leave = watch.leaving.load(Relaxed) || house.is_stopping();
            if polled.is_ready() || leaving || !asked_to_leave {
                return polled;
            }
            leaving = true;
            leave(connection.as_mut());
        }
    });
    if let Err(error) = ended.await {
        if is_for_calm(&error) {
            watch.cut(Cut::Flood);
        } else if error.is_parse_too_large() {
            // It has been answered with 431.
            house.counters.refused(Refused::Headers);
        } else if error.is_parse() || is_senseless(&error) {
            watch.note(Offence::Small);
        }
        // Peers vanish all the time; the peer's address is not ours to log.
        tracing::debug!(%error, "connection ended early");
    }
}

/// Whether HTTP/2 itself ended the connection for what its client floods it
/// with, such as streams that are reset at once.
fn is_for_calm(error: &hyper::Error) -> bool {
    let error = http2_error(error).filter(|error| error.is_library());
    error.is_some_and(|error| error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM))
}

/// Whether HTTP/2 itself ended the connection because its frames make no
/// sense.
fn is_senseless(error: &hyper::Error) -> bool {
    http2_error(error).is_some_and(h2::Error::is_library)
}

fn http2_error(error: &hyper::Error) -> Option<&h2::Error> {
    error.source().and_then(<dyn Error>::downcast_ref)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http2_says_its_settings_first() {
        let hello = Http::new(&Limits::default()).hello;
        let [_, a, b, kind, flags, stream @ ..] = &hello[..9] else {
            panic!("a frame's header has 9 bytes");
        };
        let payload = usize::from(*a) << 8 | usize::from(*b);
        assert_eq!((*kind, *flags, stream), (4, 0, &[0; 4][..]));
        assert_eq!(hello.len(), 9 + payload, "one frame");
    }
}
