//! Which block `head` is, and the stream of heads.

use std::time::Duration;

use futures::StreamExt as _;
use heliostat_tezos::HeadPolicy;
use tokio_util::sync::CancellationToken;

use super::*;

#[tokio::test]
async fn the_head_is_the_newest_block_that_all_have() {
    let world = World::new(8, 10);
    let late = Ways {
        behind: 2,
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![Ways::default(), late, Ways::default()]).await;
    let all = light(settings(&nodes));
    let got = get(&all, "/chains/main/blocks/head/hash").await;
    assert_eq!(got.text(), format!("\"{}\"", world.back(2).hash));
    assert_eq!(got.grade, Some(Assurance::agreed(3, 3)));
    let most = light(Settings {
        min_agreement: 0.6,
        ..settings(&nodes)
    });
    let got = get(&most, "/chains/main/blocks/head/hash").await;
    assert_eq!(got.text(), format!("\"{}\"", world.head().hash));
    assert_eq!(got.grade, Some(Assurance::agreed(2, 3)));
}

#[tokio::test]
async fn a_relayed_call_is_pinned_to_the_same_head() {
    let world = World::new(8, 10);
    let late = Ways {
        behind: 2,
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![Ways::default(), late]).await;
    let light = light(settings(&nodes));
    let got = get(
        &light,
        "/chains/main/blocks/head/context/delegates?active=true",
    )
    .await;
    assert_eq!(got.json()["block"], world.back(2).hash.to_string());
    assert_eq!(got.grade, Some(Assurance::Relayed));
    assert!(
        nodes[0]
            .take_log()
            .last()
            .unwrap()
            .ends_with("context/delegates?active=true")
    );
}

#[tokio::test]
async fn one_back_is_the_head_where_the_successor_must_be_known() {
    let world = World::new(8, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(Settings {
        head: HeadPolicy::Proven,
        ..settings(&nodes)
    });
    let got = get(&light, "/chains/main/blocks/head/hash").await;
    assert_eq!(got.text(), format!("\"{}\"", world.back(1).hash));
    // Its state is in the next header: no vote is needed.
    for node in &nodes {
        node.take_log();
    }
    let got = balance(&light, "head", 1).await;
    assert_eq!(got.grade, Some(Assurance::agreed(2, 2)));
    let asked: Vec<_> = nodes.iter().flat_map(Node::take_log).collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
}

#[tokio::test]
async fn levels_and_offsets_name_blocks_as_a_node_reads_them() {
    let world = World::new(9, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    let head = world.head();
    for (id, block) in [
        ("head~2".to_owned(), world.back(2)),
        ("head-1".to_owned(), world.back(1)),
        // Beyond the headers that are known: by asking.
        ("head~7".to_owned(), world.back(7)),
        (format!("{}", head.header.level - 1), world.back(1)),
        (format!("{}~1", head.hash), world.back(1)),
    ] {
        let got = get(&light, &format!("/chains/main/blocks/{id}/hash")).await;
        assert_eq!(got.text(), format!("\"{}\"", block.hash), "{id}");
        assert_eq!(got.grade, Some(Assurance::agreed(2, 2)), "{id}");
    }
    let got = get(&light, "/chains/main/blocks/heads/hash").await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    assert!(got.text().contains("Cannot parse block identifier: heads"));
    let got = get(&light, "/chains/main/blocks/99999/hash").await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
}

async fn follow(ways: Vec<Ways>) -> (World, Vec<Node>, Light, CancellationToken) {
    let world = World::new(6, 10);
    let nodes = nodes(&world, ways).await;
    let light = light(settings(&nodes));
    let stop = CancellationToken::new();
    let (runner, until) = (light.clone(), stop.clone());
    tokio::spawn(async move { runner.run(until).await });
    (world, nodes, light, stop)
}

#[tokio::test]
async fn the_stream_of_heads_is_merged_from_all_nodes_without_gaps() {
    let quiet = Ways {
        no_stream: true,
        ..Ways::default()
    };
    let (mut world, nodes, light, stop) = follow(vec![Ways::default(), quiet]).await;
    let request = Request::get("/monitor/heads/main")
        .body(Body::empty())
        .unwrap();
    let response = light.router().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[Assurance::FIELD], "agreed 2/2");
    let mut body = response.into_body().into_data_stream();
    let mut hashes = Vec::new();
    let mut next = async || {
        let wait = Duration::from_secs(20);
        let piece = tokio::time::timeout(wait, body.next())
            .await
            .expect("a head in time");
        let line: serde_json::Value = serde_json::from_slice(&piece.unwrap().unwrap()).unwrap();
        let read = heliostat_tezos_verifier::Header::from_json(&line).unwrap();
        assert_eq!(read.hash().to_string(), line["hash"].as_str().unwrap());
        read.hash()
    };
    hashes.push(next().await);
    let from = world.blocks.len() - 1;
    for _ in 0..3 {
        world.grow();
    }
    for node in &nodes {
        node.shared.world.send_replace(world.clone());
    }
    for _ in 0..3 {
        hashes.push(next().await);
    }
    let expected: Vec<_> = world.blocks[from..]
        .iter()
        .map(|block| block.hash)
        .collect();
    assert_eq!(hashes, expected);
    stop.cancel();
}

#[tokio::test]
async fn a_followed_head_costs_a_read_no_request() {
    let (mut world, nodes, light, stop) = follow(vec![Ways::default(); 2]).await;
    balance(&light, "head", 1).await;
    world.pay([1], 5);
    for node in &nodes {
        node.shared.world.send_replace(world.clone());
        node.take_log();
    }
    let expected = format!("\"{}\"", world.head().hash);
    while get(&light, "/chains/main/blocks/head/hash").await.text() != expected {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(balance(&light, "head", 1).await.text(), "\"5\"");
    let asked: Vec<_> = nodes.iter().flat_map(Node::take_log).collect();
    assert_eq!(asked.len(), 2, "one proof and one vote: {asked:?}");
    stop.cancel();
}

#[tokio::test]
async fn nodes_that_know_the_same_headers_are_not_all_asked_for_them() {
    let (_world, nodes, light, stop) = follow(vec![Ways::default(); 4]).await;
    // The streams are opened before anybody asks.
    tokio::task::yield_now().await;
    assert_eq!(
        balance(&light, "head", 1).await.grade,
        Some(Assurance::agreed(4, 4))
    );
    let asked: Vec<_> = nodes.iter().flat_map(Node::take_log).collect();
    let count = |what: &str| asked.iter().filter(|path| path.contains(what)).count();
    assert_eq!(count("/monitor/heads/main"), 4);
    assert_eq!(count("/blocks/head/"), 0, "the streams tell: {asked:?}");
    assert_eq!(count("/header/raw"), 3, "{asked:?}");
    assert_eq!(count("/merkle_tree_v2/"), 4, "{asked:?}");
    assert_eq!(asked.len(), 11, "{asked:?}");
    stop.cancel();
}

#[tokio::test]
async fn a_line_that_is_not_understood_convicts_nobody_whose_bytes_are_right() {
    let odd = Ways {
        odd_lines: true,
        ..Ways::default()
    };
    let (world, _nodes, light, stop) = follow(vec![Ways::default(), odd]).await;
    let head = format!("\"{}\"", world.head().hash);
    let wait = async {
        while get(&light, "/chains/main/blocks/head/hash").await.text() != head {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    waited.expect("both nodes stand behind their head");
    assert!(light.upstreams().findings().is_empty());
    stop.cancel();
}
