//! Headers in all forms, from bytes that hash to the block's hash.

use std::sync::Arc;

use super::reply::Reply;
use crate::{
    error::ReadError,
    light::{Core, resolve::At},
    links,
};

/// Answers `header` and what lies below it; `None` for forms that are not
/// known here.
pub(super) async fn serve(
    core: &Arc<Core>,
    at: &At,
    form: &[&str],
) -> Result<Option<Reply>, ReadError> {
    if !matches!(
        form,
        [] | ["raw" | "shell" | "protocol_data"] | ["protocol_data", "raw"]
    ) {
        return Ok(None);
    }
    let header = core.fetch_header(&at.hash).await?;
    let grade = core.support_of(at).await;
    let text = |hex: String| format!("\"{hex}\"");
    let (json, grade) = match form {
        ["raw"] => (text(header.raw_hex()), grade),
        ["shell"] => (header.shell_json().to_string(), grade),
        ["protocol_data", "raw"] => (text(header.protocol_data_hex()), grade),
        ["protocol_data"] => {
            let (protocol, by) = core.own_protocol(at, &header).await?;
            match header.protocol_data_json(&protocol) {
                Ok(json) => (json.to_string(), grade.min(by)),
                Err(_) => return Ok(None),
            }
        }
        _ => {
            let (chain, chain_by) = core.chain_id().await?;
            let (protocol, by) = core.own_protocol(at, &header).await?;
            match header.json(&chain, &protocol) {
                Ok(json) => (json.to_string(), grade.min(by).min(chain_by)),
                Err(_) => return Ok(None),
            }
        }
    };
    Ok(Some(Reply::json(json, grade)))
}

/// `resulting_context_hash`: what the next block's header says; `None` while
/// there is none, and for protocols whose headers say something else.
pub(super) async fn resulting_context(
    core: &Arc<Core>,
    at: &At,
) -> Result<Option<Reply>, ReadError> {
    let Some((_, next)) = core.headers.committed(&at.hash) else {
        return Ok(None);
    };
    let (protocol, by) = core.next_protocol(at).await?;
    if !links::must_link(Some(protocol)) {
        return Ok(None);
    }
    let grade = core.grade_of_block(&next.hash, 0).min(by);
    let grade = grade.min(core.grade_of_place(at));
    let json = format!("\"{}\"", next.header.context);
    Ok(Some(Reply::json(json, grade)))
}
