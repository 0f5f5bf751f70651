//! How runs of blocks lie in the store.
//!
//! A *chunk* is a run of consecutive blocks. Its parts lie in parallel tables
//! under the same key, the height of its first block (8 bytes, big-endian):
//!
//! | table | value |
//! |---|---|
//! | `chunks` | [`ChunkInfo`]: what opening a replica and finding a block needs, no blob |
//! | `full` | [`Frames`] of all pools |
//! | `shielded` | [`Frames`] of Sapling, Orchard and Ironwood, the default of range requests |
//! | `records` | [`Records`]: a fixed-size [`Record`] per block |
//!
//! Two tables do not follow chunks, so that merging chunks leaves them alone:
//! `proofs` ([`ProofPage`]: raw headers and txids, [`PROOF_PAGE`] heights a
//! row) and `ids` (block id to height).
//!
//! Every blob begins with the CRC-32 of the rest, its block count and the id
//! of its last block: with the hash chain, that names its content, so a blob
//! can be checked against an index that was read at another moment.
//! All integers in values are little-endian.
//!
//! Why rows and not files is said, with its measurements, in
//! [`replica`](crate::replica).

mod build;
mod frames;
mod proof;

pub use build::{Builder, Built, Stored, weight};
pub use frames::Frames;
pub use proof::{Proof, ProofPage};

use bytes::{Buf, Bytes};
use heliostat_core::{Assurance, Id, Link};
use heliostat_store::Table;

use crate::replica::defaults::PROOF_PAGE;

/// Rows of [`ChunkInfo`].
pub const CHUNKS: Table = Table("chunks");
/// Frames of all pools.
pub const FULL: Table = Table("full");
/// Frames of the shielded pools.
pub const SHIELDED: Table = Table("shielded");
/// Rows of [`Record`]s.
pub const RECORDS: Table = Table("records");
/// Raw headers and txids.
pub const PROOFS: Table = Table("proofs");
/// Block id to height.
pub const IDS: Table = Table("ids");
/// Layout version, network, root and state.
pub const META: Table = Table("meta");

/// The tables a replica needs.
pub const TABLES: [Table; 7] = [CHUNKS, FULL, SHIELDED, RECORDS, PROOFS, IDS, META];

/// The key of a height.
pub fn key(height: u64) -> [u8; 8] {
    height.to_be_bytes()
}

/// The first height of the proof page that holds `height`.
pub fn page_of(height: u64) -> u64 {
    height - height % PROOF_PAGE
}

/// CRC-32, block count and last id in front of every blob.
const HEAD: usize = 4 + 4 + 32;

/// Why a stored value cannot be used, for [`StoreError::Corrupt`].
///
/// [`StoreError::Corrupt`]: heliostat_store::StoreError::Corrupt
pub type Broken = String;

/// Checks a blob's checksum; gives its block count, last id and the rest.
fn open_blob(what: &str, mut blob: Bytes) -> Result<(u32, Id, Bytes), Broken> {
    if blob.len() < HEAD {
        return Err(format!("{what} is only {} bytes long", blob.len()));
    }
    let stored = blob.get_u32_le();
    let found = crc32fast::hash(&blob);
    if stored != found {
        return Err(format!(
            "the checksum of {what} is {found:08x}, written was {stored:08x}"
        ));
    }
    let count = blob.get_u32_le();
    let mut last = [0; 32];
    blob.copy_to_slice(&mut last);
    if count == 0 {
        return Err(format!("{what} holds no block"));
    }
    Ok((count, Id(last), blob))
}

/// A buffer with room for the head, to be closed by [`close_blob`].
fn new_blob(count: u32, last: Id, capacity: usize) -> Vec<u8> {
    let mut blob = Vec::with_capacity(HEAD + capacity);
    blob.extend_from_slice(&[0; 4]);
    blob.extend_from_slice(&count.to_le_bytes());
    blob.extend_from_slice(&last.0);
    blob
}

fn close_blob(mut blob: Vec<u8>) -> Bytes {
    let checksum = crc32fast::hash(&blob[4..]);
    blob[..4].copy_from_slice(&checksum.to_le_bytes());
    blob.into()
}

/// What is known of one block besides its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The block's id, in internal byte order.
    pub id: Id,
    /// Header time, seconds since the Unix epoch.
    pub time: u64,
    /// Leaves of the Sapling, Orchard and Ironwood trees after the block.
    pub sizes: [u32; 3],
    /// Chain work up to and including the block.
    pub work: u128,
    /// CRC-32 of the compact block of all pools, taken when it was verified.
    pub full_crc: u32,
    /// CRC-32 of the shielded compact block.
    pub shielded_crc: u32,
    /// The best grade the block can have.
    pub cap: Assurance,
    /// Whether it holds a transaction with no part in any pool.
    pub bare: bool,
}

impl Record {
    /// Bytes of an encoded record.
    pub const SIZE: usize = 32 + 8 + 12 + 16 + 8 + 5 + 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.time.to_le_bytes());
        for size in self.sizes {
            out.extend_from_slice(&size.to_le_bytes());
        }
        out.extend_from_slice(&self.work.to_le_bytes());
        out.extend_from_slice(&self.full_crc.to_le_bytes());
        out.extend_from_slice(&self.shielded_crc.to_le_bytes());
        encode_cap(self.cap, out);
        out.push(self.bare.into());
    }

    fn decode(mut row: &[u8]) -> Self {
        Self {
            id: take_id(&mut row),
            time: row.get_u64_le(),
            sizes: [row.get_u32_le(), row.get_u32_le(), row.get_u32_le()],
            work: row.get_u128_le(),
            full_crc: row.get_u32_le(),
            shielded_crc: row.get_u32_le(),
            cap: take_cap(&mut row),
            bare: row.get_u8() != 0,
        }
    }
}

fn take_id(from: &mut &[u8]) -> Id {
    let mut id = [0; 32];
    from.copy_to_slice(&mut id);
    Id(id)
}

/// Kind, k and n; anything unknown reads as the lowest grade.
fn take_cap(from: &mut &[u8]) -> Assurance {
    let (kind, k, n) = (from.get_u8(), from.get_u16_le(), from.get_u16_le());
    match kind {
        2 => Assurance::Proven,
        1 => Assurance::agreed(k.into(), n.into()),
        _ => Assurance::Relayed,
    }
}

fn encode_cap(cap: Assurance, out: &mut Vec<u8>) {
    let (kind, k, n) = match cap {
        Assurance::Proven => (2, 0, 0),
        Assurance::Agreed { k, n } => (1, k, n),
        Assurance::Relayed => (0, 0, 0),
    };
    out.push(kind);
    out.extend_from_slice(&u16::to_le_bytes(k));
    out.extend_from_slice(&u16::to_le_bytes(n));
}

/// The [`Record`]s of a chunk.
#[derive(Clone, Debug)]
pub struct Records {
    /// The id of the last block.
    pub last: Id,
    /// The id of the block before the first.
    pub before: Id,
    rows: Bytes,
}

impl Records {
    /// Reads a blob of `records` and checks its checksum.
    pub fn decode(blob: Bytes) -> Result<Self, Broken> {
        let (count, last, mut rest) = open_blob("a row of records", blob)?;
        let expected = (count as usize)
            .checked_mul(Record::SIZE)
            .and_then(|rows| rows.checked_add(32));
        if expected != Some(rest.len()) {
            return Err(format!("{count} records do not take {} bytes", rest.len()));
        }
        let mut before = [0; 32];
        rest.copy_to_slice(&mut before);
        Ok(Self {
            last,
            before: Id(before),
            rows: rest,
        })
    }

    /// How many blocks.
    pub fn count(&self) -> usize {
        self.rows.len() / Record::SIZE
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        self.rows.len()
    }

    /// The record of a block, counted from the first of the chunk.
    pub fn get(&self, index: usize) -> Option<Record> {
        let start = index.checked_mul(Record::SIZE)?;
        let row = self.rows.get(start..start.checked_add(Record::SIZE)?)?;
        Some(Record::decode(row))
    }

    /// The id of the block before the one at `index`.
    pub fn parent(&self, index: usize) -> Option<Id> {
        match index.checked_sub(1) {
            Some(before) => self.get(before).map(|record| record.id),
            None => Some(self.before),
        }
    }
}

/// The row of a chunk in `chunks`, which is also its place in the index that
/// is held in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkInfo {
    /// Height of the first block; the key, not in the value.
    pub first: u64,
    /// Blocks, at least 1.
    pub count: u32,
    /// Bytes of the `full` frames.
    pub full: u32,
    /// Bytes of the `shielded` frames.
    pub shielded: u32,
    /// Position, id, parent and time of the last block.
    pub last: Link,
    /// The lowest cap of its blocks.
    pub cap: Assurance,
    /// Whether any of its blocks holds a transaction with no part in any
    /// pool.
    pub bare: bool,
}

impl ChunkInfo {
    const SIZE: usize = 3 * 4 + 32 + 32 + 8 + 5 + 1;

    /// The value under `key(first)`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::SIZE);
        for number in [self.count, self.full, self.shielded] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.last.id.0);
        out.extend_from_slice(&self.last.parent.0);
        out.extend_from_slice(&self.last.time.to_le_bytes());
        encode_cap(self.cap, &mut out);
        out.push(self.bare.into());
        out
    }

    /// Reads a row.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Self, Broken> {
        let first = <[u8; 8]>::try_from(key).map_err(|_| "a key of chunks is not a height")?;
        let first = u64::from_be_bytes(first);
        let mut row = value;
        if row.len() != Self::SIZE {
            return Err(format!("the row of chunk {first} is {} bytes", row.len()));
        }
        let (count, full, shielded) = (row.get_u32_le(), row.get_u32_le(), row.get_u32_le());
        let (id, parent, time) = (take_id(&mut row), take_id(&mut row), row.get_u64_le());
        let height = u64::from(count)
            .checked_sub(1)
            .and_then(|more| first.checked_add(more))
            .ok_or_else(|| format!("chunk {first} cannot hold {count} blocks"))?;
        Ok(Self {
            first,
            count,
            full,
            shielded,
            last: Link {
                height,
                id,
                parent,
                time,
            },
            cap: take_cap(&mut row),
            bare: row.get_u8() != 0,
        })
    }

    /// Whether the chunk holds a height.
    pub fn holds(&self, height: u64) -> bool {
        (self.first..=self.last.height).contains(&height)
    }
}

#[cfg(test)]
mod tests;
