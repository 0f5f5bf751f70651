//! The frames of a chunk, and where each begins.

use std::ops::Range;

use bytes::Bytes;
use heliostat_core::Id;

use super::{Broken, open_blob};

/// Complete gRPC frames of consecutive blocks, back to back: flag byte 0,
/// 4-byte big-endian length, `CompactBlock`.
#[derive(Clone, Debug)]
pub struct Frames {
    /// The id of the last block.
    pub last: Id,
    /// Where each frame ends in `frames`, as 4-byte little-endian offsets.
    ends: Bytes,
    frames: Bytes,
}

impl Frames {
    /// Reads a blob of `full` or `shielded`; checks its checksum and that the
    /// offsets are in order.
    pub fn decode(blob: Bytes) -> Result<Self, Broken> {
        let (count, last, mut rest) = open_blob("a row of frames", blob)?;
        let table = usize::try_from(count).ok().and_then(|n| n.checked_mul(4));
        let table = table.filter(|length| *length <= rest.len());
        let ends = rest.split_to(table.ok_or("a row of frames ends in its offsets")?);
        let frames = Self {
            last,
            ends,
            frames: rest,
        };
        let (ends, _) = frames.ends.as_chunks::<4>();
        let ordered = ends.is_sorted_by_key(|end| u32::from_le_bytes(*end));
        if !ordered || frames.end(frames.count() - 1) != frames.frames.len() {
            return Err("the offsets of a row of frames do not fit its frames".into());
        }
        Ok(frames)
    }

    /// How many blocks.
    pub fn count(&self) -> usize {
        self.ends.len() / 4
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        self.ends.len() + self.frames.len()
    }

    fn end(&self, index: usize) -> usize {
        let end = &self.ends[4 * index..4 * index + 4];
        u32::from_le_bytes([end[0], end[1], end[2], end[3]]) as usize
    }

    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.end(before))
    }

    /// The frames of some blocks, counted from the first of the chunk, as one
    /// slice of the shared buffer. `blocks` must lie within the chunk.
    pub fn slice(&self, blocks: Range<usize>) -> Bytes {
        if blocks.is_empty() {
            return Bytes::new();
        }
        self.frames
            .slice(self.start(blocks.start)..self.end(blocks.end - 1))
    }

    /// The frame of one block, counted from the first of the chunk.
    pub fn frame(&self, index: usize) -> &[u8] {
        &self.frames[self.start(index)..self.end(index)]
    }

    /// How many of `blocks`, from the first on, have frames of no more than
    /// `most` bytes together; at least one.
    pub fn fitting(&self, blocks: Range<usize>, most: usize) -> usize {
        let start = self.start(blocks.start);
        let mut low = blocks.start + 1;
        let mut high = blocks.end;
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.end(middle - 1) - start <= most {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low - blocks.start
    }

    /// The same from the last of `blocks` downwards.
    pub fn fitting_back(&self, blocks: Range<usize>, most: usize) -> usize {
        let end = self.end(blocks.end - 1);
        let mut low = 1;
        let mut high = blocks.len();
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if end - self.start(blocks.end - middle) <= most {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }
}
