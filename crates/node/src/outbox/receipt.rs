//! What is kept of a write.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Digested;

/// The name of a receipt, for a client to keep: 16 random bytes, in hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiptId([u8; 16]);

impl ReceiptId {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiptId({self})")
    }
}

/// A receipt, for people and for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its name.
    pub id: ReceiptId,
    /// The state of the write in one word.
    pub state: &'static str,
    /// The upstreams it went to, or was about to.
    pub to: Vec<String>,
    /// When it was first accepted, in seconds since the Unix epoch.
    pub at: u64,
}

/// How far a write is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// It may have been sent, and no answer is known. Also what a process
    /// that was killed leaves.
    Unknown,
    /// An upstream took it; its reply.
    Taken(Vec<u8>),
    /// It is on the chain; the reply a success has.
    Included(Vec<u8>),
    /// Every upstream refused it.
    Refused,
    /// Not one byte left.
    NotSent,
}

impl State {
    /// Every state's word, in the order of [`index`](Self::index).
    pub const WORDS: [&'static str; 5] = ["unknown", "taken", "included", "refused", "not-sent"];

    pub fn index(&self) -> usize {
        match self {
            Self::Unknown => 0,
            Self::Taken(_) => 1,
            Self::Included(_) => 2,
            Self::Refused => 3,
            Self::NotSent => 4,
        }
    }

    pub fn word(&self) -> &'static str {
        Self::WORDS[self.index()]
    }

    /// The reply that every repetition gets.
    pub fn reply(&self) -> Option<Bytes> {
        match self {
            Self::Taken(reply) | Self::Included(reply) => Some(Bytes::copy_from_slice(reply)),
            Self::Unknown | Self::Refused | Self::NotSent => None,
        }
    }
}

/// A receipt as it is stored, in JSON under the digest of its write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its place in the order of receipts.
    pub number: u64,
    pub id: ReceiptId,
    pub digest: Digested,
    /// The id the network knows the write by.
    pub write: Option<Vec<u8>>,
    pub at: u64,
    pub to: Vec<String>,
    pub state: State,
}

impl Entry {
    pub fn receipt(&self) -> Receipt {
        Receipt {
            id: self.id,
            state: self.state.word(),
            to: self.to.clone(),
            at: self.at,
        }
    }

    /// Whether it has to be looked for.
    pub fn is_open(&self) -> bool {
        self.state == State::Unknown
    }
}
