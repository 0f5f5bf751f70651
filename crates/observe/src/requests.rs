//! Counts answers by method, code and grade.
//!
//! The grade is what the answer itself says in `heliostat-assurance`, in its
//! headers or its trailers; the code is the gRPC status found in the same two
//! places, or `http_NNN` where there is none. An answer is counted once, when
//! it ends; one the client walked away from counts as `cancelled`.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use tower::{Layer, Service};
use tracing::{Span, field::Empty};

use crate::metrics::{
    Metrics, Outcome, Timed,
    activity::{self, Activity},
};

/// The field that carries a grade.
const ASSURANCE: &str = "heliostat-assurance";

/// The names of the gRPC status codes, by number.
const CODES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// What is counted of one method.
struct Method {
    chain: String,
    name: String,
    outcomes: Family<Outcome, Counter>,
    seconds: Histogram,
    bytes: Counter,
    activity: Arc<Activity>,
}

impl Method {
    fn new(metrics: &Metrics, chain: &str, name: &str) -> Arc<Self> {
        let timed = Timed {
            chain: chain.to_owned(),
            method: name.to_owned(),
        };
        Arc::new(Self {
            chain: timed.chain.clone(),
            name: timed.method.clone(),
            outcomes: metrics.outcomes.clone(),
            seconds: metrics.seconds.get_or_create(&timed).clone(),
            bytes: metrics.bytes.get_or_create(&timed).clone(),
            activity: metrics.activity(chain),
        })
    }
}

/// Names the method that a request is, from its verb and path.
pub type Naming = fn(&http::Method, &str) -> &'static str;

/// The layer; made by [`Metrics::requests`] or [`Metrics::requests_named`].
#[derive(Clone)]
pub struct Requests {
    by_key: Arc<HashMap<String, Arc<Method>>>,
    /// What the key is: the path itself without it.
    naming: Option<Naming>,
    other: Arc<Method>,
}

impl Requests {
    pub(crate) fn new<'a>(
        metrics: &Metrics,
        chain: &str,
        methods: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let named = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            (path.to_owned(), Method::new(metrics, chain, name))
        };
        Self {
            by_key: Arc::new(methods.into_iter().map(named).collect()),
            naming: None,
            other: Method::new(metrics, chain, "other"),
        }
    }

    pub(crate) fn named<'a>(
        metrics: &Metrics,
        chain: &str,
        names: impl IntoIterator<Item = &'a str>,
        naming: Naming,
    ) -> Self {
        let method = |name: &str| (name.to_owned(), Method::new(metrics, chain, name));
        Self {
            by_key: Arc::new(names.into_iter().map(method).collect()),
            naming: Some(naming),
            other: Method::new(metrics, chain, "other"),
        }
    }

    fn method(&self, verb: &http::Method, path: &str) -> &Arc<Method> {
        let key = self.naming.map_or(path, |naming| naming(verb, path));
        self.by_key.get(key).unwrap_or(&self.other)
    }
}

impl<S> Layer<S> for Requests {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting {
            requests: self.clone(),
            inner,
        }
    }
}

/// A service whose answers are counted.
#[derive(Clone)]
pub struct Counting<S> {
    requests: Requests,
    inner: S,
}

impl<S, B> Service<Request<B>> for Counting<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = self.requests.method(request.method(), request.uri().path());
        let count = Count::begin(Arc::clone(method));
        let inner = count.span.in_scope(|| self.inner.call(request));
        Answering {
            count: Some(count),
            inner,
        }
    }
}

pin_project! {
    /// An answer that is being made.
    pub struct Answering<F> {
        count: Option<Count>,
        #[pin]
        inner: F,
    }
}

impl<F, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let span = this.count.as_ref().map(|count| count.span.clone());
        let inner = this.inner;
        let response = match span {
            Some(span) => span.in_scope(|| inner.poll(cx)),
            None => inner.poll(cx),
        };
        let response = ready!(response)?;
        let Some(mut count) = this.count.take() else {
            return Poll::Ready(Ok(response));
        };
        count.read_head(response.status(), response.headers());
        if http_body::Body::is_end_stream(response.body()) {
            count.end();
            return Poll::Ready(Ok(response));
        }
        let response = response.map(|body| Body::new(Counted { count, body }));
        Poll::Ready(Ok(response))
    }
}

/// One answer; counted when dropped.
struct Count {
    method: Arc<Method>,
    /// What a trace shows of it; nothing of what was asked.
    span: Span,
    since: Instant,
    status: StatusCode,
    code: Option<String>,
    assurance: Option<String>,
    bytes: u64,
    ended: bool,
}

impl Count {
    fn begin(method: Arc<Method>) -> Self {
        let span = tracing::debug_span!(
            "answer",
            otel.name = method.name,
            otel.kind = "server",
            otel.status_code = Empty,
            chain = method.chain,
            code = Empty,
            assurance = Empty,
        );
        Self {
            method,
            span,
            since: Instant::now(),
            status: StatusCode::OK,
            code: None,
            assurance: None,
            bytes: 0,
            ended: false,
        }
    }

    fn read_head(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = status;
        self.read(headers);
    }

    /// The answer is complete without a further frame.
    fn end(mut self) {
        self.ended = true;
    }

    /// Takes code and grade from headers or trailers.
    fn read(&mut self, fields: &HeaderMap) {
        let text = |name| fields.get(name).and_then(|value| value.to_str().ok());
        if let Some(number) = text("grpc-status") {
            let known = number.parse().ok().and_then(|n: usize| CODES.get(n));
            self.code = Some((*known.unwrap_or(&"unknown")).to_owned());
        }
        if let Some(grade) = text(ASSURANCE) {
            // Without the counts of an agreement: they would multiply series.
            let label = grade.split(' ').next().unwrap_or(grade);
            self.assurance = Some(label.to_owned());
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        let code = match self.code.take() {
            Some(code) => code,
            None if self.ended => format!("http_{}", self.status.as_u16()),
            None => "cancelled".to_owned(),
        };
        let took = self.since.elapsed();
        let grade = self.assurance.as_deref();
        self.span.record("code", code.as_str());
        if let Some(grade) = grade {
            self.span.record("assurance", grade);
        }
        if activity::is_failure(&code) {
            self.span.record("otel.status_code", "ERROR");
        }
        let method = &self.method;
        method.activity.count(&code, grade, self.bytes, took);
        let outcome = Outcome {
            chain: method.chain.clone(),
            method: method.name.clone(),
            code,
            assurance: self.assurance.take().unwrap_or_else(|| "none".to_owned()),
        };
        method.outcomes.get_or_create(&outcome).inc();
        method.seconds.observe(took.as_secs_f64());
        method.bytes.inc_by(self.bytes);
    }
}

/// A body whose end is counted. Its frames pass through untouched.
struct Counted {
    count: Count,
    body: Body,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let span = self.count.span.clone();
        let frame = span.in_scope(|| Pin::new(&mut self.body).poll_frame(cx));
        let frame = ready!(frame);
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.count.bytes += data.len() as u64;
                }
                if let Some(trailers) = frame.trailers_ref() {
                    self.count.read(trailers);
                }
                self.count.ended |= http_body::Body::is_end_stream(&self.body);
            }
            Some(Err(_)) => {}
            None => self.count.ended = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}
