//! Operations through the outbox.

use std::sync::Arc;

use heliostat_node::outbox::{Policy, TABLE};
use heliostat_sim::tezos::{
    Change,
    node::{Fault, Filter},
};
use heliostat_store::{Options, Store};
use heliostat_tezos_verifier::OperationHash;

use super::*;

pub async fn store() -> Arc<dyn Store> {
    let opened = heliostat_store::open("memory:", "tezos", &[TABLE], Options::default());
    opened.await.expect("memory is always there")
}

/// A daemon that keeps receipts and follows the heads.
async fn daemon(nodes: &[Node], store: &Arc<dyn Store>) -> Daemon {
    let mut daemon = daemon_over(settings(nodes), store).await;
    daemon.follow();
    daemon
}

/// A daemon that keeps receipts and asks no node by itself.
pub async fn daemon_over(settings: Settings, store: &Arc<dyn Store>) -> Daemon {
    let daemon = Daemon::serve(settings).await;
    let kept = daemon.light.keep_receipts(Arc::clone(store), Policy::One);
    kept.await.expect("the store is open");
    daemon
}

/// A transfer that is signed and not sent yet, with its hash.
pub fn transfer(world: &World) -> (Vec<u8>, OperationHash) {
    let mut scratch = World::clone(world);
    let to = world.account("bob").id;
    let (from, amount) = (0, 1_000);
    let block = scratch.bake(&[Change::Transfer { from, to, amount }]);
    let transfer = &block.operations[3][0];
    let mut bytes = transfer.branch.as_bytes().to_vec();
    bytes.extend_from_slice(&transfer.data);
    (bytes, transfer.hash)
}

/// Sends it; the answer, the name of its receipt, and how many may have it.
pub async fn inject(daemon: &Daemon, operation: &[u8]) -> (Got, Option<(String, usize)>) {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client without settings");
    let asked = client.post(format!("{}/injection/operation", daemon.url));
    let asked = asked
        .header("content-type", "application/json")
        .body(quoted(hex::encode(operation)));
    let response = asked.send().await.expect("the daemon answers");
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().expect("it is text").to_owned())
    };
    let handed_to = header("heliostat-handed-to").map(|count| count.parse().expect("a number"));
    let receipt = header("heliostat-receipt").zip(handed_to);
    (got(response).await, receipt)
}

#[tokio::test]
async fn a_repeated_operation_has_the_first_receipt_and_answer() {
    let (network, nodes) = network(Made::small(), 2).await;
    let (operation, hash) = transfer(&network.world());
    let store = store().await;
    let first = daemon(&nodes, &store).await;
    let (answer, receipt) = inject(&first, &operation).await;
    assert_eq!(answer.text().trim(), quoted(hash));
    assert_eq!(answer.grade, Some(Assurance::Relayed));
    assert!(receipt.is_some());
    let (again, same) = inject(&first, &operation).await;
    assert_eq!((again.body, same), (answer.body.clone(), receipt.clone()));
    first.end().await;
    // Also by the process that comes after, whatever the nodes do.
    for node in &nodes {
        node.fail(Fault::Status(500), Filter::all());
    }
    let second = daemon(&nodes, &store).await;
    let (again, same) = inject(&second, &operation).await;
    assert_eq!((again.body, same), (answer.body, receipt));
    assert_eq!(again.grade, Some(Assurance::Relayed));
    assert_eq!(nodes[0].count("injection"), 1);
    assert_eq!(nodes[1].count("injection"), 0);
}

#[tokio::test]
async fn a_lost_operation_is_found_in_a_block_and_never_sent_again() {
    let (network, nodes) = network(Made::small(), 2).await;
    let (operation, hash) = transfer(&network.world());
    let daemon = daemon(&nodes, &store().await).await;
    nodes[0].fail(Fault::Truncated, Filter::call("injection"));
    let (answer, _) = inject(&daemon, &operation).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.error(), "heliostat.outcome_unknown");
    let outbox = daemon.light.outbox().expect("receipts are kept");
    assert_eq!(outbox.counts()["unknown"], 1);
    nodes[0].behave();
    if network.pending().is_empty() {
        network.inject(operation.clone());
    }
    network.bake(&[]);
    let found = async {
        while outbox.counts()["included"] == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, found).await;
    assert!(waited.is_ok(), "{:?}", outbox.counts());
    let (answer, receipt) = inject(&daemon, &operation).await;
    assert_eq!(answer.text().trim(), quoted(hash));
    assert!(receipt.is_some());
    assert_eq!(nodes[0].count("injection"), 1);
    assert_eq!(nodes[1].count("injection"), 0, "never sent elsewhere");
}

#[tokio::test]
async fn a_lost_operation_that_waits_outlives_an_outage_longer_than_the_blocks_looked_at() {
    let (network, nodes) = network(Made::small(), 2).await;
    let (operation, hash) = transfer(&network.world());
    let store = store().await;
    let first = daemon(&nodes, &store).await;
    nodes[0].fail(Fault::Truncated, Filter::call("injection"));
    let (answer, receipt) = inject(&first, &operation).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    nodes[0].behave();
    if network.pending().is_empty() {
        network.inject(operation.clone());
    }
    // It is found in the memory pool by who looks for it, or by who asks.
    let (answer, again) = inject(&first, &operation).await;
    assert_eq!(
        (answer.text().trim(), &again),
        (quoted(hash).as_str(), &receipt)
    );
    let outbox = first.light.outbox().expect("receipts are kept");
    assert_eq!(
        (outbox.counts()["waiting"], outbox.counts()["unknown"]),
        (1, 0)
    );
    first.end().await;
    for _ in 0..2 * heliostat_tezos::defaults::LOOK_BLOCKS {
        network.bake(&[]);
    }
    // The block that has it is out of sight, and the answer is the same.
    let second = daemon(&nodes, &store).await;
    let (answer, again) = inject(&second, &operation).await;
    assert_eq!(
        (answer.text().trim(), &again),
        (quoted(hash).as_str(), &receipt)
    );
    assert_eq!(nodes[0].count("injection"), 1, "it is not sent again");
    assert_eq!(nodes[1].count("injection"), 0);
}

#[tokio::test]
async fn what_a_node_refuses_is_passed_on_and_may_be_sent_anew() {
    let (network, nodes) = network(Made::small(), 2).await;
    let (operation, hash) = transfer(&network.world());
    let daemon = daemon(&nodes, &store().await).await;
    nodes[0].fail(Fault::Status(500), Filter::call("injection"));
    let (refused, receipt) = inject(&daemon, &operation).await;
    assert_eq!((refused.status, refused.grade), (500, None));
    nodes[0].behave();
    let (answer, same) = inject(&daemon, &operation).await;
    assert_eq!(answer.text().trim(), quoted(hash));
    assert_eq!(receipt, same);
    assert_eq!(nodes[1].count("injection"), 0);
}

#[tokio::test]
async fn an_operation_in_bytes_is_read_and_answered_as_nodes_do() {
    let (network, nodes) = network(Made::small(), 2).await;
    let (operation, hash) = transfer(&network.world());
    let store = store().await;
    let daemon = daemon(&nodes, &store).await;
    let framed = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).expect("it is short");
        [&length.to_be_bytes(), bytes].concat()
    };
    // Bytes have a length of their own, and every body has another.
    let body = framed(&framed(&operation));
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client without settings");
    for _ in 0..2 {
        let asked = client.post(format!("{}/injection/operation", daemon.url));
        let asked = asked
            .header("content-type", "application/octet-stream")
            .header("accept", "application/octet-stream")
            .body(body.clone());
        let answer = got(asked.send().await.expect("the daemon answers")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body, framed(&hash.0));
    }
    assert_eq!(network.pending().len(), 1);
    assert_eq!(nodes[0].count("injection"), 1);
    daemon.only_convicts(&[]);
}
