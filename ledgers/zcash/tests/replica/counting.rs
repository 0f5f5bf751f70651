//! A store that counts what passes through it.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use heliostat_store::{Batch, Direction, Op, Snapshot, Store, StoreError, Table};

/// Per table: how many values, how many bytes.
pub type Counts = BTreeMap<Table, (usize, usize)>;

/// Counts reads and writes of another store.
pub struct Counting {
    inner: Arc<dyn Store>,
    counts: Arc<Mutex<(Counts, Counts)>>,
}

impl Counting {
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            counts: Arc::default(),
        })
    }

    /// What was read since the last call.
    pub fn reads(&self) -> Counts {
        std::mem::take(&mut self.counts.lock().expect("no test panics while counting").0)
    }

    /// What was written since the last call.
    pub fn writes(&self) -> Counts {
        std::mem::take(&mut self.counts.lock().expect("no test panics while counting").1)
    }
}

fn count(counts: &mut Counts, table: Table, bytes: usize) {
    let entry = counts.entry(table).or_default();
    entry.0 += 1;
    entry.1 += bytes;
}

#[async_trait]
impl Store for Counting {
    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        for op in batch.ops() {
            if let Op::Put { table, value, .. } = op {
                let mut counts = self.counts.lock().expect("no test panics while counting");
                count(&mut counts.1, *table, value.len());
            }
        }
        self.inner.commit(batch).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(Watched {
            inner: self.inner.snapshot().await?,
            counts: self.counts.clone(),
        }))
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.inner.size().await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.inner.settle().await
    }
}

struct Watched {
    inner: Box<dyn Snapshot>,
    counts: Arc<Mutex<(Counts, Counts)>>,
}

#[async_trait]
impl Snapshot for Watched {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.inner.get(table, key).await?;
        let bytes = value.as_ref().map_or(0, Bytes::len);
        let mut counts = self.counts.lock().expect("no test panics while counting");
        count(&mut counts.0, table, bytes);
        Ok(value)
    }

    async fn range(
        &self,
        table: Table,
        range: Range<Vec<u8>>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let rows = self.inner.range(table, range, direction, limit).await?;
        let mut counts = self.counts.lock().expect("no test panics while counting");
        for (_, value) in &rows {
            count(&mut counts.0, table, value.len());
        }
        Ok(rows)
    }
}
