//! Putting chunks together, from new blocks and from chunks that are merged.

use bytes::Bytes;
use heliostat_core::{Assurance, Id, Link};

use super::{ChunkInfo, Frames, Record, Records, close_blob, new_blob};
use crate::{
    filter::PREFIX,
    replica::defaults::{CHUNK_BLOCKS, CHUNK_BYTES},
};

/// What a chunk weighs against [`CHUNK_BYTES`]: its bytes, or its blocks when
/// they are tiny.
pub fn weight(full_bytes: u64, blocks: u64) -> u64 {
    full_bytes.max(blocks * (CHUNK_BYTES / CHUNK_BLOCKS))
}

impl ChunkInfo {
    /// Against [`CHUNK_BYTES`].
    pub fn weight(&self) -> u64 {
        weight(self.full.into(), self.count.into())
    }
}

/// A chunk ready to be written.
#[derive(Clone, Debug)]
pub struct Built {
    /// Its row in `chunks`.
    pub info: ChunkInfo,
    /// Its row in `full`.
    pub full: Bytes,
    /// Its row in `shielded`.
    pub shielded: Bytes,
    /// Its row in `records`.
    pub records: Bytes,
}

/// The frames of one projection while a chunk grows.
#[derive(Default)]
struct Growing {
    ends: Vec<u8>,
    frames: Vec<u8>,
}

impl Growing {
    fn push(&mut self, message: &[u8]) {
        self.frames.push(0);
        let length = message.len() as u32;
        self.frames.extend_from_slice(&length.to_be_bytes());
        self.frames.extend_from_slice(message);
        let end = self.frames.len() as u32;
        self.ends.extend_from_slice(&end.to_le_bytes());
    }

    /// The blob; leaves room for the next chunk.
    fn close(&mut self, last: Id) -> Bytes {
        let count = (self.ends.len() / 4) as u32;
        let mut blob = new_blob(count, last, self.ends.len() + self.frames.len());
        blob.extend_from_slice(&self.ends);
        blob.extend_from_slice(&self.frames);
        self.ends.clear();
        self.frames.clear();
        close_blob(blob)
    }
}

/// Cuts a run of blocks into chunks. One compact block is bounded by the
/// verifier to a few MiB, so the 4-byte offsets of a chunk cannot overflow.
pub struct Builder {
    /// Where the next chunk begins.
    first: u64,
    /// The id before it.
    before: Id,
    full: Growing,
    shielded: Growing,
    rows: Vec<u8>,
    last: Option<Link>,
    cap: Assurance,
    bare: bool,
    done: Vec<Built>,
}

impl Builder {
    /// The next block pushed has height `first`, and its parent is `before`.
    pub fn new(first: u64, before: Id) -> Self {
        Self {
            first,
            before,
            full: Growing::default(),
            shielded: Growing::default(),
            rows: Vec::new(),
            last: None,
            cap: Assurance::Proven,
            bare: false,
            done: Vec::new(),
        }
    }

    fn count(&self) -> u64 {
        (self.rows.len() / Record::SIZE) as u64
    }

    /// Appends a block: its record, and its compact blocks without prefix.
    pub fn push(&mut self, record: &Record, full: &[u8], shielded: &[u8]) {
        let parent = self.last.map_or(self.before, |link| link.id);
        self.last = Some(Link {
            height: self.first + self.count(),
            id: record.id,
            parent,
            time: record.time,
        });
        self.full.push(full);
        self.shielded.push(shielded);
        record.encode(&mut self.rows);
        self.cap = self.cap.min(record.cap);
        self.bare |= record.bare;
        if weight(self.full.frames.len() as u64, self.count()) >= CHUNK_BYTES {
            self.close();
        }
    }

    /// Appends the first `count` blocks of a stored chunk.
    pub fn append(&mut self, stored: &Stored, count: usize) {
        for index in 0..count {
            let Some(record) = stored.records.get(index) else {
                return;
            };
            let full = stored.full.slice(index..index + 1);
            let shielded = stored.shielded.slice(index..index + 1);
            self.push(&record, &full[PREFIX..], &shielded[PREFIX..]);
        }
    }

    fn close(&mut self) {
        let Some(last) = self.last.take() else {
            return;
        };
        let count = self.count() as u32;
        let mut records = new_blob(count, last.id, 32 + self.rows.len());
        records.extend_from_slice(&self.before.0);
        records.extend_from_slice(&self.rows);
        self.rows.clear();
        let info = ChunkInfo {
            first: self.first,
            count,
            full: self.full.frames.len() as u32,
            shielded: self.shielded.frames.len() as u32,
            last,
            cap: self.cap,
            bare: self.bare,
        };
        self.done.push(Built {
            info,
            full: self.full.close(last.id),
            shielded: self.shielded.close(last.id),
            records: close_blob(records),
        });
        self.first = last.height + 1;
        self.before = last.id;
        self.cap = Assurance::Proven;
        self.bare = false;
    }

    /// The chunks, in ascending height.
    pub fn finish(mut self) -> Vec<Built> {
        self.close();
        self.done
    }
}

/// A chunk read back from the store.
#[derive(Clone, Debug)]
pub struct Stored {
    /// All pools.
    pub full: Frames,
    /// The shielded pools.
    pub shielded: Frames,
    /// The records.
    pub records: Records,
}
