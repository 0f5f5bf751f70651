//! The only code that accepts a socket.
//!
//! [`Door::bind`] takes an address and gives a listener that is already open,
//! so that whoever starts a node knows its port, or why there is none, before
//! anything else runs. [`Door::serve`] speaks HTTP/1.1 and HTTP/2 (prior
//! knowledge, as gRPC does) on it until it is told to stop, and then drains:
//! no new connections, `GOAWAY` on the open ones, a bounded wait for answers
//! under way, and the rest is cut.
//!
//! Nothing stands between a connection and the service: one clone of it per
//! request, no middleware, no boxed body of our own.
//!
//! | module | what it holds |
//! |---|---|
//! | [`defaults`] | every limit and time-out, with its reason |
//! | [`address`] | what an operator may write as an address |
//! | [`error`] | [`DoorError`] |
//! | [`connection`] | one connection: time-outs, HTTP, its part of the drain; [`Connections`]: how many are open |
//!
//! TLS with certificate reload, peer identities, allow and deny lists and
//! per-peer limits belong between `accept` and [`connection`]: a connection
//! that fails them must not reach HTTP. Until they are there, plaintext is
//! refused on anything but loopback, unless [`Plaintext::Anywhere`] says so.

pub mod address;
pub mod connection;
pub mod defaults;
pub mod error;

pub use address::Plaintext;
pub use connection::Connections;
pub use error::DoorError;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use hyper::{Request, body::Incoming};
use hyper_util::service::TowerToHyperService;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

/// How a door behaves; [`Options::default`] is what an operator gets who says
/// nothing.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where unencrypted connections are accepted.
    pub plaintext: Plaintext,
    /// How long answers under way may take after the stop.
    pub drain: Duration,
    /// How many connections are open at once; more wait to be accepted.
    pub max_connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plaintext: Plaintext::Loopback,
            drain: defaults::DRAIN,
            max_connections: defaults::MAX_CONNECTIONS,
        }
    }
}

/// An open listener.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    local: SocketAddr,
    options: Options,
    connections: Connections,
}

impl Door {
    /// Opens a listener at `address` (`HOST:PORT`, `:PORT` for every address
    /// of the machine; port 0 lets the system choose).
    ///
    /// # Errors
    /// The address cannot be read or resolved, is in use or not permitted, or
    /// would serve plaintext beyond loopback without the operator's word.
    pub async fn bind(address: &str, options: Options) -> Result<Self, DoorError> {
        let candidates = address::resolve(address, options.plaintext).await?;
        let listener = TcpListener::bind(&candidates[..])
            .await
            .map_err(|error| DoorError::from_bind(address, error))?;
        let local = listener
            .local_addr()
            .map_err(|error| DoorError::from_bind(address, error))?;
        Ok(Self {
            listener,
            local,
            options,
            connections: Connections::default(),
        })
    }

    /// Where it listens, the port the system chose included.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The counters of this door; they stay readable while it serves.
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Serves `service`, usually an axum `Router`, until `stop`, then drains.
    /// Every connection has ended when this returns.
    pub async fn serve<S>(self, service: S, stop: CancellationToken)
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let service = TowerToHyperService::new(service);
        let http = Arc::new(connection::http());
        let places = Arc::new(Semaphore::new(self.options.max_connections));
        let tasks = TaskTracker::new();
        let cut = CancellationToken::new();
        // Also ends what is open when this future is dropped instead of
        // stopped.
        let _cut_on_drop = cut.clone().drop_guard();

        loop {
            let accepted = async {
                let place = Arc::clone(&places)
                    .acquire_owned()
                    .await
                    .expect("the semaphore is never closed, because this function owns it");
                (accept(&self.listener).await, place)
            };
            let (stream, place) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accepted => accepted,
            };
            let (http, service) = (Arc::clone(&http), service.clone());
            let (stop, cut) = (stop.child_token(), cut.child_token());
            let open = self.connections.enter();
            tasks.spawn(async move {
                connection::serve(&http, stream, service, &stop, &cut).await;
                drop((open, place));
            });
        }

        drop(self.listener);
        tasks.close();
        if time::timeout(self.options.drain, tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                open = self.connections.open(),
                "connections cut after the drain time"
            );
            cut.cancel();
            tasks.wait().await;
        }
    }
}

/// The next connection. Errors of `accept` belong to a connection that is
/// already gone, or mean that file descriptors ran out: neither ends the
/// listener.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it a small answer can wait 40 ms for the peer's
                // acknowledgement. A socket that refuses it is already dead,
                // which the first read reports.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                time::sleep(defaults::ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_accepted_socket_sends_small_answers_at_once() {
        let door = Door::bind("127.0.0.1:0", Options::default())
            .await
            .expect("loopback has a free port");
        let (client, stream) = tokio::join!(TcpStream::connect(door.local), accept(&door.listener));
        let client = client.expect("the door is open");
        assert!(!client.nodelay().expect("it is open"), "not by default");
        assert!(stream.nodelay().expect("it is open"));
    }
}
