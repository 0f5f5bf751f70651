//! The observe address through its public surface, without a socket.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture, stream};
use heliostat_observe::{
    ChainStatus, DoorStatus, Head, Metrics, Status, Subject, UpstreamStatus, metrics::METRICS,
    router,
};
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tower::ServiceExt;

/// A subject with one chain in a fixed state.
struct Fixed(ChainStatus);

impl Subject for Fixed {
    fn status(&self) -> BoxFuture<'_, Status> {
        let chains = BTreeMap::from([("zcash".to_owned(), self.0.clone())]);
        let mut status = Status::of("1.2.3", 7, chains);
        status.doors.insert("zcash".to_owned(), door());
        async move { status }.boxed()
    }

    fn evidence(&self) -> BoxFuture<'_, serde_json::Value> {
        async { serde_json::json!([]) }.boxed()
    }
}

fn chain() -> ChainStatus {
    ChainStatus {
        ledger: "zcash".into(),
        local_height: Some(100),
        target_height: Some(101),
        head: Some(Head {
            height: 100,
            age_seconds: 33,
            assurance: "proven".into(),
            ..Head::default()
        }),
        blocks_per_second: Some(212.5),
        rewinds: 2,
        connections_accepted: 5,
        upstreams: vec![UpstreamStatus {
            name: "http://127.0.0.1:8232".into(),
            role: "follow".into(),
            state: "ok".into(),
            height: Some(101),
            ..UpstreamStatus::default()
        }],
        outbox: BTreeMap::from([("included".to_owned(), 4)]),
        ..ChainStatus::default()
    }
}

fn door() -> DoorStatus {
    DoorStatus {
        listen: "127.0.0.1:9067".into(),
        accepted: 9,
        refused: BTreeMap::from([("network".to_owned(), 3)]),
        cut: BTreeMap::from([("headers".to_owned(), 2)]),
        certificate_not_after: Some(1_900_000_000),
        ..DoorStatus::default()
    }
}

async fn get_from(router: Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path)
        .body(Body::empty())
        .expect("a valid request");
    let response = router.oneshot(request).await.expect("routers do not fail");
    let status = response.status();
    let body = response.collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

fn observed(chain: ChainStatus) -> Router {
    router(Arc::new(Fixed(chain)), Arc::new(Metrics::new()))
}

#[tokio::test]
async fn every_documented_metric_is_scraped_and_nothing_else() {
    let metrics = Arc::new(Metrics::new());
    let layer = metrics.requests("zcash", ["/a.B/GetThing"]);
    let api = Router::new()
        .route("/a.B/GetThing", get(|| async { "x" }))
        .layer(layer);
    get_from(api, "/a.B/GetThing").await;
    metrics.upstream_asked("zcash", "http://u:1", "ok", Duration::from_millis(3));
    let observed = router(Arc::new(Fixed(chain())), metrics);
    let (status, text) = get_from(observed, "/metrics").await;
    assert_eq!(status, 200);
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for metric in METRICS {
        if metric.name.starts_with("process_") && !std::fs::exists("/proc/self").unwrap_or(false) {
            eprintln!("skipped: there is no /proc here to read {}", metric.name);
            continue;
        }
        assert!(
            samples.iter().any(|line| line.starts_with(metric.name)),
            "{} is missing from\n{text}",
            metric.name
        );
        assert!(text.contains(metric.help), "no help for {}", metric.name);
    }
    for line in samples {
        assert!(
            METRICS.iter().any(|metric| line.starts_with(metric.name)),
            "{line} is not documented"
        );
    }
}

#[test]
fn the_metrics_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        stored == heliostat_observe::metrics::document(),
        "run: cargo run -p heliostat-observe --example metrics > docs/metrics.md"
    );
}

#[tokio::test]
async fn metrics_carry_the_values_of_the_status() {
    let router = observed(chain());
    for _scrape_twice in 0..2 {
        let (_, text) = get_from(router.clone(), "/metrics").await;
        for line in [
            r#"heliostat_head_height{chain="zcash"} 100.0"#,
            r#"heliostat_head_age_seconds{chain="zcash"} 33.0"#,
            r#"heliostat_rewinds_total{chain="zcash"} 2"#,
            r#"heliostat_connections_accepted_total{chain="zcash"} 5"#,
            r#"heliostat_door_refused_total{door="zcash",reason="network"} 3"#,
            r#"heliostat_door_certificate_not_after_seconds{door="zcash"} 1900000000.0"#,
            r#"heliostat_outbox_receipts{chain="zcash",state="included"} 4.0"#,
            r#"heliostat_upstream_state{chain="zcash",upstream="http://127.0.0.1:8232",role="follow",state="ok"} 1.0"#,
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} not in\n{text}"
            );
        }
    }
}

#[tokio::test]
async fn processor_time_is_told_in_parts_of_a_second() {
    let (_, text) = get_from(observed(chain()), "/metrics").await;
    let mut lines = text.lines();
    let told = lines.find_map(|line| line.strip_prefix("process_cpu_seconds_total"));
    let value = told.and_then(|line| line.split_whitespace().last());
    let seconds: f64 = value.expect("it is told").parse().expect("a number");
    // It is counted in billionths.
    assert!(seconds > 0.0 && seconds.fract() > 0.0, "{seconds}");
}

#[tokio::test]
async fn readiness_follows_the_chains_reasons() {
    let (status, body) = get_from(observed(chain()), "/readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::OK, r#"{"ready":true,"reasons":[]}"#)
    );

    let stale = ChainStatus {
        not_ready: vec!["the newest block is 2 h old".into()],
        ..chain()
    };
    let (status, body) = get_from(observed(stale.clone()), "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        body.contains("zcash: the newest block is 2 h old"),
        "{body}"
    );
    let (status, _) = get_from(observed(stale), "/livez").await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn the_status_document_reads_back() {
    let (_, body) = get_from(observed(chain()), "/status").await;
    let status: Status = serde_json::from_str(&body).expect("the document is a Status");
    assert_eq!(status.chains["zcash"], chain());
    assert!(status.ready);
}

/// A gRPC-like stream: one data frame, then trailers.
fn streamed() -> Body {
    let trailers = HeaderMap::from_iter([
        (
            "grpc-status".parse().expect("a name"),
            "10".parse().expect("a value"),
        ),
        (
            "heliostat-assurance".parse().expect("a name"),
            "agreed 2/3".parse().expect("a value"),
        ),
    ]);
    let frames = [
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"data"))),
        Ok(Frame::trailers(trailers)),
    ];
    Body::new(StreamBody::new(stream::iter(frames)))
}

#[tokio::test]
async fn answers_are_counted_by_code_and_grade_once_they_end() {
    let metrics = Arc::new(Metrics::new());
    let unary = [("grpc-status", "0"), ("heliostat-assurance", "proven")];
    let api = Router::new()
        .route("/s/Stream", get(|| async { streamed() }))
        .route("/s/Unary", get(move || async move { (unary, "x") }))
        .layer(metrics.requests("zcash", ["/s/Stream", "/s/Unary"]));
    get_from(api.clone(), "/s/Stream").await;
    get_from(api.clone(), "/s/Unary").await;
    get_from(api.clone(), "/user/chosen/path").await;
    let request = Request::get("/s/Stream")
        .body(Body::empty())
        .expect("a valid request");
    drop(api.oneshot(request).await);

    let text = metrics.scrape(Arc::default());
    let counted = |method: &str, code: &str, assurance: &str| {
        let line = format!(
            r#"heliostat_requests_total{{chain="zcash",method="{method}",code="{code}",assurance="{assurance}"}} 1"#
        );
        assert!(
            text.lines().any(|found| found == line),
            "{line} not in\n{text}"
        );
    };
    counted("Stream", "aborted", "agreed");
    counted("Unary", "ok", "proven");
    counted("other", "http_404", "none");
    counted("Stream", "cancelled", "none");
    assert!(
        text.lines().any(
            |line| line == r#"heliostat_response_bytes_total{chain="zcash",method="Stream"} 4"#
        ),
        "{text}"
    );
    assert!(!text.contains("chosen"), "paths of clients are not labels");
}
