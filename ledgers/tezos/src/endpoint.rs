//! One node over HTTP: bounded answers, told apart in words, and the memory of
//! what this node serves.
//!
//! | module | what it holds |
//! |---|---|
//! | [`answer`] | what can come back: a value, or one of the ways of not giving one |
//! | [`capability`] | which proof calls a node serves, and in which encoding |
//! | [`proofs`] | the proof calls, read and verified |
//! | `transport` | requests, caps and deadlines |

pub mod answer;
pub mod capability;
pub mod proofs;

mod transport;

pub use answer::{Answer, Lack, Media};
pub use capability::{Capability, Serves};
pub use transport::{CallError, Reply};

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use heliostat_core::Fault;
use heliostat_node::{Access, Asked, Room};
use tokio::{sync::Semaphore, time::Instant};

use crate::defaults;

/// Bounds on what one node may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Establishing a connection.
    pub connect: Duration,
    /// One whole call.
    pub call: Duration,
    /// One whole call that a client chose and that only a node can answer.
    pub relay: Duration,
    /// Calls in flight.
    pub in_flight: usize,
    /// Told of every call, however it was bounded.
    pub asked: Asked,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: defaults::CONNECT,
            call: defaults::CALL,
            relay: defaults::RELAY_CALL,
            in_flight: defaults::IN_FLIGHT,
            asked: Asked::default(),
        }
    }
}

/// The address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("endpoint {uri} cannot be used: {why}")]
pub struct BadAddress {
    /// The address without credentials.
    pub uri: String,
    /// What is wrong with it, and what to do.
    pub why: String,
}

/// What to write in place of what is no address.
const FORM: &str = "write http://HOST:PORT or https://HOST";

/// What a node has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests sent.
    pub requests: u64,
    /// Bytes of answers' bodies.
    pub bytes: u64,
}

/// One node.
pub struct Endpoint {
    name: String,
    base: reqwest::Url,
    client: reqwest::Client,
    access: Access,
    limits: Limits,
    in_flight: Semaphore,
    room: Room,
    memory: Mutex<Memory>,
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// What is remembered of a node.
#[derive(Default)]
struct Memory {
    capability: Capability,
    /// Running mean of the time to a whole short answer, in seconds.
    latency: Option<f64>,
    /// The chain it said it is on, once that was found right.
    chain: Option<String>,
    /// When the calls began that are not answered yet, oldest first.
    awaited: BTreeMap<u64, Instant>,
    /// Number of the next call.
    next_call: u64,
}

/// A call that is not answered yet; over when it is dropped, for whatever
/// reason.
struct Awaited<'a> {
    endpoint: &'a Endpoint,
    number: u64,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.endpoint.memory().awaited.remove(&self.number);
    }
}

impl Endpoint {
    /// The node at `uri`: http or https, with an optional path, without query
    /// or fragment. Credentials in it are sent as HTTP Basic and never shown.
    pub fn new(uri: &str, limits: Limits) -> Result<Self, BadAddress> {
        Self::secured(uri, limits, Access::open_to_all())
    }

    /// The same for a node that wants to see a certificate or a token, or
    /// whose own certificate comes from a pinned authority.
    pub fn secured(uri: &str, limits: Limits, access: Access) -> Result<Self, BadAddress> {
        let bad = |uri: &str, why: &str| BadAddress {
            uri: uri.to_owned(),
            why: why.to_owned(),
        };
        let hidden = "(address not shown, it may hold secrets)";
        let mut base: reqwest::Url = uri
            .parse()
            .map_err(|_| bad(hidden, &format!("it is no URL; {FORM}")))?;
        let name = match base.host_str() {
            Some(_) => shown(&base),
            None => hidden.to_owned(),
        };
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            let why = format!("only http and https are supported; {FORM}");
            return Err(bad(&name, &why));
        }
        if base.query().is_some() || base.fragment().is_some() {
            let why = format!("query and fragment are not allowed; {FORM}");
            return Err(bad(&name, &why));
        }
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        access
            .check(&base)
            .map_err(|error| bad(&name, &error.to_string()))?;
        if access.has_token() && (!base.username().is_empty() || base.password().is_some()) {
            return Err(bad(
                &name,
                "it has credentials in it, and a bearer token is set: remove one of them",
            ));
        }
        let client =
            transport::client(&limits, base.scheme(), &access).map_err(|why| bad(&name, &why))?;
        Ok(Self {
            name,
            base,
            client,
            access,
            in_flight: Semaphore::new(limits.in_flight),
            room: Room::default(),
            limits,
            memory: Mutex::default(),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        })
    }

    /// The address without credentials.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it serves, as far as it is known.
    pub fn capability(&self) -> Capability {
        self.memory().capability.clone()
    }

    /// What it has cost so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Its usual time to answer.
    pub fn latency(&self) -> Option<Duration> {
        self.memory().latency.map(Duration::from_secs_f64)
    }

    /// How long to wait for it before another one is asked as well.
    pub fn patience(&self) -> Duration {
        match self.latency() {
            None => defaults::HEDGE_FIRST,
            Some(usual) => usual
                .mul_f64(defaults::HEDGE_FACTOR)
                .clamp(defaults::HEDGE_LEAST, defaults::HEDGE_MOST),
        }
    }

    /// Whether it owes an answer for longer than one waits for it: then others
    /// are asked first, until it answers or its deadline has passed.
    pub fn is_overdue(&self) -> bool {
        let patience = self.patience();
        let memory = self.memory();
        let oldest = memory.awaited.values().next();
        oldest.is_some_and(|begun| begun.elapsed() > patience)
    }

    /// A short JSON answer.
    pub async fn get_json(&self, path: &str, cap: usize) -> Result<Answer, Fault> {
        let reply = self.call(path, Media::Json, cap).await;
        match reply {
            Ok(reply) => Ok(Answer::of(reply)),
            Err(CallError::Fault(fault) | CallError::NotSent(fault)) => Err(fault),
            Err(CallError::TooLarge(cap)) => Ok(Answer::Lack(Lack::TooLarge(cap))),
        }
    }

    /// A GET within the usual deadline, timed.
    pub(crate) async fn call(
        &self,
        path: &str,
        accept: Media,
        cap: usize,
    ) -> Result<Reply, CallError> {
        let begun = Instant::now();
        let awaited = self.begin(begun);
        let result = transport::get(self, path, accept, cap).await;
        drop(awaited);
        if result.is_ok() {
            self.observe(begun.elapsed());
        }
        result
    }

    /// How long a client's request may take that is passed on.
    pub fn relay_limit(&self) -> Duration {
        self.limits.relay
    }

    /// Passes a client's request on, whatever its method.
    pub async fn relay(
        &self,
        method: http::Method,
        path: &str,
        headers: &http::HeaderMap,
        body: Bytes,
    ) -> Result<Reply, CallError> {
        transport::relay(self, method, path, headers, body).await
    }

    /// Opens a stream of lines, such as `monitor/heads`.
    pub async fn open(
        &self,
        path: &str,
        headers: Option<&http::HeaderMap>,
    ) -> Result<reqwest::Response, Fault> {
        transport::open(self, path, headers).await
    }

    /// The chain it is on, once that was found right.
    pub(crate) fn chain(&self) -> Option<String> {
        self.memory().chain.clone()
    }

    /// Remembers that it is on the right chain.
    pub(crate) fn set_chain(&self, chain: String) {
        self.memory().chain = Some(chain);
    }

    fn begin(&self, begun: Instant) -> Awaited<'_> {
        let mut memory = self.memory();
        let number = memory.next_call;
        memory.next_call += 1;
        memory.awaited.insert(number, begun);
        Awaited {
            endpoint: self,
            number,
        }
    }

    fn observe(&self, took: Duration) {
        let new = took.as_secs_f64();
        let mut memory = self.memory();
        memory.latency = Some(match memory.latency {
            None => new,
            Some(old) => old + defaults::LATENCY_WEIGHT * (new - old),
        });
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, requests: u64, bytes: usize) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// An address without credentials, and without the slash a bare host gets.
fn shown(url: &reqwest::Url) -> String {
    let mut url = url.clone();
    // Fails only for addresses that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        let endpoint =
            Endpoint::new("http://user:hunter2@node.example:8732/", Limits::default()).unwrap();
        assert_eq!(endpoint.name(), "http://node.example:8732");
        for bad in [
            "ftp://user:hunter2@x",
            "http://user:hunter2@x/?q=1",
            "user:hunter2",
        ] {
            let error = Endpoint::new(bad, Limits::default()).err().unwrap();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn patience_follows_the_usual_time_within_bounds() {
        let endpoint = Endpoint::new("http://localhost:1", Limits::default()).unwrap();
        assert_eq!(endpoint.patience(), defaults::HEDGE_FIRST);
        endpoint.observe(Duration::from_millis(1));
        assert_eq!(endpoint.patience(), defaults::HEDGE_LEAST);
        for _ in 0..100 {
            endpoint.observe(Duration::from_millis(100));
        }
        let patience = endpoint.patience();
        assert!(Duration::from_millis(150) < patience && patience < Duration::from_millis(201));
        for _ in 0..100 {
            endpoint.observe(Duration::from_secs(60));
        }
        assert_eq!(endpoint.patience(), defaults::HEDGE_MOST);
    }
}
