//! Answers: status, body and grade.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use heliostat_core::Assurance;

use crate::{endpoint, error::ReadError};

/// Why an answer that this server can make as a rule was passed on this time.
const REASON: HeaderName = HeaderName::from_static("heliostat-reason");
/// The receipt of a write.
const RECEIPT: HeaderName = HeaderName::from_static("heliostat-receipt");
/// How many endpoints may have a write.
const HANDED_TO: HeaderName = HeaderName::from_static("heliostat-handed-to");

/// A whole answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub content_type: Option<HeaderValue>,
    pub body: Bytes,
    /// The grade; none on an error of the node that was passed on.
    pub grade: Option<Assurance>,
    /// Why it was passed on.
    pub reason: Option<String>,
    /// The receipt of a write, and how many endpoints may have it.
    pub receipt: Option<(String, usize)>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");

impl Reply {
    /// A JSON text.
    pub fn json(text: impl Into<Bytes>, grade: Assurance) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: Some(JSON),
            body: text.into(),
            grade: Some(grade),
            reason: None,
            receipt: None,
        }
    }

    /// Bytes.
    pub fn binary(bytes: impl Into<Bytes>, grade: Assurance) -> Self {
        Self {
            content_type: Some(BINARY),
            ..Self::json(bytes, grade)
        }
    }

    /// Nothing is there, and that is verified.
    pub fn absent(grade: Assurance) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            content_type: None,
            body: Bytes::new(),
            grade: Some(grade),
            reason: None,
            receipt: None,
        }
    }

    /// An error of ours, in a node's form.
    pub fn failed(error: &ReadError) -> Self {
        Self {
            status: StatusCode::from_u16(error.status())
                .expect("the status is valid because it is one of a few constants"),
            content_type: Some(JSON),
            body: error.json().into(),
            grade: None,
            reason: None,
            receipt: None,
        }
    }

    /// What an endpoint answered.
    pub fn relayed(reply: endpoint::Reply, reason: Option<String>) -> Self {
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
        Self {
            grade: status.is_success().then_some(Assurance::Relayed),
            status,
            content_type: reply.content_type,
            body: reply.body,
            reason,
            receipt: None,
        }
    }

    pub fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(kind) = self.content_type {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        if let Some(grade) = self.grade {
            grade_header(headers, grade);
        }
        if let Some((name, handed_to)) = self.receipt {
            headers.insert(HANDED_TO, handed_to.into());
            if let Ok(name) = HeaderValue::try_from(name) {
                headers.insert(RECEIPT, name);
            }
        }
        if let Some(reason) = self.reason.as_deref() {
            // Words may come from a node; what is no header text is left out.
            let clean: String = reason.chars().filter(|c| (' '..='~').contains(c)).collect();
            if let Ok(value) = HeaderValue::from_str(&clean) {
                headers.insert(REASON, value);
            }
        }
        response
    }
}

/// Puts a grade into an answer's headers.
pub(super) fn grade_header(headers: &mut axum::http::HeaderMap, grade: Assurance) {
    let value = HeaderValue::from_str(&grade.to_string())
        .expect("a grade's text is printable because it has letters, digits and a slash only");
    headers.insert(HeaderName::from_static(Assurance::FIELD), value);
}

/// An error in a node's form.
pub(super) fn error(error: &ReadError) -> Response {
    let reply = match error {
        ReadError::NotFound(grade) => Reply::absent(*grade),
        ReadError::BadRequest(words) => Reply {
            content_type: Some(HeaderValue::from_static("text/plain")),
            body: words.clone().into(),
            ..Reply::failed(error)
        },
        other => Reply::failed(other),
    };
    reply.into_response()
}
