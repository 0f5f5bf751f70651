//! What a batch comes to, so that it takes few statements.

use std::{
    collections::BTreeMap,
    ops::{Bound, Range},
};

use bytes::Bytes;

use crate::{Batch, Op, Table};

/// What happens to one table. Removing `ranges` first and then applying `keys`
/// has the same effect as the batch's writes in their order.
#[derive(Default)]
pub(super) struct Effect<'a> {
    pub(super) ranges: Vec<&'a Range<Bytes>>,
    /// The last word on each key: its value, or `None` when it is removed.
    pub(super) keys: BTreeMap<&'a [u8], Option<&'a [u8]>>,
}

impl<'a> Effect<'a> {
    /// The effects of a batch by table.
    pub(super) fn of(batch: &'a Batch) -> BTreeMap<Table, Self> {
        let mut effects = BTreeMap::<Table, Self>::new();
        for op in batch.ops() {
            match op {
                Op::Put { table, key, value } => {
                    let effect = effects.entry(*table).or_default();
                    effect.keys.insert(key, Some(value));
                }
                Op::Delete { table, key } => {
                    effects.entry(*table).or_default().keys.insert(key, None);
                }
                Op::DeleteRange { table, range } => {
                    effects.entry(*table).or_default().delete_range(range);
                }
            }
        }
        effects
    }

    fn delete_range(&mut self, range: &'a Range<Bytes>) {
        if range.start >= range.end {
            return;
        }
        let ends: (Bound<&[u8]>, Bound<&[u8]>) =
            (Bound::Included(&range.start), Bound::Excluded(&range.end));
        let forgotten: Vec<_> = self
            .keys
            .range::<[u8], _>(ends)
            .map(|(key, _)| *key)
            .collect();
        for key in forgotten {
            self.keys.remove(key);
        }
        self.ranges.push(range);
    }

    /// The keys that are removed.
    pub(super) fn deleted(&self) -> Vec<&'a [u8]> {
        let deleted = self.keys.iter().filter(|(_, value)| value.is_none());
        deleted.map(|(key, _)| *key).collect()
    }

    /// The keys that get a value, and the values, in the keys' order.
    pub(super) fn put(&self) -> (Vec<&'a [u8]>, Vec<&'a [u8]>) {
        let put = self.keys.iter();
        put.filter_map(|(key, value)| Some((*key, (*value)?)))
            .unzip()
    }
}
