//! Runs of wire frames, as slices of stored chunks where the request allows.
//!
//! | asked for | how a piece is made |
//! |---|---|
//! | shielded pools or all four, ascending | a slice of the chunk: no copy |
//! | the same, descending | one buffer per piece, frames copied last to first |
//! | other pools, nullifiers | one buffer per piece, filled by [`Filter`] |
//!
//! A descending piece is copied rather than handed out frame by frame: HTTP/2
//! copies small frames into its own buffer anyway, and one allocation per
//! piece is less than one reference count per block.
//!
//! Subsets of the shielded pools, and nullifiers, are filtered from the
//! shielded frames, which hold all of their parts and are the smaller half.

use std::ops::{Range, RangeInclusive};

use bytes::Bytes;
use heliostat_core::Assurance;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    chunk::{ChunkInfo, Frames},
    filter::{Filter, Malformed, PREFIX, Pools},
    replica::defaults::SLICE_BYTES,
    view::{Blob, Part, ReadError, View, corrupt},
};

/// What of each block is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Projection {
    /// Every transaction with all its parts, as GetBlock gives it.
    Full,
    /// Sapling, Orchard and Ironwood; other transactions dropped.
    Shielded,
    /// Anything else.
    Filtered(Filter),
}

impl Projection {
    /// What GetBlockRange gives for a set of pools.
    pub fn pools(pools: Pools) -> Self {
        match pools {
            Pools::SHIELDED => Self::Shielded,
            pools => Self::Filtered(Filter::pools(pools)),
        }
    }

    /// What GetBlockRangeNullifiers gives for a request's `poolTypes`:
    /// transparent is taken out of the list, and when that leaves it empty,
    /// all shielded pools are meant.
    pub fn range_nullifiers(types: &[i32]) -> Self {
        const TRANSPARENT: i32 = 1;
        let left: Vec<i32> = types
            .iter()
            .copied()
            .filter(|t| *t != TRANSPARENT)
            .collect();
        Self::Filtered(Filter {
            pools: Pools::requested(&left),
            nullifiers: true,
            keep_empty: false,
        })
    }

    /// What GetBlockNullifiers gives: every transaction stays.
    pub fn block_nullifiers() -> Self {
        Self::Filtered(Filter {
            pools: Pools::ALL,
            nullifiers: true,
            keep_empty: true,
        })
    }

    /// The stored frames this is made from.
    fn part(&self) -> Part {
        match self {
            Self::Full => Part::Full,
            Self::Shielded => Part::Shielded,
            Self::Filtered(filter) => {
                if Pools::SHIELDED.contains(filter.pools) && !filter.keep_empty {
                    Part::Shielded
                } else {
                    Part::Full
                }
            }
        }
    }

    /// What has to be done to the frames of a chunk.
    fn work(&self, chunk: &ChunkInfo) -> Option<Filter> {
        match self {
            Self::Filtered(filter) if *filter == Filter::pools(Pools::ALL) && !chunk.bare => None,
            Self::Filtered(filter) => Some(*filter),
            Self::Full | Self::Shielded => None,
        }
    }
}

/// Consecutive frames in the order asked for.
#[derive(Clone, Debug)]
pub struct Slab {
    /// Whole frames, at most [`SLICE_BYTES`] unless a single block is larger.
    pub bytes: Bytes,
    /// The heights they hold, lower first whatever the order of the frames.
    pub heights: RangeInclusive<u64>,
    /// The lowest cap of these blocks.
    pub cap: Assurance,
}

/// The chunk that is being read.
struct Open {
    chunk: ChunkInfo,
    frames: Frames,
    work: Option<Filter>,
}

/// A run of frames, read chunk by chunk with the next chunk loading ahead.
pub struct FrameStream {
    view: View,
    projection: Projection,
    /// The next height; `None` at the end.
    next: Option<u64>,
    /// The last height, included.
    end: u64,
    descending: bool,
    /// The greatest height that may be sent: a rewind below it ends the run.
    highest: u64,
    open: Option<Open>,
    /// Loads the chunk after the open one.
    ahead: Option<AbortOnDropHandle<()>>,
}

impl FrameStream {
    pub(crate) fn new(view: View, start: u64, end: u64, projection: Projection) -> Self {
        let tip = view.tip().map_or(0, |tip| tip.height);
        Self {
            projection,
            next: Some(start),
            end,
            descending: start > end,
            highest: start.max(end).min(tip),
            open: None,
            ahead: None,
            view,
        }
    }

    /// The view the run is pinned to.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The next piece; `None` after the last. After an error the run is over.
    pub async fn next(&mut self) -> Result<Option<Slab>, ReadError> {
        let Some(height) = self.next.take() else {
            return Ok(None);
        };
        if self.view.touched(self.highest) {
            return Err(ReadError::Reorged);
        }
        if self.view.tip().is_none_or(|tip| height > tip.height) {
            return Err(ReadError::Missing(height));
        }
        let open = match self.open.take() {
            Some(open) if open.chunk.holds(height) => open,
            _ => self.load(height).await?,
        };
        let slab = self.piece(&open, height)?;
        let heights = slab.0.clone();
        self.next = if self.descending {
            heights
                .start()
                .checked_sub(1)
                .filter(|_| *heights.start() > self.end)
        } else {
            Some(heights.end() + 1).filter(|_| *heights.end() < self.end)
        };
        let whole = heights.clone().count() as u64 == u64::from(open.chunk.count);
        let cap = if whole || open.chunk.cap == Assurance::Proven {
            open.chunk.cap
        } else {
            self.view.lowest_cap(heights.clone()).await?
        };
        self.open = Some(open);
        Ok(Some(Slab {
            bytes: slab.1,
            heights,
            cap,
        }))
    }

    /// Opens the chunk that holds a height, and starts on the one after it.
    async fn load(&mut self, height: u64) -> Result<Open, ReadError> {
        let part = self.projection.part();
        // Chunks may have been merged since: the newest index finds them, and
        // it holds the same blocks, or this run would be over.
        self.view.follow(self.highest)?;
        let (chunk, blob) = self.view.read(part, height, self.highest).await?;
        let Blob::Frames(frames) = blob else {
            return Err(corrupt("frames were expected".into()).into());
        };
        let neighbour = if self.descending {
            chunk.first.checked_sub(1).filter(|next| *next >= self.end)
        } else {
            Some(chunk.last.height + 1).filter(|next| *next <= self.end)
        };
        self.ahead = neighbour
            .and_then(|next| self.view.prefetch(part, next))
            .map(AbortOnDropHandle::new);
        Ok(Open {
            work: self.projection.work(&chunk),
            chunk,
            frames,
        })
    }

    /// The next frames of the open chunk, from `height` on.
    fn piece(&self, open: &Open, height: u64) -> Result<(RangeInclusive<u64>, Bytes), ReadError> {
        let first = open.chunk.first;
        let blocks = if self.descending {
            let low = self.end.max(first);
            let blocks = (low - first) as usize..(height - first) as usize + 1;
            let fits = open.frames.fitting_back(blocks.clone(), SLICE_BYTES);
            blocks.end - fits..blocks.end
        } else {
            let high = self.end.min(open.chunk.last.height);
            let blocks = (height - first) as usize..(high - first) as usize + 1;
            let fits = open.frames.fitting(blocks.clone(), SLICE_BYTES);
            blocks.start..blocks.start + fits
        };
        let heights = first + blocks.start as u64..=first + blocks.end as u64 - 1;
        let bytes = self
            .render(open, blocks)
            .map_err(|broken| corrupt(format!("chunk {first}: {broken}")))?;
        Ok((heights, bytes))
    }

    /// The frames of some blocks of the open chunk as they are sent.
    fn render(&self, open: &Open, blocks: Range<usize>) -> Result<Bytes, Malformed> {
        let stored = open.frames.slice(blocks.clone());
        if open.work.is_none() && !self.descending {
            return Ok(stored);
        }
        let mut out = Vec::with_capacity(stored.len());
        match (open.work, self.descending) {
            (Some(filter), false) => filter.frames(&stored, &mut out)?,
            (Some(filter), true) => {
                for block in blocks.rev() {
                    filter.frames(open.frames.frame(block), &mut out)?;
                }
            }
            (None, _) => {
                for block in blocks.rev() {
                    out.extend_from_slice(open.frames.frame(block));
                }
            }
        }
        if out.len() < stored.len() / 2 {
            out.shrink_to_fit();
        }
        Ok(out.into())
    }
}

/// One block, without what a run of them has to remember: for a single call
/// that would be a good part of the work.
pub(crate) async fn single(
    view: &View,
    height: u64,
    projection: Projection,
) -> Result<Slab, ReadError> {
    if view.touched(height) {
        return Err(ReadError::Reorged);
    }
    let part = projection.part();
    // Boxed, so that the usual answer does not carry the state of the rare one.
    let (chunk, blob) = match view.cached(part, height) {
        Some(found) => found,
        None => Box::pin(view.read(part, height, height)).await?,
    };
    let Blob::Frames(frames) = blob else {
        return Err(corrupt("frames were expected".into()).into());
    };
    let cap = if chunk.count == 1 || chunk.cap == Assurance::Proven {
        chunk.cap
    } else {
        Box::pin(view.lowest_cap(height..=height)).await?
    };
    let block = (height - chunk.first) as usize;
    let stored = frames.slice(block..block + 1);
    let bytes = match projection.work(&chunk) {
        None => stored,
        Some(filter) => {
            let mut out = Vec::with_capacity(stored.len());
            let done = filter.frames(&stored, &mut out);
            done.map_err(|broken| corrupt(format!("block {height}: {broken}")))?;
            out.into()
        }
    };
    Ok(Slab {
        bytes,
        heights: height..=height,
        cap,
    })
}

/// The message of a slab that holds one frame.
pub(crate) fn only_message(slab: &Slab) -> Option<Bytes> {
    (slab.bytes.len() >= PREFIX).then(|| slab.bytes.slice(PREFIX..))
}
