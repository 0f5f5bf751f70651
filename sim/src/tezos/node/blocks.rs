//! Blocks, headers and operations.

use heliostat_tezos_verifier::{BlockHash, Header, OperationHash};
use serde_json::{Value, json};

use super::{Lie, reply::Reply, route::chain_id, state, view::View};
use crate::tezos::{operations::Operation, world::Block};

/// Most operations and bytes of the four passes, as on mainnet.
const PASSES: [(u32, u32); 4] = [
    (4_194_304, 2_048),
    (32_768, 32),
    (135_168, 132),
    (524_288, 1_000),
];

/// Answers what is asked about a block, apart from its state.
pub(super) fn answer(view: &View, block: &Block, id: &str, tail: &[&str]) -> Reply {
    match tail {
        [] => whole(view, block, id),
        ["hash"] => Reply::json(named_hash(view, block, id)),
        ["header", form @ ..] => header(view, block, id, form),
        ["protocols"] => {
            let (protocol, next) = protocols(view, block);
            Reply::json(json!({ "protocol": protocol, "next_protocol": next }))
        }
        ["metadata"] => match metadata(view, block) {
            Some(metadata) => Reply::json(metadata),
            None => Reply::status(404),
        },
        ["resulting_context_hash"] => {
            let mut commit = view.world.commit(block);
            if view.tells(Lie::Context) {
                commit.0[0] ^= 1 + view.plot() as u8;
            }
            Reply::json(commit)
        }
        ["operation_hashes", place @ ..] => operation_hashes(view, block, place),
        ["operations", place @ ..] => operations(view, block, place),
        ["live_blocks"] => live_blocks(view, block),
        _ => Reply::status(404),
    }
}

/// The hash that a block is given.
pub(super) fn named_hash(view: &View, block: &Block, id: &str) -> BlockHash {
    let by_hash = id.parse::<BlockHash>().is_ok();
    match view.tells(Lie::Hash) && !by_hash && block.level > 0 {
        true => block.header.predecessor,
        false => block.hash,
    }
}

fn protocols(view: &View, block: &Block) -> (String, String) {
    if view.tells(Lie::Protocols) {
        let other = |protocol: &heliostat_tezos_verifier::ProtocolHash| {
            let mut other = *protocol;
            other.0[31] ^= 1 + view.plot() as u8;
            other.to_string()
        };
        return (other(&block.protocol), other(&block.next_protocol));
    }
    (block.protocol.to_string(), block.next_protocol.to_string())
}

fn header(view: &View, block: &Block, id: &str, form: &[&str]) -> Reply {
    let header = view.header(block);
    match form {
        [] => match header_json(view, block, &header, id) {
            Some(json) => Reply::json(json),
            None => Reply::status(404),
        },
        ["raw"] => Reply::json(header.raw_hex()),
        ["shell"] => Reply::json(header.shell_json()),
        ["protocol_data"] => match header.protocol_data_json(&block.protocol) {
            Ok(json) => Reply::json(json),
            Err(_) => Reply::status(404),
        },
        ["protocol_data", "raw"] => Reply::json(header.protocol_data_hex()),
        _ => Reply::status(404),
    }
}

/// `/header`; of genesis, which has no protocol data, the shell part.
fn header_json(view: &View, block: &Block, header: &Header, id: &str) -> Option<Value> {
    let mut json = match block.level {
        0 => {
            let mut json = header.shell_json();
            json["protocol"] = json!(block.protocol);
            json
        }
        _ => header.json(&view.world.chain_id(), &block.protocol).ok()?,
    };
    json["chain_id"] = json!(chain_id(view));
    json["hash"] = json!(named_hash(view, block, id));
    Some(json)
}

fn whole(view: &View, block: &Block, id: &str) -> Reply {
    let header = view.header(block);
    let Some(Value::Object(mut fields)) = header_json(view, block, &header, id) else {
        return Reply::status(404);
    };
    let mut block_json = serde_json::Map::new();
    for name in ["protocol", "chain_id", "hash"] {
        if let Some(value) = fields.remove(name) {
            block_json.insert(name.to_owned(), value);
        }
    }
    block_json.insert("header".to_owned(), Value::Object(fields));
    if let Some(metadata) = metadata(view, block) {
        block_json.insert("metadata".to_owned(), metadata);
    }
    let mut passes: Vec<Vec<Value>> = told_operations(view, block);
    if view.tells(Lie::OperationHashes)
        && let Some(pass) = passes.iter_mut().rev().find(|pass| !pass.is_empty())
    {
        pass.pop();
    }
    block_json.insert("operations".to_owned(), json!(passes));
    Reply::json(block_json)
}

fn metadata(view: &View, block: &Block) -> Option<Value> {
    let state = view.plain_state(block)?;
    let row = |path: &[&str]| -> Value {
        let text = state::text(view, &state, block, path);
        text.and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or(Value::Null)
    };
    let passes = PASSES[..block.operations.len().min(PASSES.len())]
        .iter()
        .map(|(size, count)| json!({ "max_size": size, "max_op": count }))
        .collect::<Vec<_>>();
    let (protocol, next) = protocols(view, block);
    Some(json!({
        "protocol": protocol,
        "next_protocol": next,
        "test_chain_status": { "status": "not_running" },
        "max_operations_ttl": view.world.numbers().max_operations_time_to_live,
        "max_operation_data_length": 32_768,
        "max_block_header_length": 289,
        "max_operation_list_length": passes,
        "level_info": row(&["helpers", "current_level"]),
        "voting_period_info": row(&["votes", "current_period"]),
        "nonce_hash": Value::Null,
        "deactivated": [],
        "balance_updates": [],
        "liquidity_baking_toggle_ema": 0,
        "implicit_operations_results": [],
        "consumed_milligas": "0",
    }))
}

fn operation_hashes(view: &View, block: &Block, place: &[&str]) -> Reply {
    let mut passes: Vec<Vec<OperationHash>> = block.operation_hashes();
    if view.tells(Lie::OperationHashes)
        && let Some(pass) = passes.iter_mut().rev().find(|pass| !pass.is_empty())
    {
        pass.pop();
    }
    part(&json!(passes), place)
}

fn operations(view: &View, block: &Block, place: &[&str]) -> Reply {
    part(&json!(told_operations(view, block)), place)
}

/// A list of lists, one of its lists, or one thing in it.
fn part(passes: &Value, place: &[&str]) -> Reply {
    let mut here = Some(passes);
    for at in place {
        let at = at.parse::<usize>().ok();
        here = at.and_then(|at| here?.get(at));
    }
    match here {
        Some(part) if place.len() <= 2 => Reply::json(part),
        _ => Reply::status(404),
    }
}

fn told_operations(view: &View, block: &Block) -> Vec<Vec<Value>> {
    let json = |(pass, operation): (usize, &Operation)| {
        let mut json = operation.json(&view.world.chain_id(), &block.protocol);
        json["chain_id"] = json!(chain_id(view));
        match view.lie {
            Some((Lie::Attestations, plot)) if pass == 0 => operation.spoil(&mut json, plot),
            Some((Lie::Operations, plot)) if pass == 3 => raise(&mut json, plot),
            _ => (),
        }
        json
    };
    let passes = block.operations.iter().enumerate();
    passes
        .map(|(pass, all)| all.iter().map(|one| json((pass, one))).collect())
        .collect()
}

/// Lets every transfer be of more than it is.
fn raise(operation: &mut Value, plot: super::Plot) {
    let contents = operation["contents"].as_array_mut();
    for content in contents.into_iter().flatten() {
        let amount = content["amount"]
            .as_str()
            .and_then(|text| text.parse::<u64>().ok());
        if let Some(amount) = amount {
            content["amount"] = json!((amount + 1 + plot).to_string());
        }
    }
}

/// The blocks that an operation may build on, newest first.
fn live_blocks(view: &View, block: &Block) -> Reply {
    let most = usize::try_from(view.world.numbers().max_operations_time_to_live).unwrap_or(0);
    let blocks = view.world.blocks().iter().rev();
    let hashes: Vec<_> = blocks
        .skip_while(|one| one.level > block.level)
        .take(most + 1)
        .map(|one| one.hash)
        .collect();
    Reply::json(hashes)
}
