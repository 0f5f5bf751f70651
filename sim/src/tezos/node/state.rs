//! Proofs and values of a block's state, read from the node's own tree.

use heliostat_tezos_context::{Key, KeyError, Lookup, Proof, Tree, proof, raw, tree::Place, v1};
use heliostat_tezos_protocol::{
    Protocol,
    defaults::READ_ROUNDS,
    rpc::{self, Answer, Found, Outcome},
};
use serde_json::json;

use super::{Lie, reply::Reply, request::Asked, view::View};
use crate::tezos::world::Block;

/// A flag that is neither yes nor no.
const NO_FLAG: &str = "Failed to parse query string: Cannot parse query argument holey";

fn key(segments: &[&str]) -> Result<Key, KeyError> {
    Key::new(segments)
}

/// `context/merkle_tree_v2/KEY[?holey]`, in JSON or bytes.
pub(super) fn merkle_tree_v2(
    view: &View,
    asked: &Asked,
    block: &Block,
    segments: &[&str],
) -> Reply {
    let Ok(key) = key(segments) else {
        return Reply::status(404);
    };
    let Ok(holey) = asked.flag("holey") else {
        return Reply::bad(NO_FLAG);
    };
    let Some(state) = view.proven_state(block) else {
        return Reply::text("null");
    };
    let Ok(mut proof) = Proof::produce(&state, &key, holey) else {
        return Reply::status(500);
    };
    if view.tells(Lie::Value)
        && let Some(truth) = view.true_state(block)
    {
        (proof.before.hash, proof.after.hash) = (truth.hash(), truth.hash());
    }
    match asked.binary {
        true => Reply::binary(proof::binary::write_answer(Some(&proof))),
        false => Reply::text(proof::json::write(&proof)),
    }
}

/// `context/merkle_tree/KEY[?holey]`: JSON alone.
pub(super) fn merkle_tree(view: &View, asked: &Asked, block: &Block, segments: &[&str]) -> Reply {
    let Ok(key) = key(segments) else {
        return Reply::status(404);
    };
    let Ok(holey) = asked.flag("holey") else {
        return Reply::bad(NO_FLAG);
    };
    let Some(state) = view.proven_state(block) else {
        return Reply::status(404);
    };
    let made = v1::produce(&state, &key, holey);
    let text = made.ok().and_then(|made| v1::write(&made));
    match text {
        Some(text) => Reply::text(text),
        // An empty path, or one through a value: an exception in Octez.
        None => Reply::error("temporary", "failure", json!({ "msg": "merkle_tree" })),
    }
}

/// `context/raw/bytes/KEY[?depth]`
pub(super) fn raw_bytes(view: &View, asked: &Asked, block: &Block, segments: &[&str]) -> Reply {
    let Ok(key) = key(segments) else {
        return Reply::status(404);
    };
    let depth = match asked.value("depth").map(str::parse::<u32>) {
        None => None,
        Some(Ok(depth)) => Some(depth),
        Some(Err(_)) => return Reply::bad("Failed to parse query string: depth"),
    };
    let Some(state) = view.plain_state(block) else {
        return Reply::status(404);
    };
    let text = match state.get(&key.from_root()) {
        Place::Found(tree) => raw::write(&tree, depth),
        Place::Absent | Place::Unknown => None,
    };
    match text {
        Some(text) => Reply::text(text),
        None => Reply::status(404),
    }
}

/// A value of the context, in the text that a node prints.
pub(super) fn row(view: &View, asked: &Asked, block: &Block, tail: &[&str]) -> Reply {
    let Some(state) = view.plain_state(block) else {
        return Reply::status(404);
    };
    match tail {
        ["context", "contracts"] => names(&state, "contracts/index", contract),
        ["context", "delegates"] => names(&state, "staking_balance", delegate),
        [
            "context",
            "contracts",
            _,
            "storage",
            "normalized" | "spendable",
        ] => Reply::status(404),
        _ => match run(view, &state, block, tail, &asked.query()) {
            Some(Outcome::Done(Answer::Json(text))) => Reply::text(text),
            Some(Outcome::Done(Answer::NotFound)) | None => Reply::status(404),
            Some(Outcome::Delegate(words)) => {
                Reply::error("temporary", "failure", json!({ "msg": words }))
            }
            Some(Outcome::Need(_)) => Reply::status(500),
        },
    }
}

/// The text of a value that has one.
pub(super) fn text(view: &View, state: &Tree, block: &Block, tail: &[&str]) -> Option<String> {
    match run(view, state, block, tail, &[])? {
        Outcome::Done(Answer::Json(text)) => Some(text),
        _ => None,
    }
}

/// Runs a call of the protocol over a whole state; `None` for a call that it
/// does not have.
fn run(
    view: &View,
    state: &Tree,
    block: &Block,
    tail: &[&str],
    query: &[(&str, &str)],
) -> Option<Outcome> {
    let protocol = Protocol::of(&view.world.protocol().to_string())?;
    let plan = rpc::plan(protocol, block.level, tail, query)?;
    let look = |wanted: &rpc::Key| {
        let key: Key = wanted.as_str().parse().ok()?;
        Some(match state.find_key(&key) {
            Lookup::Contents(bytes) => Found::Contents(bytes),
            Lookup::Directory(_) => Found::Directory,
            Lookup::Absent | Lookup::Blinded => Found::Absent,
        })
    };
    // The whole state is at hand: one round answers, the others are for
    // plans that go on from what they found.
    let mut outcome = plan.run(look);
    for _ in 1..READ_ROUNDS {
        match outcome {
            Outcome::Need(_) => outcome = plan.run(look),
            done => return Some(done),
        }
    }
    Some(outcome)
}

/// A directory's names, each in its text.
fn names(state: &Tree, at: &str, text: impl Fn(&[u8]) -> Option<String>) -> Reply {
    let key: Key = at.parse().expect("a key, because it is written here");
    let Lookup::Directory(directory) = state.find_key(&key) else {
        return Reply::text("[]");
    };
    let entries = directory.entries().unwrap_or_default();
    let names: Vec<_> = entries.iter().filter_map(|one| text(one.name())).collect();
    Reply::json(names)
}

fn contract(index: &[u8]) -> Option<String> {
    let bytes = hex::decode(index).ok()?;
    let id = heliostat_tezos_protocol::ContractId::from_bytes(&bytes).ok()?;
    Some(id.to_string())
}

fn delegate(name: &[u8]) -> Option<String> {
    let bytes = hex::decode(name).ok()?;
    let hash = heliostat_tezos_protocol::PublicKeyHash::from_bytes(&bytes).ok()?;
    Some(hash.to_string())
}
