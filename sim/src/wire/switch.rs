//! A listener on loopback that goes away and comes back on the same port.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::{Script, socket::Socket};

/// How often the port is asked for after a restart, and how long in between.
const REBIND_TRIES: usize = 200;
const REBIND_PAUSE: Duration = Duration::from_millis(10);

/// Whether the node is meant to listen, and when it comes back by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Wanted {
    up: bool,
    back_after: Option<Duration>,
}

/// Says of a listener whether it listens.
pub(crate) struct Switch {
    pub address: SocketAddr,
    wanted: watch::Sender<Wanted>,
    listening: watch::Sender<bool>,
}

impl Switch {
    /// On.
    pub fn new(address: SocketAddr) -> Self {
        let wanted = Wanted {
            up: true,
            back_after: None,
        };
        Self {
            address,
            wanted: watch::Sender::new(wanted),
            listening: watch::Sender::new(true),
        }
    }

    /// Closes the listener and every connection.
    pub fn go_down(&self, back_after: Option<Duration>) {
        let up = false;
        self.wanted.send_replace(Wanted { up, back_after });
    }

    /// Listens again.
    pub fn go_up(&self) {
        let (up, back_after) = (true, None);
        self.wanted.send_replace(Wanted { up, back_after });
    }

    /// Waits until it listens, or does not.
    pub async fn until(&self, listening: bool) {
        let mut state = self.listening.subscribe();
        // Fails only when the sender is gone, and `self` holds it.
        let _ = state.wait_for(|now| *now == listening).await;
    }
}

/// Tells a connection that it is to be reset, not closed.
#[derive(Clone, Default)]
pub(crate) struct Reset(Arc<AtomicBool>);

impl Reset {
    /// The error to answer with for the connection to be reset at once.
    pub fn now(&self) -> io::Error {
        self.0.store(true, Ordering::Relaxed);
        io::Error::from(io::ErrorKind::ConnectionReset)
    }
}

/// Serves until the task is aborted.
pub(crate) async fn run<H, F>(switch: Arc<Switch>, mut listener: TcpListener, answer: H)
where
    H: Fn(Request<Incoming>, Reset) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<Script>, io::Error>> + Send + 'static,
{
    let mut wanted = switch.wanted.subscribe();
    loop {
        serve_while_up(listener, &mut wanted, &answer).await;
        switch.listening.send_replace(false);
        let now = *wanted.borrow_and_update();
        if let Some(pause) = now.back_after {
            tokio::time::sleep(pause).await;
            switch.go_up();
        }
        if wanted.wait_for(|wanted| wanted.up).await.is_err() {
            return;
        }
        match rebind(switch.address).await {
            Some(again) => listener = again,
            None => return tracing::error!("the simulated node lost its port"),
        }
        switch.listening.send_replace(true);
    }
}

async fn rebind(address: SocketAddr) -> Option<TcpListener> {
    for _ in 0..REBIND_TRIES {
        if let Ok(listener) = TcpListener::bind(address).await {
            return Some(listener);
        }
        tokio::time::sleep(REBIND_PAUSE).await;
    }
    None
}

async fn serve_while_up<H, F>(
    listener: TcpListener,
    wanted: &mut watch::Receiver<Wanted>,
    answer: &H,
) where
    H: Fn(Request<Incoming>, Reset) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<Script>, io::Error>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(stream, answer.clone()));
            },
            Some(_) = connections.join_next() => (),
            _ = wanted.wait_for(|wanted| !wanted.up) => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection<H, F>(stream: TcpStream, answer: H)
where
    H: Fn(Request<Incoming>, Reset) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<Script>, io::Error>> + Send + 'static,
{
    // Without it the second half of a reply waits for the client's delayed
    // acknowledgement.
    let _ = stream.set_nodelay(true);
    let reset = Reset::default();
    let socket = Socket {
        stream,
        reset: reset.0.clone(),
    };
    let service = service_fn(move |request| answer(request, reset.clone()));
    // An error here is the client going away, or a connection broken on
    // purpose.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
}
