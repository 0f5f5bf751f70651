//! Requests to a node, with a cap on what comes back and a deadline for the
//! whole of it.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use heliostat_core::Fault;
use heliostat_node::{
    Access,
    room::TooLarge,
    unanswered::{Unanswered, innermost},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::{Endpoint, Limits, Media};
use crate::defaults;

/// A whole answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The `Content-Type` as sent.
    pub content_type: Option<HeaderValue>,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum CallError {
    /// No usable answer, in words. The node may have the request.
    Fault(Fault),
    /// The same, and not one byte of the request left: no connection, no slot
    /// in time, or no token to send with it.
    NotSent(Fault),
    /// The answer exceeds this cap in bytes, and was not read on.
    TooLarge(usize),
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Fault(fault) | CallError::NotSent(fault) => fault,
            CallError::TooLarge(cap) => {
                Self::Unreachable(format!("the answer exceeds {cap} bytes"))
            }
        }
    }
}

impl From<TooLarge> for CallError {
    fn from(TooLarge(cap): TooLarge) -> Self {
        Self::TooLarge(cap)
    }
}

/// A client of one node. For plain HTTP, where redirections are never followed,
/// the machine's certificates are not read, which takes milliseconds.
pub(super) fn client(
    limits: &Limits,
    scheme: &str,
    access: &Access,
) -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder();
    let builder = match scheme {
        "http" => builder.tls_certs_only([]),
        _ => access.client(builder),
    };
    builder
        .connect_timeout(limits.connect)
        .tcp_nodelay(true)
        .pool_idle_timeout(defaults::POOL_IDLE)
        .pool_max_idle_per_host(defaults::POOL_CONNECTIONS)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| innermost(&error.without_url()))
}

/// The address of a path below the node's own. `path` begins with a slash.
fn url(endpoint: &Endpoint, path: &str) -> Result<reqwest::Url, Fault> {
    let base = endpoint.base.as_str().trim_end_matches('/');
    let whole = format!("{base}{path}");
    let url: Option<reqwest::Url> = whole.parse().ok();
    // No path leads out of the node's own.
    let below = format!("{}/", endpoint.base.path().trim_end_matches('/'));
    url.filter(|url| url.path().starts_with(&below))
        .ok_or_else(|| Fault::Unsupported("the path cannot be sent".to_owned()))
}

pub(super) async fn get(
    endpoint: &Endpoint,
    path: &str,
    accept: Media,
    cap: usize,
) -> Result<Reply, CallError> {
    let request = endpoint
        .client
        .get(url(endpoint, path).map_err(CallError::NotSent)?)
        .header(header::ACCEPT, accept.accepts());
    within(endpoint, endpoint.limits.call, send(endpoint, request, cap)).await
}

pub(super) async fn relay(
    endpoint: &Endpoint,
    method: Method,
    path: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Reply, CallError> {
    let url = url(endpoint, path).map_err(CallError::NotSent)?;
    let mut request = endpoint.client.request(method, url);
    for name in [header::ACCEPT, header::CONTENT_TYPE] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    if !body.is_empty() {
        request = request.body(body);
    }
    let send = send(endpoint, request, defaults::RELAY_BYTES);
    within(endpoint, endpoint.limits.relay, send).await
}

/// Opens a stream; its head must come within the usual deadline.
pub(super) async fn open(
    endpoint: &Endpoint,
    path: &str,
    headers: Option<&HeaderMap>,
) -> Result<reqwest::Response, Fault> {
    let accept = headers.and_then(|headers| headers.get(header::ACCEPT));
    let json = HeaderValue::from_static("application/json");
    let request = endpoint
        .client
        .get(url(endpoint, path)?)
        .header(header::ACCEPT, accept.unwrap_or(&json));
    endpoint.count(1, 0);
    let opened = async { ask(endpoint, request).await };
    match within(endpoint, endpoint.limits.call, opened).await {
        Ok(response) => Ok(response),
        Err(error) => Err(error.into()),
    }
}

/// Sends a request with our token, if there is one; once more with another one
/// when that is refused, since what is refused was not acted on.
async fn ask(
    endpoint: &Endpoint,
    request: reqwest::RequestBuilder,
) -> Result<reqwest::Response, CallError> {
    let access = &endpoint.access;
    let token = access.authorization().await.map_err(CallError::NotSent)?;
    let Some(token) = token else {
        return request
            .send()
            .await
            .map_err(|error| trouble(endpoint, error));
    };
    let again = request.try_clone();
    let first = request.header(header::AUTHORIZATION, &token).send().await;
    let response = first.map_err(|error| trouble(endpoint, error))?;
    if response.status() != StatusCode::UNAUTHORIZED {
        return Ok(response);
    }
    match (again, access.renewed(Some(&token)).await) {
        (Some(again), Some(token)) => {
            let second = again.header(header::AUTHORIZATION, token).send().await;
            second.map_err(|error| trouble(endpoint, error))
        }
        _ => Ok(response),
    }
}

async fn within<T>(
    endpoint: &Endpoint,
    limit: std::time::Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let has_slot = AtomicBool::new(false);
    let permitted = async {
        // The semaphore is never closed.
        let _permit = endpoint.in_flight.acquire().await.ok();
        has_slot.store(true, Ordering::Relaxed);
        call.await
    };
    let late = || {
        let seconds = limit.as_secs_f64();
        Err(match has_slot.load(Ordering::Relaxed) {
            true => CallError::Fault(Fault::Unreachable(format!(
                "no whole answer within {seconds} s"
            ))),
            false => CallError::NotSent(Fault::Unreachable(format!(
                "not asked: no slot in {seconds} s"
            ))),
        })
    };
    let begun = Instant::now();
    let span = tracing::debug_span!("ask", otel.kind = "client", upstream = endpoint.name());
    let ended = timeout(limit, permitted).instrument(span).await;
    let ended = ended.unwrap_or_else(|_| late());
    let fault = match &ended {
        Err(CallError::Fault(fault) | CallError::NotSent(fault)) => Some(fault),
        Ok(_) | Err(CallError::TooLarge(_)) => None,
    };
    let asked = &endpoint.limits.asked;
    asked.ended(endpoint.name(), fault, begun.elapsed());
    ended
}

async fn send(
    endpoint: &Endpoint,
    request: reqwest::RequestBuilder,
    cap: usize,
) -> Result<Reply, CallError> {
    endpoint.count(1, 0);
    let mut response = ask(endpoint, request).await?;
    let mut answer = endpoint.room.answer(cap, response.content_length())?;
    let status = response.status().as_u16();
    let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
    while let Some(piece) = response.chunk().await.map_err(broken)? {
        endpoint.count(0, piece.len());
        answer.take(piece).await?;
    }
    let body = answer.whole();
    Ok(Reply {
        status,
        content_type,
        body,
    })
}

fn broken(error: reqwest::Error) -> CallError {
    let words = innermost(&error.without_url());
    CallError::Fault(Fault::Unreachable(format!("the answer broke off: {words}")))
}

fn trouble(endpoint: &Endpoint, error: reqwest::Error) -> CallError {
    let secure = endpoint.name().starts_with("https:");
    match Unanswered::of_reqwest(error) {
        Unanswered::NotSent(words) => {
            let hint = match words.contains("; ") {
                true => "",
                false => "; is the node running, and its RPC port open?",
            };
            CallError::NotSent(Fault::Unreachable(format!("no connection: {words}{hint}")))
        }
        Unanswered::Lost(words) => CallError::Fault(Fault::Unreachable(match secure {
            true => {
                let hint = endpoint.access.closed_hint();
                format!("the connection failed: {words}; {hint}")
            }
            false => format!("the connection failed: {words}"),
        })),
    }
}
