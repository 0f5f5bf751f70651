//! Every misbehaviour beside an honest node, and alone.

use std::{collections::BTreeSet, future::Future};

use tokio::task::JoinSet;

use super::{
    cases::{Case, Due, KINDS, cases, kind},
    stage::{BLOCKS, LIE, Stage, chain, grown, honest, of, tip},
};

/// Runs all cases side by side: most of their time is waiting.
async fn each<F>(run: impl Fn(Case) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut names = std::collections::HashMap::new();
    for case in cases() {
        let words = case.words;
        names.insert(running.spawn(run(case)).id(), words);
    }
    let mut failed = Vec::new();
    while let Some(ended) = running.join_next_with_id().await {
        if let Err(error) = ended {
            failed.push(names[&error.id()]);
        }
    }
    assert!(failed.is_empty(), "not as due: {failed:#?}");
}

#[test]
fn every_kind_of_misbehaviour_has_a_case() {
    let kinds: BTreeSet<_> = cases().iter().map(|case| kind(&case.what)).collect();
    assert_eq!(kinds, (0..KINDS).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_an_honest_node_none_keeps_the_honest_chain_from_being_served() {
    each(beside_an_honest_node).await;
}

async fn beside_an_honest_node(case: Case) {
    let (bad, good) = (case.node().await, honest().await);
    let stage = Stage::before(&[&bad, &good]).await;
    stage.serves_after(&chain(), &case.others()).await;
    stage.graded(BLOCKS, case.grade).await;
    let liars = match case.due {
        Due::Conviction(_) => &[&*bad][..],
        _ => &[],
    };
    let broken = stage.quarantined(liars).await;
    if let Due::Conviction(rule) = case.due {
        assert_eq!(broken, [rule], "{}", case.words);
    }

    for node in [&bad, &good] {
        node.set_chain(grown());
    }
    stage.serves(&grown()).await;
    stage.graded(tip(&grown()), case.grade).await;
    stage.quarantined(liars).await;
    let status = stage.status().await;
    let forked = case.other.is_some();
    assert!(status.rewinds == 0 || forked, "{}", case.words);
    assert!(status.disagreements.is_empty() || forked, "{}", case.words);
    assert_eq!(status.not_ready, Vec::<String>::new(), "{}", case.words);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_each_is_waited_for_and_only_a_liar_is_given_up() {
    each(alone).await;
}

async fn alone(case: Case) {
    let node = case.node().await;
    let stage = Stage::before(&[&node]).await;
    match case.due {
        Due::Conviction(rule) => return convicted_alone(&case, stage, &node, rule).await,
        Due::State(state) => {
            let shown = stage
                .until(state, |status| of(status, &node).state == state)
                .await;
            let why = &of(&shown, &node).why;
            assert!(why.len() > state.len() + 10, "in words: {why:?}");
        }
        Due::Nothing => {}
    }
    stage.looks_like(&chain(), &case.others()).await;
    assert!(stage.evidence().await.is_empty(), "{}", case.words);

    case.mend(&node).await;
    stage.serves_after(&chain(), &case.others()).await;
    stage
        .until("good", |status| of(status, &node).state == "ok")
        .await;
    // One voice is no agreement.
    assert_eq!(stage.grade(BLOCKS).await, "relayed");
    stage.quarantined(&[]).await;
    stage.end().await;
}

/// What was sound before the lie stays and is served, and nothing above it.
async fn convicted_alone(case: &Case, stage: Stage, node: &heliostat_sim::zcash::Node, rule: &str) {
    let wrong = |status: &heliostat_observe::ChainStatus| of(status, node).state == "wrong";
    stage.until("convicted", wrong).await;
    assert_eq!(stage.quarantined(&[node]).await, [rule], "{}", case.words);
    case.mend(node).await;
    node.set_chain(grown());
    node.reset_counts();
    let below = stage.looks_like(&chain(), &[]).await.unwrap_or(0);
    assert!(below as u64 <= LIE, "{below}");
    if below > 0 {
        assert_eq!(stage.grade(below as u64 - 1).await, "relayed");
    }
    let status = stage
        .until("given up", |status| !status.not_ready.is_empty())
        .await;
    assert!(
        status
            .not_ready
            .join(" ")
            .contains("no upstream can be used"),
        "{status:?}"
    );
    assert!(wrong(&status));
    assert_eq!(node.total(), 0, "it is not asked again: {}", case.words);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_is_told_of_in_words() {
    let network = heliostat_zcash_verifier::Network::Main.genesis().0;
    let (bad, good) = (honest().await, honest().await);
    let what = heliostat_sim::zcash::Misbehaviour::WrongNetwork(network);
    bad.misbehave(what, heliostat_sim::zcash::Filter::all());
    let stage = Stage::before(&[&bad, &good]).await;
    stage.serves(&chain()).await;
    let told = |status: &heliostat_observe::ChainStatus| {
        let why = &of(status, &bad).why;
        why.contains("is on mainnet") && why.contains("this chain is regtest")
    };
    stage.until("told of", told).await;
    assert_eq!(stage.word_on(&bad).await.state, "unsupported");
    assert_eq!(stage.word_on(&good).await.state, "ok");
    stage.end().await;
}
