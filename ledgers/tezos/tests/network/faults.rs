//! Nodes that fail, refuse, or are only slow or small: gone round, never
//! convicted.

use heliostat_node::UpstreamState;
use heliostat_sim::tezos::node::{Allows, Fault, Filter, Proofs};

use super::*;

/// Two of three must agree, and nobody is waited for very long.
fn majority(nodes: &[Node]) -> Settings {
    Settings {
        min_agreement: 0.6,
        limits: Limits {
            call: Duration::from_millis(700),
            ..Limits::default()
        },
        ..settings(nodes)
    }
}

#[tokio::test]
async fn no_failure_of_one_node_stops_a_read_or_convicts_it() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    let alice = world.account("alice").id;
    let truth = true_balance(&world, world.head(), &alice);
    let head = world.head().hash.to_string();
    for fault in Fault::all() {
        // One that went away for a moment is back.
        nodes[0].resume().await;
        nodes[0].behave();
        nodes[0].fail(fault.clone(), Filter::all());
        let daemon = Daemon::serve(majority(&nodes)).await;
        for block in [head.as_str(), "head"] {
            let got = daemon.balance(block, &alice).await;
            assert_eq!(got.text(), truth, "{fault:?}");
            assert!(got.is_vouched(), "{fault:?}: {got:?}");
        }
        let got = daemon.at("head", "operation_hashes").await;
        assert_eq!(
            got.json(),
            serde_json::json!(world.head().operation_hashes())
        );
        daemon.only_convicts(&[]);
        let state = daemon.light.status().endpoints[0].upstream.state;
        assert_ne!(state, UpstreamState::Quarantined, "{fault:?}");
    }
}

#[tokio::test]
async fn where_all_must_agree_a_failure_is_an_error_and_never_a_value() {
    let (network, nodes) = network(Made::small(), 2).await;
    let world = network.world();
    let head = world.head().hash.to_string();
    for fault in Fault::all() {
        let is_only_late = matches!(fault, Fault::Slow(_) | Fault::Drip { .. });
        nodes[1].resume().await;
        nodes[1].behave();
        nodes[1].fail(fault.clone(), Filter::all());
        let call = match is_only_late {
            true => PATIENCE,
            false => Duration::from_millis(700),
        };
        let daemon = Daemon::serve(Settings {
            limits: Limits {
                call,
                ..Limits::default()
            },
            ..settings(&nodes)
        })
        .await;
        for account in [world.account("alice").id, world.stranger()] {
            let got = daemon.balance(&head, &account).await;
            if is_only_late {
                let truth = true_balance(&world, world.head(), &account);
                assert_eq!((got.text(), got.grade), (truth, agreed(2, 2)), "{fault:?}");
            } else {
                assert_eq!((got.status, got.grade), (503, None), "{fault:?}: {got:?}");
                assert_eq!(got.error(), "heliostat.no_agreement", "{fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_endless_answer_costs_no_more_than_its_cap() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    nodes[0].fail(Fault::Huge(1 << 40), Filter::all());
    let daemon = Daemon::serve(majority(&nodes)).await;
    let alice = world.account("alice").id;
    let got = daemon.balance("head", &alice).await;
    assert_eq!(got.text(), true_balance(&world, world.head(), &alice));
    let read = &daemon.light.status().endpoints[0];
    // Every call is cut at its cap; the greatest of them is that of proofs.
    let most = read.requests * heliostat_tezos::defaults::V1_BYTES as u64 + (1 << 20);
    assert!(read.bytes <= most, "{} of {most}", read.bytes);
}

#[tokio::test]
async fn a_node_behind_an_access_list_is_told_apart_and_costs_only_its_vote() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    nodes[1].set(|manner| manner.allows = Allows::Secure);
    let alice = world.account("alice").id;
    let daemon = Daemon::run(majority(&nodes)).await;
    let got = daemon.balance("head", &alice).await;
    assert_eq!(got.text(), true_balance(&world, world.head(), &alice));
    assert_eq!(got.grade, agreed(2, 3));
    let words = &daemon.light.status().endpoints[1].proofs;
    assert!(
        words.contains("403") && words.contains("merkle_tree_v2/**"),
        "{words}"
    );
    // Where all must agree, the words say what its operator has to allow.
    let strict = Daemon::serve(settings(&nodes)).await;
    let head = world.head().hash.to_string();
    let got = strict.balance(&head, &alice).await;
    assert_eq!(got.error(), "heliostat.no_agreement");
    assert!(got.text().contains("access list"), "{}", got.text());
    // A block that is followed is tied to headers, for which no proof of that
    // node is needed.
    let old = world.blocks()[world.blocks().len() - 2].hash.to_string();
    let got = daemon.balance(&old, &alice).await;
    assert_eq!(got.grade, agreed(3, 3));
}

#[tokio::test]
async fn nodes_of_every_age_agree() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    let alice = world.account("alice").id;
    let truth = true_balance(&world, world.head(), &alice);
    for first in [Proofs::OnlyOld, Proofs::OnlyNew] {
        for second in [Proofs::OnlyOld, Proofs::OnlyNew] {
            nodes[0].set(|manner| manner.proofs = first);
            nodes[1].set(|manner| manner.proofs = second);
            nodes[1].set(|manner| manner.json_only = true);
            let daemon = Daemon::serve(settings(&nodes)).await;
            let got = daemon.balance("head", &alice).await;
            assert_eq!(got.text(), truth, "{first:?} {second:?}: {got:?}");
            assert_eq!(got.grade, agreed(3, 3), "{first:?} {second:?}");
            let got = daemon.balance("head", &world.stranger()).await;
            assert_eq!((got.text(), got.grade), (quoted(0), agreed(3, 3)));
        }
    }
}

#[tokio::test]
async fn a_vote_by_the_old_call_is_short_in_a_wide_directory() {
    // 400 accounts: the old call lists all of them for one key.
    let (network, nodes) = network(Made::blocks(4), 2).await;
    let world = network.world();
    nodes[1].set(|manner| manner.proofs = Proofs::OnlyOld);
    let daemon = Daemon::serve(settings(&nodes)).await;
    let head = world.head().hash.to_string();
    let alice = world.account("alice").id;
    let got = daemon.balance(&head, &alice).await;
    assert_eq!(got.grade, agreed(2, 2));
    let log = nodes[1].take_log();
    assert!(
        log.iter()
            .any(|line| line.ends_with("context/merkle_tree/contracts?holey=yes")),
        "{log:?}"
    );
    assert!(nodes[1].bytes() < 8_000, "{}", nodes[1].bytes());
}

#[tokio::test]
async fn a_pruned_node_leaves_old_blocks_to_others() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    nodes[0].set(|manner| manner.keeps = Some(2));
    let daemon = Daemon::serve(majority(&nodes)).await;
    let (old, alice) = (&world.blocks()[0], world.account("alice").id);
    let got = daemon.balance(&old.hash.to_string(), &alice).await;
    assert_eq!(got.text(), true_balance(&world, old, &alice));
    assert_eq!(got.grade, agreed(2, 3));
    let strict = Daemon::serve(settings(&nodes)).await;
    let got = strict.balance(&old.hash.to_string(), &alice).await;
    assert!(
        got.text().contains("null: the node does not have"),
        "{got:?}"
    );
}

#[tokio::test]
async fn a_slow_node_is_hedged_and_never_quarantined() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    let daemon = Daemon::run(majority(&nodes)).await;
    let head = quoted(world.head().hash);
    daemon
        .until("/chains/main/blocks/head/hash", |got| got.text() == head)
        .await;
    // It was quick so far, and comes first in the list.
    nodes[0].set(|manner| manner.slow = Duration::from_millis(500));
    nodes.iter().for_each(|node| node.reset_counts());
    let block = world.head().hash.to_string();
    for account in &world.accounts()[..12] {
        let got = daemon.balance(&block, &account.id).await;
        assert_eq!(got.text(), true_balance(&world, world.head(), &account.id));
        assert!(got.is_vouched());
    }
    let first = nodes[0].take_log();
    let full = first
        .iter()
        .filter(|line| line.contains("holey=no"))
        .count();
    assert!(full < 12, "a slow node stops being asked first: {full}");
    let status = &daemon.light.status().endpoints[0];
    assert_ne!(status.upstream.state, UpstreamState::Quarantined);
    daemon.only_convicts(&[]);
}

#[tokio::test]
async fn a_dead_node_is_noticed_once_and_welcome_again() {
    let (network, nodes) = network(Made::small(), 3).await;
    let world = network.world();
    let daemon = Daemon::run(majority(&nodes)).await;
    let block = world.head().hash.to_string();
    let accounts = world.accounts();
    assert!(daemon.balance(&block, &accounts[0].id).await.is_vouched());
    nodes[0].stop().await;
    for account in &accounts[1..10] {
        let got = daemon.balance(&block, &account.id).await;
        assert_eq!(got.text(), true_balance(&world, world.head(), &account.id));
    }
    network.bake(&[]);
    let head = quoted(network.world().head().hash);
    daemon
        .until("/chains/main/blocks/head/hash", |got| {
            got.text() == head && got.grade == agreed(2, 3)
        })
        .await;
    nodes[0].resume().await;
    daemon
        .until("/chains/main/blocks/head/hash", |got| {
            got.text() == head && got.grade == agreed(3, 3)
        })
        .await;
    daemon.only_convicts(&[]);
}

#[tokio::test]
async fn without_any_node_there_is_an_error_in_words() {
    let (network, nodes) = network(Made::small(), 2).await;
    let head = network.world().head().hash.to_string();
    let alice = network.world().account("alice").id;
    for node in &nodes {
        node.stop().await;
    }
    let daemon = Daemon::serve(settings(&nodes)).await;
    for block in ["head", &head] {
        let got = daemon.balance(block, &alice).await;
        assert_eq!((got.status, got.grade), (503, None));
        assert_eq!(got.error(), "heliostat.no_agreement", "{got:?}");
    }
    let got = daemon.get("/version").await;
    assert_eq!(got.error(), "heliostat.no_endpoint", "{got:?}");
}

#[tokio::test]
async fn clients_that_ask_nonsense_are_told_so_and_cost_no_endpoint_its_name() {
    let (_network, nodes) = network(Made::small(), 2).await;
    let daemon = Daemon::serve(settings(&nodes)).await;
    let long = format!("/{}", "x".repeat(9 << 10));
    let deep = format!(
        "/chains/main/blocks/head/context/raw/bytes{}",
        "/x".repeat(200)
    );
    for path in [
        long.as_str(),
        &deep,
        "/chains/main/blocks/nonsense/hash",
        "/chains/main/blocks/head/context/raw/bytes/v1?depth=-1",
        "/chains/main/blocks/head/context/merkle_tree_v2/v1?holey=maybe",
        "/chains/main/%ff",
    ] {
        let got = daemon.get(path).await;
        assert_eq!((got.status, got.grade), (400, None), "{path:.60}: {got:?}");
    }
    // Nothing here, and that is said by a node or by a proof.
    for path in [
        "/chains/main/blocks/head/context/contracts/nobody/balance",
        "/chains/main/blocks/head/helpers/nothing",
        "/nothing",
    ] {
        assert_eq!(daemon.get(path).await.status, 404, "{path}");
    }
    let mut state = daemon.light.status().endpoints.into_iter();
    assert!(state.all(|endpoint| endpoint.is_usable()));
}
