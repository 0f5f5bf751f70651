//! A real collector's endpoint, which keeps what it is sent.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
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
        let refuses = *self.refuses.lock().expect("no panic");
        self.metrics
            .lock()
            .expect("no panic")
            .push(request.into_inner());
        self.news.notify_waiters();
        match refuses {
            true => Err(Refusal::unavailable("full")),
            false => Ok(Response::new(Default::default())),
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

/// A text attribute.
pub fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|pair| pair.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
