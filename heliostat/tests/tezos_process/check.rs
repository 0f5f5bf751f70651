//! What an operator is told of each node.

use heliostat_sim::tezos::node::{Allows, Proofs};

use crate::running::{Nodes, Said};

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
