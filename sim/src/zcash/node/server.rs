//! The HTTP side of the node: the listener, its connections, one request.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::{
    access::{Access, Refusal},
    body::{Script, Step},
    faults::{Faults, Misbehaviour, Plan},
    frame::{Call, frame},
    methods::{Answer, Failure, METHODS, View, parse_hash},
    profile::Profile,
    socket::Socket,
    state::State,
    transactions,
};

/// zebrad's own cap on a request.
const MAX_REQUEST_BYTES: usize = 50 << 20;
/// How often the node tries to get its port back after a restart, and how
/// long it waits in between.
const REBIND_TRIES: usize = 200;
const REBIND_PAUSE: Duration = Duration::from_millis(10);
/// The pause before a reply breaks off, so that its first part leaves the
/// buffers.
const BREAK_PAUSE: Duration = Duration::from_millis(20);

/// Whether the node is meant to listen, and when it comes back by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    up: bool,
    back_after: Option<Duration>,
}

/// What the listener, the connections and the handles share.
pub(super) struct Shared {
    pub address: SocketAddr,
    pub profile: Profile,
    pub state: RwLock<State>,
    pub faults: Faults,
    pub access: RwLock<Option<Access>>,
    pub syncing: RwLock<Option<(u64, f64)>>,
    /// One counter a method, and one for all others.
    counts: [AtomicU64; METHODS.len() + 1],
    wanted: watch::Sender<Wanted>,
    listening: watch::Sender<bool>,
}

impl Shared {
    pub fn new(address: SocketAddr, state: State, profile: Profile) -> Self {
        let up = Wanted {
            up: true,
            back_after: None,
        };
        Self {
            address,
            profile,
            state: RwLock::new(state),
            faults: Faults::default(),
            access: RwLock::default(),
            syncing: RwLock::default(),
            counts: Default::default(),
            wanted: watch::Sender::new(up),
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

    /// Waits until the node listens, or does not.
    pub async fn until(&self, listening: bool) {
        let mut state = self.listening.subscribe();
        // Fails only when the sender is gone, and `self` holds it.
        let _ = state.wait_for(|now| *now == listening).await;
    }

    /// How often a method was asked for; `None` for all of them together.
    pub fn count(&self, method: Option<&str>) -> u64 {
        let get = |index: usize| self.counts[index].load(Ordering::Relaxed);
        match method {
            Some(name) => get(slot(name)),
            None => (0..self.counts.len()).map(get).sum(),
        }
    }

    /// Sets all counters to zero.
    pub fn reset_counts(&self) {
        for count in &self.counts {
            count.store(0, Ordering::Relaxed);
        }
    }
}

fn slot(method: &str) -> usize {
    let known = METHODS.iter().position(|name| *name == method);
    known.unwrap_or(METHODS.len())
}

/// Listens until the task is aborted.
pub(super) async fn run(shared: Arc<Shared>, mut listener: TcpListener) {
    let mut wanted = shared.wanted.subscribe();
    loop {
        serve_while_up(&shared, listener, &mut wanted).await;
        shared.listening.send_replace(false);
        let now = *wanted.borrow_and_update();
        if let Some(pause) = now.back_after {
            tokio::time::sleep(pause).await;
            shared.go_up();
        }
        if wanted.wait_for(|wanted| wanted.up).await.is_err() {
            return;
        }
        match rebind(shared.address).await {
            Some(again) => listener = again,
            None => return tracing::error!("the simulated node lost its port"),
        }
        shared.listening.send_replace(true);
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

async fn serve_while_up(
    shared: &Arc<Shared>,
    listener: TcpListener,
    wanted: &mut watch::Receiver<Wanted>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(shared.clone(), stream));
            },
            Some(_) = connections.join_next() => (),
            _ = wanted.wait_for(|wanted| !wanted.up) => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    // Without it the second half of a reply waits for the client's delayed
    // acknowledgement.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let socket = Socket {
        stream,
        reset: reset.clone(),
    };
    let service = service_fn(move |request| {
        let (shared, reset) = (shared.clone(), reset.clone());
        async move { respond(shared, request, &reset).await }
    });
    // An error here is the client going away, or a connection broken on
    // purpose.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    reset: &AtomicBool,
) -> Result<Response<Script>, io::Error> {
    if let Some(refusal) = shared.refuses(request.headers()) {
        return match refusal {
            Refusal::Close => Err(io::Error::from(io::ErrorKind::PermissionDenied)),
            Refusal::Status(code) => Ok(status(code, Script::default())),
        };
    }
    if request.method() != Method::POST {
        let words = "Used HTTP Method is not allowed. POST is required\n";
        return Ok(status(405, Script::whole(words)));
    }
    let body = Limited::new(request.into_body(), MAX_REQUEST_BYTES).collect();
    let body = body.await.map_err(io::Error::other)?.to_bytes();
    let Ok(call) = serde_json::from_slice::<Call<'_>>(&body) else {
        let error = json!({ "code": -32700, "message": "Parse error" });
        let reply = json!({ "jsonrpc": "2.0", "id": null, "error": error });
        return Ok(status(400, Script::whole(reply.to_string())));
    };
    shared.counts[slot(&call.method)].fetch_add(1, Ordering::Relaxed);
    let plan = shared.faults.plan(&call.method, || shared.height_of(&call));
    delay(&plan).await;
    if plan.has(|what| matches!(what, Misbehaviour::Reset)) {
        reset.store(true, Ordering::Relaxed);
        return Err(io::Error::from(io::ErrorKind::ConnectionReset));
    }
    let reply = frame(&call, shared.answer(&call, &plan));
    Ok(deliver(&shared, &plan, reply))
}

/// The misbehaviours that only take time.
async fn delay(plan: &Plan) {
    for what in &plan.transport {
        match what {
            Misbehaviour::Slow(time) => tokio::time::sleep(*time).await,
            Misbehaviour::Hang => std::future::pending::<()>().await,
            _ => (),
        }
    }
}

impl Plan {
    fn has(&self, is: impl Fn(&Misbehaviour) -> bool) -> bool {
        self.transport.iter().any(is)
    }
}

fn status(code: u16, body: Script) -> Response<Script> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// Sends a reply, or what is made of it on the way.
fn deliver(shared: &Arc<Shared>, plan: &Plan, reply: Bytes) -> Response<Script> {
    let half = reply.slice(..reply.len() / 2);
    let length = reply.len();
    let mut announced = None;
    let mut code = 200;
    let body = match plan.transport.iter().find(|what| !is_delay(what)) {
        Some(Misbehaviour::Status(other)) => {
            code = *other;
            Script::default()
        }
        Some(Misbehaviour::Garbage) => Script::whole("<html>It works!</html>"),
        Some(Misbehaviour::Truncated) => {
            announced = Some(length);
            Script::of([Step::Send(half), Step::Pause(BREAK_PAUSE), Step::Break])
        }
        Some(Misbehaviour::RestartMidAnswer { down }) => {
            announced = Some(length);
            let restart = Step::Restart(shared.clone(), *down);
            Script::of([Step::Send(half), Step::Pause(BREAK_PAUSE), restart])
        }
        Some(Misbehaviour::Huge(bytes)) => Script::of([
            Step::Send(Bytes::from_static(
                b"{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":\"",
            )),
            Step::Repeat(Bytes::from_static(&[b'a'; 64 << 10]), *bytes),
            Step::Send(Bytes::from_static(b"\",\"error\":null}")),
        ]),
        Some(Misbehaviour::Drip { bytes, every }) => {
            let step = (*bytes).max(1);
            let pieces = (0..length).step_by(step);
            let piece = |at: usize| reply.slice(at..length.min(at + step));
            Script::of(pieces.flat_map(|at| [Step::Send(piece(at)), Step::Pause(*every)]))
        }
        _ => Script::whole(reply),
    };
    let mut response = status(code, body);
    let headers = response.headers_mut();
    let json = "application/json; charset=utf-8";
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(json));
    if let Some(length) = announced {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

fn is_delay(what: &Misbehaviour) -> bool {
    matches!(what, Misbehaviour::Slow(_) | Misbehaviour::Hang)
}

impl Shared {
    fn refuses(&self, headers: &HeaderMap) -> Option<Refusal> {
        let access = self.access.read().unwrap_or_else(PoisonError::into_inner);
        access.as_ref()?.refuses(headers)
    }

    /// The height a call is about, where it names a block.
    fn height_of(&self, call: &Call<'_>) -> Option<u64> {
        let first = call.params.first()?;
        match &*call.method {
            "getblock" | "getblockheader" | "z_gettreestate" | "getblockhash" => (),
            _ => return None,
        }
        let Some(text) = first.as_str() else {
            return first.as_u64();
        };
        match parse_hash(text) {
            Some(hash) => {
                let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
                state.block(&hash).map(|block| block.height)
            }
            None => text.parse().ok(),
        }
    }

    fn answer(&self, call: &Call<'_>, plan: &Plan) -> Result<Answer, Failure> {
        if let Some((code, message)) = &plan.lies.error {
            return Err(Failure::new(*code, message));
        }
        if call.method == "sendrawtransaction" {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            return transactions::send(&mut state, &call.params).map(Answer::Value);
        }
        let own = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let syncing = *self.syncing.read().unwrap_or_else(PoisonError::into_inner);
        let view = View {
            state: plan.lies.fork.as_deref().unwrap_or(&own),
            profile: &self.profile,
            lies: &plan.lies,
            syncing,
        };
        view.answer(&call.method, &call.params)
    }
}
