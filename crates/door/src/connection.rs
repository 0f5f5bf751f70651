//! One connection, from its first byte to its end.
//!
//! | module | what it holds |
//! |---|---|
//! | `watch` | what it waits for, and the sweep that cuts it |
//! | `flow` | what it notes of a request and its answer |
//! | `frames` | where it is within HTTP/2's frames |
//! | `guarded` | its socket |
//! | `lobby` | where it waits until it has begun a request |
//! | `http` | its requests |
//! | `body` | its bodies |
//! | `raw` | one that does not speak HTTP |

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use axum::{body::Body, response::Response};
use hyper::Request;
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::task_tracker::TaskTrackerToken,
};
use tower::Service;

use crate::{
    Tls,
    counts::{Counters, Counts, Refused},
    gate::Gate,
    house::House,
    identity::{Certificate, Peer},
    limits::{addresses::Place, memory::Account, penalties::Offence, places::Taken},
    refusal::Refusal,
};

pub(crate) mod body;
pub(crate) mod flow;
mod frames;
mod guarded;
pub(crate) mod http;
mod lobby;
pub(crate) mod raw;
pub(crate) mod watch;

use body::RequestBody;
use guarded::{Guarded, Socket};
use watch::{Entrant, Watch};

/// A socket after its TLS handshake.
pub(crate) type Secure = Box<TlsStream<Socket<TcpStream>>>;

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

/// Serves one connection until it or the door ends. Not an `async fn`: its
/// future would have room for every argument twice.
pub(crate) fn serve<S>(
    house: Arc<House>,
    guest: Guest,
    service: S,
    ends: Ends,
) -> impl Future<Output = ()> + Send
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
    async move {
        let Some(tls) = &house.tls else {
            let gate = Gate::new(&house, service, peer, &watch, account, unwelcome);
            let io = Guarded::new(socket, control_frames, Arc::clone(&watch), held);
            return http::speak(house, io, gate, watch, ends).await;
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
        http::speak(house, io, gate, watch, ends).await;
    }
}

/// Shakes hands, once the peer has said something; `None` where that comes to
/// nothing. On the heap, because it is large and few peers are at it.
async fn shake_hands(
    house: &House,
    tls: &Tls,
    socket: Socket<TcpStream>,
    watch: &Watch,
    ends: &Ends,
) -> Option<Secure> {
    let shaking = async {
        socket.first_byte().await?;
        let shaking = TlsAcceptor::from(tls.config()).accept(socket);
        Box::pin(shaking).await.map(Box::new)
    };
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
            // Those who left in the middle of it did nothing.
            if error.kind() == std::io::ErrorKind::InvalidData {
                watch.note(Offence::Small);
            }
            tracing::debug!(%error, "handshake failed");
            None
        }
    }
}

/// The certificate the peer showed; the handshake has checked it.
fn shown(stream: &Secure) -> Option<Arc<Certificate>> {
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
