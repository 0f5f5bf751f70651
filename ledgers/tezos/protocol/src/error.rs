//! Why something that the context holds cannot be printed.

/// Why bytes or text of a protocol cannot be decoded or printed here.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProtocolError {
    /// The bytes are not an encoding of what they should be.
    #[error("malformed {what}: {reason}; the protocol table may not fit this block")]
    Malformed {
        /// The kind of value.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The value may be right, but its printed form is not known with certainty.
    #[error("{what} cannot be printed here; ask a node for it")]
    Unsupported {
        /// What is not covered.
        what: String,
    },
    /// The value exceeds a limit of `defaults.rs`.
    #[error("{what} exceeds the limit of {limit}; ask a node for it")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in the unit of its constant.
        limit: usize,
    },
}

impl ProtocolError {
    /// A malformed value.
    pub fn malformed(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Malformed {
            what,
            reason: reason.into(),
        }
    }

    /// A value whose printed form is not certain.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}
