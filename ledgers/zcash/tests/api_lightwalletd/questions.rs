//! What is asked of both.

use bytes::Bytes;
use heliostat_zcash_proto::{
    AddressList, BlockId, BlockRange, ChainSpec, Empty, GetAddressUtxosArg, GetMempoolTxRequest,
    GetSubtreeRootsArg, RawTransaction, TransparentAddressBlockFilter, TxFilter,
};
use prost::Message;

use crate::rig::{BLOCKS, Rig, address, at, by_hash};

/// A method and its request.
pub type Question = (&'static str, Bytes);

fn ask(message: impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn range(start: u64, end: u64, pool_types: &[i32]) -> BlockRange {
    BlockRange {
        start: Some(at(start)),
        end: Some(at(end)),
        pool_types: pool_types.to_vec(),
    }
}

fn txid(hash: &[u8]) -> TxFilter {
    TxFilter {
        hash: hash.to_vec().into(),
        ..TxFilter::default()
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|one| (*one).to_owned()).collect()
}

fn addresses(list: &[&str]) -> AddressList {
    AddressList {
        addresses: owned(list),
    }
}

fn history(address: &str, range: Option<BlockRange>) -> TransparentAddressBlockFilter {
    TransparentAddressBlockFilter {
        address: address.to_owned(),
        range,
    }
}

fn utxos(list: &[&str], start_height: u64, max_entries: u32) -> GetAddressUtxosArg {
    GetAddressUtxosArg {
        addresses: owned(list),
        start_height,
        max_entries,
    }
}

fn mempool(pools: &[i32], exclude: &[&[u8]]) -> GetMempoolTxRequest {
    GetMempoolTxRequest {
        pool_types: pools.to_vec(),
        exclude_txid_suffixes: exclude.iter().map(|one| one.to_vec().into()).collect(),
    }
}

fn roots(shielded_protocol: i32, start_index: u32, max_entries: u32) -> GetSubtreeRootsArg {
    GetSubtreeRootsArg {
        start_index,
        shielded_protocol,
        max_entries,
    }
}

/// Requests whose answers must be equal.
pub async fn questions(rig: &Rig) -> Vec<Question> {
    let address = address(&rig.node).await;
    let mut shown = rig.block(9).hash;
    shown.reverse();
    let mut all = vec![
        ("GetLatestBlock", ask(ChainSpec {})),
        ("GetBlock", ask(BlockId::default())),
        ("GetBlock", ask(at(BLOCKS + 1))),
        ("GetBlockNullifiers", ask(BlockId::default())),
        ("GetBlockNullifiers", ask(at(BLOCKS + 5))),
        ("GetBlockRange", ask(BlockRange::default())),
        ("GetBlockRange", ask(range(1, 9, &[0]))),
        ("GetBlockRange", ask(range(BLOCKS - 3, BLOCKS + 3, &[]))),
        ("GetBlockRangeNullifiers", ask(range(1, BLOCKS, &[1]))),
        ("GetTransaction", ask(TxFilter::default())),
        ("GetTransaction", ask(txid(&[7; 32]))),
        ("GetTransaction", ask(txid(&[7; 31]))),
        ("GetTransaction", ask(txid(&rig.block(5).txids[0]))),
        ("SendTransaction", ask(RawTransaction::default())),
        (
            "SendTransaction",
            ask(RawTransaction {
                data: vec![0; 9].into(),
                height: 0,
            }),
        ),
        (
            "SendTransaction",
            ask(RawTransaction {
                data: vec![0; 2_000_001].into(),
                height: 0,
            }),
        ),
        ("GetTreeState", ask(BlockId::default())),
        ("GetTreeState", ask(at(9))),
        ("GetTreeState", ask(at(BLOCKS + 9))),
        ("GetTreeState", ask(by_hash(&shown))),
        ("GetTreeState", ask(by_hash(&[1; 32]))),
        ("GetTreeState", ask(by_hash(&[1; 3]))),
        ("GetLatestTreeState", ask(Empty {})),
        ("GetSubtreeRoots", ask(roots(0, 0, 0))),
        ("GetSubtreeRoots", ask(roots(2, 3, 4))),
        ("GetSubtreeRoots", ask(roots(9, 0, 0))),
        ("GetTaddressBalance", ask(addresses(&[&address, &address]))),
        ("GetTaddressBalance", ask(addresses(&["tbad"]))),
        ("GetTaddressBalance", ask(addresses(&[&*address; 10_001]))),
        ("GetAddressUtxos", ask(utxos(&[&address], 0, 0))),
        ("GetAddressUtxos", ask(utxos(&[&address], 40, 1))),
        (
            "GetAddressUtxosStream",
            ask(utxos(&[&address, &address], 0, 3)),
        ),
        ("GetAddressUtxosStream", ask(utxos(&["t"], 0, 3))),
        ("GetTaddressTransactions", ask(history(&address, None))),
        (
            "GetTaddressTransactions",
            ask(history(&address, Some(BlockRange::default()))),
        ),
        (
            "GetTaddressTransactions",
            ask(history(&address, Some(range(1, 0, &[])))),
        ),
        (
            "GetTaddressTransactions",
            ask(history(&address, Some(range(1, 20_000_000, &[])))),
        ),
        (
            "GetTaddressTxids",
            ask(history(&address, Some(range(1, BLOCKS, &[])))),
        ),
        ("GetTaddressTxids", ask(history("x", None))),
        ("GetMempoolTx", ask(mempool(&[], &[]))),
        ("GetMempoolTx", ask(mempool(&[2, 3], &[]))),
        ("GetMempoolTx", ask(mempool(&[9], &[]))),
        ("GetMempoolTx", ask(mempool(&[0], &[]))),
        (
            "GetMempoolTx",
            ask(mempool(&[], &[&rig.unmined()[0].0, &[1, 2], &[]])),
        ),
        ("GetMempoolTx", ask(mempool(&[], &[&[7; 33]]))),
    ];
    for height in 1..=BLOCKS {
        all.push(("GetBlock", ask(at(height))));
        all.push(("GetBlockNullifiers", ask(at(height))));
    }
    for set in 0..16_i32 {
        let pools: Vec<i32> = (1..=4).filter(|pool| set >> (pool - 1) & 1 == 1).collect();
        for method in ["GetBlockRange", "GetBlockRangeNullifiers"] {
            all.push((method, ask(range(0, BLOCKS, &pools))));
            all.push((method, ask(range(BLOCKS, 0, &pools))));
        }
    }
    all.extend(odd(rig, &address));
    all
}

/// Heights at which lightwalletd's numbers wrap around.
pub fn wrapping() -> Vec<Question> {
    let mut all = Vec::new();
    for height in [1 << 63, u64::MAX] {
        all.push(("GetBlock", ask(at(height))));
        all.push(("GetBlockNullifiers", ask(at(height))));
        all.push(("GetBlockRange", ask(range(BLOCKS - 1, height, &[]))));
        all.push(("GetBlockRangeNullifiers", ask(range(height, 1, &[]))));
    }
    all
}

/// Heights beyond 31, 32 and 62 bits.
fn large(address: &str) -> Vec<Question> {
    const LARGE: [u64; 5] = [
        (1 << 31) - 1,
        1 << 31,
        (1 << 32) - 1,
        1 << 32,
        // Beyond, its numbers wrap around: an entry of the table.
        (1 << 63) - 1,
    ];
    let mut all = Vec::new();
    for height in LARGE {
        all.push(("GetBlock", ask(at(height))));
        all.push(("GetBlockNullifiers", ask(at(height))));
        all.push(("GetTreeState", ask(at(height))));
        for method in ["GetBlockRange", "GetBlockRangeNullifiers"] {
            all.push((method, ask(range(BLOCKS - 1, height, &[]))));
            all.push((method, ask(range(height, BLOCKS - 1, &[]))));
            all.push((method, ask(range(height, height, &[1]))));
        }
        all.push(("GetAddressUtxos", ask(utxos(&[address], height, 0))));
        for (start, end) in [(height, BLOCKS), (height, 0), (height, height), (0, height)] {
            let history = history(address, Some(range(start, end, &[])));
            all.push(("GetTaddressTransactions", ask(history)));
        }
    }
    all
}

/// Other arguments that no wallet sends: turned round, unknown, missing, empty.
fn odd(rig: &Rig, address: &str) -> Vec<Question> {
    let mut all = large(address);
    let half = |start, end| BlockRange {
        start,
        end,
        pool_types: vec![-1],
    };
    for method in ["GetBlockRange", "GetBlockRangeNullifiers"] {
        all.push((method, ask(half(Some(at(1)), None))));
        all.push((method, ask(half(None, Some(at(1))))));
        // A hash is passed over here, whatever it is.
        let odd_hash = Some(by_hash(&[1; 5]));
        all.push((method, ask(half(odd_hash.clone(), odd_hash))));
        for pools in [
            &[-1][..],
            &[9, 1],
            &[1, 1, 4, 4],
            &[i32::MAX],
            &[i32::MIN, 2],
            &[1, 0],
        ] {
            all.push((method, ask(range(BLOCKS - 9, BLOCKS, pools))));
        }
        all.push((method, ask(range(BLOCKS + 3, BLOCKS - 3, &[]))));
        all.push((method, ask(range(BLOCKS + 1, BLOCKS + 1, &[]))));
    }
    let mined = rig.block(5);
    let both = |hash: &[u8]| BlockId {
        height: 9,
        hash: hash.to_vec().into(),
    };
    all.push(("GetTreeState", ask(both(&[1; 5]))));
    all.push(("GetTreeState", ask(both(&[1; 32]))));
    // Internal order, which is not the one this method takes.
    all.push(("GetTreeState", ask(by_hash(&mined.hash))));
    for hash in [&[][..], &[7; 33], &[0; 32]] {
        all.push(("GetTransaction", ask(txid(hash))));
        let filter = TxFilter {
            block: Some(by_hash(&mined.hash)),
            index: u64::MAX,
            hash: hash.to_vec().into(),
        };
        all.push(("GetTransaction", ask(filter)));
    }
    let filter = TxFilter {
        block: Some(at(5)),
        ..TxFilter::default()
    };
    all.push(("GetTransaction", ask(filter)));
    for (pool, start, most) in [
        (-1, 0, 0),
        (i32::MIN, 0, 0),
        (3, 0, 0),
        (0, 65_535, 1),
        (1, 65_536, 1),
        (1, u32::MAX, u32::MAX),
        (0, 0, u32::MAX),
    ] {
        all.push(("GetSubtreeRoots", ask(roots(pool, start, most))));
    }
    all.extend(odd_addresses(address));
    for pools in [&[-1][..], &[4, 0], &[i32::MIN, 3]] {
        all.push(("GetMempoolTx", ask(mempool(pools, &[]))));
    }
    all.push(("GetMempoolTx", ask(mempool(&[], &[&[]]))));
    all.push(("GetMempoolTx", ask(mempool(&[], &[&[], &[]]))));
    all
}

fn odd_addresses(address: &str) -> Vec<Question> {
    let mut all = Vec::new();
    let upper = address.replacen('t', "T", 1);
    let long = format!("{address}a");
    let short = &address[..34];
    let spaced = format!("{short} ");
    let wide = format!("{}é", &address[..33]);
    for one in ["", &upper, &long, short, &spaced, &wide] {
        all.push(("GetTaddressBalance", ask(addresses(&[address, one]))));
        all.push(("GetAddressUtxos", ask(utxos(&[one], 0, 0))));
        let history = history(one, Some(range(1, 2, &[])));
        all.push(("GetTaddressTransactions", ask(history)));
    }
    all.push(("GetTaddressBalance", ask(addresses(&[]))));
    all.push(("GetAddressUtxos", ask(utxos(&[], 0, 0))));
    all.push(("GetAddressUtxos", ask(utxos(&[address], 0, 100_000))));
    all
}
