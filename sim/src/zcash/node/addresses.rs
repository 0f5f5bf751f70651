//! Transparent addresses: the index behind getaddresstxids,
//! getaddressbalance and getaddressutxos.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

use super::{
    layout,
    methods::{Failure, View},
    state::{Hash, show},
};
use crate::zcash::chain::Chain;

/// zebrad's caps on one address call.
const MAX_ADDRESSES: usize = 10_000;
const MAX_RESULTS: usize = 100_000;

/// A place in the chain: height, index of the transaction, index of the
/// output (0 where none is meant).
type Place = (u64, usize, usize);

/// What every address received and spent on one chain.
pub(super) struct AddressIndex {
    entries: HashMap<String, Entry>,
}

#[derive(Default)]
struct Entry {
    txids: BTreeMap<Place, Hash>,
    unspent: BTreeMap<Place, Utxo>,
    received: i64,
}

#[derive(Clone)]
struct Utxo {
    txid: Hash,
    value: i64,
    script: Vec<u8>,
}

impl AddressIndex {
    /// Reads a whole chain.
    pub fn of(chain: &Chain, mainnet: bool) -> Self {
        let mut entries: HashMap<String, Entry> = HashMap::new();
        let mut owners: HashMap<(Hash, usize), (String, Place)> = HashMap::new();
        for block in chain.blocks.iter().filter(|block| block.height > 0) {
            for (index, (range, txid)) in block.txs.iter().zip(&block.txids).enumerate() {
                let Some(tx) = layout::read(&block.raw[range.clone()]) else {
                    continue;
                };
                let here = (block.height, index, 0);
                for input in &tx.inputs {
                    let Ok(output) = usize::try_from(input.index) else {
                        continue;
                    };
                    if let Some((address, place)) = owners.remove(&(input.txid, output)) {
                        let entry = entries.entry(address).or_default();
                        entry.unspent.remove(&place);
                        entry.txids.insert(here, *txid);
                    }
                }
                for (number, output) in tx.outputs.iter().enumerate() {
                    let Some(address) = encode(output.script, mainnet) else {
                        continue;
                    };
                    let place = (block.height, index, number);
                    owners.insert((*txid, number), (address.clone(), place));
                    let entry = entries.entry(address).or_default();
                    entry.txids.insert(here, *txid);
                    entry.received += output.value;
                    let (txid, value) = (*txid, output.value);
                    let script = output.script.to_vec();
                    let utxo = Utxo {
                        txid,
                        value,
                        script,
                    };
                    entry.unspent.insert(place, utxo);
                }
            }
        }
        Self { entries }
    }
}

/// The address of a P2PKH or P2SH script.
pub(super) fn encode(script: &[u8], mainnet: bool) -> Option<String> {
    let (kind, hash) = match script {
        [0x76, 0xa9, 0x14, hash @ .., 0x88, 0xac] if hash.len() == 20 => (0, hash),
        [0xa9, 0x14, hash @ .., 0x87] if hash.len() == 20 => (1, hash),
        _ => return None,
    };
    let mut bytes = prefixes(mainnet)[kind].to_vec();
    bytes.extend_from_slice(hash);
    Some(bs58::encode(bytes).with_check().into_string())
}

/// The version bytes of P2PKH and P2SH addresses (protocol specification,
/// section 5.6.1.1); regtest has testnet's.
fn prefixes(mainnet: bool) -> [[u8; 2]; 2] {
    if mainnet {
        [[0x1c, 0xb8], [0x1c, 0xbd]]
    } else {
        [[0x1d, 0x25], [0x1c, 0xba]]
    }
}

/// The addresses a call names, checked as zebrad checks them.
fn named(params: &Value) -> Result<HashSet<String>, Failure> {
    let addresses: Vec<&str> = match &params["addresses"] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => params.as_str().into_iter().collect(),
    };
    if addresses.len() > MAX_ADDRESSES {
        let words = format!("too many addresses: the limit is {MAX_ADDRESSES}");
        return Err(Failure::new(-8, words));
    }
    for address in &addresses {
        let decoded = bs58::decode(address).with_check(None).into_vec();
        let known = |bytes: &Vec<u8>| {
            let of_kind = |prefix: [u8; 2]| bytes.starts_with(&prefix);
            bytes.len() == 22 && [true, false].into_iter().flat_map(prefixes).any(of_kind)
        };
        if !decoded.as_ref().is_ok_and(known) {
            return Err(Failure::new(-5, "parse error: invalid Bech32 encoding"));
        }
    }
    Ok(addresses.into_iter().map(str::to_owned).collect())
}

fn entries<'a>(view: &'a View<'_>, params: &Value) -> Result<Vec<(String, &'a Entry)>, Failure> {
    let index = view.state.addresses(view.profile.chain == "main");
    let addresses = named(params)?;
    let found = |address: String| {
        let entry = index.entries.get(&address)?;
        Some((address, entry))
    };
    Ok(addresses.into_iter().filter_map(found).collect())
}

/// `getaddressbalance`
pub(super) fn balance(view: &View<'_>, params: &Value) -> Result<Value, Failure> {
    let (mut balance, mut received) = (0, 0);
    for (_, entry) in entries(view, params)? {
        balance += entry.unspent.values().map(|utxo| utxo.value).sum::<i64>();
        received += entry.received;
    }
    Ok(json!({ "balance": balance, "received": received }))
}

/// `getaddresstxids`
pub(super) fn txids(view: &View<'_>, params: &Value) -> Result<Value, Failure> {
    let tip = view.tip_height();
    let start = params["start"].as_u64().unwrap_or(0).min(tip);
    let end = match params["end"].as_u64() {
        None | Some(0) => tip,
        Some(end) => end.min(tip),
    };
    if start > end {
        let words =
            format!("start Height({start}) must be less than or equal to end Height({end})");
        return Err(Failure::new(-1, words));
    }
    let mut found = BTreeSet::new();
    for (_, entry) in entries(view, params)? {
        let range = (start, 0, 0)..(end + 1, 0, 0);
        found.extend(entry.txids.range(range));
    }
    if found.len() > MAX_RESULTS {
        let words = format!("more than {MAX_RESULTS} transactions match; narrow the height range");
        return Err(Failure::new(-8, words));
    }
    Ok(found.into_iter().map(|(_, txid)| show(txid)).collect())
}

/// `getaddressutxos`
pub(super) fn utxos(view: &View<'_>, params: &Value) -> Result<Value, Failure> {
    let start = params["startHeight"].as_u64().unwrap_or(0);
    let wanted = params["maxEntries"].as_u64().unwrap_or(0);
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    if wanted > MAX_RESULTS {
        let words = format!("maxEntries must be at most {MAX_RESULTS}");
        return Err(Failure::new(-8, words));
    }
    let mut found = BTreeMap::new();
    for (address, entry) in entries(view, params)? {
        for (place, utxo) in entry.unspent.range((start, 0, 0)..) {
            found.insert(*place, (address.clone(), utxo.clone()));
        }
    }
    let limit = if wanted > 0 { wanted } else { MAX_RESULTS + 1 };
    if found.len().min(limit) > MAX_RESULTS {
        let words = format!(
            "more than {MAX_RESULTS} unspent outputs match; page with startHeight and maxEntries"
        );
        return Err(Failure::new(-8, words));
    }
    let one = |((height, _, output), (address, utxo)): (Place, (String, Utxo))| {
        json!({
            "address": address,
            "txid": show(&utxo.txid),
            "outputIndex": output,
            "script": faster_hex::hex_string(&utxo.script),
            "satoshis": utxo.value,
            "height": height,
        })
    };
    Ok(found.into_iter().take(limit).map(one).collect())
}
