//! The service behind the door. The door opens before the replica does, and
//! a client that comes in between is told to try again, in gRPC's own words.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use futures::future::Either;
use http::{HeaderValue, Request, header};
use tower::Service;

/// gRPC's number for UNAVAILABLE.
const UNAVAILABLE: HeaderValue = HeaderValue::from_static("14");

/// A service that is set later, once.
pub struct Late<S> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    service: OnceLock<S>,
    waiting: Mutex<HeaderValue>,
}

impl<S> Clone for Late<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<S> Default for Late<S> {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                service: OnceLock::new(),
                waiting: Mutex::new(HeaderValue::from_static("starting; try again later")),
            }),
        }
    }
}

impl<S> Late<S> {
    /// From now on this answers.
    pub fn set(&self, service: S) {
        let _first = self.inner.service.set(service);
    }

    /// What clients are told until then.
    pub fn waiting(&self, why: &str) {
        // gRPC messages are percent-encoded; what is not plain is left out.
        let plain: String = why
            .chars()
            .filter(|c| (' '..='~').contains(c) && *c != '%')
            .collect();
        if let Ok(words) = HeaderValue::from_str(&plain) {
            let waiting = self.inner.waiting.lock();
            *waiting.unwrap_or_else(PoisonError::into_inner) = words;
        }
    }

    fn refusal(&self) -> Response<Body> {
        let waiting = self.inner.waiting.lock();
        let words = waiting.unwrap_or_else(PoisonError::into_inner).clone();
        let mut response = Response::new(Body::empty());
        let grpc = HeaderValue::from_static("application/grpc");
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, grpc);
        headers.insert("grpc-status", UNAVAILABLE);
        headers.insert("grpc-message", words);
        response
    }
}

impl<S, B> Service<Request<B>> for Late<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Routers are always ready; what is called is a fresh clone of one.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.inner.service.get() {
            Some(service) => Either::Left(service.clone().call(request)),
            None => Either::Right(ready(Ok(self.refusal()))),
        }
    }
}
