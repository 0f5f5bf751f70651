//! Traces and metrics, as a real collector endpoint receives them.
#![cfg(feature = "otlp")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, http::Request, routing::get};
use futures::{FutureExt, future::BoxFuture};
use heliostat_observe::{
    ChainStatus, Head, Metrics, Status, Subject, logs,
    metrics::METRICS,
    otlp::{Options, Otlp},
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
    metrics::v1::{Metric, metric::Data, number_data_point},
    trace::v1::Span,
};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Request as Call, Response, Status as Refusal, transport::Server};
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector {
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    spans: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    refuses: Arc<Mutex<bool>>,
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
    async fn serve(&self) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = Server::builder()
            .add_service(MetricsServiceServer::new(self.clone()))
            .add_service(TraceServiceServer::new(self.clone()));
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let task = tokio::spawn(async move {
            let served = server.serve_with_incoming(incoming).await;
            served.expect("it serves");
        });
        (address, task)
    }

    /// Returns when `count` pushes of metrics have come.
    async fn pushes(&self, count: usize) {
        loop {
            let news = self.news.notified();
            if self.metrics.lock().expect("no panic").len() >= count {
                return;
            }
            let waited = tokio::time::timeout(Duration::from_secs(1), news).await;
            drop(waited);
        }
    }

    fn last_metrics(&self) -> BTreeMap<String, Metric> {
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

    fn all_spans(&self) -> Vec<Span> {
        let batches = self.spans.lock().expect("no panic");
        let resources = batches.iter().flat_map(|batch| &batch.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

struct Fixed;

impl Subject for Fixed {
    fn status(&self) -> BoxFuture<'_, Status> {
        let chain = ChainStatus {
            local_height: Some(12),
            rewinds: 3,
            head: Some(Head {
                age_seconds: 40,
                ..Head::default()
            }),
            ..ChainStatus::default()
        };
        let chains = BTreeMap::from([("alpha".to_owned(), chain)]);
        futures::future::ready(Status::of("1.2.3", 5, chains)).boxed()
    }

    fn evidence(&self) -> BoxFuture<'_, serde_json::Value> {
        futures::future::ready(serde_json::json!([])).boxed()
    }
}

fn options(address: SocketAddr, sample: f64) -> Options {
    Options {
        endpoint: format!("http://{address}"),
        interval: Duration::from_millis(20),
        sample,
        version: "1.2.3".into(),
    }
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|pair| pair.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Has two methods answered, with `extra` watching, and returns the metrics.
async fn answer(extra: logs::Extra) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::new());
    let layer = metrics.requests("alpha", ["/GetThing", "/GetNothing"]);
    let api = Router::new()
        .route(
            "/GetThing",
            get(|| async { ([("heliostat-assurance", "agreed 2/3")], "xyz") }),
        )
        .route(
            "/GetNothing",
            get(|| async { axum::http::StatusCode::INTERNAL_SERVER_ERROR }),
        )
        .layer(layer);
    let subscriber = tracing_subscriber::registry().with(extra);
    let _watched = tracing::subscriber::set_default(subscriber);
    for path in ["/GetThing?secret=7", "/GetNothing", "/chosen/by/a/client"] {
        let request = Request::get(path)
            .header(
                "traceparent",
                "00-11111111111111111111111111111111-2222222222222222-01",
            )
            .body(Body::empty())
            .expect("a valid request");
        let answer = api.clone().oneshot(request).await.expect("infallible");
        let body = axum::body::to_bytes(answer.into_body(), 1 << 10).await;
        body.expect("the whole answer");
    }
    metrics
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_every_metric_and_every_answer() {
    let collector = Collector::default();
    let (address, serving) = collector.serve().await;
    let (otlp, extra) = Otlp::open(options(address, 1.0)).expect("an address");
    let metrics = answer(extra).await;
    let stop = CancellationToken::new();
    let run = tokio::spawn(otlp.run(Arc::new(Fixed), metrics, stop.clone()));
    collector.pushes(2).await;
    stop.cancel();
    run.await.expect("it ends");

    let got = collector.last_metrics();
    let Some(Data::Gauge(age)) = &got["heliostat_head_age_seconds"].data else {
        panic!("{got:?}");
    };
    let value = age.data_points[0].value;
    assert_eq!(value, Some(number_data_point::Value::AsDouble(40.0)));
    assert_eq!(text(&age.data_points[0].attributes, "chain"), Some("alpha"));
    let Some(Data::Sum(rewinds)) = &got["heliostat_rewinds"].data else {
        panic!("{got:?}");
    };
    assert!(rewinds.is_monotonic && rewinds.aggregation_temporality == 2);
    let point = &rewinds.data_points[0];
    assert_eq!(point.value, Some(number_data_point::Value::AsDouble(3.0)));
    assert!(0 < point.start_time_unix_nano && point.start_time_unix_nano <= point.time_unix_nano);
    let Some(Data::Histogram(took)) = &got["heliostat_request_seconds"].data else {
        panic!("{got:?}");
    };
    for point in &took.data_points {
        assert_eq!(point.count, 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), 1);
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    }
    for name in got.keys() {
        let of = |metric: &&heliostat_observe::metrics::Described| {
            metric.name.trim_end_matches("_total") == name
        };
        assert!(
            METRICS.iter().any(|metric| of(&metric)),
            "{name} is not documented"
        );
    }

    let spans = collector.all_spans();
    let mut told: Vec<_> = spans
        .iter()
        .map(|span| {
            let of = |key| text(&span.attributes, key).unwrap_or_default();
            (span.name.as_str(), of("chain"), of("code"), of("assurance"))
        })
        .collect();
    told.sort_unstable();
    let expected = [
        ("GetNothing", "alpha", "http_500", ""),
        ("GetThing", "alpha", "http_200", "agreed"),
        ("other", "alpha", "http_404", ""),
    ];
    assert_eq!(told, expected);
    for span in &spans {
        assert_eq!(span.kind, 2, "an answer is a server's span");
        assert_ne!(span.trace_id, [0x11; 16], "clients do not name our traces");
        let failed = span.status.as_ref().is_some_and(|status| status.code == 2);
        assert_eq!(failed, span.name != "GetThing", "{span:?}");
    }
    let sent = format!("{spans:?}");
    assert!(
        !sent.contains("secret") && !sent.contains("chosen"),
        "{sent}"
    );
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_traced_at_a_share_of_zero() {
    let collector = Collector::default();
    let (address, serving) = collector.serve().await;
    let (otlp, extra) = Otlp::open(options(address, 0.0)).expect("an address");
    let metrics = answer(extra).await;
    let stop = CancellationToken::new();
    let run = tokio::spawn(otlp.run(Arc::new(Fixed), metrics, stop.clone()));
    collector.pushes(1).await;
    stop.cancel();
    run.await.expect("it ends");
    assert_eq!(collector.all_spans(), []);
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_refuses_is_tried_again() {
    let collector = Collector::default();
    *collector.refuses.lock().expect("no panic") = true;
    // A port nobody listens on yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let (otlp, _) = Otlp::open(options(address, 1.0)).expect("an address");
    let stop = CancellationToken::new();
    let run = tokio::spawn(otlp.run(Arc::new(Fixed), Arc::default(), stop.clone()));
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(!run.is_finished());

    let server = Server::builder()
        .add_service(MetricsServiceServer::new(collector.clone()))
        .add_service(TraceServiceServer::new(collector.clone()));
    let serving = tokio::spawn(server.serve(address));
    collector.pushes(2).await;
    *collector.refuses.lock().expect("no panic") = false;
    collector.pushes(4).await;
    stop.cancel();
    run.await.expect("it ends");
    serving.abort();
}

#[tokio::test]
async fn what_is_no_address_is_refused_in_words() {
    for wrong in ["", "127.0.0.1:4317", "ftp://h:1", "http://[::1"] {
        let options = Options {
            endpoint: wrong.to_owned(),
            ..options(([127, 0, 0, 1], 1).into(), 1.0)
        };
        let error = Otlp::open(options).err().expect("it is no address");
        assert!(error.to_string().contains("http://HOST:4317"), "{error}");
    }
}
