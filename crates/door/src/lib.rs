//! The only code that accepts a socket.
//!
//! [`Door::bind`] takes an address and gives a listener that is already open,
//! so that whoever starts a node knows its port, or why there is none, before
//! anything else runs. [`Door::serve`] speaks HTTP/1.1 and HTTP/2 (prior
//! knowledge, as gRPC does) on it until it is told to stop, and then drains:
//! no new connections, `GOAWAY` on the open ones, a bounded wait for answers
//! under way, and the rest is cut.
//!
//! [`Door::serve_raw`] is the same door for protocols that are not HTTP.
//!
//! Nothing stands between a connection and the service: one clone of it per
//! request, no middleware, no boxed body of our own.
//!
//! | module | what it holds |
//! |---|---|
//! | [`defaults`] | every limit and time-out, with its reason |
//! | [`address`] | what an operator may write as an address |
//! | [`networks`] | which addresses may connect |
//! | [`tls`] | certificates from files, taken over when they change |
//! | [`identity`] | who is asking; files of who may enter |
//! | [`token`] | bearer tokens: who vouches for them, what they allow |
//! | [`limits`] | what a peer may cost us |
//! | [`counts`] | what is counted |
//! | [`refusal`] | refusals in the protocol's own words |
//! | [`files`] | files whose changes are taken over |
//! | [`error`] | [`DoorError`] |
//! | [`connection`] | one connection: time-outs, HTTP, its part of the drain |
//! | `reception` | where sockets are accepted |
//! | `gate` | what every request passes before it reaches a service |
//! | [`rules`] | what a door goes by, and can be told anew while it serves |
//! | `house` | what all connections of a door share |
//!
//! The order in which somebody is looked at: network, connections of the
//! address, memory, TLS, identity; then for every request identity again, if
//! the lists changed, rates, memory, size and token.

pub mod address;
pub mod connection;
pub mod counts;
pub mod defaults;
pub mod error;
pub mod files;
mod gate;
mod house;
pub mod identity;
pub mod limits;
pub mod networks;
mod reception;
pub mod refusal;
pub mod rules;
pub mod tls;
pub mod token;

pub use address::Plaintext;
pub use connection::{
    Connections,
    body::RequestBody,
    raw::{Holding, RawStream},
};
pub use counts::{Counts, Cut, Refused};
pub use error::DoorError;
pub use identity::{Certificate, Identities, Identity, IdentityFiles, Peer, enode::NodeId};
pub use limits::{Limits, Rate, memory::Memory};
pub use networks::Networks;
pub use refusal::Refusal;
pub use rules::Changed;
pub use tls::{ClientAuth, Tls, TlsFiles};
pub use token::{Algorithm, Introspection, Keys, Secret, TokenOptions, Tokens, scopes::ScopeRule};

use std::{convert::Infallible, fmt, net::SocketAddr, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use hyper::Request;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::Service;

use connection::raw;
use house::House;

/// How a door behaves; [`Options::default`] is what an operator gets who says
/// nothing. Clones share TLS, lists, tokens and the memory budget.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where unencrypted connections are accepted, if `tls` is not set.
    pub plaintext: Plaintext,
    /// How long answers under way may take after the stop.
    pub drain: Duration,
    /// How many connections are open at once; more wait to be accepted.
    pub max_connections: usize,
    /// What is behind the door, for the rules of scopes: a ledger or chain.
    pub ledger: String,
    /// TLS; plaintext without it.
    pub tls: Option<Tls>,
    /// Which addresses may connect.
    pub networks: Networks,
    /// Whose certificates may enter.
    pub identities: Option<Identities>,
    /// Which tokens are good; no token is asked for without it.
    pub tokens: Option<Tokens>,
    /// What a peer may cost us.
    pub limits: Limits,
    /// The memory of all connections.
    pub memory: Memory,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plaintext: Plaintext::Loopback,
            drain: defaults::DRAIN,
            max_connections: defaults::MAX_CONNECTIONS,
            ledger: String::new(),
            tls: None,
            networks: Networks::default(),
            identities: None,
            tokens: None,
            limits: Limits::default(),
            memory: Memory::default(),
        }
    }
}

/// An open listener.
pub struct Door {
    listener: TcpListener,
    local: SocketAddr,
    house: Arc<House>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("local", &self.local)
            .field("tls", &self.house.tls)
            .finish_non_exhaustive()
    }
}

/// Takes over what has changed while a door serves, for a signal handler.
#[derive(Clone)]
pub struct Reloader(Arc<House>);

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reloader")
    }
}

impl Reloader {
    /// Reads all files again, unchanged ones too. Reads files: not for an
    /// async task with haste.
    ///
    /// # Errors
    /// What is broken; it stays as it was.
    pub fn reload(&self) -> Result<(), Vec<DoorError>> {
        self.0.reload(true)
    }

    /// Goes by other networks, limits and tokens from now on: connections and
    /// requests to come, and the time-outs of those that are open. Connections
    /// of addresses that may no longer connect are cut. Counted as a reload.
    pub fn replace(&self, changed: Changed) {
        self.0.replace(changed);
    }

    /// Counts that what should have been taken over could not be read.
    pub fn keep(&self) {
        self.0.keep();
    }
}

impl Door {
    /// Opens a listener at `address` (`HOST:PORT`, `:PORT` for every address
    /// of the machine; port 0 lets the system choose).
    ///
    /// # Errors
    /// The address cannot be read or resolved, is in use or not permitted, or
    /// would serve plaintext beyond loopback without the operator's word.
    pub async fn bind(address: &str, options: Options) -> Result<Self, DoorError> {
        let plaintext = match options.tls {
            Some(_) => Plaintext::Anywhere,
            None => options.plaintext,
        };
        let candidates = address::resolve(address, plaintext).await?;
        let listener =
            reception::listen(&candidates).map_err(|error| DoorError::from_bind(address, error))?;
        let local = listener
            .local_addr()
            .map_err(|error| DoorError::from_bind(address, error))?;
        Ok(Self {
            listener,
            local,
            house: House::new(options),
        })
    }

    /// Where it listens, the port the system chose included.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The counters of this door; they stay readable while it serves.
    pub fn connections(&self) -> Connections {
        Connections::new(&self.house)
    }

    /// What takes over changed files at once; files are also looked at every
    /// [`defaults::FILE_POLL`] while the door serves.
    pub fn reloader(&self) -> Reloader {
        Reloader(Arc::clone(&self.house))
    }

    /// Serves `service`, usually an axum `Router`, until `stop`, then drains.
    /// Every connection has ended when this returns.
    ///
    /// Requests have a [`Peer`] in their extensions, and an [`Identity`] if
    /// they came with a token.
    pub async fn serve<S>(self, service: S, stop: CancellationToken)
    where
        S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let house = self.house;
        let serve =
            |guest, ends| connection::serve(Arc::clone(&house), guest, service.clone(), ends);
        reception::receive(&house, self.listener, stop, serve).await;
    }

    /// Serves a protocol that is not HTTP (RLPx, HiRPC) until `stop`, then
    /// drains. Networks, TLS, lists and limits of connections are the same;
    /// whoever is over a limit is closed without a word, because the door does
    /// not know the protocol's. `protocol` runs once for each connection; it
    /// has to let the peer in with [`RawStream::enter`] within the handshake's
    /// time, and to end when [`RawStream::stopping`] does.
    pub async fn serve_raw<P, F>(self, protocol: P, stop: CancellationToken)
    where
        P: Fn(RawStream) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let house = self.house;
        let serve = |guest, ends| raw::serve(Arc::clone(&house), guest, protocol.clone(), ends);
        reception::receive(&house, self.listener, stop, serve).await;
    }
}
