//! Which path is which call.

use std::sync::Arc;

use http::Method;
use serde_json::json;

use super::{
    Lie, blocks, heads, posts, reply::Reply, request::Asked, server::Shared, state, view::View,
};

/// The name of a sandbox's network: clients take it for one by this.
const NETWORK: &str = "SANDBOXED_TEZOS";

/// Answers a request.
pub(super) fn route(shared: &Arc<Shared>, asked: &Asked) -> Reply {
    let segments = asked.segments();
    let view = shared.view();
    if let Some(status) = view.manner.refuses(&segments) {
        return Reply::status(status);
    }
    if view.manner.json_only && !asked.json {
        return Reply::status(406);
    }
    if asked.method == Method::POST {
        return posts::answer(&view, asked, &segments);
    }
    if asked.method != Method::GET {
        return Reply::status(405);
    }
    match segments.as_slice() {
        ["version"] => version(),
        ["chains", chain, tail @ ..] | ["monitor", "heads", chain, tail @ ..]
            if !is_ours(&view, chain) =>
        {
            let _ = tail;
            Reply::status(404)
        }
        ["chains", _, "blocks", id, tail @ ..] => block(&view, asked, id, tail),
        ["chains", _, tail @ ..] => chain(&view, tail),
        ["monitor", "heads", _] => heads::stream(shared),
        ["monitor", "bootstrapped"] => {
            let head = view.head();
            let time = view.header(head).shell_json()["timestamp"].clone();
            Reply::json(json!({ "block": head.hash, "timestamp": time }))
        }
        ["network", "self"] => Reply::text("\"idsimulatedsimulatedsimulated\""),
        ["network", "connections" | "peers" | "points"] => Reply::text("[]"),
        _ => Reply::status(404),
    }
}

/// Whether a chain's name is that of the one the node is on.
fn is_ours(view: &View, chain: &str) -> bool {
    chain == "main" || chain == chain_id(view) || chain == view.world.chain_id().to_string()
}

/// The chain's id, as the node tells it.
pub(super) fn chain_id(view: &View) -> String {
    let mut id = view.world.chain_id();
    if view.tells(Lie::ChainId) {
        id.0[3] ^= 1 + view.plot() as u8;
    }
    id.to_string()
}

fn version() -> Reply {
    Reply::json(json!({
        "version": { "product": "octez", "major": 25, "minor": 1, "build": 0, "additional_info": "release" },
        "network_version": { "chain_name": NETWORK, "distributed_db_version": 2, "p2p_version": 1 },
        "commit_info": { "commit_hash": "00000000", "commit_date": "2026-08-21 00:00:00 +0000" },
    }))
}

fn chain(view: &View, tail: &[&str]) -> Reply {
    let named = |block: Option<Arc<super::super::Block>>| match block {
        Some(block) => Reply::json(json!({ "block_hash": block.hash, "level": block.level })),
        None => Reply::status(404),
    };
    match tail {
        ["chain_id"] => Reply::json(chain_id(view)),
        ["is_bootstrapped"] => Reply::json(json!({ "bootstrapped": true, "sync_state": "synced" })),
        ["blocks"] => Reply::json([[view.head().hash]]),
        ["checkpoint"] => named(view.block("checkpoint")),
        ["levels", name @ ("checkpoint" | "savepoint" | "caboose")] => named(view.block(name)),
        ["invalid_blocks"] => Reply::text("[]"),
        ["mempool", "pending_operations"] => Reply::json(posts::pending(view)),
        ["mempool", "filter"] => Reply::json(json!({
            "minimal_fees": "100",
            "minimal_nanotez_per_gas_unit": ["100", "1"],
            "minimal_nanotez_per_byte": ["1000", "1"],
            "replace_by_fee_factor": ["21", "20"],
            "max_operations": 10000,
            "max_total_bytes": 10_000_000,
        })),
        ["protocols"] => Reply::json([view.world.protocol()]),
        _ => Reply::status(404),
    }
}

fn block(view: &View, asked: &Asked, id: &str, tail: &[&str]) -> Reply {
    let Some(block) = view.block(id) else {
        return Reply::status(404);
    };
    match tail {
        ["context", "merkle_tree_v2", key @ ..] => state::merkle_tree_v2(view, asked, &block, key),
        ["context", "merkle_tree", key @ ..] => state::merkle_tree(view, asked, &block, key),
        ["context", "raw", "bytes", key @ ..] => state::raw_bytes(view, asked, &block, key),
        ["context" | "helpers" | "votes", ..] => state::row(view, asked, &block, tail),
        _ => blocks::answer(view, &block, id, tail),
    }
}
