//! Passing a request on to one endpoint, unchecked.

use std::sync::Arc;

use axum::{body::Body, http::Method, response::Response};
use futures::stream;
use heliostat_core::{Assurance, Fault};
use heliostat_node::Served;
use tokio::time::Instant;

use super::{admit, methods, reply, reply::Reply, request::Asked};
use crate::{endpoint::CallError, error::ReadError, light::Core};

/// Passes a request on, with another path where its block was resolved. A
/// question may be put to the next endpoint when one cannot be reached; a
/// request that may change something only when it never left.
pub(super) async fn pass_on(
    core: &Arc<Core>,
    asked: &Asked,
    path: &str,
    reason: Option<String>,
) -> Result<Reply, ReadError> {
    let method = methods::name(&asked.segments(), &asked.verb);
    admit(core, method, Assurance::Relayed)?;
    let is_question = asked.verb == Method::GET || asks_only(&asked.segments());
    let mut trouble = Vec::new();
    for at in core.relays() {
        let upstream = &core.upstreams.all()[at];
        let verb = asked.verb.clone();
        let sent = upstream.source();
        let begun = Instant::now();
        let sent = sent.relay(verb, path, &asked.headers, asked.body.clone());
        match sent.await {
            Ok(reply) => {
                core.upstreams.report_ok(upstream, Served::Data);
                return Ok(Reply::relayed(reply, reason));
            }
            Err(CallError::TooLarge(cap)) => {
                return Err(ReadError::TooLarge(format!(
                    "the answer of {} exceeds {cap} bytes",
                    upstream.name()
                )));
            }
            Err(error @ (CallError::Fault(_) | CallError::NotSent(_))) => {
                let may_have_it = matches!(error, CallError::Fault(_));
                let fault = Fault::from(error);
                trouble.push(format!("{}: {fault}", upstream.name()));
                // What takes this long is the client's choice: it does not make
                // the endpoint one that others are kept from.
                if begun.elapsed() < upstream.source().relay_limit() {
                    core.upstreams.report(upstream, &fault);
                }
                if may_have_it && !is_question {
                    break;
                }
            }
        }
    }
    Err(ReadError::Unavailable(format!(
        "no endpoint answers: {}",
        trouble.join("; ")
    )))
}

/// POSTs that only compute something.
fn asks_only(segments: &[&str]) -> bool {
    matches!(segments, ["chains", _, "blocks", _, ..])
}

impl Core {
    /// Whom requests are passed on to: the main endpoint, then the others.
    pub(super) fn relays(&self) -> Vec<usize> {
        let mut order = self.askable();
        let main = self.settings.main;
        let all = self.upstreams.all();
        order.sort_by_key(|at| (!all[*at].is_usable(), *at != main));
        order
    }
}

/// Passes on a stream that an endpoint sends for as long as it likes.
pub(super) async fn stream(core: &Arc<Core>, asked: &Asked) -> Result<Response, ReadError> {
    let method = methods::name(&asked.segments(), &asked.verb);
    admit(core, method, Assurance::Relayed)?;
    let mut trouble = Vec::new();
    for at in core.relays() {
        let upstream = &core.upstreams.all()[at];
        let opened = upstream.source().open(&asked.path, Some(&asked.headers));
        let opened = match opened.await {
            Ok(opened) => opened,
            Err(fault) => {
                trouble.push(format!("{}: {fault}", upstream.name()));
                core.upstreams.report(upstream, &fault);
                continue;
            }
        };
        let status = opened.status();
        let kind = opened
            .headers()
            .get(axum::http::header::CONTENT_TYPE)
            .cloned();
        let pieces = stream::unfold(opened, |mut opened| async move {
            let piece = opened.chunk().await.transpose()?;
            Some((piece.map_err(|error| error.without_url()), opened))
        });
        let mut response = Response::new(Body::from_stream(pieces));
        *response.status_mut() = status;
        if let Some(kind) = kind {
            let name = axum::http::header::CONTENT_TYPE;
            response.headers_mut().insert(name, kind);
        }
        if status.is_success() {
            reply::grade_header(response.headers_mut(), Assurance::Relayed);
        }
        return Ok(response);
    }
    Err(ReadError::Unavailable(format!(
        "no endpoint answers: {}",
        trouble.join("; ")
    )))
}
