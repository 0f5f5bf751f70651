//! The verbs: one answer, the data on standard output.

use heliostat_sim::tezos::Lie;

use crate::running::{Nodes, ask, balance_path};

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_printed_as_octez_prints_it_with_its_grade_beside() {
    let nodes = Nodes::start(3).await;
    let alice = nodes.address("alice");
    let said = nodes.tezos(&["get", "balance", "for", &alice]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let mutez = nodes.balance("alice");
    let shown = said.out.trim_end().strip_suffix(" ꜩ").unwrap();
    let tez: f64 = shown.parse().unwrap();
    assert_eq!((tez * 1e6).round() as u64, mutez);
    assert!(
        said.err.contains("heliostat-assurance: agreed 3/3"),
        "{}",
        said.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_answered_with_what_the_nodes_would_say() {
    let nodes = Nodes::start(2).await;
    let path = balance_path(&nodes.address("bob"));
    let said = nodes.tezos(&["rpc", "get", &path]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.out, format!("\"{}\"\n", nodes.balance("bob")));
    let constants = "/chains/main/blocks/head/context/constants";
    let said = nodes.tezos(&["rpc", "get", constants]).await;
    let ours: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let theirs = reqwest::get(format!("{}{constants}", nodes.nodes[0].url()));
    let theirs = theirs.await.unwrap().text().await.unwrap();
    let theirs: serde_json::Value = serde_json::from_str(&theirs).unwrap();
    assert_eq!(ours, theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_not_agreed_on_is_an_error_and_never_0() {
    let nodes = Nodes::start(3).await;
    nodes.nodes[1].lie(Lie::Absence);
    let alice = nodes.address("alice");
    let said = nodes.tezos(&["get", "balance", "for", &alice]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("Fatal error:\n"), "{}", said.err);
    assert!(
        said.err.contains("Consensus cannot be reached"),
        "{}",
        said.err
    );
    assert!(!said.err.contains("error: Fatal"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_checkpoint_the_answer_is_proven_and_the_liar_is_named() {
    let nodes = Nodes::start(3).await;
    nodes.nodes[0].lie(Lie::Root);
    let (trusted, alice) = (nodes.checkpoint(4), nodes.address("alice"));
    let args = ["--checkpoint", &trusted, "--finality", "--head", "proven"];
    let verb = ["get", "balance", "for", &alice];
    let said = nodes.tezos(&[&args[..], &verb].concat()).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.err.contains("heliostat-assurance: proven"),
        "{}",
        said.err
    );
    let lie = format!("LIE  {}", nodes.nodes[0].url());
    assert!(said.err.contains(&lie), "{}", said.err);
    assert!(said.err.contains("tezos.state-root"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_in_octez_words() {
    let nodes = Nodes::start(2).await;
    let path = format!(
        "/chains/main/blocks/head/context/contracts/{}/delegate",
        nodes.network.world().stranger()
    );
    let said = nodes.tezos(&["rpc", "get", &path]).await;
    assert_eq!(said.code, Some(1));
    assert!(
        said.err
            .contains("Fatal error:\n  No service found at this URL\n"),
        "{}",
        said.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn client_and_proxy_mode_ask_one_node_which_only_a_checkpoint_can_prove() {
    let nodes = Nodes::start(1).await;
    let (url, alice) = (nodes.nodes[0].url(), nodes.address("alice"));
    let trusted = nodes.checkpoint(4);
    let checkpoint = ["--checkpoint", &trusted, "--head", "proven"];
    for (mode, more, grade) in [
        ("client", &[][..], "relayed"),
        ("client", &checkpoint[..], "relayed"),
        ("proxy", &[][..], "relayed"),
        ("proxy", &checkpoint[..], "proven"),
    ] {
        let flags = ["tezos", "--mode", mode, "--endpoint", &url];
        let stamp = ["--proof-of-work-threshold", &nodes.stamp()];
        let verb = ["get", "balance", "for", &alice];
        let said = ask(&[&flags[..], &stamp, more, &verb].concat()).await;
        let case = format!("{mode} {more:?}: {}", said.err);
        assert_eq!(said.code, Some(0), "{case}");
        assert!(said.out.ends_with(" ꜩ\n"), "{case}: {}", said.out);
        let grade = format!("heliostat-assurance: {grade}");
        assert!(said.err.contains(&grade), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_of_another_protocol_is_refused_when_one_is_named() {
    let nodes = Nodes::start(2).await;
    let known = ask(&["tezos", "list", "light", "protocols"]).await;
    assert_eq!(known.code, Some(0), "{}", known.err);
    let own = nodes.network.world().protocol().to_string();
    let other = known.out.lines().find(|hash| *hash != own).unwrap();
    assert!(known.out.contains(&own), "{}", known.out);
    let alice = nodes.address("alice");
    let verb = ["get", "balance", "for", &alice];
    let said = nodes
        .tezos(&[&["--protocol", other][..], &verb].concat())
        .await;
    assert_eq!(said.code, Some(1));
    let words =
        format!("Protocol passed to the proxy ({other}) and protocol of the node ({own}) differ.");
    assert!(said.err.contains(&words), "{}", said.err);
    let said = nodes
        .tezos(&[&["--protocol", &own][..], &verb].concat())
        .await;
    assert_eq!(said.code, Some(0), "{}", said.err);
}
