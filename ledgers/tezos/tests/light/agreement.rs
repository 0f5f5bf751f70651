//! Who must agree: Octez's truth table over real nodes, and failing closed.

use heliostat_tezos::HeadPolicy;

use super::*;

/// Honest nodes, then rogue ones that share another state.
async fn with(share: f64, honest: usize, rogue: usize) -> Got {
    let world = World::new(5, 10);
    let forged = Ways {
        forged: Some((1, 999)),
        ..Ways::default()
    };
    let mut ways = vec![Ways::default(); honest];
    ways.extend(vec![forged; rogue]);
    let nodes = nodes(&world, ways).await;
    let light = light(Settings {
        min_agreement: share,
        ..settings(&nodes)
    });
    balance(&light, &world.head().hash.to_string(), 1).await
}

#[tokio::test]
async fn the_truth_table_of_octez_holds_over_nodes() {
    for (share, honest, rogue) in [
        (1.0, 2, 0),
        (1.0, 3, 0),
        (1.0, 4, 0),
        (0.6, 2, 1),
        (0.6, 3, 1),
        (0.6, 4, 1),
        (0.6, 5, 1),
        (0.5, 2, 2),
    ] {
        let got = with(share, honest, rogue).await;
        assert_eq!(got.text(), "\"2000000\"", "{share} {honest} {rogue}");
        let agreed = Assurance::agreed(honest, honest + rogue);
        assert_eq!(got.grade, Some(agreed), "{share} {honest} {rogue}");
    }
    for (share, honest, rogue) in [(1.0, 2, 1), (0.7, 2, 1), (0.7, 1, 2), (0.7, 1, 3)] {
        let got = with(share, honest, rogue).await;
        // With 0.7 of 4, three rogue ones are enough for Octez as well.
        if (share, honest, rogue) == (0.7, 1, 3) {
            assert_eq!(got.grade, Some(Assurance::agreed(3, 4)));
            continue;
        }
        assert_eq!(
            got.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{share} {honest} {rogue}"
        );
        assert_eq!(got.error(), "heliostat.no_agreement");
        assert!(
            got.message()
                .contains("Consensus cannot be reached for key:")
        );
        assert_eq!(got.grade, None);
    }
}

#[tokio::test]
async fn a_lone_voice_is_relayed_and_never_agreed() {
    let got = with(0.01, 1, 1).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(got.grade, Some(Assurance::Relayed));
}

#[tokio::test]
async fn a_failed_agreement_is_never_zero_and_never_absent() {
    let world = World::new(5, 10);
    let forged = Ways {
        forged: Some((1, 999)),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![Ways::default(), forged]).await;
    let light = light(settings(&nodes));
    let block = world.head().hash.to_string();
    for account in [1, 5, 4_000] {
        let got = balance(&light, &block, account).await;
        assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{got:?}");
    }
    let raw = format!("/chains/main/blocks/{block}/context/raw/bytes/nothing/here");
    let got = get(&light, &raw).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    // Both sides are kept, nobody is convicted: either may be right.
    assert!(light.upstreams().findings().is_empty());
    assert!(!light.upstreams().disagreements().is_empty());
}

#[tokio::test]
async fn a_minimum_grade_refuses_what_is_below_it() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let mut set = settings(&nodes);
    set.minimum.insert("balance".into(), Assurance::Proven);
    set.minimum
        .insert("relayed".into(), Assurance::agreed(2, 2));
    let light = light(set);
    let got = balance(&light, "head", 1).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(got.error(), "heliostat.assurance_too_low");
    let got = get(&light, "/version").await;
    assert_eq!(got.error(), "heliostat.assurance_too_low");
    assert!(
        nodes
            .iter()
            .all(|node| { !node.take_log().iter().any(|line| line.contains("version")) })
    );
}

#[tokio::test]
async fn a_minimum_grade_can_change_while_it_is_served() {
    let world = World::new(5, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(settings(&nodes));
    let hash = world.head().hash.to_string();
    assert_eq!(balance(&light, &hash, 1).await.status, StatusCode::OK);
    assert_eq!(light.head_policy(), HeadPolicy::Newest);
    let proven = |name: &str| [(name.to_owned(), Assurance::Proven)].into();
    let take_over = light
        .prepare(proven("balance"), HeadPolicy::Newest)
        .unwrap();
    assert_eq!(light.head_policy(), HeadPolicy::Newest, "not yet");
    take_over();
    assert_eq!(light.head_policy(), HeadPolicy::Proven, "as at the start");
    let got = balance(&light, &hash, 1).await;
    assert_eq!(got.error(), "heliostat.assurance_too_low");
    // A name that is none changes nothing.
    let error = light.prepare(proven("balanse"), HeadPolicy::Newest).err();
    assert!(error.unwrap().to_string().contains("balanse"));
    let got = balance(&light, &hash, 1).await;
    assert_eq!(got.error(), "heliostat.assurance_too_low");
    light.prepare([].into(), HeadPolicy::Newest).unwrap()();
    assert_eq!(balance(&light, &hash, 1).await.status, StatusCode::OK);
    assert_eq!(light.head_policy(), HeadPolicy::Newest);
}

#[tokio::test]
async fn a_root_that_the_next_header_does_not_commit_to_is_refused() {
    let world = World::new(6, 10);
    let forged = Ways {
        forged: Some((1, 999)),
        ..Ways::default()
    };
    // Two of three share a lie, and two are enough; but the header after the
    // block, which all three give, commits to the truth.
    let nodes = nodes(&world, vec![forged.clone(), forged, Ways::default()]).await;
    let light = light(Settings {
        min_agreement: 0.6,
        ..settings(&nodes)
    });
    light.refresh().await;
    let got = balance(&light, "head~1", 1).await;
    assert_eq!(got.text(), "\"2000000\"", "{got:?}");
    assert_eq!(got.grade, Some(Assurance::agreed(3, 3)));
    assert!(!light.upstreams().disagreements().is_empty());
}
