//! Roots that are refuted while they are read, and endpoints that are caught
//! after they had a say: nothing of theirs is vouched for afterwards.

use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::mock::Listing;
use crate::world::address;

/// Waits until a node was asked for a path with this in it.
async fn asked(nodes: &[Node], part: &str) {
    for _ in 0..6_000 {
        let logs = nodes.iter().flat_map(Node::take_log);
        if logs.into_iter().any(|line| line.contains(part)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody was asked for {part}");
}

#[tokio::test]
async fn values_of_a_root_that_is_refuted_meanwhile_do_not_get_the_grade_of_the_true_one() {
    const STRANGER: u32 = 4_000;
    let mut world = World::new(5, 10);
    let (go_on, held) = watch::channel(false);
    let honest = Ways {
        held: Some(("global_counter", held)),
        ..Ways::default()
    };
    let forged = Ways {
        forged: Some((STRANGER, 999)),
        ..honest.clone()
    };
    // Two of three share a lie, and two are enough while no header tells.
    let nodes = nodes(&world, vec![forged.clone(), forged, honest]).await;
    let light = light(Settings {
        min_agreement: 0.6,
        ..settings(&nodes)
    });
    let block = world.head().hash.to_string();
    let path = format!(
        "/chains/main/blocks/{block}/context/contracts/{}",
        address(STRANGER)
    );
    // The account has a forged balance and no counter of its own, so that the
    // chain's is read after it.
    let meanwhile = async {
        asked(&nodes, "global_counter").await;
        // The next block's header comes, and refutes the lie.
        world.grow();
        for node in &nodes {
            node.shared.world.send_replace(world.clone());
        }
        light.refresh().await;
        let got = balance(&light, &block, 1).await;
        assert_eq!(got.text(), "\"2000000\"", "{got:?}");
        go_on.send_replace(true);
    };
    let (got, ()) = tokio::join!(get(&light, &path), meanwhile);
    assert_eq!(got.json()["balance"], "0", "{got:?}");
    assert_eq!(got.json()["counter"], "900", "{got:?}");
    assert_eq!(got.grade, Some(Assurance::agreed(3, 3)));
    assert_eq!(get(&light, &path).await.json()["balance"], "0");
}

#[tokio::test]
async fn lists_of_operations_with_the_true_root_are_answered_only_as_the_block_has_them() {
    for (listing, transfers) in [
        // A list is filled up with its last entry before it is hashed.
        (Listing::Repeated, 3),
        (Listing::Fewer, 0),
        (Listing::Wrapped, 3),
    ] {
        let mut world = World::new(4, 10);
        world.transfers = transfers;
        world.grow();
        let liar = Ways {
            listing,
            ..Ways::default()
        };
        let truth = serde_json::json!(world.head().operations);
        let some = nodes(&world, vec![liar.clone(), Ways::default()]).await;
        let light = light(settings(&some));
        let path = "/chains/main/blocks/head/operation_hashes";
        let got = get(&light, path).await;
        assert_eq!(got.json(), truth, "{listing:?}");
        assert_eq!(got.grade, Some(Assurance::agreed(2, 2)));
        let got = get(&light, &format!("{path}/0/0")).await;
        assert_eq!(got.json(), truth[0][0], "{listing:?}");
        let got = get(&light, &format!("{path}/3/9")).await;
        assert_eq!(got.status, StatusCode::NOT_FOUND);
        // Where nobody tells the truth there is no answer, and no other one.
        let some = nodes(&world, vec![liar.clone(), liar]).await;
        let light = super::light(settings(&some));
        let got = get(&light, path).await;
        match listing {
            Listing::Wrapped => assert_eq!(got.json(), truth),
            _ => assert_eq!(got.error(), "heliostat.no_endpoint", "{listing:?}"),
        }
        assert!(light.upstreams().findings().is_empty(), "{listing:?}");
    }
}

#[tokio::test]
async fn an_old_proof_for_another_key_is_no_answer() {
    // Too many accounts to be made from the verified tree.
    let world = World::new(5, 300);
    let liar = Ways {
        other_key: true,
        ..Ways::default()
    };
    let key = format!("contracts/index/{}/balance", crate::world::index(7));
    let path = format!("/chains/main/blocks/head/context/merkle_tree/{key}");
    let some = nodes(&world, vec![liar.clone(), Ways::default()]).await;
    let light = light(settings(&some));
    let got = get(&light, &path).await;
    let (tree, key) = (&world.head().tree, key.parse().expect("a key"));
    let made = heliostat_tezos_context::v1::produce(tree, &key, false).expect("a whole tree");
    let text = heliostat_tezos_context::v1::write(&made).expect("a whole tree");
    assert_eq!(got.text(), text);
    assert_eq!(got.grade, Some(Assurance::agreed(2, 2)));
    let some = nodes(&world, vec![liar.clone(), liar]).await;
    let light = super::light(settings(&some));
    let got = get(&light, &path).await;
    assert_eq!(got.error(), "heliostat.no_endpoint");
    assert!(got.message().contains("does not show the key"));
}
