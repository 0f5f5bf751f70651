//! Every cap, at its limit and one beyond.

use bytes::Bytes;
use heliostat_sim::zcash::{Filter, Misbehaviour};
use heliostat_zcash_proto::{
    Address, AddressList, BlockRange, GetAddressUtxosArg, GetMempoolTxRequest, RawTransaction,
    TransparentAddressBlockFilter,
};
use tonic::Code;

use crate::rig::{Rig, address, at, refused, refused_with};

#[tokio::test]
async fn addresses_are_capped_and_counted_once() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let address = address(&rig.node).await;
    let list = |count: usize| vec![address.clone(); count];
    let balance = |addresses| AddressList { addresses };
    let single = client
        .get_taddress_balance(balance(list(1)))
        .await
        .expect("it has coins");
    let single = single.into_inner().value_zat;
    assert!(single > 0);
    let most = client
        .get_taddress_balance(balance(list(10_000)))
        .await
        .expect("at the limit");
    assert_eq!(most.into_inner().value_zat, single);
    refused(
        client.get_taddress_balance(balance(list(10_001))).await,
        Code::ResourceExhausted,
        "getTaddressBalanceZcashdRpc: too many addresses (limit 10000)",
    );
    let stream = |count| {
        let one = Address {
            address: address.clone(),
        };
        tokio_stream::iter(std::iter::repeat_n(one, count))
    };
    let most = client
        .get_taddress_balance_stream(stream(10_000))
        .await
        .expect("at the limit");
    assert_eq!(most.into_inner().value_zat, single);
    refused(
        client.get_taddress_balance_stream(stream(10_001)).await,
        Code::ResourceExhausted,
        "GetTaddressBalanceStream: too many addresses (limit 10000)",
    );
    let utxos = |count| GetAddressUtxosArg {
        addresses: list(count),
        ..GetAddressUtxosArg::default()
    };
    let once = client
        .get_address_utxos(utxos(1))
        .await
        .expect("it has coins")
        .into_inner();
    let most = client
        .get_address_utxos(utxos(10_000))
        .await
        .expect("at the limit");
    assert_eq!(most.into_inner(), once);
    let text = "getAddressUtxos: too many addresses (limit 10000)";
    let beyond = client.get_address_utxos(utxos(10_001)).await;
    refused(beyond, Code::ResourceExhausted, text);
    let beyond = client.get_address_utxos_stream(utxos(10_001)).await;
    refused(beyond, Code::ResourceExhausted, text);
}

#[tokio::test]
async fn an_address_scan_is_capped_in_span_and_in_time() {
    let settings = heliostat_zcash::api::Settings {
        address_scan_timeout: std::time::Duration::from_millis(300),
        ..Default::default()
    };
    let rig = Rig::with(settings).await;
    let mut client = rig.client().await;
    let address = address(&rig.node).await;
    let history = |start, end| TransparentAddressBlockFilter {
        address: address.clone(),
        range: Some(BlockRange {
            start: Some(at(start)),
            end: Some(at(end)),
            ..BlockRange::default()
        }),
    };
    rig.node
        .misbehave(Misbehaviour::Hang, Filter::method("getaddresstxids"));
    refused_with(
        client.get_taddress_transactions(history(1, 5)).await,
        Code::DeadlineExceeded,
        &["GetTaddressTransactions: not done after 0.3 s"],
    );
    rig.node.behave();
    refused(
        client
            .get_taddress_transactions(history(1, 10_000_002))
            .await,
        Code::InvalidArgument,
        "GetTaddressTransactions: block range too wide (10000001 blocks, limit 10000000)",
    );
    let asked = rig.node.count("getaddresstxids");
    // At the limit it is passed on; that is all that counts here.
    let _ = client
        .get_taddress_transactions(history(1, 10_000_001))
        .await;
    assert_eq!(rig.node.count("getaddresstxids"), asked + 1);
}

#[tokio::test]
async fn the_exclude_list_is_capped_in_entries_and_in_their_length() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let exclude = |count: usize, length: usize| GetMempoolTxRequest {
        exclude_txid_suffixes: vec![Bytes::from(vec![7; length]); count],
        ..GetMempoolTxRequest::default()
    };
    client
        .get_mempool_tx(exclude(20_000, 32))
        .await
        .expect("at both limits");
    refused(
        client.get_mempool_tx(exclude(20_001, 1)).await,
        Code::InvalidArgument,
        "GetMempoolTx: too many exclude txid suffixes: 20001 (limit 20000)",
    );
    let mut long = exclude(3, 2);
    long.exclude_txid_suffixes[1] = Bytes::from_static(&[7; 33]);
    refused(
        client.get_mempool_tx(long).await,
        Code::InvalidArgument,
        "exclude txid 1 is larger than 32 bytes",
    );
}

#[tokio::test]
async fn a_transaction_and_a_message_are_capped_in_bytes() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let transaction = |bytes: usize| RawTransaction {
        data: vec![0; bytes].into(),
        height: 0,
    };
    let most = client
        .send_transaction(transaction(2_000_000))
        .await
        .expect("at the limit");
    assert_ne!(most.into_inner().error_code, 0, "the node refuses it");
    assert_eq!(rig.node.count("sendrawtransaction"), 1);
    refused(
        client.send_transaction(transaction(2_000_001)).await,
        Code::InvalidArgument,
        "SendTransaction: transaction is too large: 2000001 bytes (limit 2000000)",
    );
    let beyond = client.send_transaction(transaction(5 << 20)).await;
    assert_eq!(
        beyond.expect_err("too large").code(),
        Code::ResourceExhausted
    );
    assert_eq!(rig.node.count("sendrawtransaction"), 1);
}
