//! The HTTP side of the node: one request, from the connection to its reply.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::{
    access::{Access, Refusal},
    faults::{Faults, Misbehaviour, Plan},
    frame::{Call, frame},
    methods::{Answer, Failure, METHODS, View, parse_hash},
    profile::Profile,
    state::State,
    transactions,
};
use crate::wire::{Reset, Script, Step, Switch};

/// zebrad's own cap on a request.
const MAX_REQUEST_BYTES: usize = 50 << 20;
/// The pause before a reply breaks off, so that its first part leaves the
/// buffers.
const BREAK_PAUSE: Duration = Duration::from_millis(20);

/// What the listener, the connections and the handles share.
pub(super) struct Shared {
    pub switch: Arc<Switch>,
    pub profile: Profile,
    pub state: RwLock<State>,
    pub faults: Faults,
    pub access: RwLock<Option<Access>>,
    pub syncing: RwLock<Option<(u64, f64)>>,
    /// One counter a method, and one for all others.
    counts: [AtomicU64; METHODS.len() + 1],
}

impl Shared {
    pub fn new(address: SocketAddr, state: State, profile: Profile) -> Self {
        Self {
            switch: Arc::new(Switch::new(address)),
            profile,
            state: RwLock::new(state),
            faults: Faults::default(),
            access: RwLock::default(),
            syncing: RwLock::default(),
            counts: Default::default(),
        }
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

/// Answers one request.
pub(super) async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    reset: Reset,
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
        return Err(reset.now());
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
            let restart = Step::Restart(shared.switch.clone(), *down);
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
