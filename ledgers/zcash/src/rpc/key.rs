//! How `getblock` names a block.

use std::fmt;

use heliostat_core::Id;

use crate::node_info::display_hex;

/// What a block is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKey {
    /// Its height on the node's best chain.
    Height(u64),
    /// Its hash, internal byte order.
    Hash(Id),
}

impl From<u64> for BlockKey {
    fn from(height: u64) -> Self {
        Self::Height(height)
    }
}

impl From<Id> for BlockKey {
    fn from(hash: Id) -> Self {
        Self::Hash(hash)
    }
}

impl fmt::Display for BlockKey {
    /// As the node takes it: a decimal height, or the hash in display order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Height(height) => write!(f, "{height}"),
            Self::Hash(hash) => f.write_str(&display_hex(&hash.0)),
        }
    }
}
