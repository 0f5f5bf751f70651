//! Nodes that are down, on another chain, or lie.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::post};
use heliostat_core::Assurance;
use heliostat_node::{Role, UpstreamState};
use heliostat_sim::zcash::{Filter, Misbehaviour, Node};
use heliostat_zcash_proto::{
    AddressList, BlockRange, ChainSpec, Empty, GetAddressUtxosArg, GetMempoolTxRequest,
    GetSubtreeRootsArg, RawTransaction, TransparentAddressBlockFilter, TxFilter,
};
use heliostat_zcash_verifier::convict;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tonic::Code::{self, Unavailable};

use crate::rig::{BLOCKS, Plan, Rig, at, first_node, refused_with, until};

type Change = Arc<dyn Fn(&mut Value, Option<&mut Value>) + Send + Sync>;

/// Stands between Heliostat and its node, and changes what is said.
pub struct Proxy(Change);

#[derive(Clone)]
struct Between {
    node: String,
    change: Change,
}

impl Proxy {
    /// Changes questions.
    pub fn start(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |request, reply| {
            if reply.is_none() {
                change(request);
            }
        }))
    }

    /// Changes results.
    pub fn replying(change: impl Fn(&Value, &mut Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |request, reply| {
            if let Some(reply) = reply {
                change(request, reply);
            }
        }))
    }

    /// A rig whose node is asked through this.
    pub async fn rig(self) -> Rig {
        let node = first_node().await;
        let (url, task) = self.before(&node).await;
        let plan = Plan {
            through: Some(url),
            ..Plan::default()
        };
        let mut rig = Rig::planned(node, plan).await;
        rig.keep(task);
        rig
    }

    /// The address under which a node is asked through this, for as long as
    /// the task is kept.
    pub async fn before(self, node: &Node) -> (String, AbortOnDropHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has ports");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let between = Between {
            node: node.url(),
            change: self.0,
        };
        let app = Router::new().route("/", post(pass)).with_state(between);
        let task = tokio::spawn(async { axum::serve(listener, app).await.expect("it serves") });
        (url, AbortOnDropHandle::new(task))
    }
}

async fn pass(State(between): State<Between>, Json(mut request): Json<Value>) -> Json<Value> {
    (between.change)(&mut request, None);
    let sent = reqwest::Client::new()
        .post(&between.node)
        .json(&request)
        .send()
        .await;
    let mut reply: Value = sent.expect("it answers").json().await.expect("in JSON");
    (between.change)(&mut request, Some(&mut reply["result"]));
    Json(reply)
}

fn by_txid(txid: [u8; 32]) -> TxFilter {
    TxFilter {
        hash: txid.to_vec().into(),
        ..TxFilter::default()
    }
}

#[tokio::test]
async fn without_a_node_blocks_are_served_and_the_rest_says_who_is_away_and_why() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    rig.node.stop().await;
    client
        .get_latest_block(ChainSpec {})
        .await
        .expect("it is in the replica");
    client.get_block(at(3)).await.expect("it is in the replica");
    let address = "tmSEUeQ9xiN2DP37wUtcNpJoNLmkSSsN7Bg".to_owned();
    let list = vec![address.clone()];
    let utxos = GetAddressUtxosArg {
        addresses: list.clone(),
        ..GetAddressUtxosArg::default()
    };
    let history = TransparentAddressBlockFilter {
        address,
        range: Some(BlockRange {
            start: Some(at(1)),
            ..BlockRange::default()
        }),
    };
    let sent = RawTransaction {
        data: rig.unmined()[0].1.clone(),
        height: 0,
    };
    let txid = by_txid(rig.block(1).txids[0]);
    let away = |method| [method, "upstream"];
    let mempool = client.get_mempool_tx(GetMempoolTxRequest::default()).await;
    refused_with(mempool, Unavailable, &away("GetMempoolTx"));
    let mempool = client.get_mempool_stream(Empty {}).await;
    refused_with(mempool, Unavailable, &away("GetMempoolStream"));
    refused_with(
        client.get_transaction(txid).await,
        Unavailable,
        &away("GetTransaction"),
    );
    refused_with(
        client.get_tree_state(at(5)).await,
        Unavailable,
        &away("GetTreeState"),
    );
    let latest = client.get_latest_tree_state(Empty {}).await;
    refused_with(latest, Unavailable, &away("GetTreeState"));
    let roots = client
        .get_subtree_roots(GetSubtreeRootsArg::default())
        .await;
    refused_with(roots, Unavailable, &away("GetSubtreeRoots"));
    let balance = client
        .get_taddress_balance(AddressList { addresses: list })
        .await;
    refused_with(balance, Unavailable, &away("getaddressbalance"));
    refused_with(
        client.get_address_utxos(utxos).await,
        Unavailable,
        &away("getaddressutxos"),
    );
    let history = client.get_taddress_transactions(history).await;
    refused_with(history, Unavailable, &away("getaddresstxids"));
    let reply = client.send_transaction(sent).await;
    refused_with(
        reply,
        Unavailable,
        &["SendTransaction: not sent:", "upstream"],
    );
    client
        .get_lightd_info(Empty {})
        .await
        .expect("it is in memory");
}

#[tokio::test]
async fn before_the_first_block_the_server_says_that_it_is_syncing() {
    let node = first_node().await;
    node.misbehave(Misbehaviour::WarmUp, Filter::all());
    let rig = Rig::unsynced(node, Plan::default()).await;
    let mut client = rig.client().await;
    let syncing = &["no block is verified yet"];
    refused_with(
        client.get_latest_block(ChainSpec {}).await,
        Unavailable,
        syncing,
    );
    refused_with(
        client.get_latest_tree_state(Empty {}).await,
        Unavailable,
        syncing,
    );
    refused_with(
        client.get_mempool_stream(Empty {}).await,
        Unavailable,
        syncing,
    );
}

#[tokio::test]
async fn a_read_goes_to_another_node_and_a_write_does_not() {
    let second = first_node().await;
    let plan = Plan {
        others: vec![(Role::Follow, second.url())],
        ..Plan::default()
    };
    let rig = Rig::planned(first_node().await, plan).await;
    let mut client = rig.client().await;
    rig.node
        .misbehave(Misbehaviour::Reset, Filter::method("z_gettreestate"));
    rig.node
        .misbehave(Misbehaviour::Reset, Filter::method("sendrawtransaction"));
    client
        .get_tree_state(at(5))
        .await
        .expect("the second one has it");
    assert_eq!(second.count("z_gettreestate"), 1);
    let (_, data) = rig.unmined()[0].clone();
    let sent = RawTransaction { data, height: 0 };
    refused_with(
        client.send_transaction(sent).await,
        Code::Unknown,
        &["the outcome is unknown", "upstream node"],
    );
    assert_eq!(rig.node.count("sendrawtransaction"), 1, "once");
    assert_eq!(second.count("sendrawtransaction"), 0, "and nowhere else");
}

#[tokio::test]
async fn other_bytes_for_a_transaction_are_evidence_and_the_honest_node_is_asked() {
    let second = first_node().await;
    let plan = Plan {
        others: vec![(Role::Follow, second.url())],
        ..Plan::default()
    };
    let rig = Rig::planned(first_node().await, plan).await;
    let mut client = rig.client().await;
    let unmined = rig.unmined();
    let txid = unmined[0].0;
    second.mempool_add(txid, unmined[0].1.clone());
    rig.node.mempool_add(txid, unmined[1].1.clone());
    let reply = client
        .get_transaction(by_txid(txid))
        .await
        .expect("the second one is honest");
    assert_eq!(reply.into_inner().data, unmined[0].1);
    convicted(&rig, "node", "zcash.txid", &unmined[1].1);
    let states: Vec<_> = rig
        .upstreams
        .status()
        .into_iter()
        .map(|one| one.state)
        .collect();
    assert_eq!(states[0], UpstreamState::Quarantined);
    assert_ne!(states[1], UpstreamState::Quarantined);
}

#[tokio::test]
async fn what_a_node_agreed_to_counts_no_more_once_a_client_caught_it_lying() {
    let second = first_node().await;
    let plan = Plan {
        others: vec![(Role::Follow, second.url())],
        ..Plan::default()
    };
    let rig = Rig::planned(first_node().await, plan).await;
    let client = rig.client().await;
    let grade = || {
        let mut client = client.clone();
        async move {
            let reply = client.get_block(at(5)).await.expect("it is there");
            let grade = reply.metadata().get(Assurance::FIELD);
            grade
                .expect("every reply has one")
                .to_str()
                .expect("text")
                .to_owned()
        }
    };
    until("both are heard", || async { grade().await == "agreed 2/2" }).await;
    let unmined = rig.unmined();
    let txid = unmined[0].0;
    rig.node.mempool_add(txid, unmined[1].1.clone());
    let reply = client.clone().get_transaction(by_txid(txid)).await;
    refused_with(reply, Code::NotFound, &["-5"]);
    convicted(&rig, "node", "zcash.txid", &unmined[1].1);
    assert_eq!(grade().await, "relayed");
}

#[tokio::test]
async fn a_lone_liar_is_named_and_its_bytes_are_not_passed_on() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let unmined = rig.unmined();
    rig.node.mempool_add(unmined[0].0, unmined[1].1.clone());
    refused_with(
        client.get_transaction(by_txid(unmined[0].0)).await,
        Unavailable,
        &[
            "GetTransaction: upstream node gave a false answer",
            "zcash.txid",
        ],
    );
    convicted(&rig, "node", "zcash.txid", &unmined[1].1);
}

#[tokio::test]
async fn the_tree_state_of_another_block_is_evidence() {
    let liar = Proxy::start(|request| {
        if request["method"] == "z_gettreestate" {
            request["params"][0] = Value::from("7");
        }
    });
    let rig = liar.rig().await;
    let mut client = rig.client().await;
    refused_with(
        client.get_tree_state(at(9)).await,
        Unavailable,
        &[
            "upstream node gave a false answer",
            "zcash.tree-state-of-another-block",
        ],
    );
    convicted(
        &rig,
        "node",
        "zcash.tree-state-of-another-block",
        br#""params":["9"]"#,
    );
}

/// The one finding is about this, holds these bytes, and convicts whoever
/// reads it with nothing else at hand.
pub fn convicted(rig: &Rig, liar: &str, rule: &str, bytes: &[u8]) {
    let findings = rig.upstreams.findings();
    let [finding] = &findings[..] else {
        panic!("{} findings", findings.len());
    };
    let evidence = &finding.evidence;
    assert_eq!((&finding.upstream[..], &evidence.rule[..]), (liar, rule));
    assert_eq!(convict(evidence), Ok(()));
    let mut exhibits = evidence.exhibits.iter();
    let shown = |exhibit: &[u8]| exhibit.windows(bytes.len()).any(|part| part == bytes);
    assert!(exhibits.any(|exhibit| shown(&exhibit.bytes)));
}

#[tokio::test]
async fn the_tree_state_of_another_chain_is_no_lie_and_is_not_passed_on() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let fork = rig
        .generator
        .fork(BLOCKS - 4, 4, 9)
        .expect("the chain is longer");
    let forked = Misbehaviour::Forked(fork.chain().clone());
    rig.node.misbehave(forked, Filter::method("z_gettreestate"));
    refused_with(
        client.get_tree_state(at(BLOCKS - 1)).await,
        Code::Aborted,
        &["another block at height 119", "try again"],
    );
    refused_with(
        client.get_latest_tree_state(Empty {}).await,
        Code::Aborted,
        &["does not have block", "try again"],
    );
    client
        .get_tree_state(at(BLOCKS - 6))
        .await
        .expect("both chains have it");
    assert!(rig.upstreams.findings().is_empty());
    rig.node.behave();
    client
        .get_tree_state(at(BLOCKS - 1))
        .await
        .expect("the node is back on our chain");
}

#[tokio::test]
async fn a_failing_memory_pool_ends_the_stream_with_the_reason() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let stream = client
        .get_mempool_stream(Empty {})
        .await
        .expect("it begins");
    let mut stream = stream.into_inner();
    rig.node
        .misbehave(Misbehaviour::Reset, Filter::method("getrawmempool"));
    let end = stream.message().await.expect_err("it ends badly");
    assert_eq!(end.code(), Unavailable);
    assert!(end.message().contains("upstream node"), "{}", end.message());
}
