//! The served interface: proofs, headers, operations, injection, errors.

use heliostat_tezos::client;
use heliostat_tezos_context::{Limits, proof, v1};
use heliostat_tezos_verifier::{Header, OperationHash};

use super::*;
use crate::world::{address, index};

async fn over(world: &World) -> (Vec<Node>, Light) {
    let nodes = nodes(world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    (nodes, light)
}

#[tokio::test]
async fn proofs_are_served_that_a_client_can_verify_again() {
    let world = World::new(5, 300);
    let (_nodes, light) = over(&world).await;
    let key = format!("contracts/index/{}/balance", index(7));
    let path = format!("/chains/main/blocks/head/context/merkle_tree_v2/{key}");
    let json = get(&light, &path).await;
    let binary = Request::get(&path)
        .header("accept", "application/octet-stream")
        .body(Body::empty())
        .unwrap();
    let binary = ask(&light, binary).await;
    assert_eq!(binary.kind.as_deref(), Some("application/octet-stream"));
    let limits = Limits::default();
    let json = proof::json::read(&json.body, &limits).unwrap().unwrap();
    let binary = proof::binary::read_answer(&binary.body, &limits);
    let binary = binary.unwrap().unwrap();
    for proof in [json, binary] {
        let verified = proof.verify().unwrap();
        assert_eq!(verified.root, world.head().tree.hash());
        let found = verified.find(&key.parse().unwrap());
        assert!(matches!(
            found,
            heliostat_tezos_context::Lookup::Contents(_)
        ));
    }
    let holey = get(&light, &format!("{path}?holey=yes")).await;
    assert!(holey.body.len() < 300, "{}", holey.text());
    let expected =
        heliostat_tezos_context::Proof::produce(&world.head().tree, &key.parse().unwrap(), true);
    assert_eq!(holey.text(), proof::json::write(&expected.unwrap()));
}

#[tokio::test]
async fn the_old_call_is_served_from_the_tree_or_checked() {
    for accounts in [20, 300] {
        let world = World::new(5, accounts);
        let (nodes, light) = over(&world).await;
        let key = format!("contracts/index/{}/balance", index(7));
        let path = format!("/chains/main/blocks/head/context/merkle_tree/{key}");
        let got = get(&light, &path).await;
        let made = v1::produce(&world.head().tree, &key.parse().unwrap(), false).unwrap();
        assert_eq!(
            got.json(),
            serde_json::from_str::<serde_json::Value>(&v1::write(&made).unwrap()).unwrap()
        );
        assert_eq!(got.grade, Some(Assurance::agreed(2, 2)));
        let asked: Vec<_> = nodes.iter().flat_map(Node::take_log).collect();
        let old = asked.iter().any(|line| line.contains("/merkle_tree/"));
        // A wide directory is not known whole, so an endpoint is asked.
        assert_eq!(old, accounts == 300, "{asked:?}");
    }
}

#[tokio::test]
async fn raw_bytes_show_values_and_directories() {
    let world = World::new(5, 20);
    let (_nodes, light) = over(&world).await;
    let raw = |key: &str| format!("/chains/main/blocks/head/context/raw/bytes/{key}");
    let got = get(&light, &raw("version")).await;
    assert_eq!(got.text(), format!("\"{}\"", hex::encode("u025_025")));
    let got = get(&light, &raw("v1?depth=1")).await;
    assert_eq!(
        got.json(),
        serde_json::json!({"constants": null, "cycle_eras": null})
    );
    let got = get(&light, &raw("cycle/1")).await;
    assert_eq!(got.json()["random_seed"], "01".repeat(32));
    assert_eq!(got.grade, Some(Assurance::agreed(2, 2)));
    let got = get(&light, &raw("nothing/here")).await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    let got = get(&light, &raw("version?depth=x")).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_header_is_served_in_all_forms_and_hashes_to_its_block() {
    let world = World::new(5, 10);
    let (_nodes, light) = over(&world).await;
    let head = world.head();
    let path = |tail: &str| format!("/chains/main/blocks/head/header{tail}");
    let got = get(&light, &path("/raw")).await;
    let text: String = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(Header::from_raw_hex(&text).unwrap().hash(), head.hash);
    let got = get(&light, &path("")).await;
    assert_eq!(got.grade, Some(Assurance::agreed(2, 2)));
    assert_eq!(got.json()["chain_id"], world.chain.to_string());
    assert_eq!(Header::from_json(&got.json()).unwrap().hash(), head.hash);
    let got = get(&light, &path("/shell")).await;
    assert_eq!(got.json()["level"], head.header.level);
    let got = get(&light, &path("/protocol_data/raw")).await;
    assert_eq!(
        got.text(),
        format!("\"{}\"", head.header.protocol_data_hex())
    );
    let got = get(&light, "/chains/main/chain_id").await;
    assert_eq!(got.text(), format!("\"{}\"", world.chain));
    let by_id = format!("/chains/{}/blocks/head/hash", world.chain);
    assert_eq!(
        get(&light, &by_id).await.text(),
        format!("\"{}\"", head.hash)
    );
    let got = get(&light, "/chains/main/blocks/head~1/resulting_context_hash").await;
    assert_eq!(got.text(), format!("\"{}\"", head.header.context));
}

#[tokio::test]
async fn rows_of_the_table_are_answered_from_the_state() {
    let world = World::new(5, 10);
    let (_nodes, light) = over(&world).await;
    let block = |tail: &str| format!("/chains/main/blocks/head/{tail}");
    let got = get(&light, &block("helpers/current_level")).await;
    assert_eq!(got.json()["level"], world.head().header.level);
    assert_eq!(got.grade, Some(Assurance::agreed(2, 2)));
    let got = get(&light, &block("context/constants")).await;
    assert_eq!(got.json()["consensus_committee_size"], 256);
    let info = format!("context/contracts/{}", address(2));
    let got = get(&light, &block(&info)).await;
    assert_eq!(got.json()["balance"], "3000000");
    let got = get(&light, &block("operation_hashes/3/0")).await;
    assert_eq!(got.json(), serde_json::json!(world.head().operations[3][0]));
}

#[tokio::test]
async fn an_unknown_protocol_leaves_raw_values_verified_and_says_so() {
    let world = World::of(heliostat_tezos_verifier::ProtocolHash([8; 32]), 5, 10);
    let (_nodes, light) = over(&world).await;
    let got = balance(&light, "head", 1).await;
    assert_eq!(got.grade, Some(Assurance::Relayed));
    assert!(got.json()["relayed"].as_str().unwrap().ends_with("balance"));
    assert!(got.reason.unwrap().contains("is not known to this release"));
    let key = format!("contracts/index/{}/balance", index(1));
    let got = get(
        &light,
        &format!("/chains/main/blocks/head/context/raw/bytes/{key}"),
    )
    .await;
    assert_eq!(got.text(), "\"80897a\"");
    assert_eq!(got.grade, Some(Assurance::agreed(2, 2)));
}

async fn inject(light: &Light, operation: &[u8]) -> Got {
    let body = format!("\"{}\"", hex::encode(operation));
    let request = Request::post("/injection/operation?chain=main")
        .header("content-type", "application/json")
        .body(Body::from(body))
        .expect("a sound request");
    ask(light, request).await
}

#[tokio::test]
async fn an_operation_goes_to_one_node_once_and_its_hash_is_computed_here() {
    let world = World::new(5, 10);
    let (nodes, light) = over(&world).await;
    let operation = [7; 100];
    let got = inject(&light, &operation).await;
    let hash = OperationHash(heliostat_tezos_context::hash::blake2b(&[&operation]));
    assert_eq!(got.text(), format!("\"{hash}\""));
    assert_eq!(got.grade, Some(Assurance::Relayed));
    let sent = |node: &Node| {
        let log = node.take_log();
        log.iter().filter(|line| line.starts_with("POST")).count()
    };
    assert_eq!((sent(&nodes[0]), sent(&nodes[1])), (1, 0));
    nodes[0].set(|ways| ways.injected = Some(OperationHash([1; 32])));
    let got = inject(&light, &operation).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (sent(&nodes[0]), sent(&nodes[1])),
        (1, 0),
        "never sent elsewhere"
    );
    let findings = light.upstreams().findings();
    assert_eq!(findings[0].evidence.rule, "tezos.injection-hash");
    assert_eq!(
        heliostat_tezos::evidence::recheck(&findings[0].evidence),
        Ok(())
    );
    assert_eq!(inject(&light, &[1]).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn everything_else_is_passed_on_and_says_so() {
    let world = World::new(5, 10);
    let (_nodes, light) = over(&world).await;
    let got = get(&light, "/network/self").await;
    assert_eq!(got.json()["relayed"], "/network/self");
    assert_eq!(got.grade, Some(Assurance::Relayed));
    let post = Request::post("/chains/main/blocks/head/helpers/scripts/run_operation")
        .body(Body::from("{}"))
        .unwrap();
    let got = ask(&light, post).await;
    assert_eq!(got.json()["block"], world.head().hash.to_string());
    assert_eq!(got.grade, Some(Assurance::Relayed));
    let huge = Request::post("/chains/main/blocks/head/helpers/x")
        .body(Body::from(vec![0; 3 << 20]))
        .unwrap();
    let got = ask(&light, huge).await;
    assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_one_shot_client_prints_as_octez_client_does() {
    let world = World::new(5, 10);
    let (_nodes, light) = over(&world).await;
    light.refresh().await;
    let printed = client::balance(&light, &address(1), "head").await.unwrap();
    assert_eq!(printed.text, "2 ꜩ");
    assert_eq!(printed.assurance, Some(Assurance::agreed(2, 2)));
    let path = format!(
        "/chains/main/blocks/head/context/contracts/{}/delegate",
        address(1)
    );
    let error = client::rpc_get(&light, &path).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Fatal error:\n  No service found at this URL\n"
    );
    let printed = client::rpc_get(&light, "chains/main/chain_id")
        .await
        .unwrap();
    assert_eq!(printed.text, format!("\"{}\"", world.chain));
}

/// A request as the browser sends it for a page.
async fn from_page(light: &Light, verb: &str, path: &str, origin: &str) -> http::Response<Body> {
    let request = Request::builder().method(verb).uri(path);
    let request = request.header("origin", origin);
    let request = match verb {
        "OPTIONS" => request.header("access-control-request-method", "POST"),
        _ => request,
    };
    let request = request.body(Body::empty()).expect("a sound request");
    let answer = light.router().oneshot(request).await;
    answer.expect("a router always answers")
}

#[tokio::test]
async fn pages_read_answers_where_the_operator_names_their_origin() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let (page, other) = ("https://app.example", "https://evil.example");
    let path = "/chains/main/blocks/head/hash";
    for (cors, origin, said) in [
        (vec![], page, None),
        (vec![page.to_owned()], other, None),
        (vec![page.to_owned()], page, Some(page)),
        (vec!["*".to_owned()], other, Some("*")),
    ] {
        let light = light(Settings {
            cors,
            ..settings(&nodes)
        });
        for node in &nodes {
            node.take_log();
        }
        let asked = from_page(&light, "OPTIONS", "/injection/operation", origin).await;
        assert_eq!(asked.status(), StatusCode::NO_CONTENT);
        let header = |answer: &http::Response<Body>, name: &str| {
            let value = answer.headers().get(name).cloned();
            value.map(|value| value.to_str().expect("it is text").to_owned())
        };
        let said = said.map(str::to_owned);
        assert_eq!(header(&asked, "access-control-allow-origin"), said);
        let methods = header(&asked, "access-control-allow-methods");
        assert_eq!(methods.is_some(), said.is_some());
        // The browser's question is answered here.
        assert!(nodes.iter().all(|node| node.take_log().is_empty()));
        let got = from_page(&light, "GET", path, origin).await;
        assert_eq!(got.status(), StatusCode::OK);
        assert_eq!(header(&got, "access-control-allow-origin"), said);
        let readable = header(&got, "access-control-expose-headers").unwrap_or_default();
        assert_eq!(readable.contains(Assurance::FIELD), said.is_some());
        let wrong = from_page(&light, "GET", "/chains/main/blocks/x/hash", origin).await;
        assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
        assert_eq!(header(&wrong, "access-control-allow-origin"), said);
    }
    let wrong = Settings {
        cors: vec!["https://app.example/".to_owned()],
        ..settings(&nodes)
    };
    let error = Light::start(wrong, Findings::in_memory()).err();
    assert!(
        error
            .expect("no origin")
            .to_string()
            .contains("or * for all")
    );
}
