//! Failing closed: what nobody could say is an error, and never "not there" or
//! an unchecked answer in place of a checked one.

use std::time::Duration;

use heliostat_tezos::endpoint::Limits;
use tokio::net::TcpListener;

use super::*;
use crate::world::address;

#[tokio::test]
async fn an_endpoint_that_is_down_does_not_make_a_block_absent() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default()]).await;
    // Nobody listens there; a port with these digits is no HTTP status.
    let mut free = None;
    for port in [40_404, 14_040, 4_040, 24_041, 34_040, 54_049] {
        free = TcpListener::bind(("127.0.0.1", port)).await.ok();
        if free.is_some() {
            break;
        }
    }
    let gone = free.expect("one of six ports is free");
    let gone = format!("http://{}", gone.local_addr().expect("it is bound"));
    let mut set = settings(&nodes);
    set.endpoints.push(gone);
    set.limits.call = Duration::from_millis(300);
    let light = light(set);
    // The first says 404; the second may have the block.
    for block in [
        "99999",
        "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2",
    ] {
        for tail in ["hash", "header/raw"] {
            let got = get(&light, &format!("/chains/main/blocks/{block}/{tail}")).await;
            match (block.len() > 10, tail) {
                // Named by the client, and vouched for by nobody.
                (true, "hash") => assert_eq!(got.grade, Some(Assurance::Relayed)),
                _ => assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{got:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_block_that_all_lack_is_not_found() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    for block in [
        "99999",
        "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2",
    ] {
        let got = get(&light, &format!("/chains/main/blocks/{block}/header/raw")).await;
        assert_eq!(got.status, StatusCode::NOT_FOUND, "{got:?}");
        assert_eq!(got.error(), "heliostat.block_not_found");
    }
}

#[tokio::test]
async fn an_answer_that_needs_no_value_has_the_grade_of_its_block() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let contract = "KT1RJ6PbjHpwc3M5rw5s2Nbmefwbuwbdxton";
    let account = address(1);
    for (tail, status) in [
        (format!("{contract}/counter"), StatusCode::NOT_FOUND),
        (format!("{contract}/manager_key"), StatusCode::NOT_FOUND),
        (format!("{account}/script"), StatusCode::NOT_FOUND),
        (format!("{account}/storage"), StatusCode::NOT_FOUND),
        (format!("{account}/entrypoints"), StatusCode::NOT_FOUND),
        (format!("{account}/storage/used_space"), StatusCode::OK),
    ] {
        // Each is the first request of all.
        let light = light(settings(&nodes));
        let path = format!("/chains/main/blocks/head/context/contracts/{tail}");
        let got = get(&light, &path).await;
        assert_eq!(got.status, status, "{tail}: {got:?}");
        assert_eq!(got.grade, Some(Assurance::agreed(2, 2)), "{tail}");
    }
}

#[tokio::test]
async fn a_chain_that_cannot_be_told_is_not_passed_on_unchecked() {
    let world = World::new(5, 10);
    let silent = Ways {
        status: Some(("chain_id", 500)),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![Ways::default(), silent]).await;
    let light = light(settings(&nodes));
    let path = format!(
        "/chains/{}/blocks/head/context/contracts/{}/balance",
        world.chain,
        address(1)
    );
    let got = get(&light, &path).await;
    assert_eq!(got.error(), "heliostat.no_agreement", "{got:?}");
    assert!(
        !nodes[0]
            .take_log()
            .iter()
            .any(|line| line.contains("balance"))
    );
}

#[tokio::test]
async fn a_query_that_is_not_read_here_is_passed_on_with_the_reason() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    let path = format!(
        "/chains/main/blocks/head/context/contracts/{}/balance?fresh=1",
        address(1)
    );
    let got = get(&light, &path).await;
    assert_eq!(got.grade, Some(Assurance::Relayed));
    assert!(got.reason.expect("a reason").contains("the query"));
}

#[tokio::test]
async fn paths_that_a_url_parser_would_change_are_refused() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    for path in [
        "/x\\..\\injection\\operation",
        "/chains/test/blocks/x\\..\\..\\..\\..\\injection\\operation",
        "/chains/test/blocks/%2e%2e/%2e%2e/%2e%2e/injection/operation",
    ] {
        let request = Request::post(path).body(Body::from("\"00\""));
        let got = ask(&light, request.expect("a sound request")).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{path}: {got:?}");
    }
    // Doubled slashes name the same call.
    let got = get(&light, "//chains//main/blocks//head/metadata?x=1").await;
    assert_eq!(got.json()["relayed"], "metadata", "{got:?}");
    let asked: Vec<_> = nodes.iter().flat_map(Node::take_log).collect();
    assert!(
        !asked.iter().any(|line| line.contains("injection")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_call_that_takes_long_by_a_clients_choice_puts_nobody_in_a_pause() {
    let world = World::new(5, 10);
    let (_never, held) = tokio::sync::watch::channel(false);
    let stuck = Ways {
        held: Some(("preapply", held)),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![stuck; 2]).await;
    let light = light(Settings {
        limits: Limits {
            relay: Duration::from_millis(100),
            ..Limits::default()
        },
        ..settings(&nodes)
    });
    let path = "/chains/main/blocks/head/helpers/preapply/operations";
    let request = Request::post(path).body(Body::from("[]"));
    let got = ask(&light, request.expect("a sound request")).await;
    assert_eq!(got.error(), "heliostat.no_endpoint");
    for endpoint in light.status().endpoints {
        assert_eq!(endpoint.upstream.trouble.map(|one| one.words), None);
    }
}

#[tokio::test]
async fn a_range_of_blocks_is_a_nodes_to_answer() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    let path = "/chains/main/blocks/2..4/protocols";
    let got = get(&light, path).await;
    // What the first node says of it, which does not know ranges here.
    assert_eq!((got.status, got.body.len()), (StatusCode::NOT_FOUND, 0));
    assert_eq!(got.grade, None);
    assert!(got.reason.expect("a reason").contains("a range of blocks"));
    assert_eq!(nodes[0].take_log(), [format!("GET {path}")]);
}
