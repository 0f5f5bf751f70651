//! Operations of a block, checked against the root in its header.

use std::sync::Arc;

use bytes::Bytes;
use heliostat_core::Assurance;
use serde_json::value::RawValue;

use super::{reply::Reply, request::Asked};
use crate::{
    defaults,
    error::ReadError,
    light::{Core, resolve::At},
    links::{self, Capped},
};

/// `operation_hashes[/PASS[/OFFSET]]`; `None` for other paths.
pub(super) async fn hashes(
    core: &Arc<Core>,
    at: &At,
    place: &[&str],
) -> Result<Option<Reply>, ReadError> {
    let Some(place) = numbers(place) else {
        return Ok(None);
    };
    let all = checked(core, at, "operation_hashes").await?;
    let grade = core.support_of(at).await;
    // Written anew: what an endpoint wrote beside the hashes is not checked.
    let undecodable = || ReadError::Undecodable("a list of hashes was lost".to_owned());
    let passes = links::listed(&all).ok_or_else(undecodable)?;
    Ok(Some(match *place.as_slice() {
        [] => listed(Some(&passes), grade),
        [pass] => listed(passes.get(pass), grade),
        [pass, at, ..] => listed(passes.get(pass).and_then(|pass| pass.get(at)), grade),
    }))
}

/// Hashes in JSON; 404 where there are none.
fn listed(found: Option<&impl serde::Serialize>, grade: Assurance) -> Reply {
    match found.map(serde_json::to_string) {
        Some(Ok(json)) => Reply::json(json, grade),
        Some(Err(_)) | None => Reply::absent(grade),
    }
}

/// `operations[/PASS[/OFFSET]]`: all of them are read, because only together
/// they have the root of the header. What the texts say of an operation beyond
/// its hash is the node's word. `None` for other paths and for queries, which
/// change the shape of the answer.
pub(super) async fn whole(
    core: &Arc<Core>,
    asked: &Asked,
    at: &At,
    place: &[&str],
) -> Result<Option<Reply>, ReadError> {
    let Some(place) = numbers(place).filter(|_| asked.query.is_empty()) else {
        return Ok(None);
    };
    let all = checked(core, at, "operations").await?;
    pick(&all, &place, Assurance::Relayed).map(Some)
}

/// The whole block. A client that looks for its operation in there, as most
/// do, sees only hashes that the header commits to; all else is the node's
/// word.
pub(super) async fn block(core: &Arc<Core>, asked: &Asked, at: &At) -> Result<Reply, ReadError> {
    let header = core.fetch_header(&at.hash).await?;
    let (chain, hash) = (&core.settings.chain, &at.state.text);
    let path = format!("/chains/{chain}/blocks/{hash}{}", asked.raw_query());
    let json = core.checked_block(&path, &header).await?;
    Ok(Reply::json(json, Assurance::Relayed))
}

fn numbers(place: &[&str]) -> Option<Vec<usize>> {
    let numbers: Option<Vec<usize>> = place.iter().map(|text| text.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() <= 2)
}

/// One place of the lists, in the node's own text; 404 where there is nothing.
fn pick(all: &Bytes, place: &[usize], grade: Assurance) -> Result<Reply, ReadError> {
    type Pass = Capped<Box<RawValue>, { defaults::PASS_OPERATIONS }>;
    let Some(pass) = place.first() else {
        return Ok(Reply::json(all.clone(), grade));
    };
    let undecodable = |error: serde_json::Error| ReadError::Undecodable(error.to_string());
    let passes: Capped<Box<RawValue>, { defaults::PASSES }> =
        serde_json::from_slice(all).map_err(undecodable)?;
    let Some(mut found) = passes.0.into_iter().nth(*pass) else {
        return Ok(Reply::absent(grade));
    };
    if let Some(offset) = place.get(1) {
        let pass: Pass = serde_json::from_str(found.get()).map_err(undecodable)?;
        match pass.0.into_iter().nth(*offset) {
            Some(one) => found = one,
            None => return Ok(Reply::absent(grade)),
        }
    }
    let text: Box<str> = found.into();
    Ok(Reply::json(String::from(text), grade))
}

/// All operations of a block, or their hashes.
async fn checked(core: &Arc<Core>, at: &At, call: &str) -> Result<Bytes, ReadError> {
    let header = core.fetch_header(&at.hash).await?;
    let path = format!(
        "/chains/{}/blocks/{}/{call}",
        core.settings.chain, at.state.text
    );
    core.checked_operations(&path, &header).await
}
