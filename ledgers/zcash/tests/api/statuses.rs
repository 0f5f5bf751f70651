//! Every refusal a client can cause, with its code and its words.

use heliostat_zcash_proto::{
    Address, AddressList, BlockId, BlockRange, Duration, GetAddressUtxosArg, GetMempoolTxRequest,
    GetSubtreeRootsArg, RawTransaction, TransparentAddressBlockFilter, TxFilter,
};
use tonic::Code::{self, FailedPrecondition, InvalidArgument, NotFound, OutOfRange, Unknown};

use crate::rig::{BLOCKS, Rig, at, by_hash, refused, refused_with};

#[tokio::test]
#[expect(deprecated, reason = "wallets still call it")]
async fn block_refusals() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let nothing = BlockId::default();
    refused(
        client.get_block(nothing.clone()).await,
        InvalidArgument,
        "GetBlock: request for unspecified identifier",
    );
    refused(
        client.get_block_nullifiers(nothing).await,
        InvalidArgument,
        "GetBlockNullifiers: must specify a block height",
    );
    refused(
        client.get_block(at(BLOCKS + 1)).await,
        OutOfRange,
        "GetBlock: block 121 is newer than the latest block",
    );
    refused(
        client.get_block_nullifiers(at(u64::MAX)).await,
        OutOfRange,
        "GetBlock: block 18446744073709551615 is newer than the latest block",
    );
    refused(
        client.get_block(by_hash(&[1; 31])).await,
        InvalidArgument,
        "GetBlock: block hash has invalid length: 31",
    );
    refused(
        client.get_block(by_hash(&[1; 32])).await,
        NotFound,
        "GetBlock: no block of this hash is on the chain",
    );
    // Up to a height that no signed number holds, and down from it.
    for (start, end, count) in [(BLOCKS - 2, u64::MAX, 3), (1 << 63, BLOCKS, 0)] {
        let range = BlockRange {
            start: Some(at(start)),
            end: Some(at(end)),
            pool_types: vec![i32::MIN, 2],
        };
        let mut stream = client.get_block_range(range).await.expect("it begins");
        let mut blocks = 0;
        let end = loop {
            match stream.get_mut().message().await {
                Ok(Some(_)) => blocks += 1,
                Ok(None) => panic!("it ended well"),
                Err(status) => break status,
            }
        };
        assert_eq!((blocks, end.code()), (count, OutOfRange), "{end}");
    }
}

#[tokio::test]
async fn transaction_refusals() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let by_txid = |hash: &[u8]| TxFilter {
        hash: hash.to_vec().into(),
        ..TxFilter::default()
    };
    refused(
        client.get_transaction(TxFilter::default()).await,
        InvalidArgument,
        "GetTransaction: specify a txid",
    );
    let by_block = TxFilter {
        block: Some(by_hash(&[1; 32])),
        index: 1,
        ..TxFilter::default()
    };
    refused(
        client.get_transaction(by_block).await,
        InvalidArgument,
        "GetTransaction: specify a txid, not a blockhash+num",
    );
    refused(
        client.get_transaction(by_txid(&[1; 33])).await,
        InvalidArgument,
        "GetTransaction: transaction ID has invalid length: 33",
    );
    let shown = format!("02{}", "01".repeat(31));
    let mut unknown = [1; 32];
    unknown[31] = 2;
    refused(
        client.get_transaction(by_txid(&unknown)).await,
        NotFound,
        &format!(
            "GetTransaction: getrawtransaction {shown} failed: -5: Transaction not found in mempool or best chain"
        ),
    );
    refused(
        client.send_transaction(RawTransaction::default()).await,
        InvalidArgument,
        "bad transaction data",
    );
}

#[tokio::test]
async fn tree_refusals() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    refused(
        client.get_tree_state(BlockId::default()).await,
        InvalidArgument,
        "GetTreeState: must specify a block height or ID (hash)",
    );
    refused(
        client.get_tree_state(by_hash(&[1; 5])).await,
        InvalidArgument,
        "GetTreeState: block hash has invalid length: 5",
    );
    refused_with(
        client.get_tree_state(at(BLOCKS + 1)).await,
        InvalidArgument,
        &["GetTreeState: z_gettreestate failed: -8: "],
    );
    refused_with(
        client.get_tree_state(by_hash(&[1; 32])).await,
        InvalidArgument,
        &["GetTreeState: z_gettreestate failed: -8: "],
    );
    // Internal byte order is the wrong one here.
    refused_with(
        client.get_tree_state(by_hash(&rig.block(5).hash)).await,
        InvalidArgument,
        &["GetTreeState: z_gettreestate failed: -8: "],
    );
    let unknown = GetSubtreeRootsArg {
        shielded_protocol: 3,
        ..GetSubtreeRootsArg::default()
    };
    refused(
        client.get_subtree_roots(unknown).await,
        Unknown,
        "unrecognized shielded protocol",
    );
    rig.node.misbehave(
        heliostat_sim::zcash::Misbehaviour::Error(-1, "no such index".into()),
        heliostat_sim::zcash::Filter::method("z_getsubtreesbyindex"),
    );
    refused(
        client
            .get_subtree_roots(GetSubtreeRootsArg::default())
            .await,
        InvalidArgument,
        "GetSubtreeRoots: z_getsubtreesbyindex, error: -1: no such index",
    );
}

/// An address of the right shape.
const ADDRESS: &str = "tmSEUeQ9xiN2DP37wUtcNpJoNLmkSSsN7Bg";

#[tokio::test]
async fn address_refusals() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let history = |address: &str, range| TransparentAddressBlockFilter {
        address: address.into(),
        range,
    };
    for bad in [
        "",
        "t",
        &ADDRESS[1..],
        &format!("{ADDRESS}a"),
        "tmSEUeQ9xiN2DP37wUtcNpJoNLmkSSsN7B!",
    ] {
        let text = format!("checkTaddress: transparent address {bad} contains invalid characters");
        let list = vec![bad.to_owned()];
        let balance = client
            .get_taddress_balance(AddressList {
                addresses: list.clone(),
            })
            .await;
        refused(balance, InvalidArgument, &text);
        let one = tokio_stream::iter([Address {
            address: bad.into(),
        }]);
        refused(
            client.get_taddress_balance_stream(one).await,
            InvalidArgument,
            &text,
        );
        let wanted = GetAddressUtxosArg {
            addresses: list,
            ..GetAddressUtxosArg::default()
        };
        refused(
            client.get_address_utxos(wanted.clone()).await,
            InvalidArgument,
            &text,
        );
        refused(
            client.get_address_utxos_stream(wanted).await,
            InvalidArgument,
            &text,
        );
        let asked = client.get_taddress_transactions(history(bad, None)).await;
        refused(asked, InvalidArgument, &text);
        refused(
            client.get_taddress_txids(history(bad, None)).await,
            InvalidArgument,
            &text,
        );
    }
    refused(
        client
            .get_taddress_transactions(history(ADDRESS, None))
            .await,
        InvalidArgument,
        "GetTaddressTransactions: must specify block range",
    );
    refused(
        client
            .get_taddress_txids(history(ADDRESS, Some(Default::default())))
            .await,
        InvalidArgument,
        "GetTaddressTransactions: must specify a start block height",
    );
}

#[tokio::test]
async fn what_the_node_says_of_addresses_decides_the_code() {
    use heliostat_sim::zcash::{Filter, Misbehaviour};
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let addresses = vec![ADDRESS.to_owned()];
    let list = AddressList {
        addresses: addresses.clone(),
    };
    let utxos = GetAddressUtxosArg {
        addresses,
        ..GetAddressUtxosArg::default()
    };
    let history = TransparentAddressBlockFilter {
        address: ADDRESS.into(),
        range: Some(heliostat_zcash_proto::BlockRange {
            start: Some(at(1)),
            ..Default::default()
        }),
    };
    for (words, code) in [
        ("Invalid address", InvalidArgument),
        ("No information available for address", NotFound),
        ("something else", Unknown),
    ] {
        rig.node.behave();
        rig.node
            .misbehave(Misbehaviour::Error(-5, words.into()), Filter::all());
        refused(
            client.get_taddress_balance(list.clone()).await,
            code,
            &format!("getTaddressBalanceZcashdRpc: getaddressbalance error: -5: {words}"),
        );
        let one = tokio_stream::iter([Address {
            address: ADDRESS.into(),
        }]);
        refused(
            client.get_taddress_balance_stream(one).await,
            code,
            &format!("getTaddressBalanceZcashdRpc: getaddressbalance error: -5: {words}"),
        );
        let text = format!("getAddressUtxos: getaddressutxos error: -5: {words}");
        refused(client.get_address_utxos(utxos.clone()).await, code, &text);
        refused(
            client.get_address_utxos_stream(utxos.clone()).await,
            code,
            &text,
        );
        refused(
            client.get_taddress_txids(history.clone()).await,
            InvalidArgument,
            &format!("GetTaddressTransactions: getaddresstxids failed, error: -5: {words}"),
        );
    }
}

#[tokio::test]
async fn the_old_silence_about_address_errors_can_be_had() {
    use heliostat_sim::zcash::{Filter, Misbehaviour};
    let mut settings = heliostat_zcash::api::Settings::default();
    settings.compat.ok_on_address_error = true;
    let rig = Rig::with(settings).await;
    let mut client = rig.client().await;
    let addresses = vec![ADDRESS.to_owned()];
    let list = AddressList {
        addresses: addresses.clone(),
    };
    rig.node
        .misbehave(Misbehaviour::Error(-1, "no index".into()), Filter::all());
    let balance = client
        .get_taddress_balance(list)
        .await
        .expect("it looks well");
    assert_eq!(balance.into_inner().value_zat, 0);
    let wanted = GetAddressUtxosArg {
        addresses,
        ..GetAddressUtxosArg::default()
    };
    let utxos = client
        .get_address_utxos(wanted)
        .await
        .expect("it looks well");
    assert!(utxos.into_inner().address_utxos.is_empty());
}

#[tokio::test]
async fn mempool_and_ping_refusals() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let invalid = GetMempoolTxRequest {
        pool_types: vec![2, 0],
        ..GetMempoolTxRequest::default()
    };
    refused(
        client.get_mempool_tx(invalid).await,
        InvalidArgument,
        "invalid pool type requested",
    );
    refused(
        client.ping(Duration { interval_us: 1 }).await,
        FailedPrecondition,
        "Ping not enabled, start Heliostat with --ping-very-insecure",
    );
}

#[tokio::test]
async fn ping_counts_when_it_is_allowed() {
    let rig = Rig::with(heliostat_zcash::api::Settings {
        ping_very_insecure: true,
        ..Default::default()
    })
    .await;
    let reply = rig.client().await.ping(Duration { interval_us: -5 }).await;
    let reply = reply.expect("it is allowed").into_inner();
    assert_eq!((reply.entry, reply.exit), (1, 0));
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let rig = Rig::new().await;
    let mut grpc = tonic::client::Grpc::new(rig.channel().await);
    grpc.ready().await.expect("the service listens");
    let path = "/cash.z.wallet.sdk.rpc.CompactTxStreamer/GetNothing";
    let codec = tonic_prost::ProstCodec::<BlockId, BlockId>::default();
    let path = http::uri::PathAndQuery::from_static(path);
    let reply = grpc
        .unary(tonic::Request::new(BlockId::default()), path, codec)
        .await;
    assert_eq!(
        reply.expect_err("there is no such method").code(),
        Code::Unimplemented
    );
}
