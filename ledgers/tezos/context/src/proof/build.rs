//! What every form's reader counts and refuses.

use crate::{
    Limits, ProofError,
    defaults::{MAX_INODE_DEPTH, MAX_NESTING},
};

/// What is left of a reader's allowance.
pub(super) struct Allowance {
    limits: Limits,
    nodes: usize,
    nesting: usize,
}

impl Allowance {
    /// For so many bytes; refuses too many at once.
    pub(super) fn new(bytes: usize, limits: &Limits) -> Result<Self, ProofError> {
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
    pub(super) fn enter(&mut self) -> Result<(), ProofError> {
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

    pub(super) fn leave(&mut self) {
        self.nesting += 1;
    }
}

/// The indices from a directory's first inode down to the one being read.
#[derive(Clone, Copy, Default)]
pub(super) struct Path {
    indices: [u8; MAX_INODE_DEPTH],
    len: usize,
}

impl Path {
    /// Inodes above the one being read.
    pub(super) fn depth(&self) -> usize {
        self.len
    }

    pub(super) fn indices(&self) -> &[u8] {
        &self.indices[..self.len]
    }

    /// One or more levels further down; `None` where no inode can be.
    pub(super) fn down(&self, indices: &[u8]) -> Option<Self> {
        let mut path = *self;
        path.indices
            .get_mut(self.len..self.len + indices.len())?
            .copy_from_slice(indices);
        path.len += indices.len();
        Some(path)
    }
}
