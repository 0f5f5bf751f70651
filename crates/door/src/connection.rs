//! One connection, from its first byte to its end.
//!
//! | module | what it holds |
//! |---|---|
//! | `watch` | what it waits for, and the sweep that cuts it |
//! | `flow` | what it notes of a request and its answer |
//! | `frames` | where it is within HTTP/2's frames |
//! | `guarded` | its socket |
//! | `body` | its bodies |
//! | `raw` | one that does not speak HTTP |

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

use axum::{body::Body, response::Response};
use hyper::Request;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::task_tracker::TaskTrackerToken,
};
use tower::Service;

use crate::{
    Tls,
    counts::{Counters, Counts, Cut, Refused},
    defaults,
    gate::Gate,
    house::House,
    identity::{Certificate, Peer},
    limits::{Limits, addresses::Place, memory::Account, places::Taken},
    refusal::Refusal,
};

pub(crate) mod body;
pub(crate) mod flow;
mod frames;
mod guarded;
pub(crate) mod raw;
pub(crate) mod watch;

use body::RequestBody;
use guarded::{Guarded, Socket};
use watch::{Entrant, Watch};

/// HTTP/1.1 and HTTP/2 within the limits.
pub(crate) fn http(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        // The watch's, as all time-outs: hyper's own is not started in every
        // order of events.
        .header_read_timeout(None)
        .max_buf_size(defaults::HTTP1_BUFFER);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .keep_alive_interval(defaults::KEEPALIVE_INTERVAL)
        .keep_alive_timeout(defaults::KEEPALIVE_TIMEOUT)
        .initial_stream_window_size(defaults::STREAM_WINDOW)
        .initial_connection_window_size(defaults::CONNECTION_WINDOW)
        .max_send_buf_size(defaults::SEND_BUFFER)
        .max_pending_accept_reset_streams(defaults::MAX_PENDING_RESETS)
        .max_local_error_reset_streams(defaults::MAX_ERROR_RESETS)
        .max_header_list_size(defaults::MAX_HEADERS);
    http
}

/// A socket that was let in.
pub(crate) struct Guest {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) account: Arc<Account>,
    /// Why every request is going to be refused, if it is.
    pub(crate) unwelcome: Option<Refusal>,
    pub(crate) held: Held,
}

/// What a connection holds until its socket is closed.
pub(crate) struct Held {
    pub(crate) _open: Entered,
    pub(crate) _place_in_all: Taken,
    pub(crate) _courtesy: Option<OwnedSemaphorePermit>,
    pub(crate) _place: Option<Place>,
    pub(crate) _task: TaskTrackerToken,
    pub(crate) _gone: DropGuard,
}

/// The two ends of a door's life.
pub(crate) struct Ends {
    /// No further requests; those under way are answered.
    pub(crate) stop: CancellationToken,
    /// Now.
    pub(crate) cut: CancellationToken,
    /// This connection's socket is closed.
    pub(crate) gone: CancellationToken,
}

/// Serves one connection until it or the door ends.
pub(crate) async fn serve<S>(house: Arc<House>, guest: Guest, service: S, ends: Ends)
where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let watch = house.watch(guest.address.ip());
    let Guest {
        stream,
        address,
        account,
        mut unwelcome,
        held,
    } = guest;
    let socket = Socket::new(stream, Arc::clone(&watch));
    let control_frames = house.rules().limits.control_frames;
    let mut peer = Peer {
        address,
        certificate: None,
    };
    let Some(tls) = &house.tls else {
        let gate = Gate::new(&house, service, peer, &watch, account, unwelcome);
        let io = Guarded::new(socket, control_frames, Arc::clone(&watch), held);
        return speak(&house, io, gate, &watch, &ends).await;
    };
    let Some(stream) = shake_hands(&house, tls, socket, &watch, &ends).await else {
        return;
    };
    peer.certificate = shown(&stream);
    let entrant = Entrant {
        certificate: peer.certificate.clone(),
        node: None,
    };
    if unwelcome.is_none() && !house.knows(&entrant) {
        house.counters.refused(Refused::Identity);
        unwelcome = Some(stranger());
    }
    let gate = Gate::new(&house, service, peer, &watch, account, unwelcome);
    let io = Guarded::new(stream, control_frames, Arc::clone(&watch), held);
    speak(&house, io, gate, &watch, &ends).await;
}

/// Shakes hands; `None` where that comes to nothing.
async fn shake_hands(
    house: &House,
    tls: &Tls,
    socket: Socket<TcpStream>,
    watch: &Watch,
    ends: &Ends,
) -> Option<TlsStream<Socket<TcpStream>>> {
    let shaking = TlsAcceptor::from(tls.config()).accept(socket);
    let shaken = tokio::select! {
        shaken = shaking => shaken,
        () = watch.until_cut() => return None,
        () = ends.stop.cancelled() => return None,
    };
    match shaken {
        Ok(stream) => {
            watch.shook_hands();
            Some(stream)
        }
        Err(error) => {
            house.counters.handshake_failures.fetch_add(1, Relaxed);
            tracing::debug!(%error, "handshake failed");
            None
        }
    }
}

/// The certificate the peer showed; the handshake has checked it.
fn shown(stream: &TlsStream<Socket<TcpStream>>) -> Option<Arc<Certificate>> {
    let chain = stream.get_ref().1.peer_certificates()?;
    Some(Arc::new(Certificate::from_der(chain.first()?)))
}

/// The refusal of somebody the lists do not let in.
pub(crate) fn stranger() -> Refusal {
    Refusal::new(
        Refused::Identity,
        "this identity may not enter; ask the operator to add your certificate to the list",
    )
}

/// Speaks HTTP on a stream.
async fn speak<S, I>(house: &House, io: I, gate: Gate<S>, watch: &Arc<Watch>, ends: &Ends)
where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    {
        let http = Arc::clone(&house.rules().http);
        let connection = http.serve_connection_with_upgrades(TokioIo::new(io), gate);
        let mut connection = pin!(connection);
        let mut leaving = false;
        // Flags and not cancellation tokens: this is polled for every few
        // bytes, and each look at a token takes a lock, of which all
        // connections share two.
        let ended = poll_fn(|cx| {
            watch.task.register(cx.waker());
            if house.is_cutting() {
                watch.cut(Cut::Drain);
            }
            if watch.is_cut() {
                return Poll::Ready(Ok(()));
            }
            loop {
                let asked_to_leave = watch.leaving.load(Relaxed);
                if !leaving && (asked_to_leave || house.is_stopping()) {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                let polled = connection.as_mut().poll(cx);
                if polled.is_ready() || leaving || !watch.leaving.load(Relaxed) {
                    return polled;
                }
            }
        });
        if let Err(error) = ended.await {
            let ours = error.downcast_ref::<hyper::Error>();
            if ours.is_some_and(is_for_calm) {
                watch.cut(Cut::Flood);
            } else if ours.is_some_and(hyper::Error::is_parse_too_large) {
                // It has been answered with 431.
                house.counters.refused(Refused::Size);
            }
            // Peers vanish all the time; the peer's address is not ours to
            // log.
            tracing::debug!(error = %error, "connection ended early");
        }
    }
    if watch.upgraded.load(Relaxed) && !watch.is_cut() {
        tokio::select! {
            () = ends.gone.cancelled() => {}
            () = ends.cut.cancelled() => watch.cut(Cut::Drain),
        }
    }
}

/// Whether HTTP/2 itself ended the connection for what its client floods it
/// with, such as streams that are reset at once.
fn is_for_calm(error: &hyper::Error) -> bool {
    let source = error.source().and_then(<dyn Error>::downcast_ref);
    source.is_some_and(|error: &h2::Error| {
        error.is_library() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
    })
}

/// How many connections a door has, and what became of them; clones count the
/// same door.
#[derive(Clone)]
pub struct Connections(Arc<House>);

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connections").field(&self.counts()).finish()
    }
}

impl Connections {
    pub(crate) fn new(house: &Arc<House>) -> Self {
        Self(Arc::clone(house))
    }

    /// How many are open now.
    pub fn open(&self) -> u64 {
        self.0.counters.snapshot().open
    }

    /// How many were accepted since the door opened.
    pub fn accepted(&self) -> u64 {
        self.0.counters.accepted.load(Relaxed)
    }

    /// Everything that is counted.
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }
}

/// One counted connection.
pub(crate) struct Entered(Arc<Counters>);

impl Entered {
    /// Counts one connection for as long as the result lives.
    pub(crate) fn new(counters: &Arc<Counters>) -> Self {
        counters.accepted.fetch_add(1, Relaxed);
        Self(Arc::clone(counters))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Relaxed);
    }
}
