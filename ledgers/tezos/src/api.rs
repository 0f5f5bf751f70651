//! A node's REST interface, answered from verified data where it can be.
//!
//! Every success carries its grade in the header [`Assurance::FIELD`]; so does
//! a 404 that is itself a verified answer (a proof of absence). What cannot be
//! verified here is passed on to one endpoint and graded `relayed`, or refused
//! where the operator asks for more; [`method_table`] says which is which.
//!
//! | module | what it holds |
//! |---|---|
//! | [`methods`] | the table of methods, their names and what they are checked against |
//! | `request` | a request taken apart: path, query, encodings |
//! | `reply` | answers, their grade, and a node's JSON errors |
//! | `blocks` | what lies below a block: pinned once, then shared out |
//! | `rows` | values of the context in a node's text |
//! | `headers`, `operations` | headers and operations, checked against hashes |
//! | `proofs` | `merkle_tree_v2`, `merkle_tree`, `raw/bytes` |
//! | `monitor` | the merged stream of heads |
//! | [`cors`] | web pages from elsewhere |
//! | `injection` | operations sent, each to one endpoint, once |
//! | [`outbox`] | handing operations to endpoints, and looking for them |
//! | `relay` | everything else |

pub mod cors;
pub mod methods;
pub mod outbox;

mod blocks;
mod headers;
mod injection;
mod monitor;
mod operations;
mod proofs;
mod relay;
mod reply;
mod request;
mod rows;

pub use methods::{Method, PassedOn, method_table, passed_on_table};

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Method as Verb, request::Parts},
    response::Response,
};
use heliostat_core::Assurance;

use crate::{
    defaults,
    error::ReadError,
    light::{Core, Mode},
};
use reply::Reply;
use request::Asked;

/// The whole interface.
pub(crate) fn router(core: Arc<Core>) -> axum::Router {
    axum::Router::new().fallback(answer).with_state(core)
}

async fn answer(State(core): State<Arc<Core>>, request: http::Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let origin = cors::allowed(&core.settings.cors, &parts.headers);
    let preflight = cors::preflight(&parts);
    let is_preflight = preflight.is_some();
    let mut response = match preflight {
        Some(response) => response,
        None => match serve(&core, parts, body).await {
            Ok(response) => response,
            Err(error) => reply::error(&error),
        },
    };
    if let Some(origin) = origin {
        cors::allow(&mut response, origin, is_preflight);
    }
    response
}

async fn serve(core: &Arc<Core>, parts: Parts, body: Body) -> Result<Response, ReadError> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    if path.len() > defaults::PATH_BYTES {
        return Err(ReadError::BadRequest(format!(
            "the path exceeds {} bytes",
            defaults::PATH_BYTES
        )));
    }
    let body = axum::body::to_bytes(body, defaults::REQUEST_BYTES)
        .await
        .map_err(|_| {
            ReadError::TooLarge(format!(
                "the request's body exceeds {} bytes or broke off",
                defaults::REQUEST_BYTES
            ))
        })?;
    let asked = Asked::new(parts.method, path, parts.headers, body)?;
    Ok(match route(core, &asked).await? {
        Served::Whole(reply) => graded(core, &asked, reply)?.into_response(),
        Served::Stream(response) => response,
    })
}

/// An answer, or one that goes on.
enum Served {
    Whole(Reply),
    Stream(Response),
}

async fn route(core: &Arc<Core>, asked: &Asked) -> Result<Served, ReadError> {
    let segments = asked.segments();
    let is_get = asked.verb == Verb::GET;
    if core.settings.mode != Mode::Client {
        match segments.as_slice() {
            ["chains", chain, "chain_id"] if is_get && core.is_ours(chain).await? => {
                let (id, grade) = core.chain_id().await?;
                return Ok(Served::Whole(Reply::json(format!("\"{id}\""), grade)));
            }
            ["chains", chain, "blocks", block, tail @ ..] if core.is_ours(chain).await? => {
                return blocks::serve(core, asked, block, tail)
                    .await
                    .map(Served::Whole);
            }
            ["monitor", "heads", chain]
                if is_get && asked.query.is_empty() && core.is_ours(chain).await? =>
            {
                return monitor::heads(core).await.map(Served::Stream);
            }
            ["injection", "operation"] if asked.verb == Verb::POST => {
                return injection::inject(core, asked).await.map(Served::Whole);
            }
            _ => {}
        }
    }
    if is_get
        && matches!(
            segments.as_slice(),
            ["monitor", ..] | ["chains", _, "mempool", "monitor_operations"]
        )
    {
        return relay::stream(core, asked).await.map(Served::Stream);
    }
    relay::pass_on(core, asked, &asked.path, None)
        .await
        .map(Served::Whole)
}

impl Core {
    /// Whether a request's chain is the one that is followed here.
    ///
    /// # Errors
    /// The chain's id is not known: what may be answered from verified data is
    /// not passed on instead.
    async fn is_ours(self: &Arc<Self>, chain: &str) -> Result<bool, ReadError> {
        if chain == self.settings.chain {
            return Ok(true);
        }
        if chain == "main" {
            return Ok(self.settings.chain.starts_with("Net"));
        }
        if !chain.starts_with("Net") {
            return Ok(false);
        }
        let (id, _) = self.chain_id().await?;
        Ok(id.to_string() == chain)
    }
}

/// Refuses an answer below the grade the operator wants for its method.
fn graded(core: &Core, asked: &Asked, reply: Reply) -> Result<Reply, ReadError> {
    let Some(grade) = reply.grade else {
        return Ok(reply);
    };
    admit(core, methods::name(&asked.segments(), &asked.verb), grade)?;
    Ok(reply)
}

/// Refuses a grade below the one the operator wants for a method.
fn admit(core: &Core, method: &str, grade: Assurance) -> Result<(), ReadError> {
    let least = core.least(method);
    if grade >= least {
        return Ok(());
    }
    Err(ReadError::TooLow {
        method: method.to_owned(),
        grade,
        least,
    })
}
