//! Refusals in the words of the protocol that asked.

use std::{borrow::Cow, time::Duration};

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::counts::Refused;

/// What gRPC wants encoded in `grpc-message`.
const GRPC_MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_TEXT: HeaderName = HeaderName::from_static("grpc-message");

/// Whether these are the headers of a gRPC request.
pub(crate) fn is_grpc(request: &HeaderMap) -> bool {
    let kind = request.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// A refusal: why, in a word for the metrics and in words for the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Refused,
    /// Why, and what to do; never with anything of the token in it.
    pub words: Cow<'static, str>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// The scope that would do.
    pub scope: Option<String>,
}

impl Refusal {
    pub(crate) fn new(reason: Refused, words: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            words: words.into(),
            retry_after: None,
            scope: None,
        }
    }

    /// With a time to come back at.
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self.reason {
            Refused::Network | Refused::Identity | Refused::Forbidden => StatusCode::FORBIDDEN,
            Refused::Unauthenticated => StatusCode::UNAUTHORIZED,
            Refused::Penalty | Refused::AddressRate | Refused::IdentityRate => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Refused::Size => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::Headers => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refused::Connections | Refused::Memory | Refused::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The gRPC status code.
    pub fn grpc_code(&self) -> u16 {
        match self.reason {
            Refused::Network | Refused::Identity | Refused::Forbidden => 7,
            Refused::Unauthenticated => 16,
            Refused::Unavailable => 14,
            Refused::Penalty
            | Refused::AddressRate
            | Refused::IdentityRate
            | Refused::Size
            | Refused::Headers
            | Refused::Connections
            | Refused::Memory => 8,
        }
    }

    /// The answer to a request with these headers: gRPC's, with the status in
    /// place of an answer, or HTTP's.
    pub(crate) fn response(&self, request: &HeaderMap) -> Response<Body> {
        let kind = request.get(header::CONTENT_TYPE);
        let mut response = match kind.filter(|_| is_grpc(request)) {
            Some(kind) => self.grpc(kind.clone()),
            None => self.http(),
        };
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn grpc(&self, kind: HeaderValue) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = self.grpc_trailers();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, kind);
        response
    }

    /// gRPC's status, as it stands at the end of an answer.
    pub(crate) fn grpc_trailers(&self) -> HeaderMap {
        let words = utf8_percent_encode(&self.words, GRPC_MESSAGE).to_string();
        let mut trailers = HeaderMap::new();
        trailers.insert(GRPC_STATUS, HeaderValue::from(self.grpc_code()));
        if let Ok(words) = HeaderValue::try_from(words) {
            trailers.insert(GRPC_TEXT, words);
        }
        trailers
    }

    fn http(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(format!("{}\n", self.words)));
        *response.status_mut() = self.status();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        if let Some(challenge) = self.challenge() {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// RFC 6750, section 3.
    fn challenge(&self) -> Option<HeaderValue> {
        let error = match self.reason {
            Refused::Unauthenticated => "invalid_token",
            Refused::Forbidden => "insufficient_scope",
            _ => return None,
        };
        // Quotes and what is not plain cannot be in a quoted string.
        let plain = |text: &str| {
            let kept = text.chars();
            let kept = kept.filter(|c| (' '..='~').contains(c) && !['"', '\\'].contains(c));
            kept.collect::<String>()
        };
        let words = plain(&self.words);
        let mut challenge =
            format!("Bearer realm=\"heliostat\", error=\"{error}\", error_description=\"{words}\"");
        if let Some(scope) = &self.scope {
            challenge.push_str(&format!(", scope=\"{}\"", plain(scope)));
        }
        HeaderValue::try_from(challenge).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers
    }

    #[test]
    fn grpc_gets_a_status_in_place_of_an_answer() {
        let refusal = Refusal::new(Refused::Unauthenticated, "50% \u{e9}\n");
        let response = refusal.response(&asked("application/grpc+proto"));
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "16");
        assert_eq!(response.headers()["grpc-message"], "50%25 %C3%A9%0A");
        assert_eq!(response.headers()["content-type"], "application/grpc+proto");
    }

    #[test]
    fn http_gets_a_challenge_and_a_time_to_come_back() {
        let mut refusal = Refusal::new(Refused::Forbidden, "not \"this\"");
        refusal.scope = Some("read".to_owned());
        let refusal = refusal.after(Duration::from_millis(1_001));
        let response = refusal.response(&HeaderMap::new());
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(
            response.headers()["www-authenticate"],
            "Bearer realm=\"heliostat\", error=\"insufficient_scope\", error_description=\"not this\", scope=\"read\""
        );
    }
}
