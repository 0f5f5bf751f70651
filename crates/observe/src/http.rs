//! The router of the observe address.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{Metrics, Subject, dashboard, evidence, live::Live};

/// The media type of OpenMetrics text.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every answer says about itself: no guessing of types, no embedding
/// elsewhere, nothing kept, and on pages nothing but our own files.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Everything the crate's first page lists, over `subject`. Live pages stay
/// open until their readers leave; a server that drains takes [`router_until`].
pub fn router(subject: Arc<dyn Subject>, metrics: Arc<Metrics>) -> Router {
    router_until(subject, metrics, CancellationToken::new())
}

/// The same; once `stop` is cancelled no more samples are taken and live
/// pages are closed, so that they do not hold up a drain.
///
/// # Panics
/// Outside of a tokio runtime: the samples need one.
pub fn router_until(
    subject: Arc<dyn Subject>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/evidence", get(all_evidence))
        .route("/evidence/one", get(one_evidence))
        .route("/history", get(history))
        .route("/metrics", get(scrape))
        .merge(dashboard::routes())
        .layer(middleware::map_response(with_headers))
        .with_state(Live::begin(subject, metrics, stop))
}

async fn with_headers(mut response: Response) -> Response {
    response.headers_mut().extend(HEADERS);
    response
}

async fn readyz(State(live): State<Arc<Live>>) -> Response {
    let status = live.status().await;
    let code = if status.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({ "ready": status.ready, "reasons": status.not_ready });
    (code, Json(body)).into_response()
}

async fn status(State(live): State<Arc<Live>>) -> Response {
    Json(live.status().await).into_response()
}

async fn all_evidence(State(live): State<Arc<Live>>) -> Response {
    Json(live.evidence().await).into_response()
}

async fn one_evidence(
    State(live): State<Arc<Live>>,
    Query(wanted): Query<evidence::Wanted>,
) -> Response {
    match evidence::one(live.evidence().await, &wanted) {
        Some(finding) => Json(finding).into_response(),
        None => {
            let words = "there is no such finding; /status lists them by chain\n";
            (StatusCode::NOT_FOUND, words).into_response()
        }
    }
}

/// The samples from one number on.
#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: u64,
}

async fn history(State(live): State<Arc<Live>>, Query(From { from }): Query<From>) -> Response {
    Json(live.samples(from)).into_response()
}

async fn scrape(State(live): State<Arc<Live>>) -> Response {
    let status = Arc::new(live.status().await);
    let text = live.metrics.scrape(status);
    ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response()
}
