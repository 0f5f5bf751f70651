//! What Zcash brings to the outbox: handing a transaction to a node, and
//! looking whether the network knows it.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use heliostat_core::Fault;
use heliostat_node::{
    Role, Upstreams,
    outbox::{self, Policy, Seen, Sent, Write},
    system_clock,
};
use heliostat_store::{Store, StoreError};
use heliostat_zcash_proto::SendResponse;
use heliostat_zcash_verifier::transaction as verified;
use prost::Message as _;
use serde_json::{Value, json};

use super::{
    Node, defaults,
    transaction::{Unfit, display, read},
    upstream::words,
};
use crate::{replica::ZcashReplica, rpc::RpcError, source::ZcashSource};

/// The outbox of a Zcash chain.
pub type Outbox = outbox::Outbox<Carrier>;

/// Opens the outbox of a chain. The store must have been opened with
/// [`TABLE`](outbox::TABLE) beside the replica's tables. `plain` is
/// [`Compat::plain_txid`](super::Compat::plain_txid).
///
/// # Errors
/// The store cannot be read.
pub async fn open(
    store: Arc<dyn Store>,
    upstreams: Arc<Upstreams<ZcashSource>>,
    replica: Arc<ZcashReplica>,
    policy: Policy,
    plain: bool,
) -> Result<Arc<Outbox>, StoreError> {
    let carrier = Carrier {
        upstreams,
        replica,
        plain,
    };
    let clock = system_clock();
    let opened = Outbox::open(store, Arc::new(carrier), policy, &clock);
    Ok(Arc::new(opened.await?))
}

/// Transactions on their way to the nodes.
pub struct Carrier {
    upstreams: Arc<Upstreams<ZcashSource>>,
    replica: Arc<ZcashReplica>,
    /// Successes are answered with the plain id, without double quotes.
    plain: bool,
}

impl Carrier {
    /// Nodes that can be asked now, best first.
    fn usable(&self) -> Vec<Arc<Node>> {
        let mut usable: Vec<_> = self.upstreams.best().into_iter().collect();
        for node in self.upstreams.all() {
            let follow = node.role() == Role::Follow && node.is_usable();
            if follow && !usable.iter().any(|other| Arc::ptr_eq(other, node)) {
                usable.push(Arc::clone(node));
            }
        }
        usable
    }

    /// The reply to a transaction that was taken: the node's JSON.
    fn success(&self, reply: Value) -> Bytes {
        let error_message = match reply {
            Value::String(txid) if self.plain => txid,
            reply => reply.to_string(),
        };
        let reply = SendResponse {
            error_code: 0,
            error_message,
        };
        reply.encode_to_vec().into()
    }

    /// Whether one node knows a transaction, and where.
    async fn look(&self, node: &Node, txid: &[u8; 32]) -> Seen {
        let params = json!([display(txid), 1]);
        let asked = node.source().rpc().exchange("getrawtransaction", &params);
        let Ok(Ok((value, _))) = tokio::time::timeout(defaults::LOOK_CALL, asked).await else {
            return Seen::No;
        };
        let Ok(verbose) = serde_json::from_value(value) else {
            return Seen::No;
        };
        let fetched = match read(txid, verbose) {
            Ok(fetched) => fetched,
            Err(Unfit::Unreadable(_)) => return Seen::No,
            Err(Unfit::Wrong(evidence)) => {
                self.upstreams.report(node, &Fault::Wrong(evidence));
                return Seen::No;
            }
        };
        let reply = self.success(Value::String(display(txid)));
        match fetched.height {
            0 => Seen::Waiting(reply),
            // On a branch that is not the best one.
            u64::MAX => Seen::No,
            // Where it is said to be, our own verified block has to have it.
            height => match self.replica.view().txids(height).await {
                Ok(Some(ids)) if ids.contains(txid) => Seen::Included(reply),
                _ => Seen::Waiting(reply),
            },
        }
    }
}

impl outbox::Carrier for Carrier {
    fn ways(&self) -> Vec<String> {
        let usable = self.usable();
        usable.iter().map(|node| node.name().to_owned()).collect()
    }

    async fn submit(&self, way: &str, write: &Write) -> Sent {
        let node = self.upstreams.all().iter().find(|node| node.name() == way);
        let Some(node) = node else {
            return Sent::NotSent(format!("upstream {way} is not configured"));
        };
        let params = json!([hex::encode(&write.payload)]);
        let sent = node.source().rpc().call("sendrawtransaction", params).await;
        match sent {
            Ok(reply) => Sent::Taken(self.success(reply)),
            Err(RpcError::Node { code, message }) => Sent::Refused(refusal(code, &message)),
            Err(RpcError::NotSent(fault)) => Sent::NotSent(words(node, &fault)),
            // It turned the request away: credentials, warming up.
            Err(RpcError::Fault(fault @ (Fault::Unsupported(_) | Fault::Behind(_)))) => {
                Sent::NotSent(words(node, &fault))
            }
            Err(RpcError::Fault(fault)) => Sent::Unknown(words(node, &fault)),
        }
    }

    async fn seen(&self, id: &[u8]) -> Seen {
        let Ok(txid) = <[u8; 32]>::try_from(id) else {
            return Seen::No;
        };
        let mut best = Seen::No;
        for node in self.usable().into_iter().take(defaults::READ_ATTEMPTS) {
            match self.look(&node, &txid).await {
                Seen::No => {}
                Seen::Waiting(reply) => best = Seen::Waiting(reply),
                Seen::Included(reply) => return Seen::Included(reply),
            }
        }
        best
    }
}

/// A transaction as the outbox takes it.
pub(super) fn write(transaction: Bytes) -> Write {
    let id = verified::txid(&transaction).ok();
    Write {
        id: id.map(|id| Bytes::copy_from_slice(&id)),
        payload: transaction,
    }
}

/// A node's code and words as bytes.
fn refusal(code: i64, message: &str) -> Bytes {
    [&code.to_le_bytes()[..], message.as_bytes()]
        .concat()
        .into()
}

/// What [`refusal`] wrote.
pub(super) fn refused(mut bytes: Bytes) -> (i64, String) {
    let code = bytes.try_get_i64_le().unwrap_or_default();
    (code, String::from_utf8_lossy(&bytes).into_owned())
}
