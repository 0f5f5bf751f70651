//! A few recorded mainnet blocks, with their real proof-of-work. Where they
//! come from is in `data/README.md`.

use std::{ops::Range, sync::Arc};

use super::{
    chain::{Block, Chain},
    generator::digest::sha256d,
};

/// Records back to back, numbers little-endian: height (u32), bytes of the
/// block (u32), transactions (u32), then per transaction its id (32 bytes,
/// internal order) and its length (u32), then the block.
const SAMPLE: &[u8] = include_bytes!("../../data/mainnet-sample.bin");
/// Mainnet's first blocks are consecutive up to this height.
const CONSECUTIVE: u64 = 10;

/// Mainnet blocks 0 to 10.
pub fn mainnet_sample() -> Chain {
    let blocks = records().filter(|block| block.height <= CONSECUTIVE);
    Chain {
        blocks: blocks.map(Arc::new).collect(),
    }
}

/// Later mainnet blocks in ascending height, some of them in linked runs. One
/// alone can be checked for its hash, target, solution and Merkle root; its
/// place in the chain and its difficulty cannot.
pub fn mainnet_scattered() -> Vec<Block> {
    records()
        .filter(|block| block.height > CONSECUTIVE)
        .collect()
}

fn records() -> impl Iterator<Item = Block> {
    let mut rest = SAMPLE;
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| read(&mut rest).expect("the sample file is whole"))
    })
}

/// Takes one record off the front; `None` when it is cut short.
fn read(rest: &mut &'static [u8]) -> Option<Block> {
    let height = number(rest)?;
    let size = number(rest)? as usize;
    let count = number(rest)?;
    let mut txids = Vec::new();
    let mut lengths = Vec::new();
    for _ in 0..count {
        txids.push(*rest.split_off(..32)?.as_array()?);
        lengths.push(number(rest)? as usize);
    }
    let raw = rest.split_off(..size)?;
    let txs = ranges(size, &lengths)?;
    // The header ends where the number of transactions begins.
    let header = txs.first()?.start.checked_sub(count_size(count))?;
    Some(Block {
        height: height.into(),
        hash: sha256d(raw.get(..header)?),
        prev: *raw.get(4..36)?.as_array()?,
        time: u32::from_le_bytes(*raw.get(100..104)?.as_array()?),
        raw: bytes::Bytes::from_static(raw),
        txids,
        txs,
        trees: None,
    })
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*rest.split_off(..4)?.as_array()?))
}

/// The transactions stand at the end of the block, without gaps.
fn ranges(size: usize, lengths: &[usize]) -> Option<Vec<Range<usize>>> {
    let mut start = size.checked_sub(lengths.iter().sum())?;
    let next = |length: &usize| {
        let range = start..start + length;
        start = range.end;
        range
    };
    Some(lengths.iter().map(next).collect())
}

/// Bytes of a CompactSize.
fn count_size(count: u32) -> usize {
    match count {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        _ => 5,
    }
}
