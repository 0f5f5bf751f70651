//! From a checkpoint: no endpoint has to be believed.

use heliostat_tezos::{Checkpoint, HeadPolicy};

use super::*;

fn proven(nodes: &[Node], checkpoint: Checkpoint) -> Settings {
    Settings {
        checkpoint: Some(checkpoint),
        finality: true,
        head: HeadPolicy::Proven,
        ..settings(nodes)
    }
}

fn block(world: &World, at: usize) -> Checkpoint {
    let block = &world.blocks[at];
    Checkpoint::Block {
        level: u32::try_from(block.header.level).expect("our levels are positive"),
        hash: block.hash,
    }
}

#[tokio::test]
async fn one_honest_node_among_liars_is_enough() {
    let world = World::new(12, 10);
    let forged = Ways {
        forged: Some((1, 999)),
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![forged.clone(), Ways::default(), forged]).await;
    let light = light(proven(&nodes, block(&world, 2)));
    light.refresh().await;
    let got = balance(&light, "head", 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), Some(Assurance::Proven)),
        "{got:?}"
    );
    // Three behind: attested by the block after it, in the one after that.
    let head = get(&light, "/chains/main/blocks/head/hash").await;
    assert_eq!(head.text(), format!("\"{}\"", world.back(3).hash));
    assert_eq!(head.grade, Some(Assurance::Proven));
    assert_eq!(light.status().why_unproven, "");
    let findings = light.upstreams().findings();
    for finding in &findings {
        assert_eq!(finding.evidence.rule, "tezos.state-root");
        assert_eq!(
            heliostat_tezos::evidence::recheck(&finding.evidence),
            Ok(())
        );
        assert_ne!(finding.upstream, nodes[1].uri());
    }
    assert!(!findings.is_empty());
}

#[tokio::test]
async fn a_root_can_be_the_checkpoint() {
    let world = World::new(12, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let at = &world.blocks[2];
    let light = light(proven(
        &nodes,
        Checkpoint::Root {
            level: u32::try_from(at.header.level).unwrap(),
            root: at.tree.hash(),
        },
    ));
    light.refresh().await;
    let got = balance(&light, "head", 1).await;
    assert_eq!(got.grade, Some(Assurance::Proven), "{got:?}");
}

#[tokio::test]
async fn a_wrong_checkpoint_proves_nothing() {
    let world = World::new(12, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let mut root = world.blocks[2].tree.hash();
    root.0[0] ^= 1;
    let light = light(proven(&nodes, Checkpoint::Root { level: 4, root }));
    light.refresh().await;
    let got = balance(&light, "head", 1).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        got.message()
            .contains("does not commit to the checkpoint's root"),
        "{got:?}"
    );
}

#[tokio::test]
async fn what_is_newer_than_proven_is_agreed_only_by_all() {
    let world = World::new(12, 10);
    let forged = Ways {
        forged: Some((1, 999)),
        only_newest: true,
        ..Ways::default()
    };
    let nodes = nodes(&world, vec![forged.clone(), forged, Ways::default()]).await;
    let light = light(Settings {
        min_agreement: 0.6,
        head: HeadPolicy::Newest,
        ..proven(&nodes, block(&world, 2))
    });
    light.refresh().await;
    let got = balance(&light, "head", 1).await;
    // Two of three share a lie about a state that nothing proves yet.
    assert_eq!(
        (got.text(), got.grade),
        ("\"999\"".into(), Some(Assurance::Relayed))
    );
    let got = balance(&light, "head~3", 1).await;
    assert_eq!(
        (got.text(), got.grade),
        ("\"2000000\"".into(), Some(Assurance::Proven))
    );
}

#[tokio::test]
async fn rights_are_followed_over_many_cycles() {
    // Five cycles of eight blocks; rights are known two cycles ahead.
    let world = World::new(30, 10);
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(proven(&nodes, block(&world, 2)));
    light.refresh().await;
    let got = get(&light, "/chains/main/blocks/head/hash").await;
    assert_eq!(
        got.text(),
        format!("\"{}\"", world.back(3).hash),
        "{:?}",
        light.status()
    );
}

#[tokio::test]
async fn a_short_chain_from_an_old_checkpoint_to_today_is_not_believed() {
    let mut world = World::new(6, 10);
    // Bakers of then sign ten blocks of now.
    world.late = 365 * 86_400;
    world.grow();
    world.late = 0;
    for _ in 0..9 {
        world.grow();
    }
    let nodes = nodes(&world, vec![Ways::default(); 2]).await;
    let light = light(proven(&nodes, block(&world, 2)));
    light.refresh().await;
    let why = light.status().why_unproven;
    assert!(why.contains("365 days newer"), "{why}");
    assert!(why.contains("configure a newer checkpoint"), "{why}");
    let got = get(
        &light,
        &format!("/chains/main/blocks/{}/hash", world.back(3).hash),
    )
    .await;
    assert_ne!(got.grade, Some(Assurance::Proven));
    // From a block of now the same chain is.
    let light = super::light(proven(&nodes, block(&world, 8)));
    light.refresh().await;
    let got = get(&light, "/chains/main/blocks/head/hash").await;
    assert_eq!(got.grade, Some(Assurance::Proven));
}

#[tokio::test]
async fn a_long_chain_that_leads_nowhere_does_not_keep_finality_waiting() {
    let mut world = World::new(12, 10);
    let other = World::new(150, 11);
    let liar = Node::start(&other, Ways::default()).await;
    let honest = Node::start(&world, Ways::default()).await;
    let nodes = [liar, honest];
    let light = light(Settings {
        min_agreement: 0.5,
        ..proven(&nodes, block(&world, 2))
    });
    light.refresh().await;
    let head = get(&light, "/chains/main/blocks/head/hash").await;
    assert_eq!(head.text(), format!("\"{}\"", world.back(3).hash));
    // The next block is looked at first where it is connected.
    world.grow();
    nodes[1].shared.world.send_replace(world.clone());
    nodes[0].take_log();
    light.refresh().await;
    let head = get(&light, "/chains/main/blocks/head/hash").await;
    assert_eq!(head.text(), format!("\"{}\"", world.back(3).hash));
    assert_eq!(head.grade, Some(Assurance::Proven));
    let by_level = |line: &String| {
        let below = line.split("/blocks/").nth(1).unwrap_or_default();
        below.starts_with(|digit: char| digit.is_ascii_digit()) && below.contains("header/raw")
    };
    let walked = nodes[0].take_log().into_iter().filter(by_level).count();
    assert_eq!(walked, 0, "the other chain was walked again");
}
