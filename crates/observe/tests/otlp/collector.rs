//! A real collector's endpoint, which keeps what it is sent.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::Metric,
    trace::v1::Span,
};
use prost::Message as _;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};
use tonic::{
    Request as Call, Response, Status as Refusal,
    transport::{Server, server::TcpIncoming},
};

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
pub struct Collector {
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    spans: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    /// Whether it answers metrics with an error.
    pub refuses: Arc<Mutex<bool>>,
    news: Arc<Notify>,
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Call<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Refusal> {
        match self.keep(request.into_inner()) {
            true => Ok(Response::new(Default::default())),
            false => Err(Refusal::unavailable("full")),
        }
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Call<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Refusal> {
        self.spans
            .lock()
            .expect("no panic")
            .push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

impl Collector {
    /// Serves it on a port of its own.
    pub async fn serve(&self) -> (SocketAddr, JoinHandle<()>) {
        self.serve_at(([127, 0, 0, 1], 0).into()).await
    }

    /// Serves it at this address.
    pub async fn serve_at(&self, address: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = Server::builder()
            .add_service(MetricsServiceServer::new(self.clone()))
            .add_service(TraceServiceServer::new(self.clone()));
        let incoming = TcpIncoming::from(listener);
        let task = tokio::spawn(async move {
            let served = server.serve_with_incoming(incoming).await;
            served.expect("it serves");
        });
        (address, task)
    }

    /// Serves it over HTTP on a port of its own.
    pub async fn serve_http(&self) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let router = Router::new()
            .route("/v1/metrics", post(http_metrics))
            .route("/v1/traces", post(http_traces))
            .with_state(self.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        (address, task)
    }

    /// Keeps a push of metrics; whether it is answered well.
    fn keep(&self, request: ExportMetricsServiceRequest) -> bool {
        self.metrics.lock().expect("no panic").push(request);
        self.news.notify_waiters();
        !*self.refuses.lock().expect("no panic")
    }

    /// Returns when `count` pushes of metrics have come.
    pub async fn pushes(&self, count: usize) {
        loop {
            let news = self.news.notified();
            if self.metrics.lock().expect("no panic").len() >= count {
                return;
            }
            let waited = tokio::time::timeout(Duration::from_secs(1), news).await;
            drop(waited);
        }
    }

    /// The metrics of the last push, by name.
    pub fn last_metrics(&self) -> BTreeMap<String, Metric> {
        let pushes = self.metrics.lock().expect("no panic");
        let last = pushes.last().expect("a push came");
        let scopes = last
            .resource_metrics
            .iter()
            .flat_map(|one| &one.scope_metrics);
        let metrics = scopes.flat_map(|scope| &scope.metrics);
        metrics
            .map(|metric| (metric.name.clone(), metric.clone()))
            .collect()
    }

    /// Every span so far.
    pub fn all_spans(&self) -> Vec<Span> {
        let batches = self.spans.lock().expect("no panic");
        let resources = batches.iter().flat_map(|batch| &batch.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

/// The answer to a body that is no such message in protobuf.
fn not_protobuf(headers: &HeaderMap) -> Option<StatusCode> {
    let kind = headers.get("content-type").map(|kind| kind.as_bytes());
    (kind != Some(b"application/x-protobuf")).then_some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

async fn http_metrics(
    State(collector): State<Collector>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if let Some(refused) = not_protobuf(&headers) {
        return refused;
    }
    match ExportMetricsServiceRequest::decode(body).map(|request| collector.keep(request)) {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::SERVICE_UNAVAILABLE,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

async fn http_traces(
    State(collector): State<Collector>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if let Some(refused) = not_protobuf(&headers) {
        return refused;
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    collector.spans.lock().expect("no panic").push(request);
    StatusCode::OK
}

/// A text attribute.
pub fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|pair| pair.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
