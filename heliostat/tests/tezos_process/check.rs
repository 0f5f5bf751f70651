//! What an operator is told of each node.

use axum::{Router, http::HeaderMap, http::StatusCode};
use heliostat_sim::tezos::node::{Allows, Proofs};

use crate::running::{Nodes, Said, ask};

/// `heliostat tezos … check` on free ports.
async fn check(nodes: &Nodes, more: &[&str]) -> Said {
    let free = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
    let store = ["--store", "memory:"];
    nodes
        .tezos(&[&free[..], &store, more, &["check"]].concat())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_in_order_are_said_to_be() {
    let nodes = Nodes::start(2).await;
    let said = check(&nodes, &[]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for part in [
        "serves proofs (merkle_tree_v2, in binary)",
        "2 of 2 must agree, and 2 give proofs now",
        "the same block at level",
        "and the same state after it",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in\n{}", said.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_proofs_is_reported_with_what_its_operator_must_allow() {
    let nodes = Nodes::start(2).await;
    nodes.nodes[1].set(|manner| manner.allows = Allows::Secure);
    let said = check(&nodes, &[]).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    for part in [
        "serves no proofs: refused (HTTP 403)",
        "\"GET /chains/*/blocks/*/context/merkle_tree_v2/**\"",
        "rpc.acl of the node's config.json",
        "--allow-all-rpc",
        "2 of 2 must agree, and 1 give proofs now",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in\n{}", said.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_only_has_the_old_proofs_is_reported() {
    let nodes = Nodes::start(2).await;
    nodes.nodes[0].set(|manner| manner.proofs = Proofs::OnlyOld);
    let said = check(&nodes, &[]).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(
        said.out.contains("only the old proofs (merkle_tree)"),
        "{}",
        said.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_is_not_ready_which_is_exit_code_3() {
    let nodes = Nodes::start(3).await;
    nodes.nodes[2].stop().await;
    let said = check(&nodes, &[]).await;
    assert_eq!(said.code, Some(3), "{}", said.out);
    let down = format!("not ready  endpoint {}: unreachable", nodes.nodes[2].url());
    assert!(said.out.contains(&down), "{}", said.out);
    let most = check(&nodes, &["--min-agreement", "0.6"]).await;
    assert!(
        most.out.contains("ok         agreement: 2 of 3"),
        "{}",
        most.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_different_states_of_one_block_are_reported() {
    let nodes = Nodes::start(3).await;
    nodes.nodes[1].lie(heliostat_sim::tezos::Lie::Root);
    let said = check(&nodes, &[]).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    let words = format!("{} proves another state", nodes.nodes[1].url());
    assert!(said.out.contains(&words), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_different_chains_are_reported() {
    let nodes = Nodes::start(2).await;
    nodes.nodes[1].lie(heliostat_sim::tezos::Lie::OtherChain);
    let said = check(&nodes, &[]).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(
        said.out.contains("FAILED     endpoints together"),
        "{}",
        said.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_with_another_stamp_is_told_from_a_liar() {
    let nodes = Nodes::start(2).await;
    let (url, stamp) = (nodes.nodes[0].url(), nodes.stamp());
    let flags = ["tezos", "--sources", nodes.sources(), "--endpoint", &url];
    let free = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
    let more = ["--store", "memory:", "check"];
    let said = ask(&[&flags[..], &free, &more].concat()).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    let words = format!("set proof-of-work-threshold = {stamp}, as its network's constants say");
    assert!(said.out.contains(&words), "{}", said.out);
    let said = check(&nodes, &[]).await;
    assert!(!said.out.contains("stamp"), "{}", said.out);
}

/// A node that answers nobody without the token.
async fn guarded(headers: HeaderMap) -> (StatusCode, &'static str) {
    match headers.get("authorization") {
        Some(token) if token == "Bearer s3cret" => (StatusCode::OK, "\"NetXdQprcVkpaWU\""),
        _ => (StatusCode::UNAUTHORIZED, ""),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_checked_with_the_token_that_the_daemon_would_send() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(guarded);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for (token, is_let_in) in [("", false), ("bearer-token = \"s3cret\"", true)] {
        let text = format!(
            "[chain.tezos]\nledger = \"tezos\"\nmode = \"proxy\"\nendpoints = [{url:?}]\n\
             listen = \"127.0.0.1:0\"\n{token}\n[store]\naddress = \"memory:\"\n\
             [observe]\nlisten = \"127.0.0.1:0\"\n"
        );
        std::fs::write(&file, text).unwrap();
        let said = ask(&["check", "--config", path]).await;
        assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
        let refused = said.out.contains("HTTP 401");
        assert_eq!(refused, !is_let_in, "{}", said.out);
    }
    serving.abort();
}
