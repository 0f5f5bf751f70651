//! The router of the observe address.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use crate::{Metrics, Subject};

/// The media type of OpenMetrics text.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every handler reads.
#[derive(Clone)]
struct Observed {
    subject: Arc<dyn Subject>,
    metrics: Arc<Metrics>,
}

/// Everything the crate's first page lists, over `subject`.
pub fn router(subject: Arc<dyn Subject>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/evidence", get(evidence))
        .route("/metrics", get(scrape))
        .with_state(Observed { subject, metrics })
}

async fn readyz(State(observed): State<Observed>) -> Response {
    let status = observed.subject.status().await;
    let code = if status.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({ "ready": status.ready, "reasons": status.not_ready });
    (code, Json(body)).into_response()
}

async fn status(State(observed): State<Observed>) -> Response {
    Json(observed.subject.status().await).into_response()
}

async fn evidence(State(observed): State<Observed>) -> Response {
    Json(observed.subject.evidence().await).into_response()
}

async fn scrape(State(observed): State<Observed>) -> Response {
    let status = observed.subject.status().await;
    let text = observed.metrics.scrape(&status).await;
    ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response()
}
