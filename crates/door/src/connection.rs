//! One connection, from its first byte to its end.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{body::Body, response::Response};
use hyper::{Request, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpStream, time};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::defaults;

/// HTTP/1.1 and HTTP/2 with the limits of [`defaults`].
pub(crate) fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(defaults::HEADER_TIMEOUT)
        .max_buf_size(defaults::HTTP1_BUFFER);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(defaults::MAX_STREAMS)
        .keep_alive_interval(defaults::KEEPALIVE_INTERVAL)
        .keep_alive_timeout(defaults::KEEPALIVE_TIMEOUT)
        .initial_stream_window_size(defaults::STREAM_WINDOW)
        .initial_connection_window_size(defaults::CONNECTION_WINDOW)
        .max_send_buf_size(defaults::SEND_BUFFER)
        .max_header_list_size(defaults::MAX_HEADERS);
    http
}

/// Serves one connection. On `stop` it takes no further requests and ends
/// when those under way are answered; on `cut` it ends.
pub(crate) async fn serve<S>(
    http: &auto::Builder<TokioExecutor>,
    stream: TcpStream,
    service: TowerToHyperService<S>,
    stop: &CancellationToken,
    cut: &CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    // HTTP starts its own clock with the first header byte; until then only
    // this one runs.
    tokio::select! {
        spoke = time::timeout(defaults::HEADER_TIMEOUT, stream.readable()) => {
            if !matches!(spoke, Ok(Ok(()))) {
                return;
            }
        }
        () = stop.cancelled() => return,
    }

    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = cut.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        // Peers vanish all the time; the peer's address is not ours to log.
        tracing::debug!(error = %error, "connection ended early");
    }
}

/// How many connections a door has; clones count the same door.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    closed: AtomicU64,
}

impl Connections {
    /// How many are open now.
    pub fn open(&self) -> u64 {
        // Closed first: a connection that opens in between must not make the
        // difference negative.
        let closed = self.0.closed.load(Ordering::Acquire);
        self.accepted().saturating_sub(closed)
    }

    /// How many were accepted since the door opened.
    pub fn accepted(&self) -> u64 {
        self.0.accepted.load(Ordering::Acquire)
    }

    /// Counts one connection for as long as the result lives.
    pub(crate) fn enter(&self) -> Entered {
        self.0.accepted.fetch_add(1, Ordering::AcqRel);
        Entered(Arc::clone(&self.0))
    }
}

/// One counted connection.
pub(crate) struct Entered(Arc<Counts>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::AcqRel);
    }
}
