//! The chunk index held in memory: where each height lies.

use std::sync::Arc;

use heliostat_core::Link;

use crate::{chunk::ChunkInfo, replica::defaults::REWIND_LOG};

/// Chunks per page. A new index shares every page but the last with the one
/// before it, so that a commit copies a few kilobytes however long the chain.
const PAGE: usize = 256;

/// Chunks in ascending height without gaps; cheap to clone and to change at
/// the end.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    pages: Vec<Arc<Vec<ChunkInfo>>>,
}

impl Chunks {
    /// Appends a chunk, which begins where the last one ends.
    pub fn push(&mut self, chunk: ChunkInfo) {
        match self.pages.last_mut() {
            Some(page) if page.len() < PAGE => Arc::make_mut(page).push(chunk),
            _ => self.pages.push(Arc::new(vec![chunk])),
        }
    }

    /// Takes the last chunk off.
    pub fn pop(&mut self) -> Option<ChunkInfo> {
        let page = self.pages.last_mut()?;
        let chunk = Arc::make_mut(page).pop();
        if page.is_empty() {
            self.pages.pop();
        }
        chunk
    }

    /// The chunk with the lowest heights.
    pub fn first(&self) -> Option<&ChunkInfo> {
        self.pages.first()?.first()
    }

    /// The chunk with the greatest heights.
    pub fn last(&self) -> Option<&ChunkInfo> {
        self.pages.last()?.last()
    }

    /// The chunk that holds a height.
    pub fn find(&self, height: u64) -> Option<&ChunkInfo> {
        let page = self
            .pages
            .partition_point(|page| page.last().is_some_and(|c| c.last.height < height));
        let page = self.pages.get(page)?;
        let at = page.partition_point(|chunk| chunk.last.height < height);
        page.get(at).filter(|chunk| chunk.holds(height))
    }

    /// From the greatest heights down.
    pub fn backward(&self) -> impl Iterator<Item = &ChunkInfo> {
        self.pages.iter().rev().flat_map(|page| page.iter().rev())
    }

    /// From the lowest heights up.
    pub fn forward(&self) -> impl Iterator<Item = &ChunkInfo> {
        self.pages.iter().flat_map(|page| page.iter())
    }
}

/// A rewind that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewind {
    /// The epoch it began.
    pub epoch: u64,
    /// The greatest height that outlived it; `None` when nothing did.
    pub kept: Option<u64>,
}

/// One committed state of the replica; never changed.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Grows by one with each commit.
    pub generation: u64,
    /// Grows by one with each rewind.
    pub epoch: u64,
    /// The last [`REWIND_LOG`] rewinds, oldest first.
    pub rewinds: Vec<Rewind>,
    /// Where the blocks are.
    pub chunks: Chunks,
}

impl Index {
    /// The newest block.
    pub fn tip(&self) -> Option<Link> {
        self.chunks.last().map(|chunk| chunk.last)
    }

    /// The lowest height.
    pub fn floor(&self) -> Option<u64> {
        self.chunks.first().map(|chunk| chunk.first)
    }

    /// Begins an epoch in which nothing above `kept` is left of the last one.
    pub fn rewind(&mut self, kept: Option<u64>) {
        self.epoch += 1;
        let epoch = self.epoch;
        self.rewinds.push(Rewind { epoch, kept });
        let excess = self.rewinds.len().saturating_sub(REWIND_LOG);
        self.rewinds.drain(..excess);
    }

    /// Whether a height up to `highest` may have changed since `epoch`. True
    /// also when that is too long ago to tell.
    pub fn touched(&self, epoch: u64, highest: u64) -> bool {
        let Some(missed) = self.epoch.checked_sub(epoch) else {
            return true;
        };
        let seen = self.rewinds.iter().filter(|rewind| rewind.epoch > epoch);
        let all_known = seen.clone().count() as u64 == missed;
        !all_known || seen.clone().any(|rewind| rewind.kept < Some(highest))
    }
}

#[cfg(test)]
mod tests {
    use heliostat_core::Assurance;

    use super::*;

    fn chunk(first: u64, count: u32) -> ChunkInfo {
        let last = Link {
            height: first + u64::from(count) - 1,
            id: Default::default(),
            parent: Default::default(),
            time: 0,
        };
        ChunkInfo {
            first,
            count,
            full: 0,
            shielded: 0,
            last,
            cap: Assurance::Proven,
            bare: false,
        }
    }

    #[test]
    fn every_height_is_found_in_its_chunk_across_pages() {
        let mut chunks = Chunks::default();
        for i in 0..(3 * PAGE as u64) {
            chunks.push(chunk(10 + 3 * i, 3));
        }
        let old = chunks.clone();
        for _ in 0..PAGE + 1 {
            chunks.pop();
        }
        let end = 10 + 3 * (2 * PAGE as u64 - 1);
        for height in 0..end + 20 {
            let found = chunks.find(height).map(|c| c.first);
            let expected = (10..end)
                .contains(&height)
                .then(|| height - (height - 10) % 3);
            assert_eq!(found, expected, "height {height}");
        }
        assert_eq!(chunks.forward().count(), 2 * PAGE - 1);
        assert!(
            chunks
                .backward()
                .map(|c| c.first)
                .is_sorted_by(|a, b| a > b)
        );
        assert!(
            old.find(end + 10).is_some(),
            "an older index is not changed"
        );
    }

    #[test]
    fn a_rewind_touches_what_lies_above_it_and_nothing_else() {
        let mut index = Index::default();
        index.rewind(Some(50));
        index.rewind(Some(80));
        assert!(index.touched(0, 51));
        assert!(!index.touched(0, 50));
        assert!(index.touched(1, 81));
        assert!(!index.touched(1, 80));
        assert!(!index.touched(2, 1000));
        for _ in 0..REWIND_LOG {
            index.rewind(Some(1000));
        }
        assert!(index.touched(1, 1), "older than the log counts as touched");
        assert!(!index.touched(2, 1000));
        index.rewind(None);
        assert!(index.touched(index.epoch - 1, 0));
    }
}
