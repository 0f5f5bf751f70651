//! Several liars, lies during a reorg, and liars that are only asked for ids.

use heliostat_sim::zcash::{Filter, Misbehaviour, Node};
use heliostat_zcash_verifier::rule;

use super::stage::{BLOCKS, LIE, Stage, branch, chain, grown, honest, of, tip};

/// A node that lies about one block.
async fn liar(what: Misbehaviour, at: u64) -> Node {
    let node = honest().await;
    node.misbehave(what, Filter::method("getblock").at(at..=at));
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn liars_are_convicted_one_after_the_other_until_an_honest_node_is_left() {
    // The same lie from all, different lies, and lies at different heights.
    let (bytes, root) = (Misbehaviour::WrongBytes, Misbehaviour::WrongMerkleRoot);
    let casts = [
        [(&root, LIE), (&root, LIE), (&root, LIE)],
        [(&root, LIE), (&bytes, LIE), (&root, LIE)],
        [(&root, LIE + 7), (&bytes, LIE), (&root, BLOCKS)],
        [(&bytes, 0), (&root, LIE), (&bytes, BLOCKS)],
    ];
    for cast in casts {
        let mut liars = Vec::new();
        for (what, at) in cast {
            liars.push(liar(what.clone(), at).await);
        }
        let good = honest().await;
        let [a, b, c] = &liars[..] else {
            unreachable!()
        };
        let stage = Stage::before(&[a, b, c, &good]).await;
        stage.serves(&chain()).await;
        // Each goes on where the one before was caught: who lies only about
        // what is there already is never asked for it.
        let followed = stage.status().await.findings.len();
        let lowest: Vec<_> = cast.iter().map(|(_, at)| *at).collect();
        assert_eq!(followed, turns(&lowest), "{cast:?}");
        let convicted: Vec<_> = [a, b, c]
            .into_iter()
            .take(followed)
            .map(|one| &**one)
            .collect();
        let rules = stage.quarantined(&convicted).await;
        assert!(rules.iter().all(|broken| broken == rule::MERKLE_ROOT));
        stage.end().await;
    }
}

/// How many of the liars come to lie.
fn turns(lies: &[u64]) -> usize {
    let mut next = 0;
    for (turn, at) in lies.iter().enumerate() {
        if *at < next {
            return turn;
        }
        next = *at;
    }
    lies.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_lie_alike_or_not_nothing_above_the_first_lie_is_served() {
    for others in [Misbehaviour::WrongMerkleRoot, Misbehaviour::WrongBytes] {
        let first = liar(Misbehaviour::WrongMerkleRoot, LIE).await;
        let second = liar(others.clone(), LIE).await;
        let third = liar(others, LIE).await;
        let stage = Stage::before(&[&first, &second, &third]).await;
        // The follower says so a moment after the last one is convicted.
        let all = |status: &heliostat_observe::ChainStatus| {
            let convicted = |one: &heliostat_observe::UpstreamStatus| one.state == "wrong";
            status.upstreams.iter().all(convicted) && status.state.contains("Merkle root")
        };
        let status = stage.until("all convicted, and told why", all).await;
        assert_eq!(status.local_height, Some(LIE - 1));
        assert!(!status.not_ready.is_empty());
        stage.quarantined(&[&first, &second, &third]).await;
        assert_eq!(stage.looks_like(&chain(), &[]).await, Some(LIE as usize));
        // They agreed on every id, and it counts for nothing any more.
        assert_eq!(stage.grade(LIE - 1).await, "relayed");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_lets_a_mended_node_serve_again_and_keeps_the_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}/zcash.sqlite", folder.path().display());
    let node = liar(Misbehaviour::WrongMerkleRoot, LIE).await;
    let stage = Stage::on(&store, "network = 'regtest'", &[&node]).await;
    stage
        .until("convicted", |status| of(status, &node).state == "wrong")
        .await;
    stage.end().await;
    node.behave();
    let stage = Stage::on(&store, "network = 'regtest'", &[&node]).await;
    stage.serves(&chain()).await;
    assert_eq!(stage.word_on(&node).await.state, "ok");
    let evidence = stage.evidence().await;
    assert_eq!(evidence.len(), 1);
    assert_eq!(evidence[0].1.rule, rule::MERKLE_ROOT);
    assert_eq!(evidence[0].1.height, Some(LIE));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_about_the_new_branch_of_a_reorg_leaves_no_block_of_it_behind() {
    for what in [Misbehaviour::WrongBytes, Misbehaviour::WrongMerkleRoot] {
        let new = branch(BLOCKS - 8, 12);
        let (bad, good) = (honest().await, honest().await);
        let stage = Stage::before(&[&bad, &good]).await;
        stage.serves(&chain()).await;
        stage.graded(BLOCKS, "agreed 2/2").await;
        bad.misbehave(what, Filter::method("getblock").at(BLOCKS - 2..=BLOCKS - 2));
        bad.set_chain(new.clone());
        let wrong = |status: &heliostat_observe::ChainStatus| of(status, &bad).state == "wrong";
        stage.until("convicted", wrong).await;
        // The honest node is still on the old branch, and so is what is
        // served: half of a branch replaces nothing.
        assert_eq!(
            stage.looks_like(&chain(), &[]).await,
            Some(chain().blocks.len())
        );
        assert_eq!(stage.status().await.rewinds, 0);
        // Nor does the liar's word count for what it agreed to before.
        stage.graded(BLOCKS, "relayed").await;

        good.set_chain(new.clone());
        stage.serves_after(&new, &[&chain()]).await;
        assert_eq!(stage.status().await.rewinds, 1);
        stage.quarantined(&[&bad]).await;
        assert_eq!(stage.grade(tip(&new)).await, "relayed");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_is_followed_whatever_a_second_node_does_meanwhile() {
    let mut running = tokio::task::JoinSet::new();
    for case in super::cases::cases() {
        running.spawn(async move {
            let (good, bad) = (honest().await, honest().await);
            let stage = Stage::before(&[&good, &bad]).await;
            stage.serves(&chain()).await;
            bad.misbehave(case.what.clone(), case.filter.clone());
            let new = branch(BLOCKS - 8, 12);
            for node in [&good, &bad] {
                node.set_chain(new.clone());
            }
            stage.serves_after(&new, &[&chain()]).await;
            assert_eq!(stage.status().await.rewinds, 1, "{}", case.words);
            // It was not followed, so it had no occasion to lie.
            stage.quarantined(&[]).await;
            stage.end().await;
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_that_stands_second_is_convicted_when_its_turn_comes() {
    let (good, bad) = (
        honest().await,
        liar(Misbehaviour::WrongBytes, BLOCKS + 3).await,
    );
    let stage = Stage::before(&[&good, &bad]).await;
    stage.serves(&chain()).await;
    stage.graded(BLOCKS, "agreed 2/2").await;
    stage.quarantined(&[]).await;
    good.stop().await;
    bad.set_chain(grown());
    stage
        .until("convicted", |status| of(status, &bad).state == "wrong")
        .await;
    assert_eq!(
        stage.looks_like(&grown(), &[]).await,
        Some(BLOCKS as usize + 3)
    );
    good.set_chain(grown());
    good.resume().await;
    stage.serves(&grown()).await;
    stage.quarantined(&[&bad]).await;
    assert_eq!(stage.grade(tip(&grown())).await, "relayed");
    stage.end().await;
}
