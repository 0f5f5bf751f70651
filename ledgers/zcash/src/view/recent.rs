//! The ids of the newest blocks, which are not in the table of ids yet.
//!
//! Ids are random, so every row of their table that is written costs a page of
//! its own, logged and copied: 32 KiB of writing for 45 bytes. For the
//! 3.2 million blocks of mainnet that makes some 100 GB on SQLite (measured over
//! 1.6 million: 45 GB, and rising). Written [`RECENT_IDS`] at a time, in order,
//! several share a page, and it is 16 GB. Until then the ids are found here. The records of the blocks have them too, so nothing is lost
//! with the process.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::{Buf as _, Bytes};
use heliostat_core::Id;
use heliostat_store::{Snapshot, StoreError};

use super::{Chunks, Index, corrupt, meta};
use crate::{
    chunk::{self, RECORDS, Records},
    replica::{defaults::RECENT_IDS, state::IDS_ROW},
};

/// Heights by id, from some height on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// The commit they are as of.
    generation: u64,
    epoch: u64,
    /// The lowest height that is not in the table.
    from: u64,
    /// The lowest height that is in neither.
    end: u64,
    at: HashMap<Id, u64>,
}

/// The newest ids, and where the table ends.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Ids>);

/// What a commit makes of the ids.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Heights from here on are dropped.
    next: u64,
    new: Vec<(Id, u64)>,
    /// The lowest height that is not in the table afterwards.
    pub(crate) from: u64,
    /// Rows for the table, in the order of their keys.
    pub(crate) rows: Vec<(Id, u64)>,
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, Ids> {
        // Every update leaves the map usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The height of an id that is not in the table yet.
    pub(crate) fn height_of(&self, id: &Id) -> Option<u64> {
        self.lock().at.get(id).copied()
    }

    /// The lowest height that is not in the table.
    pub(crate) fn from(&self) -> u64 {
        self.lock().from
    }

    /// Works out a commit that keeps heights up to `kept` and appends `new`,
    /// which is in ascending height.
    pub(crate) fn plan(&self, kept: Option<u64>, new: Vec<(Id, u64)>) -> Planned {
        let ids = self.lock();
        let next = match (kept, new.first()) {
            (Some(kept), _) => kept + 1,
            (None, Some((_, first))) => *first,
            (None, None) => 0,
        };
        // Where nothing is kept, nothing is in the table.
        let from = kept.map_or(next, |_| ids.from.min(next));
        let held = ids.at.iter().filter(|(_, height)| **height < next);
        if held.clone().count() + new.len() < RECENT_IDS {
            let rows = Vec::new();
            return Planned {
                next,
                new,
                from,
                rows,
            };
        }
        let held = held.map(|(id, height)| (*id, *height));
        let mut rows: Vec<_> = held.chain(new.iter().copied()).collect();
        rows.sort_unstable();
        Planned {
            next,
            from: next + new.len() as u64,
            new,
            rows,
        }
    }

    /// The commit is durable.
    pub(crate) fn apply(&self, planned: Planned, index: &Index) {
        let mut ids = self.lock();
        if ids.generation >= index.generation {
            return;
        }
        ids.generation = index.generation;
        ids.epoch = index.epoch;
        ids.from = planned.from;
        if planned.rows.is_empty() {
            ids.at.retain(|_, height| *height < planned.next);
            ids.end = planned.next + planned.new.len() as u64;
            ids.at.extend(planned.new);
        } else {
            ids.end = planned.from;
            ids.at = HashMap::new();
        }
    }

    /// Takes over what was read from the store, unless it is older.
    pub(crate) fn replace(&self, ids: Ids) {
        let mut current = self.lock();
        if ids.generation > current.generation {
            *current = ids;
        }
    }

    /// Reads the ids that belong to an index of the same snapshot. Of what is
    /// known already, nothing is read again.
    pub(crate) async fn load(
        &self,
        snapshot: &dyn Snapshot,
        index: &Index,
    ) -> Result<Ids, StoreError> {
        let end = index.tip().map_or(0, |tip| tip.height + 1);
        let from = listed(snapshot, end).await?;
        let known = self.lock().clone();
        let mut ids = match known.from == from && known.epoch == index.epoch {
            true => known,
            false => Ids {
                from,
                end: from,
                ..Ids::default()
            },
        };
        add(snapshot, &index.chunks, &mut ids).await?;
        ids.end = end;
        (ids.generation, ids.epoch) = (index.generation, index.epoch);
        Ok(ids)
    }
}

/// The lowest height that is not in the table, in a store that ends below
/// `end`. One from before there was this row has all of them in it.
pub(crate) async fn listed(snapshot: &dyn Snapshot, end: u64) -> Result<u64, StoreError> {
    let Some(mut row) = meta(snapshot, IDS_ROW).await? else {
        return Ok(end);
    };
    let from = row.try_get_u64_le().ok();
    from.filter(|from| row.is_empty() && *from <= end)
        .ok_or_else(|| corrupt("the list of ids does not end where the blocks do".into()))
}

/// The value of [`IDS_ROW`].
pub(crate) fn encode(from: u64) -> Bytes {
    Bytes::copy_from_slice(&from.to_le_bytes())
}

/// Adds the ids of all blocks that are missing. Those of damaged records are
/// not found, which must not keep the rest from being served.
async fn add(snapshot: &dyn Snapshot, chunks: &Chunks, ids: &mut Ids) -> Result<(), StoreError> {
    let from = ids.end;
    for info in chunks
        .backward()
        .take_while(|chunk| chunk.last.height >= from)
    {
        let row = snapshot.get(RECORDS, &chunk::key(info.first)).await?;
        let row = row.ok_or_else(|| "they are missing".to_owned());
        match row.and_then(Records::decode) {
            Ok(records) => {
                let all = (0..).map_while(|at| records.get(at));
                let all = (info.first..)
                    .zip(all)
                    .filter(|(height, _)| *height >= from);
                ids.at
                    .extend(all.map(|(height, record)| (record.id, height)));
            }
            Err(broken) => tracing::error!(first = info.first, broken, "records_damaged"),
        }
    }
    Ok(())
}
