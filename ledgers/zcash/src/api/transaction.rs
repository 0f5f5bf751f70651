//! `GetTransaction`, and what every fetched transaction goes through.

use std::sync::Arc;

use heliostat_core::{Assurance, Evidence};
use heliostat_zcash_proto::{CompactTx, RawTransaction, TxFilter};
use heliostat_zcash_verifier::{another_transaction, transaction};
use prost::Message as _;
use serde::Deserialize;
use serde_json::json;
use tonic::{Code, Status};

use super::{
    Node, Service,
    defaults::READ_ATTEMPTS,
    upstream::{Answer, Refusal},
};

/// The two fields that are read of `getrawtransaction TXID 1`.
#[derive(Deserialize)]
pub(super) struct Verbose {
    hex: String,
    /// Absent in the memory pool, -1 when mined on a chain that is not the
    /// best one.
    #[serde(default)]
    height: Option<i64>,
}

/// A transaction as an upstream gave it.
pub(super) struct Fetched {
    pub(super) data: Vec<u8>,
    /// As `RawTransaction.height` has it: 0 in the memory pool, 2^64-1 when
    /// mined on a chain that is not the best one.
    pub(super) height: u64,
    /// Whether the bytes hash to the id, all of them: up to version 4. From
    /// version 5 on (ZIP 244) the id leaves out the authorizing data.
    pub(super) whole: bool,
    /// The compact form; `None` for a version this release cannot read.
    pub(super) compact: Option<CompactTx>,
}

/// Why a reply is not a transaction that can be passed on.
pub(super) enum Unfit {
    /// It cannot be read.
    Unreadable(String),
    /// It has another id than the one asked for.
    Wrong(Evidence),
}

/// An id the way people write it: hex of the reversed bytes.
pub(super) fn display(id: &[u8; 32]) -> String {
    let mut reversed = *id;
    reversed.reverse();
    hex::encode(reversed)
}

/// Reads a verbose reply and holds the bytes against the id that was asked
/// for. Bytes of a version this release cannot read pass unchecked.
pub(super) fn read(txid: &[u8; 32], reply: Verbose) -> Result<Fetched, Unfit> {
    let data = hex::decode(&reply.hex).map_err(|error| Unfit::Unreadable(error.to_string()))?;
    // The node's -1 becomes the largest height, as the protocol wants it.
    let height = reply.height.unwrap_or(0).cast_unsigned();
    let (compact, whole) = match transaction::read(&data) {
        Ok(sent) if sent.txid() == *txid => {
            let compact = CompactTx::decode(&sent.compact(0)[..])
                .map_err(|error| Unfit::Unreadable(error.to_string()))?;
            (Some(compact), sent.is_covered_by_txid())
        }
        Ok(_) => {
            // It is one: the ids differ.
            let unreadable = || Unfit::Unreadable("it has another id".into());
            let evidence = another_transaction(txid, &data);
            return Err(evidence.map_or_else(unreadable, Unfit::Wrong));
        }
        Err(error) if error.is_opaque() => (None, false),
        Err(error) => return Err(Unfit::Unreadable(error.to_string())),
    };
    Ok(Fetched {
        data,
        height,
        whole,
        compact,
    })
}

impl Service {
    /// Answers `GetTransaction`.
    pub(super) async fn transaction(
        &self,
        filter: TxFilter,
    ) -> Result<(RawTransaction, Assurance), Status> {
        if filter.hash.is_empty() {
            let by_block = filter.block.is_some_and(|block| !block.hash.is_empty());
            return Err(Status::invalid_argument(if by_block {
                "GetTransaction: specify a txid, not a blockhash+num"
            } else {
                "GetTransaction: specify a txid"
            }));
        }
        let txid: [u8; 32] = filter.hash.as_ref().try_into().map_err(|_| {
            Status::invalid_argument(format!(
                "GetTransaction: transaction ID has invalid length: {}",
                filter.hash.len()
            ))
        })?;
        let (fetched, from) = self.fetch_transaction(&txid).await?;
        let grade = self.transaction_grade(&txid, &fetched, &from).await?;
        let transaction = RawTransaction {
            data: fetched.data.into(),
            height: fetched.height,
        };
        Ok((transaction, grade))
    }

    /// A transaction by its id (internal byte order), from the first upstream
    /// whose bytes have that id, and who that was. Bytes of a version that this
    /// release cannot read are believed only where nobody sends others.
    pub(super) async fn fetch_transaction(
        &self,
        txid: &[u8; 32],
    ) -> Result<(Fetched, Arc<Node>), Status> {
        let shown = display(txid);
        let mut convicted = None;
        let mut opaque: Option<(Fetched, Arc<Node>)> = None;
        let mut besides = Vec::new();
        for _ in 0..READ_ATTEMPTS {
            let params = json!([shown, 1]);
            let asked = self
                .nodes
                .ask_besides(&besides, "getrawtransaction", params);
            let answer = match (asked.await, convicted.take()) {
                (Ok(answer), _) => answer,
                (Err(_), _) if opaque.is_some() => break,
                // Nobody is left to ask: what the liar did says more.
                (Err(Refusal::Down(_)), Some(status)) => return Err(status),
                (Err(refusal), _) => {
                    let prefix = format!("GetTransaction: getrawtransaction {shown} failed: ");
                    return Err(refusal.status(Code::NotFound, &prefix));
                }
            };
            let from = Arc::clone(&answer.from);
            match parse(txid, answer) {
                Ok(fetched) if fetched.compact.is_none() => {
                    besides.push(Arc::clone(&from));
                    opaque.get_or_insert((fetched, from));
                }
                Ok(fetched) => return Ok((fetched, from)),
                Err(Unfit::Unreadable(_)) if opaque.is_some() => break,
                Err(Unfit::Unreadable(why)) => {
                    return Err(Status::internal(format!(
                        "GetTransaction: Cannot parse transaction: {why}"
                    )));
                }
                Err(Unfit::Wrong(evidence)) => {
                    convicted = Some(self.nodes.convict("GetTransaction", &from, evidence));
                }
            }
        }
        let refused = || Status::unavailable("GetTransaction: try again");
        opaque.ok_or_else(|| convicted.unwrap_or_else(refused))
    }

    /// The grade of its block when our block at that height has the id and the
    /// id covers all bytes. Of bytes that it does not cover, the others are
    /// asked (see [`agree`](super::agree) why nothing better can be had), and
    /// the block's grade stays the limit. What only the upstream says (that it
    /// is unmined, or on another chain) is relayed.
    async fn transaction_grade(
        &self,
        txid: &[u8; 32],
        fetched: &Fetched,
        from: &Arc<Node>,
    ) -> Result<Assurance, Status> {
        let view = self.view();
        let mined_here = view.tip().is_some_and(|tip| fetched.height <= tip.height);
        if fetched.height == 0 || !mined_here {
            return Ok(Assurance::Relayed);
        }
        let ids = view.txids(fetched.height).await;
        let ids = ids.map_err(|error| super::unreadable("GetTransaction", &error))?;
        if !ids.is_some_and(|ids| ids.contains(txid)) {
            return Ok(Assurance::Relayed);
        }
        let cap = view.cap(fetched.height).await;
        let cap = cap.map_err(|error| super::unreadable("GetTransaction", &error))?;
        if fetched.compact.is_none() && cap == Some(Assurance::Proven) {
            return Err(Status::unavailable(format!(
                "GetTransaction: upstream {} sent what cannot be read for a transaction that could be when its block was verified; try again",
                from.name()
            )));
        }
        let block = self
            .block_grade("GetTransaction", &view, fetched.height)
            .await?;
        if fetched.whole || block == Assurance::Relayed {
            return Ok(block);
        }
        let agreed = self.nodes.agreement_on(txid, &fetched.data, from).await;
        Ok(block.min(agreed))
    }
}

/// Reads what `getrawtransaction TXID 1` gave.
pub(super) fn parse(txid: &[u8; 32], answer: Answer) -> Result<Fetched, Unfit> {
    let reply = answer.read::<Verbose>();
    read(
        txid,
        reply.map_err(|error| Unfit::Unreadable(error.to_string()))?,
    )
}
