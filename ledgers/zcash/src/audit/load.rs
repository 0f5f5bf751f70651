//! Reading a chunk for looking at it: all its rows in one snapshot.

use heliostat_core::{Assurance, Id};
use heliostat_store::{Snapshot, StoreError};

use super::Problem;
use crate::{
    chunk::{
        ChunkInfo, FULL, Frames, IDS, PROOFS, ProofPage, RECORDS, Record, Records, SHIELDED,
        Stored, key, page_of,
    },
    replica::defaults::PROOF_PAGE,
    view::recent::listed,
};

/// A chunk with its proofs, read from the store in one snapshot.
pub(super) struct Loaded {
    pub(super) info: ChunkInfo,
    /// `None` where a blob is missing or damaged; said in the report.
    pub(super) stored: Option<Stored>,
    pub(super) pages: Vec<ProofPage>,
    /// The height each block's id leads to.
    pub(super) ids: Vec<Option<u64>>,
    pub(super) damage: Vec<Problem>,
}

/// Reads a chunk past all caches.
pub(super) async fn load(snapshot: &dyn Snapshot, info: ChunkInfo) -> Result<Loaded, StoreError> {
    let mut damage = Vec::new();
    let at = key(info.first);
    let mut blobs = Vec::new();
    for table in [FULL, SHIELDED, RECORDS] {
        blobs.push(snapshot.get(table, &at).await?);
    }
    let mut damaged =
        |broken: String| damage.push(Problem::at(info.first, "store.damaged", broken));
    let missing = || "a row is missing".to_owned();
    let mut blobs = blobs.into_iter().map(|blob| blob.ok_or_else(missing));
    let mut blob = || blobs.next().unwrap_or_else(|| Err(missing()));
    let full = blob().and_then(Frames::decode).map_err(&mut damaged).ok();
    let shielded = blob().and_then(Frames::decode).map_err(&mut damaged).ok();
    let records = blob().and_then(Records::decode).map_err(&mut damaged).ok();
    let fits = |count: usize, last: Id| count == info.count as usize && last == info.last.id;
    let stored = match (full, shielded, records) {
        (Some(full), Some(shielded), Some(records)) => {
            let same = fits(full.count(), full.last)
                && fits(shielded.count(), shielded.last)
                && fits(records.count(), records.last);
            if !same {
                damaged("its rows are of different blocks".into());
            }
            same.then_some(Stored {
                full,
                shielded,
                records,
            })
        }
        _ => None,
    };
    if let Some(words) = stored
        .as_ref()
        .and_then(|stored| contradicted(&info, stored))
    {
        damage.push(Problem::at(info.first, "store.chunk", words));
    }
    let mut pages = Vec::new();
    let mut page = page_of(info.first);
    while page <= info.last.height {
        let row = snapshot.get(PROOFS, &key(page)).await?;
        let row = row.ok_or_else(|| "a row of proofs is missing".to_owned());
        match row.and_then(ProofPage::decode) {
            Ok(proofs) => pages.push(proofs),
            Err(broken) => damage.push(Problem::at(page, "store.damaged", broken)),
        }
        page = page_of(page) + PROOF_PAGE;
    }
    let ids = ids(snapshot, &info, stored.as_ref()).await?;
    Ok(Loaded {
        info,
        stored,
        pages,
        ids,
        damage,
    })
}

/// What the row of a chunk says that its blobs contradict. It is what readers
/// take the tip, the grade and the kind of the blocks from.
fn contradicted(info: &ChunkInfo, stored: &Stored) -> Option<String> {
    let records: Vec<Record> = (0..).map_while(|at| stored.records.get(at)).collect();
    let last = records.len().checked_sub(1)?;
    let lowest = records.iter().map(|record| record.cap).min();
    let says = |what: &str| Some(format!("the row of its chunk says {what} than its blocks"));
    if info.cap != lowest.unwrap_or(Assurance::Relayed) {
        return says("another grade");
    }
    if info.bare != records.iter().any(|record| record.bare) {
        return says("another kind of transactions");
    }
    if info.last.time != records[last].time || Some(info.last.parent) != stored.records.parent(last)
    {
        return says("another last block");
    }
    None
}

/// What the id of each block leads to. Those of the newest are listed nowhere:
/// readers take them from the records themselves.
async fn ids(
    snapshot: &dyn Snapshot,
    info: &ChunkInfo,
    stored: Option<&Stored>,
) -> Result<Vec<Option<u64>>, StoreError> {
    let listed = listed(snapshot, u64::MAX).await?;
    let mut ids = Vec::new();
    let records = stored
        .iter()
        .flat_map(|stored| (0..).map_while(|at| stored.records.get(at)));
    for (height, record) in (info.first..).zip(records) {
        if height >= listed {
            ids.push(Some(height));
            continue;
        }
        let height = snapshot.get(IDS, &record.id.0).await?;
        let height = height.and_then(|value| <[u8; 8]>::try_from(&value[..]).ok());
        ids.push(height.map(u64::from_be_bytes));
    }
    Ok(ids)
}
