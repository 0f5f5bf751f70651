//! The simulated node against the recordings of a real zebrad: every recorded
//! call is made again and its reply compared.

use heliostat_sim::zcash::{
    Filter, Misbehaviour, Node,
    node::{Access, Refusal},
    recorded::{Exchange, REGTEST_NU6_3_AT_1, REGTEST_NU6_3_AT_110, Recording},
};
use serde_json::{Value, json};

async fn node_of(recording: &Recording) -> Node {
    let chain = recording.chain().expect("the recording is whole");
    let profile = recording.profile().expect("the node described itself");
    Node::start_as(profile, chain).await.expect("a free port")
}

async fn post(node: &Node, body: String) -> reqwest::Result<reqwest::Response> {
    let request = reqwest::Client::new().post(node.url()).body(body);
    request.send().await
}

async fn call(node: &Node, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "1.0", "id": 1, "method": method, "params": params });
    let reply = post(node, request.to_string()).await.expect("an answer");
    let text = reply.text().await.expect("a whole answer");
    serde_json::from_str(&text).expect("a JSON answer")
}

/// Takes out what a node of a cut-off or a younger chain cannot know, and says
/// what else may differ and why.
fn comparable(exchange: &Exchange, mut reply: Value, tip: u64) -> Value {
    let result = &mut reply["result"];
    match &*exchange.method {
        // The clock, the disk and the last log line of that machine; and the
        // head, where the recording stops below it.
        "getblockchaininfo" => {
            let object = result.as_object_mut().expect("an object");
            object.remove("estimatedheight");
            if object["blocks"] != json!(tip) || tip == 260 {
                for key in [
                    "blocks",
                    "headers",
                    "bestblockhash",
                    "chainSupply",
                    "valuePools",
                ] {
                    object.remove(key).expect("both sides have it");
                }
            }
        }
        "getinfo" => {
            let object = result.as_object_mut().expect("an object");
            for key in ["blocks", "errors", "errorstimestamp"] {
                object.remove(key).expect("both sides have it");
            }
        }
        "getbestblockhash" if tip == 260 => *result = Value::Null,
        // The number of blocks above it, which were not recorded.
        "getblock" if tip == 260 && result.is_object() => {
            let object = result.as_object_mut().expect("an object");
            object.remove("confirmations").expect("both sides have it");
            if object["height"] == json!(260) {
                object.remove("nextblockhash");
            }
        }
        _ => (),
    }
    // The recording of single blocks kept only these two members.
    json!({ "result": reply["result"], "error": reply["error"] })
}

async fn replies_equal(recording: &[u8], tip: u64) {
    let recording = Recording::read(recording).expect("a recording");
    let node = node_of(&recording).await;
    for exchange in &recording.exchanges {
        let ours = call(&node, &exchange.method, json!(exchange.params)).await;
        let ours = comparable(exchange, ours, tip);
        let theirs = comparable(exchange, exchange.reply.clone(), tip);
        assert_eq!(ours, theirs, "{} {:?}", exchange.method, exchange.params);
    }
    let calls = u64::try_from(recording.exchanges.len()).expect("a small number");
    assert_eq!(node.total(), calls);
}

#[tokio::test]
async fn replies_equal_those_of_a_zebrad_with_every_upgrade_at_1() {
    replies_equal(REGTEST_NU6_3_AT_1, 116).await;
}

#[tokio::test]
async fn replies_equal_those_of_a_zebrad_with_nu6_3_at_110() {
    replies_equal(REGTEST_NU6_3_AT_110, 260).await;
}

async fn recorded_node() -> Node {
    let recording = Recording::read(REGTEST_NU6_3_AT_1).expect("a recording");
    node_of(&recording).await
}

#[tokio::test]
async fn errors_have_the_codes_and_words_of_zebrad() {
    let node = recorded_node().await;
    // As a zebrad 7.0.0 in regtest answered the same calls.
    let nowhere = "0000000000000000000000000000000000000000000000000000000000000001";
    let cases = [
        (
            "getblockhash",
            json!([9999]),
            -1,
            "Provided index is greater than the current tip",
        ),
        ("nosuch", json!([]), -32601, "Method not found"),
        (
            "getblock",
            json!(["xyz", 0]),
            -8,
            "parse error: could not convert the input string to a hash or height",
        ),
        ("getblock", json!(["9999", 0]), -8, "Block not found"),
        ("getblock", json!([nowhere, 0]), -8, "Block not found"),
        (
            "getblock",
            json!([nowhere, 1]),
            -5,
            "block height not in best chain",
        ),
        ("getblock", json!(["1", 7]), -8, "invalid verbosity value"),
        ("getblock", json!([1, 0]), -1, "Invalid params"),
        (
            "z_gettreestate",
            json!(["9999"]),
            -8,
            "the requested block is not in the main chain",
        ),
        (
            "sendrawtransaction",
            json!(["zz"]),
            -22,
            "Invalid character 'z' at position 0",
        ),
        (
            "getaddresstxids",
            json!([{ "addresses": [], "start": 3, "end": 1 }]),
            -1,
            "start Height(3) must be less than or equal to end Height(1)",
        ),
        (
            "getaddressbalance",
            json!([{ "addresses": ["t1nope"] }]),
            -5,
            "parse error: invalid Bech32 encoding",
        ),
        (
            "z_getsubtreesbyindex",
            json!(["nope", 0]),
            -1,
            "invalid pool name, must be one of: [\"sapling\", \"orchard\", \"ironwood\"]",
        ),
    ];
    for (method, params, code, message) in cases {
        let reply = call(&node, method, params.clone()).await;
        assert_eq!(reply["error"]["code"], code, "{method} {params}");
        assert_eq!(reply["error"]["message"], message, "{method} {params}");
        assert!(reply["result"].is_null());
    }
}

#[tokio::test]
async fn addresses_are_indexed_from_the_raw_transactions() {
    let node = recorded_node().await;
    // Every address the verbose transactions of the chain pay to.
    let mut paid = std::collections::BTreeMap::<String, (i64, Vec<Value>)>::new();
    for block in &node.chain().blocks[1..] {
        for txid in &block.txids {
            let mut shown = *txid;
            shown.reverse();
            let shown = hex::encode(shown);
            let tx = call(&node, "getrawtransaction", json!([shown, 1])).await;
            assert_eq!(tx["result"]["height"], json!(block.height));
            for output in tx["result"]["vout"].as_array().expect("outputs") {
                if let Some(address) = output["scriptPubKey"]["addresses"][0].as_str() {
                    let entry = paid.entry(address.to_owned()).or_default();
                    entry.0 += output["valueZat"].as_i64().expect("an amount");
                    if entry.1.last() != Some(&json!(shown)) {
                        entry.1.push(json!(shown));
                    }
                }
            }
        }
    }
    assert!(!paid.is_empty(), "the chain pays somebody");
    for (address, (received, txids)) in paid {
        let named = json!([{ "addresses": [address, address] }]);
        let balance = call(&node, "getaddressbalance", named.clone()).await;
        assert_eq!(balance["result"]["received"], json!(received));
        assert_eq!(
            call(&node, "getaddresstxids", named.clone()).await["result"],
            json!(txids)
        );
        let utxos = call(&node, "getaddressutxos", named).await;
        let utxos = utxos["result"].as_array().expect("a list").clone();
        let sum: i64 = utxos
            .iter()
            .filter_map(|utxo| utxo["satoshis"].as_i64())
            .sum();
        assert_eq!(balance["result"]["balance"], json!(sum));
        let one = json!([{ "addresses": [address], "startHeight": 0, "maxEntries": 1 }]);
        let first = call(&node, "getaddressutxos", one).await;
        assert_eq!(first["result"], json!(utxos[..1]));
    }
}

#[tokio::test]
async fn a_sent_transaction_waits_in_the_mempool_until_it_is_mined() {
    let recording = Recording::read(REGTEST_NU6_3_AT_1).expect("a recording");
    let chain = recording.chain().expect("the recording is whole");
    let node = Node::start(chain.up_to(100)).await.expect("a free port");
    let block = chain.at(101).expect("recorded").clone();
    let raw = hex::encode(&block.raw[block.txs[0].clone()]);
    let mut txid = block.txids[0];
    txid.reverse();
    let txid = hex::encode(txid);

    let missing = call(&node, "getrawtransaction", json!([txid, 0])).await;
    assert_eq!(
        missing["result"],
        Value::Null,
        "101 was never part of this chain's history? {missing}"
    );
    let sent = call(&node, "sendrawtransaction", json!([raw])).await;
    assert_eq!(sent["result"], json!(txid), "{sent}");
    assert_eq!(
        call(&node, "getrawmempool", json!([])).await["result"],
        json!([txid])
    );
    let twice = call(&node, "sendrawtransaction", json!([raw])).await;
    assert_eq!(twice["error"]["code"], -25);
    let waiting = call(&node, "getrawtransaction", json!([txid, 1])).await;
    assert!(waiting["result"].get("height").is_none());

    node.extend([block]);
    assert_eq!(
        call(&node, "getrawmempool", json!([])).await["result"],
        json!([])
    );
    let mined = call(&node, "getrawtransaction", json!([txid, 1])).await;
    assert_eq!(mined["result"]["height"], 101);
}

#[tokio::test]
async fn a_caller_without_credentials_is_turned_away_as_either_node_does() {
    let node = recorded_node().await;
    node.set_access(Some(Access::password("alice", "secret")));
    let body = json!({ "id": 1, "method": "getinfo", "params": [] }).to_string();
    let refused = post(&node, body.clone()).await.expect("an answer");
    assert_eq!(refused.status().as_u16(), 401);
    node.set_access(Some(
        Access::password("alice", "secret").refusing_by(Refusal::Close),
    ));
    assert!(post(&node, body.clone()).await.is_err());
    let request = reqwest::Client::new().post(node.url());
    let let_in = request
        .basic_auth("alice", Some("secret"))
        .body(body)
        .send();
    assert_eq!(let_in.await.expect("an answer").status().as_u16(), 200);
}

#[tokio::test]
async fn a_misbehaviour_meets_only_the_requests_it_is_for() {
    let node = recorded_node().await;
    let honest = call(&node, "getblock", json!(["7", 0])).await;
    let filter = Filter::method("getblock").at(7..=7).times(1);
    node.misbehave(Misbehaviour::WrongBytes, filter);
    assert_eq!(
        call(&node, "getblock", json!(["6", 0])).await["error"],
        Value::Null
    );
    let wrong = call(&node, "getblock", json!(["7", 0])).await;
    assert_ne!(wrong, honest);
    let differing = |a: &Value, b: &Value| {
        let (a, b) = (a["result"].as_str().unwrap(), b["result"].as_str().unwrap());
        a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count()
    };
    assert_eq!(differing(&wrong, &honest), 1, "one bit is one hex digit");
    assert_eq!(call(&node, "getblock", json!(["7", 0])).await, honest);

    node.misbehave(Misbehaviour::StaleHead(10), Filter::all());
    assert_eq!(call(&node, "getblockcount", json!([])).await["result"], 106);
    node.behave();
    assert_eq!(call(&node, "getblockcount", json!([])).await["result"], 116);
}

#[tokio::test]
async fn a_restarted_node_is_back_on_its_port() {
    let node = recorded_node().await;
    node.stop().await;
    let body = json!({ "id": 1, "method": "getinfo", "params": [] }).to_string();
    assert!(post(&node, body).await.is_err());
    node.resume().await;
    assert_eq!(call(&node, "getblockcount", json!([])).await["result"], 116);
}
