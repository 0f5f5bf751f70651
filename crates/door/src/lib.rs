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
//! | `gate` | what every request passes before it reaches a service |
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
pub mod refusal;
pub mod tls;
pub mod token;

pub use address::Plaintext;
pub use connection::{Connections, body::RequestBody};
pub use counts::{Counts, Cut, Refused};
pub use error::DoorError;
pub use identity::{Certificate, Identities, Identity, IdentityFiles, Peer, enode::NodeId};
pub use limits::{Limits, Rate, memory::Memory};
pub use networks::Networks;
pub use refusal::Refusal;
pub use tls::{ClientAuth, Tls, TlsFiles};
pub use token::{Algorithm, Introspection, Keys, Secret, TokenOptions, Tokens, scopes::ScopeRule};

use std::{convert::Infallible, fmt, net::SocketAddr, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use hyper::Request;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use tower::Service;

use connection::{Ends, Entered, Guest, Held};
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
            .field("options", &self.house.options)
            .finish_non_exhaustive()
    }
}

/// Takes over changed certificates and lists at once, for a signal handler.
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
        let listener = TcpListener::bind(&candidates[..])
            .await
            .map_err(|error| DoorError::from_bind(address, error))?;
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
        let _sweeping = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&house).sweep()));
        let looking = tokio::spawn(Arc::clone(&house).look_after_files());
        let _looking = AbortOnDropHandle::new(looking);
        let places = Arc::new(Semaphore::new(house.options.max_connections));
        let courtesies = Arc::new(Semaphore::new(defaults::COURTESIES));
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
            let ((stream, address), permit) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accepted => accepted,
            };
            let gone = CancellationToken::new();
            let entry = Entry {
                stream,
                address,
                permit,
                gone: gone.clone(),
            };
            let Some(guest) = entry.admit(&house, &courtesies, &tasks) else {
                continue;
            };
            let ends = Ends {
                stop: stop.clone(),
                cut: cut.clone(),
                gone,
            };
            let serving = connection::serve(Arc::clone(&house), guest, service.clone(), ends);
            tasks.spawn(serving);
        }

        drop(self.listener);
        tasks.close();
        if time::timeout(house.options.drain, tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                open = house.counters.snapshot().open,
                "connections cut after the drain time"
            );
            cut.cancel();
            tasks.wait().await;
        }
    }
}

/// A socket that was just accepted.
struct Entry {
    stream: TcpStream,
    address: SocketAddr,
    permit: OwnedSemaphorePermit,
    gone: CancellationToken,
}

impl Entry {
    /// Lets it in, or closes it.
    fn admit(
        self,
        house: &House,
        courtesies: &Arc<Semaphore>,
        tasks: &TaskTracker,
    ) -> Option<Guest> {
        let ip = self.address.ip().to_canonical();
        let options = &house.options;
        if !options.networks.may_enter(ip) {
            house.counters.refused(Refused::Network);
            return None;
        }
        let Some(account) = options.memory.admit(options.limits.connection_buffer) else {
            house.counters.refused(Refused::Memory);
            return None;
        };
        let mut unwelcome = None;
        let mut courtesy = None;
        let mut place = None;
        if !house.is_exempt(ip) {
            let limit = options.limits.connections_per_address;
            place = house.addresses.enter(ip, limit);
            if place.is_none() {
                house.counters.refused(Refused::Connections);
                courtesy = Some(Arc::clone(courtesies).try_acquire_owned().ok()?);
                unwelcome = Some(Refusal::new(
                    Refused::Connections,
                    "too many connections from this address; close some, or send requests over one",
                ));
            }
        }
        Some(Guest {
            stream: self.stream,
            address: SocketAddr::new(ip, self.address.port()),
            account,
            unwelcome,
            held: Held {
                _open: Entered::new(&house.counters),
                _permit: self.permit,
                _courtesy: courtesy,
                _place: place,
                _task: tasks.token(),
                _gone: self.gone.drop_guard(),
            },
        })
    }
}

/// The next connection. Errors of `accept` belong to a connection that is
/// already gone, or mean that file descriptors ran out: neither ends the
/// listener.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Without it a small answer can wait 40 ms for the peer's
                // acknowledgement. A socket that refuses it is already dead,
                // which the first read reports.
                let _ = stream.set_nodelay(true);
                return (stream, address);
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
        let (client, (stream, _)) =
            tokio::join!(TcpStream::connect(door.local), accept(&door.listener));
        let client = client.expect("the door is open");
        assert!(!client.nodelay().expect("it is open"), "not by default");
        assert!(stream.nodelay().expect("it is open"));
    }
}
