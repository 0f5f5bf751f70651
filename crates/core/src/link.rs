//! Positions in a chain.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Assurance;

/// The 32-byte identifier of a position, in the byte order the ledger uses on
/// the wire. How it is shown to people is the ledger's business
/// ([`Source::show`](crate::Source::show)); `Debug` prints plain hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Id(pub [u8; 32]);

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<[u8; 32]> for Id {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// A height and the id that stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Point {
    /// Distance from genesis, which is 0.
    pub height: u64,
    /// What stands at that height.
    pub id: Id,
}

/// One position in a chain, tied to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// Distance from genesis, which is 0.
    pub height: u64,
    /// The position's own id.
    pub id: Id,
    /// The id at `height - 1`; all zero for genesis.
    pub parent: Id,
    /// The time the position itself claims, in seconds since the Unix epoch.
    pub time: u64,
}

impl Link {
    /// The position without its tie.
    pub fn point(&self) -> Point {
        Point {
            height: self.height,
            id: self.id,
        }
    }
}

/// The link a request is pinned to, with the grade that link has. It is
/// resolved once, when the request enters, and everything the request reads
/// is read at this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The position.
    pub link: Link,
    /// How the position itself was checked.
    pub assurance: Assurance,
}
