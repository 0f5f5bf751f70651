//! Answers: values, errors in a node's shape, streams.

use bytes::Bytes;
use futures::stream::BoxStream;
use serde::Serialize;
use serde_json::{Value, json};

pub(super) const JSON: &str = "application/json";
pub(super) const BINARY: &str = "application/octet-stream";

/// An answer.
pub(super) struct Reply {
    pub status: u16,
    pub kind: &'static str,
    pub body: Body,
}

/// What it consists of.
pub(super) enum Body {
    Whole(Bytes),
    Stream(BoxStream<'static, Bytes>),
}

impl Reply {
    pub fn json(value: impl Serialize) -> Self {
        let text = serde_json::to_string(&value).expect("text keys alone, because they are ours");
        Self::text(text)
    }

    /// JSON that is written already.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            kind: JSON,
            body: Body::Whole(text.into()),
        }
    }

    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self {
            kind: BINARY,
            ..Self::text(bytes)
        }
    }

    pub fn stream(lines: BoxStream<'static, Bytes>) -> Self {
        Self {
            status: 200,
            kind: JSON,
            body: Body::Stream(lines),
        }
    }

    /// A status with an empty body: 404 for what there is not, 403 for what is
    /// not allowed.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            kind: "text/plain",
            body: Body::Whole(Bytes::new()),
        }
    }

    /// 500 with the node's array of errors.
    pub fn error(kind: &str, id: &str, more: Value) -> Self {
        Self {
            status: 500,
            ..Self::json(json!([error(kind, id, more)]))
        }
    }

    /// 400 in words.
    pub fn bad(words: &str) -> Self {
        Self {
            status: 400,
            kind: "text/plain",
            body: Body::Whole(Bytes::copy_from_slice(words.as_bytes())),
        }
    }
}

/// An error object: kind, id, and what the error says further.
pub(super) fn error(kind: &str, id: &str, more: Value) -> Value {
    let mut error = json!({ "kind": kind, "id": id });
    if let (Value::Object(error), Value::Object(more)) = (&mut error, more) {
        error.extend(more);
    }
    error
}
