//! The memory pool.

use std::collections::BTreeSet;

use bytes::Bytes;
use heliostat_zcash_proto::{CompactTx, Empty, GetMempoolTxRequest, RawTransaction};
use heliostat_zcash_verifier::scan;
use prost::Message as _;

use crate::rig::{BLOCKS, Client, Rig, SPARE, until};

/// Compact transactions as they will stand in their block, by id, with the
/// index a waiting transaction has.
fn expected(rig: &Rig) -> Vec<CompactTx> {
    let blocks = (BLOCKS + 1..=BLOCKS + SPARE).map(|height| rig.block(height));
    blocks
        .flat_map(|block| {
            let full = scan(&block.raw).expect("it is a block").full;
            let block = heliostat_zcash_proto::CompactBlock::decode(full.as_slice());
            let block = block.expect("the scanner writes messages");
            block
                .vtx
                .into_iter()
                .skip(1)
                .map(|tx| CompactTx { index: 0, ..tx })
        })
        .collect()
}

async fn listed(client: &mut Client, wanted: GetMempoolTxRequest) -> Vec<CompactTx> {
    let stream = client.get_mempool_tx(wanted).await.expect("it begins");
    let mut stream = stream.into_inner();
    let mut all = Vec::new();
    while let Some(tx) = stream.message().await.expect("it goes on") {
        all.push(tx);
    }
    all
}

fn pools(pool_types: &[i32]) -> GetMempoolTxRequest {
    GetMempoolTxRequest {
        pool_types: pool_types.to_vec(),
        ..GetMempoolTxRequest::default()
    }
}

/// A waiting transaction's id in display order.
fn shown(tx: &CompactTx) -> Vec<u8> {
    tx.txid.iter().rev().copied().collect()
}

#[tokio::test]
async fn waiting_transactions_come_in_order_of_id_with_the_pools_asked_for() {
    let rig = Rig::new().await;
    for (txid, raw) in rig.unmined() {
        rig.node.mempool_add(txid, raw);
    }
    let mut full = expected(&rig);
    full.sort_by_key(shown);
    assert!(
        full.iter().any(|tx| !tx.vin.is_empty()),
        "some spend transparent outputs"
    );
    assert!(
        full.iter().any(|tx| !tx.outputs.is_empty()),
        "some are shielded"
    );
    let mut client = rig.client().await;
    assert_eq!(listed(&mut client, pools(&[1, 2, 3, 4])).await, full);
    let asked = rig.node.count("getrawtransaction");
    let transparent: Vec<_> = full
        .iter()
        .map(|tx| CompactTx {
            index: 0,
            txid: tx.txid.clone(),
            vin: tx.vin.clone(),
            vout: tx.vout.clone(),
            ..CompactTx::default()
        })
        .filter(|tx| !tx.vin.is_empty() || !tx.vout.is_empty())
        .collect();
    assert_eq!(listed(&mut client, pools(&[1])).await, transparent);
    let shielded: Vec<_> = full
        .iter()
        .map(|tx| CompactTx {
            vin: vec![],
            vout: vec![],
            ..tx.clone()
        })
        .filter(|tx| {
            tx.spends.len() + tx.outputs.len() + tx.actions.len() + tx.ironwood_actions.len() > 0
        })
        .collect();
    assert_eq!(listed(&mut client, pools(&[])).await, shielded);
    assert_eq!(listed(&mut client, pools(&[2, 3, 4])).await, shielded);
    // Pools this protocol does not know leave nothing.
    assert_eq!(listed(&mut client, pools(&[9])).await, []);
    assert_eq!(
        rig.node.count("getrawtransaction"),
        asked,
        "each is fetched once"
    );
}

#[tokio::test]
async fn an_exclude_list_names_transactions_by_the_end_of_their_ids() {
    let rig = Rig::new().await;
    for (txid, raw) in rig.unmined() {
        rig.node.mempool_add(txid, raw);
    }
    let mut client = rig.client().await;
    let mut full = listed(&mut client, pools(&[1, 2, 3, 4])).await;
    full.sort_by_key(shown);
    for length in [3, 32] {
        let known = &full[full.len() / 2];
        let mut wanted = pools(&[1, 2, 3, 4]);
        let suffix = known.txid.slice(32 - length..);
        wanted.exclude_txid_suffixes = vec![suffix, Bytes::from_static(&[0xee; 32])];
        let rest = listed(&mut client, wanted).await;
        let expected: Vec<_> = full.iter().filter(|tx| *tx != known).cloned().collect();
        assert_eq!(rest, expected, "{length} bytes");
    }
    // Every id ends with nothing: that names several, so it names none.
    let mut wanted = pools(&[1, 2, 3, 4]);
    wanted.exclude_txid_suffixes = vec![Bytes::new()];
    assert_eq!(listed(&mut client, wanted).await, full);
}

#[tokio::test]
async fn a_stream_gives_what_waits_then_what_arrives_and_ends_with_the_next_block() {
    let rig = Rig::new().await;
    let unmined = rig.unmined();
    let mut client = rig.client().await;
    // The very first stream, over an empty pool, does not end.
    let stream = client
        .get_mempool_stream(Empty {})
        .await
        .expect("it begins");
    let mut stream = stream.into_inner();
    let mut seen = BTreeSet::new();
    for (txid, raw) in &unmined[..3] {
        rig.node.mempool_add(*txid, raw.clone());
        let next = stream
            .message()
            .await
            .expect("it goes on")
            .expect("it is no end");
        assert_eq!(next.height, 0);
        assert_eq!(next.data, raw);
        seen.insert(next.data);
    }
    // A second listener gets what there is at once, in one poll for both.
    let mut other = client
        .get_mempool_stream(Empty {})
        .await
        .expect("it begins")
        .into_inner();
    for _ in 0..3 {
        let next = other
            .message()
            .await
            .expect("it goes on")
            .expect("it is no end");
        assert!(seen.contains(&next.data));
    }
    rig.mine();
    for mut ended in [stream, other] {
        assert_eq!(
            ended.message().await.expect("it ends well"),
            None::<RawTransaction>
        );
    }
    // With nobody listening, nobody polls.
    let node = rig.node.handle();
    until("the polling stops", || {
        let node = node.clone();
        async move {
            let before = node.count("getrawmempool");
            tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
            node.count("getrawmempool") == before
        }
    })
    .await;
}

#[tokio::test]
async fn bytes_under_another_id_are_evidence_and_are_not_passed_on() {
    let rig = Rig::new().await;
    let unmined = rig.unmined();
    let (honest, raw) = unmined[0].clone();
    let (claimed, other) = (unmined[1].0, unmined[2].1.clone());
    rig.node.mempool_add(honest, raw);
    rig.node.mempool_add(claimed, other.clone());
    let mut client = rig.client().await;
    let ids: Vec<_> = listed(&mut client, pools(&[1, 2, 3, 4]))
        .await
        .into_iter()
        .map(|tx| tx.txid)
        .collect();
    assert!(ids.iter().all(|id| id.as_ref() == honest), "{ids:?}");
    let findings = rig.upstreams.findings();
    assert_eq!(findings.len(), 1);
    let evidence = serde_json::to_string(&*findings[0]).expect("plain data");
    assert!(evidence.contains("zcash.txid"));
    assert!(
        evidence.contains(&hex::encode(&other)),
        "the bytes are kept"
    );
}
