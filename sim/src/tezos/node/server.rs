//! One request, from the connection to its answer.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::sync::watch;

use super::{
    Fault, Lie, Manner, Plot,
    faults::Faults,
    reply::{Body, Reply},
    request::{Asked, call},
    route::route,
    view::View,
};
use crate::{
    tezos::Network,
    wire::{Reset, Script, Step, Switch},
};

/// The longest body of a request.
const MAX_REQUEST_BYTES: usize = 4 << 20;
/// How many requests the log holds.
const LOG: usize = 4096;
/// The pause before an answer breaks off, so that its first part leaves the
/// buffers.
const BREAK_PAUSE: Duration = Duration::from_millis(20);

/// What the connections and the handles share.
pub(super) struct Shared {
    pub switch: Arc<Switch>,
    pub network: Network,
    pub own_plot: Plot,
    pub faults: Faults,
    ways: watch::Sender<Ways>,
    counts: Mutex<Counts>,
    bytes: Arc<AtomicU64>,
}

/// How a node is and what it says.
#[derive(Clone, Default)]
struct Ways {
    manner: Manner,
    lie: Option<(Lie, Plot)>,
}

#[derive(Default)]
struct Counts {
    calls: HashMap<String, u64>,
    log: VecDeque<String>,
}

impl Shared {
    pub fn new(address: SocketAddr, network: Network) -> Self {
        Self {
            switch: Arc::new(Switch::new(address)),
            // Plot 0 is that of those who lie together.
            own_plot: network.next_node() + 1,
            network,
            faults: Faults::default(),
            ways: watch::Sender::default(),
            counts: Mutex::default(),
            bytes: Arc::default(),
        }
    }

    pub fn set_lie(&self, lie: Option<(Lie, Plot)>) {
        self.ways.send_modify(|ways| ways.lie = lie);
        // What it takes to bake another chain is not for the first to ask.
        let _ = self.view();
    }

    pub fn lie(&self) -> Option<(Lie, Plot)> {
        self.ways.borrow().lie
    }

    pub fn set_manner(&self, change: impl FnOnce(&mut Manner)) {
        self.ways.send_modify(|ways| change(&mut ways.manner));
    }

    pub fn manner(&self) -> Manner {
        self.ways.borrow().manner.clone()
    }

    /// Tells when the node's ways change.
    pub fn watch(&self) -> watch::Receiver<impl Sized + use<>> {
        self.ways.subscribe()
    }

    /// What the node takes for the truth now.
    pub fn view(&self) -> View {
        let Ways { manner, lie } = self.ways.borrow().clone();
        View::new(self.network.clone(), manner, lie)
    }

    pub fn requests(&self, call: Option<&str>) -> u64 {
        let counts = self.counts();
        match call {
            Some(call) => counts.calls.get(call).copied().unwrap_or(0),
            None => counts.calls.values().sum(),
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn reset_counts(&self) {
        *self.counts() = Counts::default();
        self.bytes.store(0, Ordering::Relaxed);
    }

    pub fn take_log(&self) -> Vec<String> {
        self.counts().log.drain(..).collect()
    }

    fn note(&self, call: &str, line: String) {
        let mut counts = self.counts();
        match counts.calls.get_mut(call) {
            Some(count) => *count += 1,
            None => {
                counts.calls.insert(call.to_owned(), 1);
            }
        }
        if counts.log.len() == LOG {
            counts.log.pop_front();
        }
        counts.log.push_back(line);
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers one request.
pub(super) async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    reset: Reset,
) -> Result<Response<Script>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST_BYTES).collect();
    let body = body.await.map_err(io::Error::other)?.to_bytes();
    let asked = Asked::new(parts.method, &parts.uri, &parts.headers, body);
    let call = call(&asked.segments()).to_owned();
    let line = format!("{} {}", asked.method, parts.uri);
    shared.note(&call, line);
    let plan = shared.faults.plan(&call);
    for fault in &plan {
        match fault {
            Fault::Slow(time) => tokio::time::sleep(*time).await,
            Fault::Hang => std::future::pending().await,
            Fault::Reset => return Err(reset.now()),
            _ => (),
        }
    }
    let slow = shared.manner().slow;
    if !slow.is_zero() {
        tokio::time::sleep(slow).await;
    }
    let reply = route(&shared, &asked);
    Ok(deliver(&shared, &plan, reply))
}

/// Sends an answer, or what is made of it on the way.
fn deliver(shared: &Shared, plan: &[Fault], reply: Reply) -> Response<Script> {
    let fault = plan.iter().find(|fault| !matches!(fault, Fault::Slow(_)));
    let mut status = reply.status;
    let mut announced = None;
    let script = match (fault, reply.body) {
        (Some(Fault::Status(other)), _) => {
            status = *other;
            Script::default()
        }
        (Some(Fault::Empty), _) => {
            status = 200;
            Script::default()
        }
        (Some(Fault::Null), _) => {
            status = 200;
            Script::whole("null")
        }
        (Some(Fault::Garbage), _) => {
            status = 200;
            Script::whole("<html>It works!</html>")
        }
        (Some(Fault::Huge(bytes)), _) => {
            status = 200;
            Script::of([
                Step::Send(Bytes::from_static(b"\"")),
                Step::Repeat(Bytes::from_static(&[b'7'; 64 << 10]), *bytes),
                Step::Send(Bytes::from_static(b"\"")),
            ])
        }
        (Some(Fault::Truncated), body) => {
            let (half, length) = half(body);
            announced = Some(length);
            Script::of([Step::Send(half), Step::Pause(BREAK_PAUSE), Step::Break])
        }
        (Some(Fault::RestartMidAnswer { down }), body) => {
            let (half, length) = half(body);
            announced = Some(length);
            let restart = Step::Restart(shared.switch.clone(), *down);
            Script::of([Step::Send(half), Step::Pause(BREAK_PAUSE), restart])
        }
        (Some(Fault::Drip { bytes, every }), Body::Whole(whole)) => {
            let step = (*bytes).max(1);
            let pieces = (0..whole.len()).step_by(step);
            let piece = |at: usize| whole.slice(at..whole.len().min(at + step));
            Script::of(pieces.flat_map(|at| [Step::Send(piece(at)), Step::Pause(*every)]))
        }
        (_, Body::Whole(whole)) => Script::whole(whole),
        (_, Body::Stream(stream)) => Script::of([Step::Stream(stream)]),
    };
    let mut response = Response::new(script.counted(shared.bytes.clone()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let kind = header::HeaderValue::from_static(reply.kind);
    headers.insert(header::CONTENT_TYPE, kind);
    if let Some(length) = announced {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

/// Half an answer, and the length of the whole one.
fn half(body: Body) -> (Bytes, usize) {
    match body {
        // One byte more than nothing, so that there is something to miss.
        Body::Whole(whole) => (whole.slice(..whole.len() / 2), whole.len().max(1)),
        Body::Stream(_) => (Bytes::from_static(b"{\"hash\":"), 1 << 10),
    }
}
