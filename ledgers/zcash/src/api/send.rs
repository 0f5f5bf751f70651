//! `SendTransaction`: a write, which the outbox hands to one upstream, or to
//! several where the operator wants that, once each.

use std::sync::Arc;

use bytes::Bytes;
use heliostat_node::outbox::{Delivery, OutboxError, ReceiptId, Sent};
use heliostat_store::StoreError;
use heliostat_zcash_proto::{RawTransaction, SendResponse};
use prost::Message as _;
use tonic::{
    Code, Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
};

use super::{
    defaults::MAX_TRANSACTION_BYTES,
    outbox::{Outbox, refused, write},
};

/// Where a reply names the receipt of its write.
pub const RECEIPT: &str = "heliostat-receipt";
/// Where it says how many upstreams may have the write.
pub const HANDED_TO: &str = "heliostat-handed-to";

/// What stands beside a reply: the receipt, and how many upstreams may have
/// the write.
pub(super) type Receipted = (ReceiptId, usize);

/// Answers `SendTransaction`, and names the receipt. What the node says is no
/// gRPC error: its code and words go into the reply, and a success carries the
/// transaction id as the node's JSON has it, in double quotes, unless the
/// operator wants it plain.
pub(super) async fn answer(
    outbox: &Arc<Outbox>,
    transaction: RawTransaction,
) -> Result<(SendResponse, Option<Receipted>), Status> {
    let size = transaction.data.len();
    if size == 0 {
        return Err(Status::invalid_argument("bad transaction data"));
    }
    if size > MAX_TRANSACTION_BYTES {
        return Err(Status::invalid_argument(format!(
            "SendTransaction: transaction is too large: {size} bytes (limit {MAX_TRANSACTION_BYTES})"
        )));
    }
    let delivered = outbox.submit(write(transaction.data)).await;
    let delivered = delivered.map_err(|error| not_accepted(&error))?;
    let Delivery {
        receipt,
        sent,
        handed_to,
        ..
    } = delivered;
    let receipt = receipt.map(|receipt| (receipt, handed_to));
    let reply = reply(sent).map_err(|mut status| {
        if let Some(receipt) = receipt {
            name(status.metadata_mut(), receipt);
        }
        status
    });
    Ok((reply?, receipt))
}

/// Names a receipt beside a reply.
pub(super) fn name(metadata: &mut MetadataMap, (receipt, handed_to): Receipted) {
    metadata.insert(HANDED_TO, handed_to.into());
    let value: MetadataValue<Ascii> = receipt
        .to_string()
        .parse()
        .expect("a receipt's name is printable because it is hex");
    metadata.insert(RECEIPT, value);
}

fn reply(sent: Sent) -> Result<SendResponse, Status> {
    match sent {
        Sent::Taken(reply) => taken(reply),
        Sent::Refused(words) => {
            let (code, message) = refused(words);
            let error_code = i32::try_from(code).map_err(|_| {
                Status::unknown(format!(
                    "sendTransaction couldn't parse error code, error: {code} does not fit 32 bits"
                ))
            })?;
            Ok(SendResponse {
                error_code,
                error_message: message.trim().to_owned(),
            })
        }
        Sent::NotSent(why) => Err(Status::unavailable(format!(
            "SendTransaction: not sent: {why}"
        ))),
        Sent::Unknown(why) => Err(Status::new(
            Code::Unknown,
            format!(
                "SendTransaction: the outcome is unknown: {why}; the node may have the transaction: it is looked for, and sending it again tells what became of it"
            ),
        )),
    }
}

fn taken(reply: Bytes) -> Result<SendResponse, Status> {
    SendResponse::decode(reply)
        .map_err(|_| Status::internal("SendTransaction: the reply that was kept cannot be read"))
}

/// Why a write was not accepted. A store's own words may hold paths: they are
/// for the log.
fn not_accepted(error: &OutboxError) -> Status {
    let why = match error {
        OutboxError::Store(store) => {
            tracing::error!(%error, "write_not_accepted");
            match store {
                StoreError::Full { .. } => "its receipt cannot be stored, the disk is full",
                StoreError::ReadOnly { .. } => {
                    "its receipt cannot be stored, the store is read-only"
                }
                _ => "its receipt cannot be stored, the store cannot be used",
            }
        }
        OutboxError::Busy(_) => "too many are under way",
        OutboxError::Stopping => "the server is stopping",
    };
    Status::unavailable(format!("SendTransaction: not sent: {why}; try again later"))
}
