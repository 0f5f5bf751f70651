//! The small rows of `meta`: what the store is, and where it stands.

use bytes::{Buf, Bytes};
use heliostat_store::{Snapshot, StoreError};

use crate::view::{Chunks, Index, Rewind, corrupt, meta};

/// The layout this release writes; it reads those before it too.
///
/// | layout | what is different |
/// |---|---|
/// | 1 | every block's id is in `ids` |
/// | 2 | those of blocks below the height in [`IDS_ROW`] are |
pub const LAYOUT: u32 = 2;

/// The row with [`LAYOUT`], 4 bytes little-endian.
pub const LAYOUT_ROW: &str = "layout";
/// The row of [`META`](crate::chunk::META) with the network's name; there
/// since the store was first opened.
pub const NETWORK_ROW: &str = "network";
/// The row of [`META`](crate::chunk::META) with the tip the first stored block
/// was verified against, when the chain does not begin at genesis.
pub const JOIN_ROW: &str = "join";
/// The row of [`META`](crate::chunk::META) with the lowest height whose id is
/// not in `ids` yet, 8 bytes little-endian.
pub const IDS_ROW: &str = "ids";
/// The row of [`META`](crate::chunk::META) with generation, epoch and rewinds,
/// written by each commit.
pub const STATE_ROW: &str = "state";

/// The value of [`STATE_ROW`]: generation, epoch, then epoch and kept height
/// plus one (0: nothing was kept) of each rewind; 8 bytes each,
/// little-endian.
pub fn encode(index: &Index) -> Bytes {
    let mut out = Vec::with_capacity(16 + 16 * index.rewinds.len());
    out.extend_from_slice(&index.generation.to_le_bytes());
    out.extend_from_slice(&index.epoch.to_le_bytes());
    for rewind in &index.rewinds {
        out.extend_from_slice(&rewind.epoch.to_le_bytes());
        let kept = rewind.kept.map_or(0, |kept| kept + 1);
        out.extend_from_slice(&kept.to_le_bytes());
    }
    out.into()
}

/// An index without chunks from the state row; `None` before the first
/// commit.
pub async fn read(snapshot: &dyn Snapshot) -> Result<Option<Index>, StoreError> {
    let Some(mut row) = meta(snapshot, STATE_ROW).await? else {
        return Ok(None);
    };
    if row.len() < 16 || row.len() % 16 != 0 {
        return Err(corrupt(format!("the state row is {} bytes", row.len())));
    }
    let (generation, epoch) = (row.get_u64_le(), row.get_u64_le());
    let mut rewinds = Vec::with_capacity(row.len() / 16);
    while row.has_remaining() {
        rewinds.push(Rewind {
            epoch: row.get_u64_le(),
            kept: row.get_u64_le().checked_sub(1),
        });
    }
    Ok(Some(Index {
        generation,
        epoch,
        rewinds,
        chunks: Chunks::default(),
    }))
}
