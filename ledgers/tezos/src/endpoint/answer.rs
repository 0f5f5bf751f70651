//! What can come back from a node: a value, or one of the ways of not giving
//! one, which mean different things to an operator.

use std::fmt;

use bytes::Bytes;

use super::Reply;

/// The encodings of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/json`.
    Json,
    /// `application/octet-stream` preferred, JSON as well.
    Binary,
}

impl Media {
    /// The value of the `Accept` header.
    pub(super) fn accepts(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Binary => "application/octet-stream, application/json;q=0.5",
        }
    }
}

/// A node's answer to a question about one thing.
#[derive(Clone, Debug)]
pub enum Answer {
    /// HTTP 200 with something in it.
    Value(Bytes),
    /// No value.
    Lack(Lack),
}

/// The ways of not giving a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// HTTP 404: the block or the key is unknown, or the call is not served.
    NotFound,
    /// HTTP 401 or 403: the node's access list does not allow the call.
    Forbidden(u16),
    /// HTTP 406 or 415: not in this encoding.
    NotThisMedia(u16),
    /// HTTP 200 with nothing in it; some gateways do that to calls they block.
    Empty,
    /// `null`: the node has the block, but no longer its state.
    Null,
    /// The answer is longer than we read.
    TooLarge(usize),
    /// Another HTTP status.
    Status(u16),
    /// The answer is not of the protocol, in words.
    Malformed(String),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str(
                "not found (HTTP 404): it does not have the block, has pruned its state, or does not serve the call",
            ),
            Self::Forbidden(status) => write!(
                f,
                "refused (HTTP {status}): the node's access list does not allow the call; its operator can allow it"
            ),
            Self::NotThisMedia(status) => {
                write!(f, "not in this encoding (HTTP {status})")
            }
            Self::Empty => f.write_str(
                "an empty answer: a gateway in front of the node probably blocks the call",
            ),
            Self::Null => f.write_str(
                "null: the node does not have the state of the block, it is pruned or not there yet",
            ),
            Self::TooLarge(cap) => write!(f, "an answer of more than {cap} bytes"),
            Self::Status(status) => write!(f, "HTTP status {status}"),
            Self::Malformed(why) => write!(f, "an answer that is not of the protocol: {why}"),
        }
    }
}

impl Answer {
    /// Sorts a whole answer.
    pub fn of(reply: Reply) -> Self {
        match Lack::of(&reply) {
            Some(lack) => Self::Lack(lack),
            None => Self::Value(reply.body),
        }
    }
}

impl Lack {
    /// Whether it says that the call is not served, whatever the block and key.
    pub(super) fn is_of_the_call(&self) -> bool {
        // Method not allowed, and not implemented.
        matches!(
            self,
            Self::Forbidden(_) | Self::Empty | Self::Status(405 | 501)
        )
    }

    /// The lack in an answer; `None` when it holds a value.
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        Some(match reply.status {
            200 => match reply.body.trim_ascii() {
                b"" => Self::Empty,
                b"null" => Self::Null,
                _ => return None,
            },
            404 => Self::NotFound,
            401 | 403 => Self::Forbidden(reply.status),
            406 | 415 => Self::NotThisMedia(reply.status),
            status => Self::Status(status),
        })
    }
}
