//! Where in a directory's inodes a reader is.

use crate::defaults::MAX_INODE_DEPTH;

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
