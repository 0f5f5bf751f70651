//! Why following one upstream ended.

use heliostat_core::{Fault, Id, Link, Reject};
use heliostat_store::StoreError;

use super::pipeline::{Stop, Why};

/// Why a session, or the attempt to start one, ended.
#[derive(Debug)]
pub(super) enum End {
    /// The process stops.
    Cancelled,
    /// Another upstream is the better one now.
    Switch,
    /// The upstream's head is not on our chain any more.
    Moved,
    /// A position does not follow the one before it: the chain changed
    /// between two questions.
    Unlinked { height: u64, parent: Id },
    /// It does not have a position below the head it names.
    Missing { height: u64, fault: Fault },
    /// The upstream has a fault.
    Fault(Fault),
    /// All of its branch, from above `keep` up to `end`, was read, and it is
    /// not heavier than ours.
    Lighter { keep: u64, end: u64 },
    /// Its branch is heavier, but too big to be held; read it again.
    Heavier(Survey),
    /// The store has a fault.
    Store(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A branch that was read once and found to be heavier than ours.
#[derive(Debug)]
pub(super) struct Survey {
    /// The last position it shares with ours.
    pub keep: Link,
    /// The ids above that, up to where it is heavier.
    pub ids: Vec<Id>,
}

/// What a rejection comes to.
pub(super) fn rejected(height: u64, reject: Reject) -> End {
    match reject {
        Reject::Unlinked { parent } => End::Unlinked { height, parent },
        Reject::Wrong(evidence) => End::Fault(Fault::Wrong(evidence)),
        Reject::Refused(why) => End::Fault(Fault::Unsupported(why)),
        Reject::Opaque(why) => {
            let why = format!("position {height} cannot be read by this release: {why}");
            End::Fault(Fault::Unsupported(why))
        }
    }
}

/// What the end of a pipeline comes to.
pub(super) fn stopped(stop: Stop) -> End {
    let height = stop.height;
    match stop.why {
        Why::Reject(reject) => rejected(height, reject),
        Why::Fault(fault @ Fault::Behind(_)) => End::Missing { height, fault },
        Why::Fault(fault) => End::Fault(fault),
    }
}
