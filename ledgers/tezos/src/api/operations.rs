//! Operations of a block, checked against the root in its header.

use std::sync::Arc;

use heliostat_core::Assurance;
use heliostat_node::Served;
use serde_json::Value;

use super::{reply::Reply, request::Asked};
use crate::{
    defaults,
    endpoint::Answer,
    error::ReadError,
    evidence,
    light::{Core, resolve::At},
    links,
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

/// All operations of a block, or their hashes, from the first endpoint whose
/// answer has the root that the header says. One that has another is a lie.
async fn checked(core: &Arc<Core>, at: &At, call: &str) -> Result<Value, ReadError> {
    let header = core.fetch_header(&at.hash).await?;
    let path = format!(
        "/chains/{}/blocks/{}/{call}",
        core.settings.chain, at.state.text
    );
    let mut trouble = Vec::new();
    for endpoint in core.askable() {
        let upstream = &core.upstreams.all()[endpoint];
        let answer = upstream
            .source()
            .get_json(&path, defaults::OPERATIONS_BYTES);
        let bytes = match answer.await {
            Ok(Answer::Value(bytes)) => bytes,
            Ok(Answer::Lack(lack)) => {
                trouble.push(format!("{}: {lack}", upstream.name()));
                continue;
            }
            Err(fault) => {
                trouble.push(format!("{}: {fault}", upstream.name()));
                core.upstreams.report(upstream, &fault);
                continue;
            }
        };
        match links::operations_root(&bytes) {
            Some(root) if root == header.operations_hash => {
                core.upstreams.report_ok(upstream, Served::Data);
                return serde_json::from_slice(&bytes)
                    .map_err(|error| ReadError::Undecodable(error.to_string()));
            }
            Some(root) => {
                trouble.push(format!(
                    "{}: not the operations of the header",
                    upstream.name()
                ));
                let lie = evidence::operations_root(&path, &bytes, &header, root.0);
                core.convict(endpoint, lie);
            }
            None => trouble.push(format!("{}: no list of operations", upstream.name())),
        }
    }
    Err(ReadError::Unavailable(format!(
        "no endpoint gives the operations of block {}: {}",
        at.hash,
        trouble.join("; ")
    )))
}
