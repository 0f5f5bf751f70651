//! The unit of writing.

use std::ops::Range;

use bytes::Bytes;

use crate::Table;

/// Writes that become visible together or not at all, applied in order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    ops: Vec<Op>,
}

/// One write.
#[derive(Clone, Debug)]
pub enum Op {
    /// Inserts or replaces.
    Put {
        /// Where.
        table: Table,
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes a key; nothing happens when it is absent.
    Delete {
        /// Where.
        table: Table,
        /// The key.
        key: Bytes,
    },
    /// Removes every key with `range.start <= key < range.end`.
    DeleteRange {
        /// Where.
        table: Table,
        /// The half-open range of keys.
        range: Range<Bytes>,
    },
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts or replaces.
    pub fn put(&mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        let (key, value) = (key.into(), value.into());
        self.ops.push(Op::Put { table, key, value });
    }

    /// Removes a key; nothing happens when it is absent.
    pub fn delete(&mut self, table: Table, key: impl Into<Bytes>) {
        let key = key.into();
        self.ops.push(Op::Delete { table, key });
    }

    /// Removes every key with `start <= key < end`.
    pub fn delete_range(&mut self, table: Table, start: impl Into<Bytes>, end: impl Into<Bytes>) {
        let range = start.into()..end.into();
        self.ops.push(Op::DeleteRange { table, range });
    }

    /// The writes in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}
