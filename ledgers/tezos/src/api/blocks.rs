//! What lies below a block. The block is resolved once, when the request
//! enters; everything the request reads is read at that block, also where it
//! is passed on.

use std::sync::Arc;

use axum::http::Method;

use super::{headers, operations, proofs, relay, reply::Reply, request::Asked, rows};
use crate::{
    block_id::BlockId,
    error::ReadError,
    light::{Core, resolve::At},
};

/// Steps of `/chains/CHAIN/blocks/BLOCK`.
const BLOCK_STEPS: usize = 4;

/// Answers a request below `/chains/CHAIN/blocks/BLOCK`.
pub(super) async fn serve(
    core: &Arc<Core>,
    asked: &Asked,
    block: &str,
    tail: &[&str],
) -> Result<Reply, ReadError> {
    if block.contains("..") {
        // Several blocks at once, which newer nodes know: nothing to pin.
        let why = "a range of blocks is not read by this release".to_owned();
        return relay::pass_on(core, asked, &asked.path, Some(why)).await;
    }
    let id = BlockId::parse(block).map_err(|error| {
        ReadError::BadRequest(format!(
            "Failed to parsed an argument in path. After \"/chains/main/blocks\", the value \"{block}\" is not acceptable for type \"block_id\": {error}"
        ))
    })?;
    let at = core.resolve(&id).await?;
    match serve_at(core, asked, &id, &at, tail).await {
        // The root was refuted while it was read: the one that refuted it is
        // known now.
        Err(ReadError::NoAgreement(_)) if !at.is_current() => {
            serve_at(core, asked, &id, &at.renewed(), tail).await
        }
        Err(ReadError::Unavailable(_)) if core.turns_out_genesis(&at.hash).await => {
            serve_at(core, asked, &id, &at, tail).await
        }
        done => done,
    }
}

async fn serve_at(
    core: &Arc<Core>,
    asked: &Asked,
    id: &BlockId,
    at: &At,
    tail: &[&str],
) -> Result<Reply, ReadError> {
    if asked.verb != Method::GET {
        return relay_at(core, asked, at, None).await;
    }
    let is_first =
        matches!(id, BlockId::Level(0) | BlockId::Genesis(0)) || core.is_genesis(&at.hash);
    let is_state = matches!(
        tail,
        ["hash"] | ["context", "raw" | "merkle_tree" | "merkle_tree_v2", ..]
    );
    if is_first && !is_state {
        let why = "the genesis block's header does not have its hash, which is chosen";
        return relay_at(core, asked, at, Some(why.to_owned())).await;
    }
    let local = match tail {
        ["hash"] => Some(Reply::json(
            format!("\"{}\"", at.hash),
            core.support_of(at).await,
        )),
        [] => Some(operations::block(core, asked, at).await?),
        ["header", form @ ..] => headers::serve(core, at, form).await?,
        ["protocols"] => Some(protocols(core, at).await?),
        ["resulting_context_hash"] => headers::resulting_context(core, at).await?,
        ["operation_hashes", place @ ..] => operations::hashes(core, at, place).await?,
        ["operations", place @ ..] => operations::whole(core, asked, at, place).await?,
        ["context", "merkle_tree_v2", key @ ..] => {
            Some(proofs::merkle_tree_v2(core, asked, at, key).await?)
        }
        ["context", "merkle_tree", key @ ..] => {
            Some(proofs::merkle_tree(core, asked, at, key).await?)
        }
        ["context", "raw", "bytes", key @ ..] => proofs::raw_bytes(core, asked, at, key).await?,
        _ => {
            return match rows::serve(core, asked, at, tail).await? {
                rows::Row::Reply(reply) => Ok(reply),
                rows::Row::Relay(reason) => relay_at(core, asked, at, reason).await,
            };
        }
    };
    match local {
        Some(reply) => Ok(reply),
        None => relay_at(core, asked, at, None).await,
    }
}

/// Passes a request on, with the block it is pinned to.
async fn relay_at(
    core: &Arc<Core>,
    asked: &Asked,
    at: &At,
    reason: Option<String>,
) -> Result<Reply, ReadError> {
    let tail = asked.raw_below(BLOCK_STEPS);
    let path = format!(
        "/chains/{}/blocks/{}{tail}{}",
        core.settings.chain,
        at.state.text,
        asked.raw_query()
    );
    relay::pass_on(core, asked, &path, reason).await
}

async fn protocols(core: &Arc<Core>, at: &At) -> Result<Reply, ReadError> {
    let header = core.fetch_header(&at.hash).await?;
    let (current, by) = core.own_protocol(at, &header).await?;
    let (next, next_by) = core.next_protocol(at).await?;
    let grade = by.min(next_by).min(core.grade_of_place(at));
    let json = format!("{{\"protocol\":\"{current}\",\"next_protocol\":\"{next}\"}}");
    Ok(Reply::json(json, grade))
}
