//! Nodes that lie, refuse, stall or send rubbish.

use std::time::Duration;

use heliostat_node::UpstreamState;
use heliostat_tezos::{endpoint::Limits, evidence};

use super::*;

fn agreed(k: usize, n: usize) -> Option<Assurance> {
    Some(Assurance::agreed(k, n))
}

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
async fn a_forged_proof_convicts_with_evidence_that_holds() {
    let world = World::new(5, 10);
    let liar = Ways {
        clumsy: Some((1, 999)),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![liar, Ways::default(), Ways::default()]).await;
    let light = light(majority(&nodes));
    let got = balance(&light, "head", 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), agreed(2, 3))
    );
    let findings = light.upstreams().findings();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].upstream, nodes[0].uri());
    assert_eq!(findings[0].evidence.rule, "tezos.proof-root");
    assert_eq!(evidence::recheck(&findings[0].evidence), Ok(()));
    // An honest proof does not convict anybody.
    let mut honest = findings[0].evidence.clone();
    let answer = honest
        .exhibits
        .iter_mut()
        .find(|one| one.name == "answer as sent");
    let key = "version".parse().unwrap();
    let proof = heliostat_tezos_context::Proof::produce(&world.head().tree, &key, false).unwrap();
    answer.unwrap().bytes = heliostat_tezos_context::proof::binary::write_answer(Some(&proof));
    assert!(evidence::recheck(&honest).is_err());
    let state = light.status().endpoints[0].upstream.state;
    assert_eq!(state, UpstreamState::Quarantined);
    nodes[0].take_log();
    assert_eq!(balance(&light, "head", 2).await.grade, agreed(2, 3));
    assert!(nodes[0].take_log().is_empty(), "a liar is not asked again");
}

#[tokio::test]
async fn a_header_that_is_not_its_block_convicts() {
    let world = World::new(5, 10);
    let liar = Ways {
        wrong_headers: true,
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![liar, Ways::default(), Ways::default()]).await;
    let light = light(majority(&nodes));
    let hash = world.back(2).hash;
    let got = get(&light, &format!("/chains/main/blocks/{hash}/header/raw")).await;
    assert_eq!(
        got.text(),
        format!("\"{}\"", world.back(2).header.raw_hex())
    );
    let findings = light.upstreams().findings();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].evidence.rule, "tezos.header-hash");
    assert_eq!(evidence::recheck(&findings[0].evidence), Ok(()));
}

#[tokio::test]
async fn every_way_of_refusing_is_told_in_its_own_words() {
    for (ways, words) in [
        (
            Ways {
                no_v2: Some(403),
                no_v1: Some(403),
                ..Ways::default()
            },
            "access list",
        ),
        (
            Ways {
                no_v2: Some(404),
                no_v1: Some(404),
                ..Ways::default()
            },
            "not found",
        ),
        (
            Ways {
                instead: Some(""),
                ..Ways::default()
            },
            "empty answer",
        ),
        (
            Ways {
                instead: Some("null"),
                ..Ways::default()
            },
            "null: ",
        ),
        (
            Ways {
                instead: Some("{\"surprise\": 1}"),
                ..Ways::default()
            },
            "not of the protocol",
        ),
        (
            Ways {
                endless: true,
                ..Ways::default()
            },
            "more than",
        ),
    ] {
        let world = World::new(5, 10);
        let nodes = nodes(&world, vec![ways.clone(), Ways::default()]).await;
        let light = light(settings(&nodes));
        let got = balance(&light, &world.head().hash.to_string(), 1).await;
        assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{ways:?}");
        assert!(
            got.message().contains(words),
            "{words:?}: {}",
            got.message()
        );
        assert!(
            light.upstreams().findings().is_empty(),
            "refusing is no lie"
        );
        // Where fewer must agree the same node costs nothing but its vote.
        let light = super::light(Settings {
            min_agreement: 0.5,
            ..settings(&nodes)
        });
        let got = balance(&light, &world.head().hash.to_string(), 1).await;
        assert_eq!(got.text(), "\"2000000\"", "{ways:?}");
    }
}

#[tokio::test]
async fn what_an_access_list_must_allow_is_said_in_the_status() {
    let world = World::new(5, 10);
    let ways = Ways {
        no_v2: Some(403),
        no_v1: Some(403),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![ways, Ways::default()]).await;
    let light = light(settings(&nodes));
    balance(&light, "head", 1).await;
    let status = light.status();
    assert!(status.endpoints[0].proofs.contains("merkle_tree_v2/**"));
    assert!(
        status.endpoints[1]
            .proofs
            .contains("serves proofs (merkle_tree_v2)")
    );
}

#[tokio::test]
async fn a_mute_node_is_gone_round_and_never_convicted() {
    let world = World::new(5, 10);
    let mute = Ways {
        mute: true,
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![mute, Ways::default(), Ways::default()]).await;
    let light = light(majority(&nodes));
    let block = world.head().hash.to_string();
    let got = balance(&light, &block, 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), agreed(2, 3))
    );
    tokio::time::sleep(Duration::from_millis(900)).await;
    nodes[0].take_log();
    balance(&light, &block, 2).await;
    let asked = nodes[0].take_log();
    assert!(
        asked.is_empty(),
        "one that is known to be mute is not asked first: {asked:?}"
    );
    assert!(light.upstreams().findings().is_empty());
}

#[tokio::test]
async fn a_node_that_falls_silent_is_not_asked_first_while_it_owes_an_answer() {
    let mut world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(Settings {
        min_agreement: 0.5,
        ..settings(&nodes)
    });
    let block = world.head().hash.to_string();
    assert_eq!(balance(&light, &block, 1).await.grade, agreed(2, 2));
    nodes[0].shared.ways.lock().unwrap().mute = true;
    // It is asked, and the other one soon after. Its deadline is far away.
    assert_eq!(balance(&light, &block, 2).await.text(), "\"3000000\"");
    nodes[0].take_log();
    for account in 3..8 {
        let right = format!("\"{}000000\"", account + 1);
        assert_eq!(balance(&light, &block, account).await.text(), right);
    }
    assert!(nodes[0].take_log().is_empty());
    // At the next block its vote is asked for, and not waited for.
    world.pay([1], 5);
    for node in &nodes {
        node.shared.world.send_replace(world.clone());
    }
    let got = balance(&light, &world.head().hash.to_string(), 1).await;
    assert_eq!((got.text(), got.grade), ("\"5\"".into(), agreed(1, 2)));
    let asked = nodes[0].take_log();
    assert!(asked.iter().all(|asked| asked.ends_with("holey=yes")));
    assert!(light.upstreams().findings().is_empty());
}

#[tokio::test]
async fn the_vote_of_a_node_whose_answer_came_second_is_heard() {
    let world = World::new(5, 10);
    let late = Ways {
        // Longer than one waits before another node is asked.
        delay: Duration::from_millis(700),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![late, Ways::default()]).await;
    let light = light(settings(&nodes));
    let got = balance(&light, &world.head().hash.to_string(), 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), agreed(2, 2))
    );
}

#[tokio::test]
async fn a_dead_node_is_gone_round() {
    let world = World::new(5, 10);
    let mut all = nodes(&world, vec![Ways::default(); 3]).await;
    let set = majority(&all);
    all.remove(0);
    let light = light(set);
    let got = balance(&light, "head", 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), agreed(2, 3))
    );
}

#[tokio::test]
async fn an_operation_that_is_left_out_convicts() {
    let world = World::new(5, 10);
    let liar = Ways {
        drops_operations: true,
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![liar, Ways::default(), Ways::default()]).await;
    let light = light(majority(&nodes));
    let got = get(&light, "/chains/main/blocks/head/operation_hashes").await;
    assert_eq!(got.json(), serde_json::json!(world.head().operations));
    let findings = light.upstreams().findings();
    assert_eq!(findings[0].evidence.rule, "tezos.operations-root");
    assert_eq!(evidence::recheck(&findings[0].evidence), Ok(()));
}

#[tokio::test]
async fn a_key_that_a_node_fails_at_takes_no_proof_of_another_key_away() {
    let world = World::new(5, 10);
    let failing = Ways {
        status: Some(("nothing/here", 500)),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![failing; 2]).await;
    let light = light(settings(&nodes));
    let path = "/chains/main/blocks/head/context/merkle_tree_v2/nothing/here";
    let got = get(&light, path).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{got:?}");
    // Nor is the old call tried, which costs a large chain's node a lot.
    let asked: Vec<_> = nodes.iter().flat_map(Node::take_log).collect();
    assert!(!asked.iter().any(|line| line.contains("merkle_tree/")));
    let got = balance(&light, "head", 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), agreed(2, 2))
    );
}
