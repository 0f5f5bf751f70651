//! Reads: values, absence, batching, and how many requests they take.

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::world::address;

fn agreed(k: usize, n: usize) -> Option<Assurance> {
    Some(Assurance::agreed(k, n))
}

#[tokio::test]
async fn a_balance_is_read_by_proof_and_says_how_many_agree() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 3]).await;
    let light = light(settings(&nodes));
    let got = balance(&light, "head", 4).await;
    assert_eq!(
        (got.status, got.text()),
        (StatusCode::OK, "\"5000000\"".into())
    );
    assert_eq!(got.grade, agreed(3, 3));
    assert_eq!(got.kind.as_deref(), Some("application/json"));
}

#[tokio::test]
async fn what_is_absent_is_absent_and_not_an_error() {
    let world = World::new(5, 300);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    // An implicit account that is not there has nothing; so says the proof.
    let got = balance(&light, "head", 4_000).await;
    assert_eq!((got.status, got.text()), (StatusCode::OK, "\"0\"".into()));
    assert_eq!(got.grade, agreed(2, 2));
    let contract = "KT1RJ6PbjHpwc3M5rw5s2Nbmefwbuwbdxton";
    let got = get(
        &light,
        &format!("/chains/main/blocks/head/context/contracts/{contract}/balance"),
    )
    .await;
    assert_eq!((got.status, got.body.len()), (StatusCode::NOT_FOUND, 0));
    assert_eq!(got.grade, agreed(2, 2), "the absence is verified");
}

#[tokio::test]
async fn each_key_is_read_once_from_one_endpoint_when_the_root_is_pinned() {
    let world = World::new(5, 20);
    let nodes = nodes(&world, vec![Ways::default(); 3]).await;
    let light = light(settings(&nodes));
    for account in 0..20 {
        let got = balance(&light, "head", account).await;
        assert_eq!(got.grade, agreed(3, 3));
        let address = address(account);
        let path = format!("/chains/main/blocks/head/context/contracts/{address}/counter");
        let got = get(&light, &path).await;
        assert_eq!(got.text(), format!("\"{}\"", account + 70));
    }
    let logs: Vec<_> = nodes.iter().map(Node::take_log).collect();
    let full = |log: &Vec<String>| log.iter().filter(|line| line.contains("holey=no")).count();
    let holes = |log: &Vec<String>| log.iter().filter(|line| line.contains("holey=yes")).count();
    // Twenty accounts, one proof each; the others vote once.
    assert_eq!(logs.iter().map(full).sum::<usize>(), 20);
    assert_eq!(logs.iter().map(holes).sum::<usize>(), 2);
    assert!(
        logs.iter()
            .all(|log| !log.iter().any(|line| line.contains("protocols")))
    );
}

#[tokio::test]
async fn the_same_key_asked_for_at_once_is_read_once() {
    let world = World::new(5, 20);
    let slow = Ways {
        delay: Duration::from_millis(40),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![slow; 2]).await;
    let light = light(settings(&nodes));
    light.refresh().await;
    for node in &nodes {
        node.take_log();
    }
    let all = (0..16).map(|_| balance(&light, "head", 3));
    for got in futures::future::join_all(all).await {
        assert_eq!(got.text(), "\"4000000\"");
    }
    let asked: usize = nodes.iter().map(|node| node.take_log().len()).sum();
    assert_eq!(asked, 2, "one proof and one vote");
}

#[tokio::test]
async fn at_the_next_block_only_what_changed_is_read_again() {
    let mut world = World::new(5, 100);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    let before = world.head().hash.to_string();
    for account in 0..100 {
        balance(&light, &before, account).await;
    }
    world.pay(0..10, 77);
    for node in &nodes {
        node.shared.world.send_replace(world.clone());
        node.take_log();
    }
    let after = world.head().hash.to_string();
    for account in 0..100 {
        let got = balance(&light, &after, account).await;
        let expected = if account < 10 {
            77
        } else {
            (account + 1) * 1_000_000
        };
        assert_eq!(got.text(), format!("\"{expected}\""));
        assert_eq!(got.grade, agreed(2, 2));
    }
    // Where a node pauses, both are asked for the same.
    let asked: BTreeSet<_> = nodes.iter().flat_map(Node::take_log).collect();
    let words = "ten accounts that changed, and one vote";
    assert_eq!(asked.len(), 11, "{words}: {asked:?}");
    // The old block still has its own values.
    assert_eq!(balance(&light, &before, 0).await.text(), "\"1000000\"");
}

#[tokio::test]
async fn in_a_wide_directory_unchanged_inodes_are_not_read_again() {
    let mut world = World::new(5, 2_000);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    let before = world.head().hash.to_string();
    let watched = || (0..2_000).step_by(20);
    for account in watched() {
        balance(&light, &before, account).await;
    }
    world.pay([0, 20, 40], 77);
    for node in &nodes {
        node.shared.world.send_replace(world.clone());
        node.take_log();
    }
    let after = world.head().hash.to_string();
    for account in watched() {
        balance(&light, &after, account).await;
    }
    let asked: usize = nodes.iter().map(|node| node.take_log().len()).sum();
    assert!(
        asked < 40,
        "{asked} requests for 100 accounts of which 3 changed"
    );
}

#[tokio::test]
async fn an_account_too_large_to_be_read_whole_is_read_by_its_parts() {
    let mut world = World::new(5, 3);
    let index = crate::world::index(1);
    let mut tree = world.head().tree.clone();
    let path: [&[u8]; 5] = [
        b"data",
        b"contracts",
        b"index",
        index.as_bytes(),
        b"delegated",
    ];
    tree = tree.insert(&path, vec![7; 300 << 10]).unwrap();
    world.blocks.pop();
    world.set(tree);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    for _ in 0..2 {
        let got = balance(&light, "head", 1).await;
        assert_eq!(
            (got.text(), got.grade),
            ("\"2000000\"".into(), agreed(2, 2))
        );
    }
}

#[tokio::test]
async fn nodes_that_speak_json_only_are_understood() {
    let world = World::new(5, 10);
    let json = Ways {
        json_only: true,
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![json; 2]).await;
    let light = light(settings(&nodes));
    let got = balance(&light, "head", 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), agreed(2, 2))
    );
}

#[tokio::test]
async fn nodes_whose_bytes_are_not_understood_are_asked_for_json_from_then_on() {
    let world = World::new(5, 10);
    let odd = Ways {
        odd_bytes: true,
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![odd; 2]).await;
    let light = light(settings(&nodes));
    let got = balance(&light, "head", 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), agreed(2, 2))
    );
    for node in &nodes {
        node.take_log();
    }
    assert_eq!(balance(&light, "head", 2).await.text(), "\"3000000\"");
    let asked: usize = nodes.iter().map(|node| node.take_log().len()).sum();
    assert_eq!(asked, 1, "one proof, in the form that is understood");
    assert!(light.upstreams().findings().is_empty());
}

#[tokio::test]
async fn nodes_that_only_have_the_old_call_are_asked_that_one() {
    let world = World::new(5, 10);
    let old = Ways {
        no_v2: Some(404),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![old.clone(), old]).await;
    let light = light(settings(&nodes));
    let got = balance(&light, "head", 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), agreed(2, 2))
    );
    for node in &nodes {
        node.take_log();
    }
    balance(&light, "head", 2).await;
    let asked: Vec<_> = nodes.iter().flat_map(Node::take_log).collect();
    assert!(
        !asked.iter().any(|line| line.contains("merkle_tree_v2")),
        "what a node lacks is remembered: {asked:?}"
    );
}

#[tokio::test]
async fn the_old_call_and_the_new_one_can_agree() {
    let world = World::new(5, 10);
    let old = Ways {
        no_v2: Some(403),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![old, Ways::default()]).await;
    let light = light(settings(&nodes));
    let got = balance(&light, "head", 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), agreed(2, 2))
    );
}
