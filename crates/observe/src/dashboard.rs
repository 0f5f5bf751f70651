//! The dashboard: one page, its style and its script, and the events that
//! keep it current. Nothing is loaded from elsewhere.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::get,
};
use futures::stream;
use tokio::{sync::OwnedSemaphorePermit, time};

use crate::{
    Status,
    defaults::PULSE,
    live::{Live, now},
    news::{News, shown, without_times},
};

/// Path, media type and content of every file.
const FILES: [(&str, &str, &str); 7] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("dashboard/page.html"),
    ),
    (
        "/dashboard.css",
        "text/css; charset=utf-8",
        include_str!("dashboard/dashboard.css"),
    ),
    (
        "/dashboard.js",
        "text/javascript; charset=utf-8",
        include_str!("dashboard/dashboard.js"),
    ),
    (
        "/words.js",
        "text/javascript; charset=utf-8",
        include_str!("dashboard/words.js"),
    ),
    (
        "/charts.js",
        "text/javascript; charset=utf-8",
        include_str!("dashboard/charts.js"),
    ),
    (
        "/evidence.js",
        "text/javascript; charset=utf-8",
        include_str!("dashboard/evidence.js"),
    ),
    (
        "/icon.svg",
        "image/svg+xml",
        include_str!("dashboard/icon.svg"),
    ),
];

/// The page, its files and its events.
pub(crate) fn routes() -> Router<Arc<Live>> {
    let files = FILES
        .iter()
        .fold(Router::new(), |router, &(path, kind, text)| {
            router.route(
                path,
                get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }),
            )
        });
    files.route("/events", get(events))
}

/// One live page. Everything it costs is held here and ends with it: its
/// place, and its timer, which runs only while the page is read.
struct Page {
    live: Arc<Live>,
    last: Option<Status>,
    next_sample: u64,
    _place: OwnedSemaphorePermit,
}

async fn events(State(live): State<Arc<Live>>) -> Response {
    let Some(place) = live.subscribe() else {
        let words = "too many live pages are open; close one, or ask /status\n";
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    };
    let page = Page {
        live,
        last: None,
        next_sample: 0,
        _place: place,
    };
    let news = stream::unfold(page, |mut page| async move {
        let stop = page.live.stop.clone();
        let event = stop.run_until_cancelled(page.next()).await?;
        Some((Ok::<_, Infallible>(event), page))
    });
    Sse::new(news).into_response()
}

impl Page {
    async fn next(&mut self) -> Event {
        if self.last.is_some() {
            time::sleep(PULSE).await;
        }
        let status = self.live.shared_status().await;
        let (shown, omitted) = shown(&status);
        let changed = self
            .last
            .as_ref()
            .is_none_or(|last| without_times(last) != without_times(&shown));
        let samples = self.live.samples(self.next_sample);
        if let Some(last) = samples.last() {
            self.next_sample = last.number + 1;
        }
        let news = News {
            at: now(),
            uptime_seconds: shown.uptime_seconds,
            process: shown.process,
            status: changed.then(|| shown.clone()),
            samples,
            omitted: if changed { omitted } else { BTreeMap::new() },
        };
        let text = serde_json::to_string(&news).unwrap_or_default();
        self.last = Some(shown);
        Event::default().data(text)
    }
}
