//! The grade on every answer.

use std::collections::BTreeMap;

use heliostat_core::Assurance;
use heliostat_node::Role;
use heliostat_zcash::api::{Settings, method_table};
use heliostat_zcash_proto::{
    Address, AddressList, BlockRange, ChainSpec, Duration, Empty, GetAddressUtxosArg,
    GetMempoolTxRequest, GetSubtreeRootsArg, RawTransaction, TransparentAddressBlockFilter,
    TxFilter,
};
use tonic::{Code, Response, Status, Streaming};

use crate::rig::{Client, Plan, Rig, address, at, first_node, until};

type Grades = BTreeMap<&'static str, String>;

pub fn of_unary<T>(reply: Result<Response<T>, Status>) -> String {
    let reply = reply.expect("it answers");
    let grade = reply
        .metadata()
        .get(Assurance::FIELD)
        .expect("initial metadata has it");
    grade.to_str().expect("it is text").to_owned()
}

async fn of_stream<T>(reply: Result<Response<Streaming<T>>, Status>) -> String {
    let reply = reply.expect("it begins");
    assert!(
        reply.metadata().get(Assurance::FIELD).is_none(),
        "the trailer has it"
    );
    let mut stream = reply.into_inner();
    while stream.message().await.expect("it ends well").is_some() {}
    let trailers = stream
        .trailers()
        .await
        .expect("it ended well")
        .expect("there are some");
    let grade = trailers.get(Assurance::FIELD).expect("the trailer has it");
    grade.to_str().expect("it is text").to_owned()
}

/// Calls every method once.
#[expect(deprecated, reason = "wallets still call them")]
async fn all(rig: &Rig, client: &mut Client) -> Grades {
    let address = address(&rig.node).await;
    let list = vec![address.clone()];
    let range = BlockRange {
        start: Some(at(1)),
        end: Some(at(5)),
        ..BlockRange::default()
    };
    let history = TransparentAddressBlockFilter {
        address: address.clone(),
        range: Some(range.clone()),
    };
    let utxos = GetAddressUtxosArg {
        addresses: list.clone(),
        ..GetAddressUtxosArg::default()
    };
    let txid = TxFilter {
        hash: rig.block(3).txids[0].to_vec().into(),
        ..TxFilter::default()
    };
    let sent = RawTransaction {
        data: rig.unmined()[0].1.clone(),
        height: 0,
    };
    let stream = tokio_stream::iter([Address { address }]);
    let mut grades = Grades::from([
        (
            "GetLatestBlock",
            of_unary(client.get_latest_block(ChainSpec {}).await),
        ),
        ("GetBlock", of_unary(client.get_block(at(4)).await)),
        (
            "GetBlockNullifiers",
            of_unary(client.get_block_nullifiers(at(4)).await),
        ),
        (
            "GetBlockRange",
            of_stream(client.get_block_range(range.clone()).await).await,
        ),
        (
            "GetBlockRangeNullifiers",
            of_stream(client.get_block_range_nullifiers(range).await).await,
        ),
        (
            "GetTransaction",
            of_unary(client.get_transaction(txid).await),
        ),
        (
            "SendTransaction",
            of_unary(client.send_transaction(sent).await),
        ),
        (
            "GetTaddressTxids",
            of_stream(client.get_taddress_txids(history.clone()).await).await,
        ),
        (
            "GetTaddressTransactions",
            of_stream(client.get_taddress_transactions(history).await).await,
        ),
        (
            "GetTaddressBalance",
            of_unary(
                client
                    .get_taddress_balance(AddressList { addresses: list })
                    .await,
            ),
        ),
        (
            "GetTaddressBalanceStream",
            of_unary(client.get_taddress_balance_stream(stream).await),
        ),
        (
            "GetMempoolTx",
            of_stream(client.get_mempool_tx(GetMempoolTxRequest::default()).await).await,
        ),
        ("GetTreeState", of_unary(client.get_tree_state(at(4)).await)),
        (
            "GetLatestTreeState",
            of_unary(client.get_latest_tree_state(Empty {}).await),
        ),
        (
            "GetSubtreeRoots",
            of_stream(
                client
                    .get_subtree_roots(GetSubtreeRootsArg::default())
                    .await,
            )
            .await,
        ),
        (
            "GetAddressUtxos",
            of_unary(client.get_address_utxos(utxos.clone()).await),
        ),
        (
            "GetAddressUtxosStream",
            of_stream(client.get_address_utxos_stream(utxos).await).await,
        ),
        (
            "GetLightdInfo",
            of_unary(client.get_lightd_info(Empty {}).await),
        ),
        (
            "Ping",
            of_unary(client.ping(Duration { interval_us: 0 }).await),
        ),
    ]);
    // It ends with the next block.
    let mempool = client.get_mempool_stream(Empty {}).await;
    rig.mine();
    grades.insert("GetMempoolStream", of_stream(mempool).await);
    grades
}

fn pinging() -> Settings {
    Settings {
        ping_very_insecure: true,
        ..Settings::default()
    }
}

#[tokio::test]
async fn every_method_says_how_its_answer_was_checked() {
    let rig = Rig::with(pinging()).await;
    let grades = all(&rig, &mut rig.client().await).await;
    for method in method_table() {
        let expected = if method.name == "Ping" {
            "proven"
        } else {
            "relayed"
        };
        assert_eq!(grades[method.name], expected, "{}", method.name);
    }
    assert_eq!(grades.len(), method_table().len());
}

#[tokio::test]
async fn with_a_witness_what_comes_from_blocks_is_agreed_on() {
    let witness = first_node().await;
    let plan = Plan {
        settings: pinging(),
        others: vec![(Role::Witness, witness.url())],
        ..Plan::default()
    };
    let rig = Rig::planned(first_node().await, plan).await;
    let client = rig.client().await;
    until("the witness is heard", || {
        let mut client = client.clone();
        async move { of_unary(client.get_latest_block(ChainSpec {}).await) == "agreed 2/2" }
    })
    .await;
    let grades = all(&rig, &mut rig.client().await).await;
    for method in method_table() {
        let blocks = method.name.contains("Block");
        let expected = match method.name {
            "Ping" => "proven",
            // Regtest coinbases are of version 5, and a witness is asked for
            // ids only: see the method table.
            _ if blocks => "agreed 2/2",
            _ => "relayed",
        };
        assert_eq!(grades[method.name], expected, "{}", method.name);
    }
}

#[tokio::test]
async fn a_transaction_is_as_good_as_its_block_when_its_id_covers_all_of_it() {
    let witness = first_node().await;
    let plan = Plan {
        others: vec![(Role::Witness, witness.url())],
        ..Plan::default()
    };
    let rig = Rig::planned(first_node().await, plan).await;
    let client = rig.client().await;
    until("the witness is heard", || {
        let mut client = client.clone();
        async move { of_unary(client.get_latest_block(ChainSpec {}).await) == "agreed 2/2" }
    })
    .await;
    let mut client = rig.client().await;
    let mut seen = BTreeMap::new();
    for block in &rig.node.chain().blocks {
        for (txid, range) in block.txids.iter().zip(&block.txs) {
            let version = block.raw[range.start];
            let wanted = TxFilter {
                hash: txid.to_vec().into(),
                ..TxFilter::default()
            };
            let grade = of_unary(client.get_transaction(wanted).await);
            let expected = match version {
                // The genesis coinbase: height 0 is what a waiting one has too.
                _ if block.height == 0 => "relayed",
                ..=4 => "agreed 2/2",
                _ => "relayed",
            };
            assert_eq!(
                grade, expected,
                "version {version} in block {}",
                block.height
            );
            *seen.entry(version <= 4).or_insert(0) += 1;
        }
    }
    assert!(seen.get(&true).is_some_and(|count| *count > 1), "{seen:?}");
    assert!(seen.contains_key(&false), "{seen:?}");
}

#[tokio::test]
async fn below_the_minimum_a_method_is_refused_before_anything_is_asked() {
    let minimum = [
        "GetBlock",
        "GetBlockRange",
        "GetTreeState",
        "SendTransaction",
        "GetMempoolTx",
    ];
    let minimum = minimum.map(|name| (name.to_owned(), Assurance::Proven));
    let settings = Settings {
        minimum: minimum.into(),
        ..Settings::default()
    };
    let rig = Rig::with(settings).await;
    let mut client = rig.client().await;
    let words = |name| {
        format!("{name}: the answer is relayed, and this server is set to give proven or better")
    };
    let check = |name, status: Status| {
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.message(), words(name));
    };
    check(
        "GetBlock",
        client.get_block(at(1)).await.expect_err("too low"),
    );
    let range = BlockRange {
        start: Some(at(1)),
        end: Some(at(2)),
        ..BlockRange::default()
    };
    check(
        "GetBlockRange",
        client.get_block_range(range).await.expect_err("too low"),
    );
    check(
        "GetTreeState",
        client.get_tree_state(at(1)).await.expect_err("too low"),
    );
    let sent = RawTransaction {
        data: rig.unmined()[0].1.clone(),
        height: 0,
    };
    check(
        "SendTransaction",
        client.send_transaction(sent).await.expect_err("too low"),
    );
    let mempool = client.get_mempool_tx(GetMempoolTxRequest::default()).await;
    check("GetMempoolTx", mempool.expect_err("too low"));
    for method in ["z_gettreestate", "sendrawtransaction", "getrawmempool"] {
        assert_eq!(rig.node.count(method), 0, "{method}");
    }
    client
        .get_latest_tree_state(Empty {})
        .await
        .expect("it has no minimum");
}
