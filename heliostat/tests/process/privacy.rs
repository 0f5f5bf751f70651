//! What never reaches a log, a status or a metric, at any level.

use base64::Engine as _;
use heliostat_sim::zcash::{
    Node,
    node::{Access, Filter, Misbehaviour},
};
use heliostat_zcash_proto::{
    AddressList, BlockId, BlockRange, Duration, GetAddressUtxosArg, RawTransaction,
    TransparentAddressBlockFilter, TxFilter, compact_tx_streamer_client::CompactTxStreamerClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::running::{Process, chain};

const USER: &str = "operator-of-this-node";
const PASSWORD: &str = "hunter2-hunter2";

/// A transparent address with outputs on the node's chain, and a transaction
/// that pays to it.
async fn address(url: &str, txids: &[[u8; 32]]) -> (String, [u8; 32]) {
    for txid in txids {
        let mut shown = *txid;
        shown.reverse();
        let body = json!({
            "jsonrpc": "1.0", "id": 1, "method": "getrawtransaction",
            "params": [hex::encode(shown), 1],
        });
        let reply = reqwest::Client::new()
            .post(url)
            .basic_auth(USER, Some(PASSWORD))
            .body(body.to_string());
        let reply = reply.send().await.unwrap().text().await.unwrap();
        let reply: Value = serde_json::from_str(&reply).unwrap();
        let outputs = reply["result"]["vout"].as_array().cloned();
        let paid = outputs.unwrap_or_default().iter().find_map(|output| {
            let address = &output["scriptPubKey"]["addresses"][0];
            address.as_str().map(str::to_owned)
        });
        if let Some(address) = paid {
            return (address, *txid);
        }
    }
    panic!("no block has a transparent output");
}

/// Every call that carries something of a user; how many answers there were.
async fn ask_everything(
    client: &mut CompactTxStreamerClient<Channel>,
    address: &str,
    txid: [u8; 32],
    raw: &[u8],
) -> usize {
    let history = || TransparentAddressBlockFilter {
        address: address.to_owned(),
        range: Some(BlockRange {
            start: Some(BlockId::default()),
            end: Some(BlockId {
                height: 20,
                ..BlockId::default()
            }),
            ..BlockRange::default()
        }),
    };
    let mut answers = 0;
    let streams = [
        client.get_taddress_txids(history()).await,
        client.get_taddress_transactions(history()).await,
    ];
    for stream in streams.into_iter().flatten() {
        let mut stream = stream.into_inner();
        while let Ok(Some(_)) = stream.message().await {
            answers += 1;
        }
    }
    let addresses = vec![address.to_owned()];
    let list = AddressList {
        addresses: addresses.clone(),
    };
    let utxos = GetAddressUtxosArg {
        addresses,
        ..GetAddressUtxosArg::default()
    };
    let transaction = TxFilter {
        hash: txid.to_vec().into(),
        ..TxFilter::default()
    };
    let send = RawTransaction {
        data: raw.to_vec().into(),
        height: 0,
    };
    answers += usize::from(client.get_taddress_balance(list).await.is_ok());
    answers += usize::from(client.get_address_utxos(utxos).await.is_ok());
    answers += usize::from(client.get_transaction(transaction).await.is_ok());
    answers += usize::from(client.send_transaction(send).await.is_ok());
    answers += usize::from(client.ping(Duration::default()).await.is_ok());
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_users_and_no_secret_is_told_at_any_level() {
    let generator = chain(20);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let handle = node.handle();
    handle.set_access(Some(Access::password(USER, PASSWORD)));
    let plain = handle.url();
    let txids: Vec<_> = generator.chain().blocks[1..]
        .iter()
        .flat_map(|block| block.txids.clone())
        .collect();
    let (address, txid) = address(&plain, &txids).await;
    // No transaction, so that the node says what is wrong with it.
    let raw = *b"\x05\0\0\x80 of nobody but its sender's business";
    let url = plain.replace("http://", &format!("http://{USER}:{PASSWORD}@"));
    let args = ["--upstream", &url, "--store", "memory:"];
    let process = Process::start(&[&args[..], &["--log-level", "trace"]].concat());
    process.until("ready", |status| status.ready).await;
    let mut client = process.client().await;
    let shown = hex::encode(txid);
    let echo = format!("{address} and {} and {shown}", hex::encode(raw));
    for trouble in [
        None,
        Some(Misbehaviour::Error(-5, echo)),
        Some(Misbehaviour::Status(500)),
        Some(Misbehaviour::Garbage),
        Some(Misbehaviour::Reset),
    ] {
        handle.behave();
        for method in [
            "getaddresstxids",
            "getaddressbalance",
            "getaddressutxos",
            "getrawtransaction",
            "sendrawtransaction",
        ] {
            if let Some(trouble) = &trouble {
                handle.misbehave(trouble.clone(), Filter::method(method));
            }
        }
        let answers = ask_everything(&mut client, &address, txid, &raw).await;
        assert!(trouble.is_some() || answers >= 5, "the node is well");
    }
    // The login is refused, and then the node is gone.
    handle.behave();
    handle.set_access(Some(Access::password(USER, "another")));
    ask_everything(&mut client, &address, txid, &raw).await;
    process
        .until("refused", |status| {
            !status.chains["zcash"].upstreams[0].why.is_empty()
        })
        .await;
    handle.stop().await;
    ask_everything(&mut client, &address, txid, &raw).await;
    let status = process.status().await;
    let metrics = reqwest::get(format!("{}/metrics", process.observe)).await;
    let metrics = metrics.unwrap().text().await.unwrap();
    let evidence = reqwest::get(format!("{}/evidence", process.observe)).await;
    let evidence = evidence.unwrap().text().await.unwrap();
    process.signal("-TERM");
    process.until_logged("stopping").await;

    let login = format!("{USER}:{PASSWORD}");
    let login = base64::engine::general_purpose::STANDARD.encode(login);
    let mut reversed = txid;
    reversed.reverse();
    let secrets = [
        address.clone(),
        address.chars().skip(1).take(20).collect(),
        PASSWORD.to_owned(),
        USER.to_owned(),
        login,
        shown,
        hex::encode(reversed),
        hex::encode(raw),
        "nobody but its sender".to_owned(),
        // As `{:?}` writes bytes.
        format!("{:?}", &raw[4..12]).replace(['[', ']'], ""),
        format!("{:?}", &txid[..8]).replace(['[', ']'], ""),
    ];
    let log = process.logged();
    assert!(log.contains("\"level\":\"INFO\""), "it is a log: {log}");
    let status = serde_json::to_string(&status).unwrap();
    for (what, text) in [
        ("log", log),
        ("status", status),
        ("metrics", metrics),
        ("evidence", evidence),
    ] {
        for secret in &secrets {
            assert!(!text.contains(secret), "{secret} is in the {what}: {text}");
        }
    }
}
