//! What clients send: operations to inject, to simulate, to forge.

use heliostat_tezos_context::{Tree, hash::blake2b};
use heliostat_tezos_protocol::{ContractId, Protocol};
use heliostat_tezos_verifier::{BlockHash, OperationHash};
use serde_json::{Value, json};

use super::{
    Lie,
    reply::{Reply, error},
    request::Asked,
    view::View,
};
use crate::tezos::{
    manager::{self, Manager, Refused, Signed},
    operations::{self, Operation},
    world::{balance_key, read_n},
};

/// Answers a POST.
pub(super) fn answer(view: &View, asked: &Asked, segments: &[&str]) -> Reply {
    match segments {
        ["injection", "operation"] => inject(view, asked),
        ["chains", _, "blocks", id, "helpers", tail @ ..] => {
            let Some(block) = view.block(id) else {
                return Reply::status(404);
            };
            let Some(state) = view.plain_state(&block) else {
                return Reply::status(404);
            };
            let Some(body) = asked.json_body() else {
                return Reply::bad("the body is not JSON");
            };
            match tail {
                ["scripts", "run_operation" | "simulate_operation"] => {
                    simulate(view, &state, &body["operation"])
                }
                ["preapply", "operations"] => preapply(view, &state, &body),
                ["forge", "operations"] => forge(&body),
                _ => Reply::status(404),
            }
        }
        _ => Reply::status(404),
    }
}

/// The operations that wait, as the mempool lists them.
pub(super) fn pending(view: &View) -> Value {
    let pending = view.network.pending();
    let operations = pending.iter().filter_map(Operation::injected);
    let (chain, protocol) = (view.world.chain_id(), view.world.protocol());
    let validated: Vec<_> = operations.map(|one| one.json(&chain, &protocol)).collect();
    json!({
        "validated": validated,
        "applied": [],
        "refused": [],
        "outdated": [],
        "branch_refused": [],
        "branch_delayed": [],
        "unprocessed": [],
    })
}

/// `injection/operation`: taken when it could be applied after what waits
/// already.
fn inject(view: &View, asked: &Asked) -> Reply {
    let text = serde_json::from_slice::<String>(&asked.body).ok();
    let bytes = match text {
        Some(text) => hex::decode(text).ok(),
        // Bytes behind their length, in a body behind its own.
        None => framed(&asked.body).and_then(framed).map(<[u8]>::to_vec),
    };
    let Some(bytes) = bytes.map(bytes::Bytes::from) else {
        return Reply::bad("the operation is neither hex text nor bytes behind a length");
    };
    let Some(operation) = Operation::injected(&bytes) else {
        return Reply::error("permanent", "node.prevalidation.parse_error", json!({}));
    };
    let Ok(signed) = Signed::read(&operation.data) else {
        return Reply::error("permanent", "node.prevalidation.parse_error", json!({}));
    };
    if view.world.find(&operation.branch).is_none() {
        let id = protocol_id(view, "validate.operation.unknown_branch");
        return Reply::error("branch", &id, json!({ "branch": operation.branch }));
    }
    if !view.network.pending().contains(&bytes) {
        let applied = after_pending(view)
            .and_then(|state| signed.apply(&state, &operation.branch, &operation.data));
        if let Err(refused) = applied {
            let error = refusal(view, &refused);
            return Reply {
                status: 500,
                ..Reply::json(json!([error]))
            };
        }
        view.network.inject(bytes.clone());
    }
    let mut hash = OperationHash(blake2b(&[&bytes]));
    if view.tells(Lie::Injection) {
        hash.0[0] ^= 1 + view.plot() as u8;
    }
    match asked.binary {
        true => Reply::binary([&32_u32.to_be_bytes(), &hash.0[..]].concat()),
        false => Reply::json(hash),
    }
}

/// What stands behind its length in four bytes.
fn framed(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    (u32::from_be_bytes(*length) as usize == rest.len()).then_some(rest)
}

/// The state after the operations that wait.
fn after_pending(view: &View) -> Result<Tree, Refused> {
    let mut state = view.network.world().head().state.clone();
    for operation in view
        .network
        .pending()
        .iter()
        .filter_map(Operation::injected)
    {
        if let Ok(signed) = Signed::read(&operation.data)
            && let Ok(after) = signed.apply(&state, &operation.branch, &operation.data)
        {
            state = after;
        }
    }
    Ok(state)
}

/// An error's id with the protocol's name before it.
fn protocol_id(view: &View, name: &str) -> String {
    let protocol = Protocol::of(&view.world.protocol().to_string());
    let prefix = match protocol {
        Some(Protocol::Tallinn) => "proto.024-PtTALLiN",
        _ => "proto.025-PsUshuai",
    };
    format!("{prefix}.{name}")
}

fn refusal(view: &View, refused: &Refused) -> Value {
    let id = protocol_id(view, refused.name);
    error(refused.kind, &id, json!({ "msg": refused.words }))
}

/// `run_operation` and `simulate_operation`: nobody's signature is looked at.
fn simulate(view: &View, state: &Tree, operation: &Value) -> Reply {
    match contents_of(operation) {
        Ok(contents) => {
            let results = results(view, state, &contents);
            Reply::json(json!({ "contents": results }))
        }
        Err(words) => Reply::bad(&words),
    }
}

/// `preapply/operations`
fn preapply(view: &View, state: &Tree, body: &Value) -> Reply {
    let mut all = Vec::new();
    for operation in body.as_array().into_iter().flatten() {
        match contents_of(operation) {
            Ok(contents) => all.push(json!({
                "contents": results(view, state, &contents),
                "signature": operation["signature"],
            })),
            Err(words) => return Reply::bad(&words),
        }
    }
    Reply::json(all)
}

/// `forge/operations`: branch and contents, in hex.
fn forge(body: &Value) -> Reply {
    let branch = body["branch"].as_str();
    let branch = branch.and_then(|text| text.parse::<BlockHash>().ok());
    match (branch, contents_of(body)) {
        (Some(branch), Ok(contents)) => {
            let bytes = [&branch.as_bytes()[..], &manager::forge(&contents)].concat();
            Reply::json(hex::encode(bytes))
        }
        (None, _) => Reply::bad("the branch is no block's hash"),
        (_, Err(words)) => Reply::bad(&words),
    }
}

fn contents_of(operation: &Value) -> Result<Vec<Manager>, String> {
    let contents = operation["contents"].as_array();
    let contents = contents.filter(|contents| !contents.is_empty());
    let contents = contents.ok_or("the operation has no contents")?;
    contents.iter().map(Manager::from_json).collect()
}

/// Each content with what would become of it: all are applied, or those
/// before the first that fails are taken back and those after it skipped.
fn results(view: &View, state: &Tree, contents: &[Manager]) -> Vec<Value> {
    let mut after = state.clone();
    let mut failed: Option<(usize, Refused)> = None;
    let mut allocated = Vec::new();
    for (at, content) in contents.iter().enumerate() {
        allocated.push(allocates(&after, content));
        match manager::apply_all(std::slice::from_ref(content), &after) {
            Ok(next) => after = next,
            Err(refused) => {
                failed = Some((at, refused));
                break;
            }
        }
    }
    let result = |at: usize| match &failed {
        Some((first, refused)) if at == *first => {
            json!({ "status": "failed", "errors": [refusal(view, refused)] })
        }
        Some((first, _)) if at > *first => json!({ "status": "skipped" }),
        other => {
            let mut result = operations::applied();
            if other.is_some() {
                result["status"] = json!("backtracked");
            }
            if allocated[at] {
                result["allocated_destination_contract"] = json!(true);
            }
            result
        }
    };
    let contents = contents.iter().enumerate();
    contents
        .map(|(at, content)| {
            let mut json = content.json();
            json["metadata"] = json!({
                "balance_updates": [],
                "operation_result": result(at),
            });
            json
        })
        .collect()
}

/// Whether a transfer makes an account.
fn allocates(state: &Tree, content: &Manager) -> bool {
    match &content.what {
        manager::What::Transfer {
            to: to @ ContractId::Implicit(_),
            ..
        } => read_n(state, &balance_key(to)).is_none(),
        _ => false,
    }
}
