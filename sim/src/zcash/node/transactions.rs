//! Transactions: getrawtransaction, getrawmempool, sendrawtransaction.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use zcash_primitives::transaction::Transaction;
use zcash_protocol::consensus::BranchId;

use super::{
    addresses,
    blocks::{harmless, make_unknown, zec},
    layout::{self, Input, Output},
    methods::{Answer, Failure, View, parse_hash},
    state::{Hash, State, reversed, show},
};
use crate::zcash::chain::Block;

/// `getrawmempool`
pub(super) fn mempool(view: &View<'_>) -> Value {
    let txids = view.state.mempool.keys();
    txids.map(|txid| faster_hex::hex_string(txid)).collect()
}

/// `getrawtransaction`
pub(super) fn transaction(view: &View<'_>, params: &[Value]) -> Result<Answer, Failure> {
    let text = params.first().and_then(Value::as_str);
    let text = text.ok_or_else(|| Failure::params("No more params"))?;
    let txid = parse_hash(text).ok_or_else(|| {
        let words = match text.len() {
            64 => "Invalid character in hex",
            length if length % 2 == 1 => "Odd number of digits",
            _ => "Invalid string length",
        };
        Failure::new(-5, words)
    })?;
    let verbose = params.get(1).and_then(Value::as_u64).unwrap_or(0) != 0;
    let waiting = view.state.mempool.get(&reversed(&txid));
    let (raw, block) = match (waiting, view.state.find(&txid)) {
        (Some(raw), _) => (raw.clone(), None),
        (None, Some((block, index))) => (State::raw(block, index), Some(block)),
        (None, None) => {
            let words = "Transaction not found in mempool or best chain";
            return Err(Failure::new(-5, words));
        }
    };
    let raw = match harmless(&raw, &(0..raw.len())).filter(|_| view.lies.wrong_bytes) {
        Some(at) => {
            let mut flipped = BytesMut::from(&raw[..]);
            flipped[at] ^= 1;
            flipped.freeze()
        }
        None => raw,
    };
    let last = |block: &Block| block.txids.last() == Some(&txid);
    let raw = match block.filter(|block| view.lies.unknown_version && last(block)) {
        Some(_) => {
            let mut unknown = BytesMut::from(&raw[..]);
            make_unknown(&mut unknown);
            unknown.freeze()
        }
        None => raw,
    };
    Ok(match verbose {
        false => Answer::Hex(raw),
        true => Answer::Value(object(view, &raw, &txid, block.map(AsRef::as_ref))),
    })
}

/// A transaction as an object. What stands in its shielded parts is left out:
/// nothing reads it there.
pub(super) fn object(view: &View<'_>, raw: &Bytes, txid: &Hash, block: Option<&Block>) -> Value {
    let mut object = json!({
        "hex": faster_hex::hex_string(raw),
        "txid": show(txid),
        "size": raw.len(),
    });
    if let Some(tx) = layout::read(raw) {
        object["version"] = json!(tx.version);
        object["overwintered"] = json!(tx.overwintered);
        object["locktime"] = json!(tx.lock_time);
        if let Some(expiry) = tx.expiry {
            object["expiryheight"] = json!(expiry);
        }
        if let Some(group) = tx.group {
            object["versiongroupid"] = json!(format!("{group:08x}"));
        }
        let mainnet = view.profile.chain == "main";
        object["vin"] = tx.inputs.iter().map(vin).collect();
        let vout = |(number, output)| vout(number, output, mainnet);
        object["vout"] = tx.outputs.iter().enumerate().map(vout).collect();
    }
    let best = block.is_some_and(|block| view.state.is_best(block));
    object["in_active_chain"] = json!(best);
    if let Some(block) = block {
        object["blockhash"] = json!(show(&block.hash));
        // zebrad leaves height and time out for side chains.
        if best {
            object["height"] = json!(block.height);
            object["confirmations"] = json!(view.tip_height().saturating_sub(block.height) + 1);
            object["time"] = json!(block.time);
            object["blocktime"] = json!(block.time);
        }
    }
    object
}

fn vin(input: &Input<'_>) -> Value {
    let script = faster_hex::hex_string(input.script);
    if input.is_coinbase() {
        return json!({ "coinbase": script, "sequence": input.sequence });
    }
    json!({
        "txid": show(&input.txid),
        "vout": input.index,
        "scriptSig": { "hex": script },
        "sequence": input.sequence,
    })
}

fn vout(number: usize, output: &Output<'_>, mainnet: bool) -> Value {
    let mut script = json!({ "hex": faster_hex::hex_string(output.script) });
    match addresses::encode(output.script, mainnet) {
        Some(address) => {
            let hash = output.script.len() == 25;
            script["type"] = json!(if hash { "pubkeyhash" } else { "scripthash" });
            script["reqSigs"] = json!(1);
            script["addresses"] = json!([address]);
        }
        None => script["type"] = json!("nonstandard"),
    }
    json!({
        "value": zec(output.value),
        "valueZat": output.value,
        "n": number,
        "scriptPubKey": script,
    })
}

/// `sendrawtransaction`: what is sent is read by the field's own library, so
/// the id it goes by is not one of ours.
pub(super) fn send(state: &mut State, params: &[Value]) -> Result<Value, Failure> {
    let text = params.first().and_then(Value::as_str);
    let text = text.ok_or_else(|| Failure::params("No more params"))?;
    let bad = |words: String| Failure::new(-22, words);
    if text.len() % 2 == 1 {
        return Err(bad("Odd number of digits".into()));
    }
    let bytes = hex::decode(text).map_err(|error| bad(error.to_string()))?;
    let tx = Transaction::read(&bytes[..], BranchId::Canopy);
    let tx = tx.map_err(|error| bad(format!("io error: {error}")))?;
    let txid: Hash = *tx.txid().as_ref();
    if state
        .find(&txid)
        .is_some_and(|(block, _)| state.is_best(block))
    {
        let words = "failed to validate tx: WtxId, error: transaction is already in state";
        return Err(Failure::new(-25, words));
    }
    if state.mempool.contains_key(&reversed(&txid)) {
        let words = "transaction already exists in mempool";
        return Err(Failure::new(-25, words));
    }
    state.mempool.insert(reversed(&txid), bytes.into());
    Ok(json!(show(&txid)))
}
