//! Replies with one value in them replaced by what nobody expects: other
//! types, numbers out of all bounds, text that is none, nesting without end.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, extract::State, routing::post};
use heliostat_core::Source as _;
use heliostat_sim::zcash::Node;
use heliostat_zcash::{
    credentials::Auth,
    rpc::{Limits, Rpc},
    source::ZcashSource,
};
use heliostat_zcash_proto::{
    AddressList, BlockRange, Empty, GetAddressUtxosArg, GetMempoolTxRequest, GetSubtreeRootsArg,
    RawTransaction, TransparentAddressBlockFilter, TxFilter,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};

use crate::rig::{BLOCKS, Client, PATIENCE, Plan, Rig, address, at, by_hash, first_node};

/// Stands for the value that is replaced, until it is text.
const PLACE: &str = "@@place@@";

/// What is said instead, as JSON or what looks like it.
fn mutants() -> Vec<String> {
    let deep = 100_000;
    let mut mutants: Vec<String> = [
        "null",
        "true",
        "-1",
        "0",
        "0.5",
        "1e999",
        "-9223372036854775809",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
        r#""""#,
        r#""zz""#,
        r#""-1""#,
        r#""18446744073709551616""#,
        r#""\ud800""#,
        r#""\u0000""#,
        "{}",
        "[]",
        "[null]",
        r#"[{"a":[-1]}]"#,
        "NaN",
        "}",
        "",
    ]
    .map(str::to_owned)
    .into();
    mutants.push(format!("\"{}\"", "0f".repeat(100_000)));
    mutants.push(format!("\"{}\"", "é".repeat(1_000)));
    mutants.push(format!("{}{}", "[".repeat(deep), "]".repeat(deep)));
    mutants.push(format!("{}0{}", "{\"a\":".repeat(deep), "}".repeat(deep)));
    mutants
}

/// What is replaced, and by what: a method, a JSON pointer into its reply, and
/// the text.
type Mutation = Arc<Mutex<Option<(String, String, String)>>>;

#[derive(Clone)]
struct Between {
    node: String,
    http: reqwest::Client,
    mutation: Mutation,
}

async fn pass(State(between): State<Between>, body: String) -> String {
    let request: Value = serde_json::from_str(&body).expect("we send JSON");
    let sent = between.http.post(&between.node).body(body);
    let reply = sent.send().await.expect("the node answers");
    let reply = reply.text().await.expect("in text");
    let now = between
        .mutation
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    match &*now {
        Some((method, pointer, mutant)) if request["method"] == method.as_str() => {
            let mut reply: Value = serde_json::from_str(&reply).expect("the node sends JSON");
            if let Some(place) = reply.pointer_mut(pointer) {
                *place = json!(PLACE);
            }
            reply.to_string().replace(&format!("\"{PLACE}\""), mutant)
        }
        _ => reply,
    }
}

async fn between(node: &Node, mutation: &Mutation) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let state = Between {
        node: node.url(),
        http: reqwest::Client::new(),
        mutation: mutation.clone(),
    };
    let app = Router::new().route("/", post(pass)).with_state(state);
    let task = tokio::spawn(async { axum::serve(listener, app).await.expect("it serves") });
    (url, AbortOnDropHandle::new(task))
}

/// Every place in a reply; of lists only the first entry.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(entries) => {
            if let Some(first) = entries.first() {
                places(first, &format!("{at}/0"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                places(field, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// Replaces every place of a method's reply by every mutant, and asks.
async fn each(
    node: &Node,
    mutation: &Mutation,
    (method, params): (&str, Value),
    mut ask: impl AsyncFnMut(&str),
) {
    let request = json!({ "jsonrpc": "1.0", "id": 0, "method": method, "params": params });
    let sent = reqwest::Client::new().post(node.url());
    let reply = sent.body(request.to_string()).send().await;
    let reply = reply.expect("it answers").text().await.expect("in text");
    let reply: Value = serde_json::from_str(&reply).expect("in JSON");
    let mut all = Vec::new();
    places(&reply, "", &mut all);
    assert!(all.len() > 1, "{method} answers: {reply}");
    let set = |to| *mutation.lock().unwrap_or_else(PoisonError::into_inner) = to;
    // What a node says of another block is asked again after a pause, in case
    // the chain has moved: a part of the mutants will do.
    let stride = if method == "z_gettreestate" { 9 } else { 1 };
    for (index, pointer) in all.into_iter().enumerate() {
        for mutant in mutants().into_iter().skip(index % stride).step_by(stride) {
            set(Some((method.to_owned(), pointer.clone(), mutant.clone())));
            let shown: String = mutant.chars().take(40).collect();
            let what = format!("{method}{pointer} = {shown}");
            let asked = timeout(PATIENCE, ask(&what)).await;
            assert!(asked.is_ok(), "no end: {what}");
        }
    }
    set(None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reply_makes_a_source_panic_or_hang() {
    let node = first_node().await;
    let mutation = Mutation::default();
    let (url, _task) = between(&node, &mutation).await;
    // A task of its own, so that a panic is seen as one.
    let run = async |what: &str, height: u64| {
        let url = url.clone();
        let asked = tokio::spawn(async move {
            let rpc = Rpc::new(&url, Auth::None, Limits::default()).expect("it is an address");
            let source = ZcashSource::new(rpc, None);
            let head = source.head().await.map(|point| point.height);
            let id = source.id_at(height).await.map(|id| id.is_some());
            let raw = source.fetch(height).await.map(|raw| raw.bytes.len());
            let described = source.describe(height).await.map(|_| ());
            format!("{head:?} {id:?} {raw:?} {described:?}")
        });
        let words = asked.await;
        let words = words.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(words.len() < 10_000, "{what}: {words}");
    };
    let shown = node.chain().blocks[9].txids[0];
    let mut reversed = shown;
    reversed.reverse();
    for (method, params) in [
        ("getblockchaininfo", json!([])),
        ("getinfo", json!([])),
        ("getblockhash", json!([9])),
        ("getblock", json!(["9", 0])),
        ("getblock", json!(["9", 1])),
        ("getrawtransaction", json!([hex::encode(reversed), 0])),
    ] {
        each(&node, &mutation, (method, params), async |what: &str| {
            run(what, 9).await;
        })
        .await;
    }
}

/// A handler that panics takes its connection along.
fn sound<T>(what: &str, answer: Result<T, Status>) {
    if let Err(status) = answer {
        let broken = [Code::Unknown, Code::Internal, Code::Cancelled].contains(&status.code())
            && ["h2", "transport", "connection", "panic"]
                .iter()
                .any(|word| status.message().contains(word));
        assert!(!broken, "{what}: {status}");
        assert!(status.message().len() < 4_000, "{what}: {status}");
    }
}

async fn whole<T>(
    stream: Result<tonic::Response<tonic::Streaming<T>>, Status>,
) -> Result<(), Status> {
    let mut stream = stream?.into_inner();
    while stream.message().await?.is_some() {}
    Ok(())
}

/// The call of ours that asks the node for `method`.
async fn call(client: &mut Client, method: &str, address: &str, txid: &[u8]) -> Result<(), Status> {
    let addresses = vec![address.to_owned()];
    match method {
        "z_gettreestate" => client.get_tree_state(at(7)).await.map(drop),
        "z_getsubtreesbyindex" => {
            whole(
                client
                    .get_subtree_roots(GetSubtreeRootsArg::default())
                    .await,
            )
            .await
        }
        "getaddressbalance" => {
            let list = AddressList { addresses };
            client.get_taddress_balance(list).await.map(drop)
        }
        "getaddressutxos" => {
            let wanted = GetAddressUtxosArg {
                addresses,
                ..GetAddressUtxosArg::default()
            };
            client.get_address_utxos(wanted).await.map(drop)
        }
        "getaddresstxids" => {
            let range = BlockRange {
                start: Some(at(1)),
                end: Some(at(BLOCKS)),
                ..BlockRange::default()
            };
            let history = TransparentAddressBlockFilter {
                address: address.to_owned(),
                range: Some(range),
            };
            whole(client.get_taddress_transactions(history).await).await
        }
        "getrawmempool" => whole(client.get_mempool_tx(GetMempoolTxRequest::default()).await).await,
        "sendrawtransaction" => {
            let send = RawTransaction {
                data: vec![1, 2, 3].into(),
                height: 0,
            };
            client.send_transaction(send).await.map(drop)
        }
        "getrawtransaction" => {
            let wanted = TxFilter {
                hash: txid.to_vec().into(),
                ..TxFilter::default()
            };
            client.get_transaction(wanted).await.map(drop)
        }
        _ => client.get_lightd_info(Empty {}).await.map(drop),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reply_makes_a_method_panic_or_hang() {
    let node = first_node().await;
    let mutation = Mutation::default();
    let (url, task) = between(&node, &mutation).await;
    let plan = Plan {
        through: Some(url),
        ..Plan::default()
    };
    let mut rig = Rig::planned(node, plan).await;
    rig.keep(task);
    let mut client = rig.client().await;
    let address = address(&rig.node).await;
    let own = json!({ "addresses": [address], "start": 1, "end": BLOCKS });
    let txid = rig.block(9).txids[0];
    let mut shown = txid;
    shown.reverse();
    let shown = hex::encode(shown);
    for (method, params) in [
        ("z_gettreestate", json!(["7"])),
        ("z_getsubtreesbyindex", json!(["sapling", 0])),
        ("getaddressbalance", json!([own])),
        ("getaddressutxos", json!([own])),
        ("getaddresstxids", json!([own])),
        ("getrawmempool", json!([])),
        ("sendrawtransaction", json!(["010203"])),
        ("getinfo", json!([])),
        // Last: bytes that are not the transaction asked for convict the node.
        ("getrawtransaction", json!([shown, 1])),
    ] {
        each(
            &rig.node,
            &mutation,
            (method, params),
            async |what: &str| {
                let answer = call(&mut client, method, &address, &txid).await;
                sound(what, answer);
            },
        )
        .await;
    }
    // Blocks are served all the while.
    let hash = rig.block(9).hash;
    for key in [at(9), by_hash(&hash)] {
        client.get_block(key).await.expect("it is in the replica");
    }
}
