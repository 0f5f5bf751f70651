//! `SendTransaction`: a write, handed to one upstream once.

use heliostat_core::Fault;
use heliostat_zcash_proto::{RawTransaction, SendResponse};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::{
    defaults::MAX_TRANSACTION_BYTES,
    upstream::{NO_UPSTREAM, Nodes, words},
};
use crate::rpc::RpcError;

/// What became of a write.
enum Outcome {
    /// The node took it; its reply.
    Taken(Value),
    /// The node refused it.
    Refused { code: i64, message: String },
    /// It was never sent, or turned away unread: the node has not taken it.
    NotSent(String),
    /// It was sent, and nobody knows what the node did with it.
    Unknown(String),
}

/// The one place where writes leave: to the best upstream, once, and never to
/// another one after that, whatever happens.
async fn submit(nodes: &Nodes, transaction: &[u8]) -> Outcome {
    let Some(upstream) = nodes.best() else {
        return Outcome::NotSent(NO_UPSTREAM.into());
    };
    let params = json!([hex::encode(transaction)]);
    let sent = upstream
        .source()
        .rpc()
        .call("sendrawtransaction", params)
        .await;
    match sent {
        Ok(reply) => Outcome::Taken(reply),
        Err(RpcError::Node { code, message }) => Outcome::Refused { code, message },
        Err(RpcError::NotSent(fault)) => Outcome::NotSent(words(&upstream, &fault)),
        // It turned the request away: credentials, warming up.
        Err(RpcError::Fault(fault @ (Fault::Unsupported(_) | Fault::Behind(_)))) => {
            Outcome::NotSent(words(&upstream, &fault))
        }
        Err(RpcError::Fault(fault)) => Outcome::Unknown(words(&upstream, &fault)),
    }
}

/// Answers `SendTransaction`. What the node says is no gRPC error: its code
/// and words go into the reply, and a success carries the transaction id as
/// the node's JSON has it, in double quotes, unless `plain` is set.
pub(super) async fn answer(
    nodes: &Nodes,
    plain: bool,
    transaction: RawTransaction,
) -> Result<SendResponse, Status> {
    let size = transaction.data.len();
    if size == 0 {
        return Err(Status::invalid_argument("bad transaction data"));
    }
    if size > MAX_TRANSACTION_BYTES {
        return Err(Status::invalid_argument(format!(
            "SendTransaction: transaction is too large: {size} bytes (limit {MAX_TRANSACTION_BYTES})"
        )));
    }
    match submit(nodes, &transaction.data).await {
        Outcome::Taken(Value::String(txid)) if plain => Ok(SendResponse {
            error_code: 0,
            error_message: txid,
        }),
        Outcome::Taken(reply) => Ok(SendResponse {
            error_code: 0,
            error_message: reply.to_string(),
        }),
        Outcome::Refused { code, message } => match i32::try_from(code) {
            Ok(error_code) => Ok(SendResponse {
                error_code,
                error_message: message.trim().to_owned(),
            }),
            Err(_) => Err(Status::unknown(format!(
                "sendTransaction couldn't parse error code, error: {code} does not fit 32 bits"
            ))),
        },
        Outcome::NotSent(why) => Err(Status::unavailable(format!(
            "SendTransaction: not sent: {why}"
        ))),
        Outcome::Unknown(why) => Err(Status::new(
            Code::Unknown,
            format!(
                "SendTransaction: the outcome is unknown: {why}; the node may have the transaction: look for it in the memory pool before sending it again"
            ),
        )),
    }
}
