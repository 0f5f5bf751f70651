//! Faults on the way, and honest nodes that differ.

use std::time::Duration;

use heliostat_sim::tezos::{
    Node,
    node::{Allows, Fault, Filter, Proofs},
};
use reqwest::StatusCode;

use crate::{node, small};

const CHAIN_ID: &str = "/chains/main/chain_id";

#[tokio::test]
async fn every_fault_spoils_the_answer_it_meets_and_no_other() {
    let network = small(1);
    let (node, client) = node(&network).await;
    let truth = client.bytes(CHAIN_ID).await;
    for fault in Fault::all() {
        if matches!(fault, Fault::Hang | Fault::Slow(_) | Fault::Drip { .. }) {
            continue;
        }
        node.fail(fault.clone(), Filter::call("chain_id").times(1));
        let other = client.raw("/version").await.unwrap();
        assert_eq!(other.0, StatusCode::OK);
        // A huge answer is not read on.
        if let Fault::Huge(bytes) = fault {
            let mut response = client.get(CHAIN_ID, "*/*").await.unwrap();
            let mut read = 0;
            while read < 1 << 20 {
                read += response.chunk().await.unwrap().unwrap().len();
            }
            assert!(read as u64 <= bytes);
            continue;
        }
        let spoilt = client.raw(CHAIN_ID).await;
        let is_true =
            |(status, body): &(StatusCode, Vec<u8>)| *status == StatusCode::OK && *body == truth;
        assert!(!spoilt.as_ref().is_ok_and(is_true), "{fault:?}");
        if matches!(fault, Fault::RestartMidAnswer { .. }) {
            node.resume().await;
        }
        assert_eq!(client.bytes(CHAIN_ID).await, truth, "{fault:?}");
    }
}

#[tokio::test]
async fn slow_and_trickling_answers_are_whole() {
    let network = small(2);
    let (node, client) = node(&network).await;
    let path = "/chains/main/blocks/head/context/constants";
    let truth = client.bytes(path).await;
    let drip = Fault::Drip {
        bytes: 100,
        every: Duration::from_millis(1),
    };
    for fault in [Fault::Slow(Duration::from_millis(5)), drip] {
        node.fail(fault, Filter::all());
        assert_eq!(client.bytes(path).await, truth);
        node.behave();
    }
    node.fail(Fault::Hang, Filter::all());
    let waited = tokio::time::timeout(Duration::from_millis(50), client.raw(path)).await;
    assert!(waited.is_err());
    node.behave();
    node.set(|manner| manner.slow = Duration::from_millis(5));
    assert_eq!(client.bytes(path).await, truth);
}

#[tokio::test]
async fn a_node_that_went_away_comes_back_on_its_port() {
    let network = small(3);
    let (node, client) = node(&network).await;
    node.stop().await;
    assert!(client.raw(CHAIN_ID).await.is_err());
    node.resume().await;
    assert_eq!(client.status(CHAIN_ID).await, 200);
    node.restart(Duration::from_millis(10)).await;
    assert_eq!(client.status(CHAIN_ID).await, 200);
}

#[tokio::test]
async fn access_lists_and_ages_decide_which_proofs_there_are() {
    let network = small(4);
    let (node, client) = node(&network).await;
    let at = "/chains/main/blocks/head/context";
    let statuses = async || {
        let mut all = Vec::new();
        for call in ["merkle_tree_v2", "merkle_tree", "raw/bytes", "constants"] {
            let tail = if call == "constants" { "" } else { "/version" };
            all.push(client.status(&format!("{at}/{call}{tail}")).await);
        }
        all.push(match client.get("/monitor/heads/main", "*/*").await {
            Ok(stream) => stream.status().as_u16(),
            Err(error) => panic!("{error}"),
        });
        all
    };
    assert_eq!(statuses().await, [200, 200, 200, 200, 200]);
    node.set(|manner| manner.allows = Allows::Secure);
    assert_eq!(statuses().await, [403, 403, 403, 200, 403]);
    node.set(|manner| manner.allows = Allows::Everything);
    for (proofs, expected) in [
        (Proofs::OnlyOld, [404, 200]),
        (Proofs::OnlyNew, [200, 404]),
        (Proofs::Neither, [404, 404]),
    ] {
        node.set(|manner| manner.proofs = proofs);
        assert_eq!(statuses().await[..2], expected);
    }
    node.set(|manner| manner.no_stream = true);
    assert_eq!(statuses().await[4], 404);
}

#[tokio::test]
async fn a_node_of_json_alone_refuses_bytes() {
    let network = small(5);
    let (node, client) = node(&network).await;
    node.set(|manner| manner.json_only = true);
    let path = "/chains/main/blocks/head/context/merkle_tree_v2/version";
    for (accept, status) in [
        ("application/octet-stream", 406),
        ("application/octet-stream, application/json;q=0.5", 200),
        ("application/json", 200),
    ] {
        let response = client.get(path, accept).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{accept}");
    }
}

#[tokio::test]
async fn a_node_behind_does_not_know_the_newest_blocks() {
    let network = small(6);
    let (node, client) = node(&network).await;
    let head = network.world().head().clone();
    node.set(|manner| manner.behind = 2);
    let hash: String = client.value("/chains/main/blocks/head/hash").await;
    let expected = network.world().at(head.level - 2).unwrap().hash;
    assert_eq!(hash, expected.to_string());
    for id in [head.hash.to_string(), head.level.to_string()] {
        let path = format!("/chains/main/blocks/{id}/header/raw");
        assert_eq!(client.status(&path).await, 404);
    }
}

#[tokio::test]
async fn a_pruned_node_has_headers_and_no_states() {
    let network = small(7);
    let (node, client) = node(&network).await;
    node.set(|manner| manner.keeps = Some(2));
    let at = |back| format!("/chains/main/blocks/head~{back}");
    let proof = client
        .json(&format!("{}/context/merkle_tree_v2/version", at(2)))
        .await;
    assert!(proof.is_null());
    for call in ["merkle_tree/version", "raw/bytes/version", "constants"] {
        let path = format!("{}/context/{call}", at(2));
        assert_eq!(client.status(&path).await, 404, "{call}");
        let path = format!("{}/context/{call}", at(1));
        assert_eq!(client.status(&path).await, 200, "{call}");
    }
    assert_eq!(client.status(&format!("{}/header", at(5))).await, 200);
}

#[tokio::test]
async fn nodes_that_are_dropped_are_gone() {
    let network = small(8);
    let nodes = Node::start_all(&network, 2).await.unwrap();
    let clients: Vec<_> = nodes
        .iter()
        .map(|node| crate::Client::new(node.url()))
        .collect();
    assert_eq!(clients[1].status(CHAIN_ID).await, 200);
    drop(nodes);
    tokio::task::yield_now().await;
    for client in clients {
        assert!(client.raw(CHAIN_ID).await.is_err());
    }
}
