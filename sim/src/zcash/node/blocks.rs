//! getblock and getblockheader.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};

use super::{
    methods::{Answer, Failure, Key, View},
    state::{Pools, State, show},
    transactions, trees,
};
use crate::zcash::chain::Block;

/// Names of the pools, in the order of [`Pools`].
const POOLS: [&str; 6] = [
    "transparent",
    "sprout",
    "sapling",
    "orchard",
    "lockbox",
    "ironwood",
];

/// Zatoshis as the node writes amounts in ZEC.
pub(super) fn zec(zatoshis: i64) -> f64 {
    zatoshis as f64 / 1e8
}

/// `getblock`
pub(super) fn block(view: &View<'_>, params: &[Value]) -> Result<Answer, Failure> {
    let key = view.key(params)?;
    let verbosity = params.get(1).map_or(Some(1), Value::as_u64);
    match (verbosity, view.find(key)) {
        (Some(0), Some(block)) => Ok(Answer::Hex(raw(view, block))),
        (Some(0), None) => Err(Failure::new(-8, "Block not found")),
        (Some(1..=3), None) => Err(missing(key)),
        (Some(level @ 1..=3), Some(block)) => Ok(Answer::Value(verbose(view, block, level > 1)?)),
        _ => Err(Failure::new(-8, "invalid verbosity value")),
    }
}

fn missing(key: Key) -> Failure {
    let code = match key {
        Key::Hash(_) => -5,
        Key::Height(_) => -8,
    };
    Failure::new(code, "block height not in best chain")
}

/// A block's bytes, with whatever is to be wrong about them.
fn raw(view: &View<'_>, block: &Block) -> Bytes {
    let lies = &view.lies;
    if !lies.wrong_bytes && !lies.wrong_root && !lies.unknown_version {
        return block.raw.clone();
    }
    let mut bytes = BytesMut::from(&block.raw[..]);
    // The Merkle root is bytes 36 to 67 of the header.
    if view.lies.wrong_root && bytes.len() > 36 {
        bytes[36] ^= 1;
    }
    if lies.unknown_version
        && let Some(tx) = block.txs.last()
    {
        make_unknown(&mut bytes[tx.start..]);
    }
    // A lock time or an expiry height: the layout stays sound, the
    // transaction's id does not.
    if view.lies.wrong_bytes
        && let Some(at) = block.txs.last().and_then(|tx| harmless(&block.raw, tx))
    {
        bytes[at] ^= 1;
    }
    bytes.freeze()
}

/// Gives a transaction a version that nobody knows.
pub(super) fn make_unknown(tx: &mut [u8]) {
    // The highest bit says that a version group follows, as none does for
    // versions 1 and 2.
    if let [version, _, _, top, ..] = tx {
        (*version, *top) = (0x7f, *top | 0x80);
    }
}

/// A byte of a transaction, given by its range, that is part of its id and of no length: the
/// first of its branch id (version 5 and 6) or of its first input's txid.
pub(super) fn harmless(raw: &[u8], range: &Range<usize>) -> Option<usize> {
    let version = raw.get(range.start).copied()?;
    let overwintered = raw.get(range.start + 3).copied()? & 0x80 != 0;
    let offset = match (overwintered, version) {
        (true, 5..) => 8,
        (true, _) => 9,
        (false, _) => 5,
    };
    Some(range.start + offset).filter(|at| *at < range.end)
}

/// `getblockheader`
pub(super) fn header(view: &View<'_>, params: &[Value]) -> Result<Answer, Failure> {
    let key = view.key(params)?;
    let block = view.find(key).ok_or_else(|| missing(key))?;
    if params.get(1).and_then(Value::as_bool) == Some(false) {
        let end = block.txs.first().map_or(block.raw.len(), |tx| tx.start);
        // The transaction count stands between header and transactions.
        let count = compact_size(block.txs.len());
        let end = end.saturating_sub(count);
        return Ok(Answer::Hex(block.raw.slice(..end)));
    }
    let mut object = header_fields(view, block)?;
    for absent in ["size", "nTx", "finalorchardroot"] {
        object.remove(absent);
    }
    Ok(Answer::Value(Value::Object(object)))
}

fn compact_size(count: usize) -> usize {
    match count {
        0..0xfd => 1,
        0xfd..=0xffff => 3,
        _ => 5,
    }
}

fn header_fields(view: &View<'_>, block: &Block) -> Result<Map<String, Value>, Failure> {
    let damaged = || Failure::new(-1, "the block's header is cut short");
    let header = block.raw.first_chunk::<140>().ok_or_else(damaged)?;
    let hash_at = |from: usize| {
        let bytes = header[from..from + 32].try_into();
        show(&bytes.expect("the slice has 32 bytes because its ends say so"))
    };
    let (bits, version) = (&header[104..108], header[0]);
    let first_tx = block.txs.first().map_or(block.raw.len(), |tx| tx.start);
    let solution_end = first_tx.saturating_sub(compact_size(block.txs.len()));
    let prefix = match header.len() {
        140 if block.raw.get(140) == Some(&0xfd) => 3,
        _ => 1,
    };
    let solution = block.raw.get(140 + prefix..solution_end);
    let best = view.state.is_best(block) && block.height <= view.tip_height();
    let confirmations = match best {
        true => json!(view.tip_height() - block.height + 1),
        false => json!(-1),
    };
    let roots = trees::roots(block);
    let mut bits = bits.to_vec();
    bits.reverse();
    let mut object = json!({
        "hash": show(&block.hash),
        "confirmations": confirmations,
        "size": block.raw.len(),
        "height": block.height,
        "version": version,
        "merkleroot": hash_at(36),
        "blockcommitments": hash_at(68),
        "finalsaplingroot": roots.sapling.unwrap_or_else(|| "0".repeat(64)),
        "nTx": block.txids.len(),
        "time": block.time,
        "nonce": hash_at(108),
        "solution": faster_hex::hex_string(solution.ok_or_else(damaged)?),
        "bits": faster_hex::hex_string(&bits),
        "difficulty": 1.0,
        "previousblockhash": show(&block.prev),
    });
    if let Some(root) = roots.orchard {
        object["finalorchardroot"] = json!(root);
    }
    if let Some(next) = view.at(block.height + 1).filter(|_| best) {
        object["nextblockhash"] = json!(show(&next.hash));
    }
    match object {
        Value::Object(fields) => Ok(fields),
        _ => Err(damaged()),
    }
}

fn verbose(view: &View<'_>, block: &Block, full: bool) -> Result<Value, Failure> {
    let mut object = header_fields(view, block)?;
    if let Some(genesis) = view.lies.genesis.filter(|_| block.height == 0) {
        object.insert("hash".into(), json!(show(&genesis)));
    }
    let txs: Vec<Value> = match full {
        false => block.txids.iter().map(|txid| json!(show(txid))).collect(),
        true => (0..block.txids.len())
            .map(|index| {
                let raw = State::raw(block, index);
                transactions::object(view, &raw, &block.txids[index], Some(block))
            })
            .collect(),
    };
    object.insert("tx".into(), txs.into());
    object.insert("trees".into(), trees::sizes(view, block));
    let pools = match view.state.is_best(block) {
        true => {
            let first = view.state.chain.blocks.first().map_or(0, |b| b.height);
            let index = usize::try_from(block.height - first).unwrap_or(0);
            let before = index.checked_sub(1).map(|index| view.state.pools(index));
            Some((view.state.pools(index), before.unwrap_or_default()))
        }
        false => None,
    };
    if let Some((after, before)) = pools {
        object.insert("chainSupply".into(), supply(&after));
        object.insert("valuePools".into(), value_pools(&after, Some(&before)));
    }
    Ok(Value::Object(object))
}

/// The `chainSupply` object.
pub(super) fn supply(pools: &Pools) -> Value {
    let total: i64 = pools.iter().sum();
    json!({ "chainValue": zec(total), "chainValueZat": total, "monitored": total != 0 })
}

/// The `valuePools` array, with what changed since `before` where given.
pub(super) fn value_pools(pools: &Pools, before: Option<&Pools>) -> Value {
    let one = |index: usize| {
        let value = pools[index];
        let mut object = json!({
            "id": POOLS[index],
            "chainValue": zec(value),
            "chainValueZat": value,
            "monitored": value != 0,
        });
        if let Some(before) = before {
            let delta = value - before[index];
            object["valueDelta"] = json!(zec(delta));
            object["valueDeltaZat"] = json!(delta);
        }
        object
    };
    (0..POOLS.len()).map(one).collect()
}
