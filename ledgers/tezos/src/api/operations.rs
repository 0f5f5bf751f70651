//! Operations of a block, checked against the root in its header.

use std::sync::Arc;

use heliostat_core::Assurance;
use serde_json::Value;

use super::{reply::Reply, request::Asked};
use crate::{
    error::ReadError,
    light::{Core, resolve::At},
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
    Ok(Some(pick(all, &place, grade)))
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
    Ok(Some(pick(all, &place, Assurance::Relayed)))
}

fn numbers(place: &[&str]) -> Option<Vec<usize>> {
    let numbers: Option<Vec<usize>> = place.iter().map(|text| text.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() <= 2)
}

/// One place of the lists; 404 where there is nothing.
fn pick(all: Value, place: &[usize], grade: Assurance) -> Reply {
    let mut found = &all;
    for index in place {
        match found.get(index) {
            Some(value) => found = value,
            None => return Reply::absent(grade),
        }
    }
    Reply::json(found.to_string(), grade)
}

/// All operations of a block, or their hashes.
async fn checked(core: &Arc<Core>, at: &At, call: &str) -> Result<Value, ReadError> {
    let header = core.fetch_header(&at.hash).await?;
    let path = format!(
        "/chains/{}/blocks/{}/{call}",
        core.settings.chain, at.state.text
    );
    let bytes = core.checked_operations(&path, &header).await?;
    serde_json::from_slice(&bytes).map_err(|error| ReadError::Undecodable(error.to_string()))
}
