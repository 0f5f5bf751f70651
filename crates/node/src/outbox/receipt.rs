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
    /// The upstreams it was handed to, or was about to be; without those that
    /// are known not to have got a byte of it.
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
    /// It was found among what waits to be included; the reply a success has.
    /// From here on it counts as accepted, and only its inclusion is waited
    /// for: an upstream that forgets it later is no reason to send it again by
    /// ourselves, and its absence cannot be told from a block too far back.
    Waiting(Vec<u8>),
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
    pub const WORDS: [&'static str; 6] = [
        "unknown", "waiting", "taken", "included", "refused", "not-sent",
    ];

    pub fn index(&self) -> usize {
        match self {
            Self::Unknown => 0,
            Self::Waiting(_) => 1,
            Self::Taken(_) => 2,
            Self::Included(_) => 3,
            Self::Refused => 4,
            Self::NotSent => 5,
        }
    }

    pub fn word(&self) -> &'static str {
        Self::WORDS[self.index()]
    }

    /// The reply that every repetition gets.
    pub fn reply(&self) -> Option<Bytes> {
        match self {
            Self::Waiting(reply) | Self::Taken(reply) | Self::Included(reply) => {
                Some(Bytes::copy_from_slice(reply))
            }
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
    /// Who may have it. While it was not sent: who was tried last.
    pub to: Vec<String>,
    pub state: State,
}

impl Entry {
    pub fn receipt(&self) -> Receipt {
        Receipt {
            id: self.id,
            state: self.state.word(),
            to: self.handed_to().to_vec(),
            at: self.at,
        }
    }

    /// Who may have it.
    pub fn handed_to(&self) -> &[String] {
        match self.state {
            State::NotSent => &[],
            _ => &self.to,
        }
    }

    /// Whether it has to be looked for.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Unknown | State::Waiting(_))
    }

    /// Takes note of what became of it. What is known better stays.
    pub fn becomes(&mut self, state: State) {
        let is_news = match self.state {
            State::Unknown => true,
            State::Waiting(_) => matches!(state, State::Taken(_) | State::Included(_)),
            _ => false,
        };
        if is_news {
            self.state = state;
        }
    }

    /// Takes note of who did not get a byte of it. Where that is all of them,
    /// nothing was sent, and they stay named as tried.
    pub fn missed(&mut self, ways: &[String]) {
        if self.state != State::NotSent {
            self.to.retain(|way| !ways.contains(way));
        }
    }
}
