//! The way from a head back to what is final already, block by block.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use heliostat_tezos_context::ContextHash;
use heliostat_tezos_verifier::BlockHash;

use super::Why;
use crate::{
    defaults,
    light::{Core, block::Link, pin::Root},
    links,
};

/// The blocks from `head` down to `level`, newest first, each with its level:
/// every one names the next as its predecessor. The block at that level is
/// `floor`, where that is known, and is not among them.
pub(super) async fn path(
    core: &Arc<Core>,
    head: &BlockHash,
    floor: Option<BlockHash>,
    level: i32,
) -> Result<Vec<(i32, BlockHash)>, Why> {
    let mut path: Vec<(i32, BlockHash)> = Vec::new();
    let mut at = *head;
    loop {
        let top = path.last().map_or(i32::MAX, |(level, _)| level - 1);
        if floor == Some(at) || (floor.is_none() && top == level) {
            return Ok(path);
        }
        if let Some(known) = core.headers.header(&at) {
            path.push((known.level, at));
            if known.level <= level {
                return Err(format!("head {head} does not descend from the checkpoint"));
            }
            at = known.predecessor;
            continue;
        }
        if i64::from(top) - i64::from(level) > i64::from(defaults::CHECKPOINT_DISTANCE) {
            return Err(format!(
                "the checkpoint at level {level} is more than {} blocks old; configure a newer one",
                defaults::CHECKPOINT_DISTANCE
            ));
        }
        at = read_down(core, &mut path, at, top, level).await?;
    }
}

/// Reads some headers from `top` down, which must be the chain that ends in
/// `expected`; returns the block that comes next.
async fn read_down(
    core: &Arc<Core>,
    path: &mut Vec<(i32, BlockHash)>,
    expected: BlockHash,
    top: i32,
    floor: i32,
) -> Result<BlockHash, Why> {
    let count = i32::try_from(defaults::CHECKPOINT_FETCHES).unwrap_or(i32::MAX);
    let lowest = (floor + 1).max(top.saturating_sub(count - 1));
    let levels = (lowest..=top).rev();
    let mut why = format!("the chain below level {top} does not lead to the checkpoint");
    for at in core.askable() {
        let mut next = expected;
        let mut read = stream::iter(levels.clone())
            .map(|level| async move {
                let chain = &core.settings.chain;
                let path = format!("/chains/{chain}/blocks/{level}/header/raw");
                core.read_header(at, &path).await
            })
            .buffered(defaults::CHECKPOINT_FETCHES);
        let mut taken = 0;
        while let Some(header) = read.next().await {
            match header {
                Ok(header) if header.hash() == next => {
                    path.push((header.level, next));
                    next = header.predecessor;
                    taken += 1;
                }
                Ok(_) => why = format!("{} is on another branch", core.endpoint(at).name()),
                Err(miss) => why = format!("{}: {}", core.endpoint(at).name(), miss.words),
            }
            if taken == 0 {
                break;
            }
        }
        if taken > 0 {
            return Ok(next);
        }
    }
    Err(why)
}

/// The block at a level of a path, and the one after it.
pub(super) fn at(path: &[(i32, BlockHash)], level: i32) -> Result<(BlockHash, BlockHash), Why> {
    let found = path.windows(2).find(|pair| pair[1].0 == level);
    found
        .map(|pair| (pair[1].1, pair[0].1))
        .ok_or_else(|| format!("the way to level {level} is not known"))
}

/// The blocks from `head` down to the one whose state has the checkpoint's
/// root, and that block: the header after it must commit to the root. That its
/// chain is the true one is only shown by a quorum above it.
pub(super) async fn path_to_root(
    core: &Arc<Core>,
    head: &BlockHash,
    level: u32,
    root: ContextHash,
) -> Result<(Vec<(i32, BlockHash)>, BlockHash), Why> {
    let signed = i32::try_from(level).map_err(|_| "the checkpoint's level is too high")?;
    let path = path(core, head, None, signed).await?;
    let (_, after) = *path.last().ok_or("the head is below the checkpoint")?;
    let next = super::header(core, &after).await?;
    let block = next.predecessor;
    let header = super::header(core, &block).await?;
    if header.level != signed || !links::commits(&header, &root, &next.context) {
        return Err(format!(
            "the header at level {} does not commit to the checkpoint's root",
            level.saturating_add(1)
        ));
    }
    let state = core.blocks.get(&block);
    if state.link() != Link::Checkpoint {
        state.pin(Root::Full(root), Link::Checkpoint);
    }
    Ok((path, block))
}
