//! The block cache that `sync::run` wants, in memory.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use zcash_client_backend::{
    data_api::{
        chain::{BlockCache, BlockSource, error::Error},
        scanning::ScanRange,
    },
    proto::compact_formats::CompactBlock,
};
use zcash_protocol::consensus::BlockHeight;

/// Compact blocks by height.
#[derive(Default)]
pub struct MemoryCache {
    blocks: Mutex<BTreeMap<BlockHeight, CompactBlock>>,
}

impl MemoryCache {
    fn blocks(&self) -> MutexGuard<'_, BTreeMap<BlockHeight, CompactBlock>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockSource for MemoryCache {
    type Error = Infallible;

    fn with_blocks<F, W>(
        &self,
        from: Option<BlockHeight>,
        limit: Option<usize>,
        mut with_block: F,
    ) -> Result<(), Error<W, Infallible>>
    where
        F: FnMut(CompactBlock) -> Result<(), Error<W, Infallible>>,
    {
        let from = from.unwrap_or_else(|| BlockHeight::from_u32(0));
        let blocks = self.blocks();
        let blocks = blocks.range(from..).take(limit.unwrap_or(usize::MAX));
        blocks
            .map(|(_, block)| block.clone())
            .try_for_each(&mut with_block)
    }
}

#[async_trait]
impl BlockCache for MemoryCache {
    fn get_tip_height(&self, range: Option<&ScanRange>) -> Result<Option<BlockHeight>, Infallible> {
        let blocks = self.blocks();
        Ok(match range {
            Some(range) => blocks.range(range.block_range().clone()).next_back(),
            None => blocks.last_key_value(),
        }
        .map(|(height, _)| *height))
    }

    async fn read(&self, range: &ScanRange) -> Result<Vec<CompactBlock>, Infallible> {
        let blocks = self.blocks();
        let blocks = blocks.range(range.block_range().clone());
        Ok(blocks.map(|(_, block)| block.clone()).collect())
    }

    async fn insert(&self, new: Vec<CompactBlock>) -> Result<(), Infallible> {
        let new = new.into_iter().map(|block| (block.height(), block));
        self.blocks().extend(new);
        Ok(())
    }

    async fn delete(&self, range: ScanRange) -> Result<(), Infallible> {
        let range = range.block_range();
        self.blocks().retain(|height, _| !range.contains(height));
        Ok(())
    }
}
