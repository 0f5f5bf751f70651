//! What every reader counts and refuses.

use crate::{Limits, ProofError, defaults::MAX_NESTING};

/// What is left of a reader's allowance.
pub(crate) struct Allowance {
    limits: Limits,
    nodes: usize,
    nesting: usize,
}

impl Allowance {
    /// For so many bytes; refuses too many at once.
    pub(crate) fn new(bytes: usize, limits: &Limits) -> Result<Self, ProofError> {
        if bytes > limits.bytes {
            return Err(ProofError::TooLarge {
                what: "bytes",
                limit: limits.bytes,
            });
        }
        Ok(Self {
            limits: *limits,
            nodes: limits.nodes,
            nesting: MAX_NESTING,
        })
    }

    /// Counts a part, one level further in; [`Allowance::leave`] ends it.
    pub(crate) fn enter(&mut self) -> Result<(), ProofError> {
        self.nodes = self.nodes.checked_sub(1).ok_or(ProofError::TooLarge {
            what: "nodes",
            limit: self.limits.nodes,
        })?;
        self.nesting = self.nesting.checked_sub(1).ok_or(ProofError::TooLarge {
            what: "levels",
            limit: MAX_NESTING,
        })?;
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.nesting += 1;
    }
}
