//! Traces and metrics, as a real collector endpoint receives them.
#![cfg(feature = "otlp")]

#[path = "otlp/collector.rs"]
mod collector;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request, routing::get};
use futures::{FutureExt, future::BoxFuture};
use heliostat_observe::{
    ChainStatus, Head, Metrics, Status, Subject, logs,
    metrics::METRICS,
    otlp::{Options, Otlp, Protocol},
};
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;

use collector::{Collector, text};

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
        protocol: Protocol::Grpc,
        interval: Duration::from_millis(20),
        sample,
        version: "1.2.3".into(),
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
async fn a_collector_gets_every_metric_and_every_answer_over_grpc() {
    let collector = Collector::default();
    let (address, serving) = collector.serve().await;
    gets_everything(&collector, options(address, 1.0)).await;
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_every_metric_and_every_answer_over_http() {
    let collector = Collector::default();
    let (address, serving) = collector.serve_http().await;
    let options = Options {
        protocol: Protocol::Http,
        ..options(address, 1.0)
    };
    gets_everything(&collector, options).await;
    serving.abort();
}

async fn gets_everything(collector: &Collector, options: Options) {
    let (otlp, extra) = Otlp::open(options).expect("an address");
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

    let (_, serving) = collector.serve_at(address).await;
    collector.pushes(2).await;
    *collector.refuses.lock().expect("no panic") = false;
    collector.pushes(4).await;
    stop.cancel();
    run.await.expect("it ends");
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_over_http_is_tried_again() {
    let collector = Collector::default();
    *collector.refuses.lock().expect("no panic") = true;
    let (address, serving) = collector.serve_http().await;
    let options = Options {
        endpoint: format!("http://{address}/"),
        protocol: Protocol::Http,
        ..options(address, 1.0)
    };
    let (otlp, _) = Otlp::open(options).expect("an address");
    let stop = CancellationToken::new();
    let run = tokio::spawn(otlp.run(Arc::new(Fixed), Arc::default(), stop.clone()));
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
        for protocol in [Protocol::Grpc, Protocol::Http] {
            let options = Options {
                endpoint: wrong.to_owned(),
                protocol,
                ..options(([127, 0, 0, 1], 1).into(), 1.0)
            };
            let error = Otlp::open(options).err().expect("it is no address");
            assert!(error.to_string().contains("http://HOST:4317"), "{error}");
        }
    }
}
