//! One node's JSON-RPC endpoint.
//!
//! JSON-RPC 1.0 over HTTP POST, as zcashd and zebrad speak it. Every reply is
//! bounded in bytes while it is read, and every call in time; connections are
//! kept and used by many calls at once. A plain `http` address goes through
//! hyper's client directly, `https` through reqwest and rustls. Measured on
//! two busy cores with blocks of 1.9 KB: 8 to 9 µs of processor time a raw
//! block this way, 22 µs with reqwest, serde and a plain hex decoder
//! (`examples/rpc_cost.rs`).
//!
//! | module | what it holds |
//! |---|---|
//! | `key` | how a block is named |
//! | `reply` | reading a reply: the frame, errors, hex without a JSON value |
//! | `transport` | HTTP: connections, bounds on what comes back |

mod key;
mod reply;
#[cfg(test)]
mod tests;
mod transport;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use heliostat_core::Fault;
use heliostat_node::{Access, Asked, Room};
use http::HeaderValue;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use self::transport::{Reply, Transport, Trouble};
pub use crate::error::RpcError;
use crate::{
    credentials::{Auth, Login},
    defaults,
    error::Error,
    node_info::display_hex,
};
pub use key::BlockKey;

/// Bounds on the calls to one node.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A whole call.
    pub total: Duration,
    /// Making a connection.
    pub connect: Duration,
    /// Silence within a reply.
    pub idle: Duration,
    /// Calls at a time; more wait for a slot.
    pub in_flight: usize,
    /// Told of every call, however it was bounded.
    pub asked: Asked,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: defaults::CALL_TIMEOUT,
            connect: defaults::CONNECT_TIMEOUT,
            idle: defaults::IDLE_TIMEOUT,
            in_flight: defaults::IN_FLIGHT,
            asked: Asked::default(),
        }
    }
}

/// Both sides of one call: the bodies of the HTTP request and of the reply, as
/// they went over the wire. Credentials are in neither.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The JSON-RPC request.
    pub request: Bytes,
    /// The JSON-RPC reply.
    pub reply: Bytes,
}

/// One node's JSON-RPC endpoint. Cheap to clone; clones share connections,
/// credentials and slots.
#[derive(Clone)]
pub struct Rpc {
    inner: Arc<Inner>,
}

struct Inner {
    /// Scheme, host and port: what may be shown.
    address: String,
    transport: Transport,
    login: Login,
    access: Access,
    limits: Limits,
    slots: Semaphore,
    room: Room,
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Rpc {
    /// An endpoint; nothing is connected yet. Credentials within `url`
    /// (`http://user:password@host:port`) are used where `auth` has none, and
    /// never shown.
    ///
    /// # Errors
    ///
    /// The address is not an `http` or `https` URL.
    pub fn new(url: &str, auth: Auth, limits: Limits) -> Result<Self, Error> {
        Self::secured(url, auth, limits, Access::open_to_all())
    }

    /// The same for a node behind TLS that wants to see a certificate or a
    /// bearer token, or whose own certificate comes from a pinned authority.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); or `access` does not go with the address or with
    /// the other credentials.
    pub fn secured(url: &str, auth: Auth, limits: Limits, access: Access) -> Result<Self, Error> {
        let (url, auth) = crate::credentials::split_url(url, auth)?;
        access.check(&url)?;
        if access.has_token() && auth != Auth::None {
            return Err(Error::Settings {
                why: "both a bearer token and a user name or cookie are set for one node",
                hint: "a request carries one of them: remove the other",
            });
        }
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        let inner = Inner {
            address: format!("{}://{host}:{port}", url.scheme()),
            transport: Transport::new(url, &limits, &access)?,
            login: Login::new(auth),
            access,
            slots: Semaphore::new(limits.in_flight.max(1)),
            room: Room::default(),
            limits,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Scheme, host and port, without credentials or path.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// Calls a method; `params` is an array.
    ///
    /// # Errors
    ///
    /// [`RpcError::Node`] when the node answers with an error of its own;
    /// [`RpcError::NotSent`] when the request never left; [`RpcError::Fault`]
    /// when there is no answer of the protocol, when the node is warming up,
    /// does not know the method or does not let us in.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        self.call_as(method, params).await
    }

    /// The same, with the exact bytes of both sides, which evidence needs.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn exchange(
        &self,
        method: &str,
        params: &Value,
    ) -> Result<(Value, Exchange), RpcError> {
        let request = request(method, params);
        let reply = self
            .post(method, request.clone(), is_verbose(params))
            .await?;
        let value = reply::result(self.address(), method, &reply)?;
        let reply = reply.body;
        Ok((value, Exchange { request, reply }))
    }

    /// The same as [`call`](Self::call), read into a type: large replies need not become a `Value`.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call); a result that does not fit the type is
    /// [`Fault::Unreachable`].
    pub async fn call_as<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
    ) -> Result<T, RpcError> {
        let request = request(method, &params);
        let reply = self.post(method, request, is_verbose(&params)).await?;
        reply::result(self.address(), method, &reply)
    }

    /// A raw block. The hex is decoded straight from the reply's bytes.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn raw_block(&self, key: impl Into<BlockKey>) -> Result<Bytes, RpcError> {
        let params = json!([key.into().to_string(), 0]);
        self.raw("getblock", params).await
    }

    /// A raw transaction, by its id in internal byte order.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn raw_transaction(&self, txid: &[u8; 32]) -> Result<Bytes, RpcError> {
        let params = json!([display_hex(txid), 0]);
        self.raw("getrawtransaction", params).await
    }

    /// The bytes of a result that is a hex string.
    async fn raw(&self, method: &str, params: Value) -> Result<Bytes, RpcError> {
        let reply = self.post(method, request(method, &params), false).await?;
        reply::hex_result(self.address(), method, &reply)
    }

    /// Sends a request and reads the whole reply; timed, and a span of its own.
    async fn post(&self, method: &str, request: Bytes, verbose: bool) -> Result<Reply, RpcError> {
        let begun = Instant::now();
        let upstream = self.address();
        let span = tracing::debug_span!("ask", otel.name = method, otel.kind = "client", upstream);
        let sent = self.send(method, request, verbose).instrument(span).await;
        let fault = match &sent {
            Ok(_) | Err(RpcError::Node { .. }) => None,
            Err(RpcError::NotSent(fault) | RpcError::Fault(fault)) => Some(fault),
        };
        let asked = &self.inner.limits.asked;
        asked.ended(upstream, fault, begun.elapsed());
        sent
    }

    async fn send(&self, method: &str, request: Bytes, verbose: bool) -> Result<Reply, RpcError> {
        let cap = defaults::reply_cap(method, verbose);
        let begun = AtomicBool::new(false);
        let work = async {
            // The semaphore is never closed.
            let _slot = self.inner.slots.acquire().await;
            begun.store(true, Ordering::Relaxed);
            self.attempts(method, request, cap).await
        };
        let total = self.inner.limits.total;
        match tokio::time::timeout(total, work).await {
            Ok(reply) => reply,
            Err(_) => {
                let seconds = total.as_secs_f32();
                let words = match begun.into_inner() {
                    true => format!("no whole answer to {method} within {seconds} s"),
                    false => {
                        let words = format!("{method} was not asked: no slot in {seconds} s");
                        return Err(RpcError::NotSent(self.unreachable(words)));
                    }
                };
                Err(self.unreachable(words).into())
            }
        }
    }

    /// One attempt, and a second one where the first cannot have done
    /// anything: the credentials were refused and there are newer ones, or a
    /// kept connection turned out to be closed. A write whose connection broke
    /// is not sent again: the node may have taken it.
    async fn attempts(&self, method: &str, request: Bytes, cap: usize) -> Result<Reply, RpcError> {
        let inner = &*self.inner;
        let Inner {
            transport,
            limits,
            room,
            ..
        } = inner;
        let used = inner.header().await.map_err(RpcError::NotSent)?;
        let first = transport.post(request.clone(), used.as_ref(), cap, limits.idle, room);
        let trouble = match first.await {
            Ok(reply) => return Ok(reply),
            Err(trouble) => trouble,
        };
        let write = method == "sendrawtransaction";
        let again = match &trouble {
            Trouble::Refused(_) => inner.renewed(used.as_ref()).await,
            Trouble::Closed(_) if write => None,
            Trouble::Closed(_) => inner.renewed(used.as_ref()).await.or(Some(used)),
            _ => None,
        };
        let Some(header) = again else {
            return Err(self.explain(method, trouble));
        };
        let second = transport.post(request, header.as_ref(), cap, limits.idle, room);
        second.await.map_err(|last| {
            // What a closed connection carried may have arrived.
            match (trouble, self.explain(method, last)) {
                (Trouble::Closed(_), RpcError::NotSent(fault)) => fault.into(),
                (_, explained) => explained,
            }
        })
    }

    /// An operator's words for what went wrong.
    fn explain(&self, method: &str, trouble: Trouble) -> RpcError {
        let fault = match trouble {
            Trouble::Refused(status) => {
                let words = format!(
                    "{} refused our credentials (HTTP {status}); {}",
                    self.address(),
                    self.inner.hint()
                );
                Fault::Unsupported(words)
            }
            Trouble::Closed(why) if self.address().starts_with("https:") => {
                self.unreachable(format!(
                    "it closed the connection without an answer to {method} ({why}); {}, or it \
                     is restarting",
                    self.inner.access.closed_hint()
                ))
            }
            Trouble::Closed(why) => self.unreachable(format!(
                "it closed the connection without an answer to {method} ({why}); it may be \
                 restarting, and zebrad also does this to callers whose cookie it does not \
                 accept: {}",
                self.inner.hint()
            )),
            Trouble::Connect(why) => {
                return RpcError::NotSent(self.unreachable(format!(
                    "cannot connect ({why}); is the node running, and its RPC port open?"
                )));
            }
            Trouble::Broken(why) => {
                self.unreachable(format!("the answer to {method} broke off ({why})"))
            }
            Trouble::Silent => self.unreachable(format!(
                "the answer to {method} stalled for {} s",
                self.inner.limits.idle.as_secs_f32()
            )),
            Trouble::TooLarge(cap) => self.unreachable(format!(
                "the answer to {method} is larger than the {cap} bytes it can have"
            )),
        };
        fault.into()
    }

    fn unreachable(&self, words: String) -> Fault {
        Fault::Unreachable(format!("{}: {words}", self.address()))
    }
}

impl Inner {
    /// What to send to prove who we are.
    async fn header(&self) -> Result<Option<HeaderValue>, Fault> {
        match self.access.has_token() {
            true => self.access.authorization().await,
            false => self.login.header().await,
        }
    }

    /// The same after `used` was refused; `None` when there is nothing newer.
    async fn renewed(&self, used: Option<&HeaderValue>) -> Option<Option<HeaderValue>> {
        match self.access.has_token() {
            true => self.access.renewed(used).await.map(Some),
            false => self.login.renewed(used).await,
        }
    }

    /// What an operator can do when it is refused.
    fn hint(&self) -> String {
        self.access.hint().unwrap_or_else(|| self.login.hint())
    }
}

fn request(method: &str, params: &Value) -> Bytes {
    let request = json!({ "jsonrpc": "1.0", "id": 1, "method": method, "params": params });
    Bytes::from(request.to_string())
}

/// Whether more than raw bytes is asked for.
fn is_verbose(params: &Value) -> bool {
    params.get(1).and_then(Value::as_u64) != Some(0)
}
