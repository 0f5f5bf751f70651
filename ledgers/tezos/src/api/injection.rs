//! `injection/operation`: sent to one endpoint, or to several where the operator
//! wants that, once each. The receipt is durable before the first byte leaves,
//! where there is a store to keep it. What becomes of an operation whose answer
//! is lost is looked for; it is never sent elsewhere by this server itself. A
//! client is told whether anything was sent. The hash is computed here, and an endpoint
//! that answers another one answers another question.

use std::sync::Arc;

use axum::http::header;
use bytes::Bytes;
use heliostat_core::Assurance;
use heliostat_node::outbox::{Delivery, OutboxError, Sent};
use heliostat_tezos_context::hash::blake2b;
use heliostat_tezos_verifier::OperationHash;

use super::{
    admit,
    outbox::{self, answer, write},
    reply::Reply,
    request::Asked,
};
use crate::{error::ReadError, light::Core};

/// Sends an operation.
pub(super) async fn inject(core: &Arc<Core>, asked: &Asked) -> Result<Reply, ReadError> {
    admit(core, "injection", Assurance::Relayed)?;
    let hash = OperationHash(blake2b(&[&operation(asked)?]));
    let Some(outbox) = core.outbox.get() else {
        // A process that answers one question and ends keeps no receipts.
        let Some(at) = core.relays().into_iter().next() else {
            let words = "no endpoint can be used".to_owned();
            return reply(&hash, Sent::NotSent(words));
        };
        return reply(&hash, outbox::send(core, at, asked).await);
    };
    let delivered = outbox.submit(write(asked, &hash)).await;
    let delivered = delivered.map_err(|error| not_accepted(&hash, &error))?;
    let Delivery {
        receipt,
        sent,
        handed_to,
        ..
    } = delivered;
    let reply = reply(&hash, sent).unwrap_or_else(|error| Reply::failed(&error));
    Ok(Reply {
        receipt: receipt.map(|receipt| (receipt.to_string(), handed_to)),
        ..reply
    })
}

fn reply(hash: &OperationHash, sent: Sent) -> Result<Reply, ReadError> {
    match sent {
        Sent::Taken(bytes) | Sent::Refused(bytes) => match answer(&bytes) {
            Some(reply) => Ok(Reply::relayed(reply, None)),
            None => Err(ReadError::Unavailable(format!(
                "operation {hash}: the answer that was kept cannot be read"
            ))),
        },
        Sent::NotSent(why) => Err(ReadError::NotSent(format!(
            "operation {hash} was not sent: {why}; send it again"
        ))),
        Sent::Unknown(why) => Err(ReadError::OutcomeUnknown(format!(
            "operation {hash}: {why}; whether it was accepted is not known: it is looked for, and not sent elsewhere by itself; sending it again tells what became of it"
        ))),
    }
}

/// Why a write was not accepted. A store's own words may hold paths: they are
/// for the log.
fn not_accepted(hash: &OperationHash, error: &OutboxError) -> ReadError {
    let why = match error {
        OutboxError::Store(_) => {
            tracing::error!(%error, "write_not_accepted");
            "its receipt cannot be stored"
        }
        OutboxError::Busy(_) => "too many are under way",
        OutboxError::Stopping => "the server is stopping",
    };
    ReadError::NotSent(format!(
        "operation {hash} was not sent: {why}; try again later"
    ))
}

/// The operation's bytes: hex text in JSON, or bytes behind their length. Nodes
/// and their clients put another length before every body of bytes; older ones
/// did not.
pub(super) fn operation(asked: &Asked) -> Result<Bytes, ReadError> {
    let bad = |why: &str| ReadError::BadRequest(format!("the operation cannot be read: {why}"));
    let kind = asked.headers.get(header::CONTENT_TYPE);
    let is_binary = kind.is_some_and(|kind| kind == "application/octet-stream");
    let bytes = if is_binary {
        let inside = framed(&asked.body).ok_or_else(|| bad("its length is another"))?;
        framed(&inside).unwrap_or(inside)
    } else {
        let text: String = serde_json::from_slice(&asked.body).map_err(|_| bad("no JSON text"))?;
        let bytes = hex::decode(&text).map_err(|_| bad("no hexadecimal digits"))?;
        bytes.into()
    };
    // The branch alone has 32 bytes.
    match bytes.len() {
        0..=32 => Err(bad("it is too short")),
        _ => Ok(bytes),
    }
}

/// What stands behind its length in four bytes.
pub(super) fn framed(bytes: &Bytes) -> Option<Bytes> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (length == rest.len()).then(|| bytes.slice(4..))
}
