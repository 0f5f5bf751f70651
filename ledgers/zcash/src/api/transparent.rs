//! The transparent address methods: plain calls to an upstream, with bounds.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use heliostat_zcash_proto::{
    Address, Balance, GetAddressUtxosArg, GetAddressUtxosReply, RawTransaction,
    TransparentAddressBlockFilter,
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status};

use super::{
    Service,
    defaults::{MAX_ADDRESS_SPAN, MAX_ADDRESSES},
    upstream::Refusal,
};

/// An address is `t` and 34 letters or digits; nothing else is looked at here.
fn check_address(address: &str) -> Result<(), Status> {
    let bytes = address.as_bytes();
    let fits = bytes.len() == 35 && bytes[0] == b't' && bytes.iter().all(u8::is_ascii_alphanumeric);
    if fits {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "checkTaddress: transparent address {address} contains invalid characters"
    )))
}

/// Checks addresses and drops those seen before: a node adds up a repeated one
/// twice.
fn distinct(addresses: Vec<String>, who: &str) -> Result<Vec<String>, Status> {
    if addresses.len() > MAX_ADDRESSES {
        return Err(too_many(who));
    }
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for address in addresses {
        if seen.contains(&address) {
            continue;
        }
        check_address(&address)?;
        seen.insert(address.clone());
        kept.push(address);
    }
    Ok(kept)
}

fn too_many(who: &str) -> Status {
    Status::resource_exhausted(format!("{who}: too many addresses (limit {MAX_ADDRESSES})"))
}

/// What a node's refusal of an address query means; `None` when it is to look
/// like an empty success, as lightwalletd does (`quiet`).
fn address_status(refusal: &Refusal, prefix: &str, quiet: bool) -> Option<Status> {
    let text = refusal.to_string();
    let code = if text.contains("Invalid address") {
        Code::InvalidArgument
    } else if text.contains("No information available") {
        Code::NotFound
    } else if quiet {
        return None;
    } else {
        Code::Unknown
    };
    Some(refusal.status(code, prefix))
}

#[derive(Deserialize)]
struct BalanceReply {
    balance: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Utxo {
    address: String,
    txid: String,
    output_index: i64,
    script: String,
    satoshis: u64,
    height: u64,
}

impl Service {
    /// Answers `GetTaddressBalance`.
    pub(super) async fn balance(&self, addresses: Vec<String>) -> Result<Balance, Status> {
        let addresses = distinct(addresses, "getTaddressBalanceZcashdRpc")?;
        let params = json!([{ "addresses": addresses }]);
        let answer = match self.nodes.ask("getaddressbalance", params).await {
            Ok(answer) => answer,
            Err(refusal) => {
                let prefix = "getTaddressBalanceZcashdRpc: getaddressbalance error: ";
                let quiet = self.settings.compat.ok_on_address_error;
                return address_status(&refusal, prefix, quiet)
                    .map_or_else(|| Ok(Balance::default()), Err);
            }
        };
        let reply = answer.read::<BalanceReply>().map_err(|error| {
            Status::unknown(format!(
                "getTaddressBalanceZcashdRpc: failed to unmarshal getaddressbalance reply, error: {error}"
            ))
        })?;
        Ok(Balance {
            value_zat: reply.balance,
        })
    }

    /// Answers `GetTaddressBalanceStream`. Every address is checked and
    /// counted as it arrives.
    pub(super) async fn balance_of_stream(
        &self,
        mut addresses: impl Stream<Item = Result<Address, Status>> + Unpin,
    ) -> Result<Balance, Status> {
        let mut list = Vec::new();
        while let Some(received) = addresses.next().await {
            let address = received.map_err(|status| {
                Status::internal(format!(
                    "GetTaddressBalanceStream Recv error: {}",
                    status.message()
                ))
            })?;
            check_address(&address.address)?;
            if list.len() >= MAX_ADDRESSES {
                return Err(too_many("GetTaddressBalanceStream"));
            }
            list.push(address.address);
        }
        self.balance(list).await
    }

    /// Answers `GetAddressUtxos`, and the streamed form of it.
    pub(super) async fn utxos(
        &self,
        wanted: GetAddressUtxosArg,
    ) -> Result<Vec<GetAddressUtxosReply>, Status> {
        let addresses = distinct(wanted.addresses, "getAddressUtxos")?;
        let mut query = json!({ "addresses": addresses });
        if wanted.start_height > 0 {
            query["startHeight"] = json!(wanted.start_height);
        }
        if wanted.max_entries > 0 {
            query["maxEntries"] = json!(wanted.max_entries);
        }
        let answer = match self.nodes.ask("getaddressutxos", json!([query])).await {
            Ok(answer) => answer,
            Err(refusal) => {
                let prefix = "getAddressUtxos: getaddressutxos error: ";
                let quiet = self.settings.compat.ok_on_address_error;
                return address_status(&refusal, prefix, quiet).map_or_else(|| Ok(vec![]), Err);
            }
        };
        let utxos = answer.read::<Vec<Utxo>>().map_err(|error| {
            Status::invalid_argument(format!(
                "getAddressUtxos: failed to unmarshal getaddressutxos reply, error: {error}"
            ))
        })?;
        // A node that does not know the two limits sends everything.
        let limit = match wanted.max_entries {
            0 => usize::MAX,
            most => usize::try_from(most).unwrap_or(usize::MAX),
        };
        utxos
            .into_iter()
            .filter(|utxo| utxo.height >= wanted.start_height)
            .take(limit)
            .map(utxo_message)
            .collect()
    }

    /// Answers `GetTaddressTransactions` and its old name `GetTaddressTxids`:
    /// the transactions in the node's order, fetched one by one as the client
    /// takes them, all within one deadline.
    pub(super) async fn address_transactions(
        self: Arc<Self>,
        wanted: TransparentAddressBlockFilter,
    ) -> Result<impl Stream<Item = Result<RawTransaction, Status>> + Send + 'static, Status> {
        let limit = self.settings.address_scan_timeout;
        let deadline = Instant::now() + limit;
        let txids = timeout_at(deadline, self.address_txids(wanted)).await;
        let txids = txids.unwrap_or_else(|_| Err(too_slow(limit)))?;
        let service = self;
        Ok(stream::iter(txids).then(move |txid| {
            let service = Arc::clone(&service);
            async move {
                let txid = read_txid(&txid)?;
                let fetched = timeout_at(deadline, service.fetch_transaction(&txid)).await;
                let (fetched, _) = fetched.unwrap_or_else(|_| Err(too_slow(limit)))?;
                Ok(RawTransaction {
                    data: fetched.data.into(),
                    height: fetched.height,
                })
            }
        }))
    }

    async fn address_txids(
        &self,
        wanted: TransparentAddressBlockFilter,
    ) -> Result<Vec<String>, Status> {
        check_address(&wanted.address)?;
        let range = wanted.range.ok_or_else(|| {
            Status::invalid_argument("GetTaddressTransactions: must specify block range")
        })?;
        let start = range.start.ok_or_else(|| {
            Status::invalid_argument("GetTaddressTransactions: must specify a start block height")
        })?;
        let start = start.height;
        let end = match range.end.map_or(0, |end| end.height) {
            0 => {
                let why = "GetTaddressTransactions: could not determine chain tip";
                self.tip(why)?.height
            }
            end => end,
        };
        let span = end.saturating_sub(start);
        if span > MAX_ADDRESS_SPAN {
            return Err(Status::invalid_argument(format!(
                "GetTaddressTransactions: block range too wide ({span} blocks, limit {MAX_ADDRESS_SPAN})"
            )));
        }
        let query = json!([{ "addresses": [wanted.address], "start": start, "end": end }]);
        let asked = self.nodes.ask("getaddresstxids", query).await;
        let answer = asked.map_err(|refusal| {
            let prefix = "GetTaddressTransactions: getaddresstxids failed, error: ";
            refusal.status(Code::InvalidArgument, prefix)
        })?;
        answer.read::<Vec<String>>().map_err(|error| {
            Status::unknown(format!(
                "GetTaddressTransactions: error unmarshalling getaddresstxids reply: {error}"
            ))
        })
    }
}

fn too_slow(limit: Duration) -> Status {
    Status::deadline_exceeded(format!(
        "GetTaddressTransactions: not done after {} s; ask for fewer blocks",
        limit.as_secs_f32()
    ))
}

/// A transaction id as a node writes it, in internal byte order.
pub(super) fn read_txid(shown: &str) -> Result<[u8; 32], Status> {
    let mut txid = [0; 32];
    hex::decode_to_slice(shown, &mut txid).map_err(|error| {
        Status::internal(format!("the upstream sent no transaction id: {error}"))
    })?;
    txid.reverse();
    Ok(txid)
}

fn utxo_message(utxo: Utxo) -> Result<GetAddressUtxosReply, Status> {
    let unfit = |what: &str, error: hex::FromHexError| {
        Status::internal(format!(
            "getAddressUtxos: failed decode {what}, error: {error}"
        ))
    };
    let mut txid = hex::decode(&utxo.txid).map_err(|error| unfit("txid", error))?;
    txid.reverse();
    let script = hex::decode(&utxo.script).map_err(|error| unfit("utxo script", error))?;
    Ok(GetAddressUtxosReply {
        address: utxo.address,
        txid: txid.into(),
        // As Go converts: the low 32 bits.
        index: utxo.output_index as i32,
        script: script.into(),
        value_zat: utxo.satoshis.cast_signed(),
        height: utxo.height,
    })
}
