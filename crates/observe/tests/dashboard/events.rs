//! What live pages are told, and what it may cost.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, BodyDataStream},
};
use futures::StreamExt;
use heliostat_observe::{
    defaults::{SHOWN_FINDINGS, SUBSCRIBERS},
    router_until,
};
use http::{Request, Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::stage::{MARKUP, Told, chain, evidence};

struct Observed {
    told: Arc<Told>,
    router: Router,
    stop: CancellationToken,
}

fn observed() -> Observed {
    let told = Arc::new(Told::default());
    let first = ("alpha".to_owned(), chain("syncing"));
    told.chains.lock().expect("no panic").extend([first]);
    let stop = CancellationToken::new();
    Observed {
        router: router_until(told.clone(), Arc::default(), stop.clone()),
        told,
        stop,
    }
}

async fn get(router: &Router, path: &str) -> Response<Body> {
    let request = Request::get(path).body(Body::empty());
    let answer = router.clone().oneshot(request.expect("a valid request"));
    answer.await.expect("infallible")
}

/// The next event's data.
async fn next(events: &mut BodyDataStream) -> Option<Value> {
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        let part = events.next().await?.expect("the stream is whole");
        text.push_str(str::from_utf8(&part).expect("events are text"));
    }
    let data = text.strip_prefix("data: ").expect("one field").trim_end();
    Some(serde_json::from_str(data).expect("events are JSON"))
}

#[tokio::test(start_paused = true)]
async fn an_event_carries_only_what_is_new() {
    let observed = observed();
    let answer = get(&observed.router, "/events").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.into_body().into_data_stream();
    let first = next(&mut events).await.expect("an event");
    assert_eq!(
        first["status"]["chains"]["alpha"]["local_height"],
        2_900_001
    );
    let second = next(&mut events).await.expect("an event");
    assert!(second["status"].is_null() && second["at"].is_u64());

    let change = |height| {
        let mut chains = observed.told.chains.lock().expect("no panic");
        chains.get_mut("alpha").expect("it is there").local_height = Some(height);
    };
    change(2_900_002);
    let third = next(&mut events).await.expect("an event");
    assert_eq!(
        third["status"]["chains"]["alpha"]["local_height"],
        2_900_002
    );
}

#[tokio::test(start_paused = true)]
async fn every_sample_is_told_once() {
    let observed = observed();
    let mut events = get(&observed.router, "/events")
        .await
        .into_body()
        .into_data_stream();
    let mut numbers = Vec::new();
    while numbers.len() < 4 {
        let event = next(&mut events).await.expect("an event");
        let samples = event["samples"].as_array().cloned().unwrap_or_default();
        numbers.extend(samples.iter().filter_map(|one| one["number"].as_u64()));
    }
    assert_eq!(numbers, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn live_pages_are_limited_and_give_their_place_back() {
    let observed = observed();
    let mut open = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let answer = get(&observed.router, "/events").await;
        assert_eq!(answer.status(), StatusCode::OK);
        open.push(answer);
    }
    let one_more = get(&observed.router, "/events").await;
    assert_eq!(one_more.status(), StatusCode::SERVICE_UNAVAILABLE);
    open.pop();
    let again = get(&observed.router, "/events").await;
    assert_eq!(again.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_live_pages_and_the_samples() {
    let observed = observed();
    let mut events = get(&observed.router, "/events")
        .await
        .into_body()
        .into_data_stream();
    next(&mut events).await.expect("an event");
    observed.stop.cancel();
    assert!(next(&mut events).await.is_none());
    drop(events);
    drop(observed.router);
    // The task that takes samples ends by itself: nothing else holds it.
    while Arc::strong_count(&observed.told) > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn long_lists_are_cut_to_the_newest_and_say_so() {
    let observed = observed();
    {
        let mut chains = observed.told.chains.lock().expect("no panic");
        let chain = chains.get_mut("alpha").expect("it is there");
        let one = chain.findings[0].clone();
        chain.findings = (0..SHOWN_FINDINGS as u64 + 7)
            .map(|height| heliostat_observe::Finding {
                height: Some(height),
                ..one.clone()
            })
            .collect();
    }
    let mut events = get(&observed.router, "/events")
        .await
        .into_body()
        .into_data_stream();
    let event = next(&mut events).await.expect("an event");
    let findings = &event["status"]["chains"]["alpha"]["findings"];
    assert_eq!(findings.as_array().map(Vec::len), Some(SHOWN_FINDINGS));
    assert_eq!(findings[0]["height"], 7);
    assert_eq!(event["omitted"]["alpha"], serde_json::json!([7, 0]));
}

#[tokio::test]
async fn every_answer_forbids_what_a_page_does_not_need() {
    let observed = observed();
    let paths = [
        "/",
        "/dashboard.css",
        "/dashboard.js",
        "/words.js",
        "/charts.js",
        "/evidence.js",
        "/icon.svg",
        "/events",
        "/status",
        "/history",
        "/evidence",
        "/evidence/one?chain=alpha&nth=0",
        "/metrics",
        "/readyz",
        "/livez",
        "/nowhere",
    ];
    for path in paths {
        let answer = get(&observed.router, path).await;
        let policy = answer.headers()["content-security-policy"].to_str();
        let policy = policy.expect("it is text");
        assert!(policy.starts_with("default-src 'none'; "), "{path}");
        assert!(
            !policy.contains("unsafe") && !policy.contains("http"),
            "{path}"
        );
        assert_eq!(
            answer.headers()["x-content-type-options"],
            "nosniff",
            "{path}"
        );
    }
}

#[tokio::test]
async fn markup_of_upstreams_is_never_sent_as_a_document() {
    let observed = observed();
    {
        let mut chains = observed.told.chains.lock().expect("no panic");
        chains.insert(MARKUP.to_owned(), chain(MARKUP));
    }
    for path in ["/status", "/evidence", "/readyz", "/history", "/metrics"] {
        let answer = get(&observed.router, path).await;
        let kind = answer.headers()["content-type"].to_str().expect("text");
        assert!(!kind.contains("html"), "{path} is {kind}");
    }
}

async fn json(router: &Router, path: &str) -> (StatusCode, Value) {
    let answer = get(router, path).await;
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
    let value = serde_json::from_slice(&body.expect("it is whole"));
    (status, value.unwrap_or_default())
}

#[tokio::test]
async fn one_finding_is_cut_to_what_was_asked_for_and_others_are_not_found() {
    let observed = observed();
    *observed.told.evidence.lock().expect("no panic") = evidence("alpha", "said");
    let ask = |query: &str| format!("/evidence/one?{query}");
    let (status, one) = json(&observed.router, &ask("chain=alpha&nth=1&bytes=2")).await;
    assert_eq!(
        (status, &one["height"]),
        (StatusCode::OK, &2_899_001.into())
    );
    assert_eq!(one["exhibits"][1]["size"], 80);
    assert_eq!(one["exhibits"][1]["hex"], "0003");
    for (query, code) in [
        ("chain=alpha&nth=3", StatusCode::NOT_FOUND),
        ("chain=beta&nth=0", StatusCode::NOT_FOUND),
        ("chain=alpha", StatusCode::BAD_REQUEST),
        ("chain=alpha&nth=-1", StatusCode::BAD_REQUEST),
    ] {
        let (status, _) = json(&observed.router, &ask(query)).await;
        assert_eq!(status, code, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_history_is_asked_for_from_a_sample_on() {
    let observed = observed();
    tokio::time::sleep(Duration::from_secs(35)).await;
    let (_, all) = json(&observed.router, "/history").await;
    assert_eq!(all.as_array().map(Vec::len), Some(4), "{all}");
    let (_, rest) = json(&observed.router, "/history?from=3").await;
    assert_eq!(rest[0]["number"], 3);
    assert_eq!(rest[0]["chains"]["alpha"]["height"], 2_900_001);
}
