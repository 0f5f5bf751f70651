//! The proof calls, served from the verified tree: `merkle_tree_v2`,
//! `merkle_tree` and `raw/bytes`. What the tree does not hold is read first,
//! as a proof against the pinned root.

use std::sync::Arc;

use bytes::Bytes;
use heliostat_tezos_context::{
    Key, KeyError, Lookup, Tree,
    proof::{self, Proof},
    v1,
};

use super::{reply::Reply, request::Asked};
use crate::{
    defaults,
    error::ReadError,
    light::{Core, Found, resolve::At},
};

fn key(segments: &[&str]) -> Result<Key, ReadError> {
    Key::new(segments).map_err(|error: KeyError| ReadError::BadRequest(error.to_string()))
}

fn not_whole() -> ReadError {
    ReadError::Unavailable(
        "no endpoint serves merkle_tree_v2 for this block, so that no proof can be made".to_owned(),
    )
}

/// `context/merkle_tree_v2/KEY[?holey]`, in JSON or binary.
pub(super) async fn merkle_tree_v2(
    core: &Arc<Core>,
    asked: &Asked,
    at: &At,
    segments: &[&str],
) -> Result<Reply, ReadError> {
    let key = key(segments)?;
    let holey = asked.flag("holey", false)?;
    let tree = tree(core, at, &key, holey).await?;
    let grade = core.grade_of_read(at)?;
    let proof = Proof::produce(&tree, &key, holey)
        .map_err(|error| ReadError::Unavailable(error.to_string()))?;
    Ok(match asked.wants_binary() {
        true => Reply::binary(proof::binary::write_answer(Some(&proof)), grade),
        false => Reply::json(proof::json::write(&proof), grade),
    })
}

/// The verified tree with a key in it, whole unless it is to be a hole.
async fn tree(core: &Arc<Core>, at: &At, key: &Key, holey: bool) -> Result<Tree, ReadError> {
    if holey {
        core.read(&at.state, std::slice::from_ref(key)).await?;
    } else {
        core.read_whole(&at.state, key, defaults::DIRECTORY_BYTES)
            .await?;
    }
    at.state.tree().ok_or_else(not_whole)
}

/// `context/merkle_tree/KEY[?holey]`: made here where the tree shows every
/// directory on the way, else an endpoint's answer, checked against the
/// directory `data` of the pinned root.
pub(super) async fn merkle_tree(
    core: &Arc<Core>,
    asked: &Asked,
    at: &At,
    segments: &[&str],
) -> Result<Reply, ReadError> {
    let key = key(segments)?;
    let holey = asked.flag("holey", false)?;
    let here = tree(core, at, &key, holey).await.ok();
    let made = here.and_then(|tree| v1::produce(&tree, &key, holey).ok());
    if let Some(json) = made.and_then(|made| v1::write(&made)) {
        return Ok(Reply::json(json, core.grade_of_read(at)?));
    }
    let json = core.read_v1(&at.state, &key, holey).await?;
    Ok(Reply::json(json, core.grade_of_read(at)?))
}

/// `context/raw/bytes/KEY[?depth]`; `None` where only a node can answer: a
/// directory down to a depth of which more than that is unknown.
pub(super) async fn raw_bytes(
    core: &Arc<Core>,
    asked: &Asked,
    at: &At,
    segments: &[&str],
) -> Result<Option<Reply>, ReadError> {
    let key = key(segments)?;
    let depth = match asked.value("depth") {
        None => None,
        Some(text) => Some(text.parse::<u32>().map_err(|_| {
            ReadError::BadRequest(format!("Failed to parse query string: depth {text:?}"))
        })?),
    };
    let found = match depth {
        None => {
            core.read_whole(&at.state, &key, defaults::DIRECTORY_BYTES)
                .await?
        }
        Some(_) => {
            let mut found = core.read(&at.state, std::slice::from_ref(&key)).await?;
            found.pop().unwrap_or(Found::Absent)
        }
    };
    let grade = core.grade_of_read(at)?;
    let mut json = String::new();
    let shown = match &found {
        Found::Absent => return Ok(Some(Reply::absent(grade))),
        Found::Value(bytes) => shown_value(&mut json, bytes, depth),
        Found::Directory(tree) => shown(&mut json, tree, depth),
    };
    // A wide directory of which not all names are known is a node's business.
    Ok(shown.map(|()| Reply::json(json, grade)))
}

fn shown_value(json: &mut String, bytes: &Bytes, depth: Option<u32>) -> Option<()> {
    match depth {
        Some(0) => json.push_str("null"),
        _ => {
            json.push('"');
            json.push_str(&hex::encode(bytes));
            json.push('"');
        }
    }
    Some(())
}

/// A directory as `raw/bytes` shows it: values in hex, what lies deeper than
/// asked for as null.
fn shown(json: &mut String, tree: &Tree, depth: Option<u32>) -> Option<()> {
    if depth == Some(0) {
        json.push_str("null");
        return Some(());
    }
    if let Some(bytes) = tree.bytes() {
        return shown_value(json, bytes, depth);
    }
    if matches!(tree.find(&[]), Lookup::Blinded) {
        return None;
    }
    json.push('{');
    for (at, entry) in tree.entries()?.into_iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        let name = String::from_utf8_lossy(entry.name());
        json.push_str(&serde_json::to_string(&name).ok()?);
        json.push(':');
        shown(json, entry.tree(), depth.map(|depth| depth - 1))?;
    }
    json.push('}');
    Some(())
}
