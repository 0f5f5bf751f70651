//! The engine without a disk.
//!
//! Each table is a persistent red-black tree (`rpds`, MIT): a snapshot is one
//! reference count and stays as it was, while a commit copies the path to each
//! key it touches. A `BTreeMap` behind an `Arc` would be faster to read, but
//! every commit under an open snapshot would copy the table whole.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use bytes::Bytes;
use rpds::RedBlackTreeMapSync;

use crate::{Batch, Direction, Op, Snapshot, Store, StoreError, Table, open};

/// How the engine calls itself in errors.
const NAME: &str = "memory:";

type Map = RedBlackTreeMapSync<Bytes, Bytes>;
type Tables = HashMap<Table, Map>;

/// A store that ends with the process.
pub(crate) struct Memory {
    /// The newest state. Replaced, never changed, so readers keep what they
    /// hold.
    tables: RwLock<Arc<Tables>>,
    /// Held while the next state is made.
    writing: tokio::sync::Mutex<()>,
}

impl Memory {
    pub(crate) fn new(tables: &[Table]) -> Self {
        let empty = tables.iter().map(|&table| (table, Map::new_sync()));
        Self {
            tables: RwLock::new(Arc::new(empty.collect())),
            writing: tokio::sync::Mutex::new(()),
        }
    }

    fn newest(&self) -> Arc<Tables> {
        self.tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn apply(tables: &mut Tables, op: &Op) -> Result<(), StoreError> {
    let (Op::Put { table, .. } | Op::Delete { table, .. } | Op::DeleteRange { table, .. }) = op;
    let map = tables
        .get_mut(table)
        .ok_or_else(|| open::unknown_table(NAME, *table))?;
    match op {
        Op::Put { key, value, .. } => map.insert_mut(key.clone(), value.clone()),
        Op::Delete { key, .. } => {
            map.remove_mut(key);
        }
        Op::DeleteRange { range, .. } if range.start < range.end => {
            let gone: Vec<_> = map
                .range(range.clone())
                .map(|(key, _)| key.clone())
                .collect();
            for key in gone {
                map.remove_mut(&key);
            }
        }
        Op::DeleteRange { .. } => {}
    }
    Ok(())
}

#[async_trait]
impl Store for Memory {
    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        open::check_keys(NAME, &batch)?;
        let _writing = self.writing.lock().await;
        let mut next = Tables::clone(&self.newest());
        for op in batch.ops() {
            apply(&mut next, op)?;
        }
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(Moment(self.newest())))
    }

    async fn size(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The state at one moment.
struct Moment(Arc<Tables>);

impl Moment {
    fn map(&self, table: Table) -> Result<&Map, StoreError> {
        let map = self.0.get(&table);
        map.ok_or_else(|| open::unknown_table(NAME, table))
    }
}

#[async_trait]
impl Snapshot for Moment {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.map(table)?.get(key).cloned())
    }

    async fn range(
        &self,
        table: Table,
        range: Range<Vec<u8>>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let map = self.map(table)?;
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let entries = map.range(Bytes::from(range.start)..Bytes::from(range.end));
        let own = |(key, value): (&Bytes, &Bytes)| (key.clone(), value.clone());
        Ok(match direction {
            Direction::Forward => entries.map(own).take(limit).collect(),
            Direction::Backward => entries.rev().map(own).take(limit).collect(),
        })
    }
}
