//! Headers in all forms, from bytes that hash to the block's hash.

use std::sync::Arc;

use heliostat_core::Assurance;
use heliostat_tezos_verifier::{Header, ProtocolHash};

use super::reply::Reply;
use crate::{
    error::ReadError,
    light::{Core, resolve::At},
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
            let (protocol, by) = block_protocol(core, at, &header).await?;
            match header.protocol_data_json(&protocol) {
                Ok(json) => (json.to_string(), grade.min(by)),
                Err(_) => return Ok(None),
            }
        }
        _ => {
            let (chain, chain_by) = core.chain_id().await?;
            let (protocol, by) = block_protocol(core, at, &header).await?;
            match header.json(&chain, &protocol) {
                Ok(json) => (json.to_string(), grade.min(by).min(chain_by)),
                Err(_) => return Ok(None),
            }
        }
    };
    Ok(Some(Reply::json(json, grade)))
}

/// The protocol that a block itself was made by: the one in charge of the
/// state before it.
async fn block_protocol(
    core: &Arc<Core>,
    at: &At,
    header: &Header,
) -> Result<(ProtocolHash, Assurance), ReadError> {
    let before = core.headers.header(&header.predecessor);
    if before.is_some_and(|before| before.proto == header.proto) {
        // The block did not change it.
        return core.next_protocol(at).await;
    }
    let (protocol, _, votes) = core.ask_protocols(at).await?;
    Ok((protocol, core.grade_of_votes(votes)))
}

/// `resulting_context_hash`: what the next block's header says; `None` while
/// there is none.
pub(super) fn resulting_context(core: &Arc<Core>, at: &At) -> Option<Reply> {
    let (_, next) = core.headers.committed(&at.hash)?;
    let grade = core.grade_of_block(&next.hash, 0);
    let grade = grade.min(core.grade_of_place(at));
    Some(Reply::json(format!("\"{}\"", next.header.context), grade))
}
