//! The RPCs whose answers follow from context keys alone.
//!
//! [`plan`] takes the path of a GET below `/chains/C/blocks/B/` and says
//! whether it is one of them. A [`Plan`] is then run against what has been
//! read so far: [`Plan::run`] either answers, or names the keys that are
//! missing, all that can be known at that point at once. The caller reads
//! them with proof, and runs the plan again with everything it has:
//!
//! ```text
//! let plan = plan(protocol, level, &["context", "contracts", "tz1…", "counter"], &[])?;
//! loop {
//!     match plan.run(|key| already_read.get(key).cloned()) {
//!         Outcome::Done(answer) => return answer,
//!         Outcome::Need(keys) => read them all, with proof, into already_read,
//!         Outcome::Delegate(reason) => ask a node, marked as relayed,
//!     }
//! }
//! ```
//!
//! Nothing is ever taken to be absent for want of a read: a key is absent
//! only if the caller says [`Found::Absent`], which calls for a proof of it.
//! The rounds are few: most rows need one, a big map's value one, a contract's
//! storage one, and scripts with global constants one more per nesting. A
//! caller should stop after `defaults::READ_ROUNDS`.
//!
//! Paths, rules and printed forms are from the RPC plugin of each protocol in
//! Octez (`lib_plugin/contract_services.ml`, `alpha_services.ml`,
//! `voting_services.ml`, `RPC.ml`).

mod chain;
mod contracts;
mod reads;
mod rows;
mod scripts;

use std::fmt;

use bytes::Bytes;

pub use rows::plan;

use crate::protocol::Protocol;
use reads::{Reads, Stop};
use rows::Row;

/// A key below the context's `data`: its steps, for instance
/// `contracts/index/0000…/balance`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The steps joined by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The steps, none of which is empty.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a verified read found at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A value.
    Contents(Bytes),
    /// A directory, where a value was looked for.
    Directory,
    /// Nothing, which has been proven.
    Absent,
}

/// What a node would answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200 with this compact JSON text.
    Json(String),
    /// 404 with an empty body.
    NotFound,
}

/// The outcome of running a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer follows from what has been read.
    Done(Answer),
    /// These keys have to be read first; none of them has been.
    Need(Vec<Key>),
    /// The answer is not certain here, for the reason given in words: ask a node.
    Delegate(String),
}

/// An RPC that can be answered from context keys.
#[derive(Clone, Debug)]
pub struct Plan {
    protocol: Protocol,
    level: i32,
    row: Row,
}

impl Plan {
    /// The keys that the first run asks for.
    pub fn keys(&self) -> Vec<Key> {
        match self.run(|_| None) {
            Outcome::Need(keys) => keys,
            Outcome::Done(_) | Outcome::Delegate(_) => Vec::new(),
        }
    }

    /// Answers from what has been read. `known` gives what was found at a key,
    /// and `None` if the key has not been read.
    pub fn run(&self, known: impl Fn(&Key) -> Option<Found>) -> Outcome {
        let reads = Reads::new(&known);
        match self.row.answer(self.protocol, self.level, &reads) {
            Ok(answer) => Outcome::Done(answer),
            Err(Stop::Missing(keys)) => Outcome::Need(keys),
            Err(Stop::Delegate(reason)) => Outcome::Delegate(reason),
        }
    }
}
