//! `injection/operation`: sent to one endpoint, once. What becomes of an
//! operation whose answer is lost is not known; it is never sent elsewhere by
//! this server. The hash is computed here, and an endpoint that answers
//! another one answers another question.

use std::sync::Arc;

use axum::http::header;
use bytes::Bytes;
use heliostat_core::Assurance;
use heliostat_node::Served;
use heliostat_tezos_context::hash::blake2b;
use heliostat_tezos_verifier::OperationHash;

use super::{admit, reply::Reply, request::Asked};
use crate::{endpoint::CallError, error::ReadError, evidence, light::Core};

/// Sends an operation.
pub(super) async fn inject(core: &Arc<Core>, asked: &Asked) -> Result<Reply, ReadError> {
    admit(core, "injection", Assurance::Relayed)?;
    let operation = operation(asked)?;
    let hash = OperationHash(blake2b(&[&operation]));
    let Some(at) = core.relays().into_iter().next() else {
        return Err(ReadError::Unavailable(
            "no endpoint can be used; the operation was not sent".to_owned(),
        ));
    };
    let upstream = &core.upstreams.all()[at];
    let name = upstream.name();
    let verb = asked.verb.clone();
    let sent = upstream.source();
    let sent = sent.relay(verb, &asked.path, &asked.headers, asked.body.clone());
    let reply = match sent.await {
        Ok(reply) => reply,
        Err(CallError::TooLarge(cap)) => {
            return Err(ReadError::Unavailable(format!(
                "operation {hash} was sent to {name}, whose answer exceeds {cap} bytes; whether it was accepted is not known"
            )));
        }
        Err(CallError::Fault(fault)) => {
            core.upstreams.report(upstream, &fault);
            return Err(ReadError::Unavailable(format!(
                "operation {hash}: {name} is {fault}; whether it was accepted is not known, and it is not sent elsewhere by itself"
            )));
        }
    };
    if reply.status != 200 {
        return Ok(Reply::relayed(reply, None));
    }
    let answered: Option<String> = serde_json::from_slice(&reply.body).ok();
    let is_binary = reply.body.as_ref() == hash.0;
    match answered {
        Some(answered) if answered != hash.to_string() => {
            let lie = evidence::injection_hash(&operation, &reply.body, &hash);
            core.convict(at, lie);
            Err(ReadError::Unavailable(format!(
                "{name} answered {answered:.60} for operation {hash}; whether it was sent on is not known"
            )))
        }
        None if !is_binary => Err(ReadError::Unavailable(format!(
            "operation {hash}: the answer of {name} is not of the protocol; whether it was accepted is not known"
        ))),
        _ => {
            core.upstreams.report_ok(upstream, Served::Data);
            Ok(Reply::relayed(reply, None))
        }
    }
}

/// The operation's bytes: hex text in JSON, or bytes behind their length.
fn operation(asked: &Asked) -> Result<Bytes, ReadError> {
    let bad = |why: &str| ReadError::BadRequest(format!("the operation cannot be read: {why}"));
    let kind = asked.headers.get(header::CONTENT_TYPE);
    let is_binary = kind.is_some_and(|kind| kind == "application/octet-stream");
    if is_binary {
        let (length, rest) = asked
            .body
            .split_first_chunk::<4>()
            .ok_or_else(|| bad("no length"))?;
        let length = u32::from_be_bytes(*length);
        if usize::try_from(length).ok() != Some(rest.len()) {
            return Err(bad("its length is another"));
        }
        return Ok(asked.body.slice(4..));
    }
    let text: String = serde_json::from_slice(&asked.body).map_err(|_| bad("no JSON text"))?;
    let bytes = hex::decode(&text).map_err(|_| bad("no hexadecimal digits"))?;
    // The branch alone has 32 bytes.
    match bytes.len() {
        0..=32 => Err(bad("it is too short")),
        _ => Ok(bytes.into()),
    }
}
