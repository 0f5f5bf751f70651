//! Other chains on a network without proof-of-work: nobody can tell which is
//! the right one. What Heliostat then does is written in
//! `crates/node/src/follower.rs`: it follows the first upstream it can use,
//! replaces a branch only as a whole, keeps both sides as a disagreement, and
//! claims no more than what was agreed.

use heliostat_sim::zcash::{Filter, Handle, Misbehaviour, Node};

use super::stage::{BLOCKS, Stage, branch, chain, grown, honest, name, of, tip};

/// Where the forged branch leaves the honest chain.
const PARTED: u64 = BLOCKS - 30;

async fn forger() -> Node {
    Node::start(branch(PARTED, 40)).await.unwrap()
}

fn hex(hash: [u8; 32]) -> String {
    hash.iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Both sides of the fork are shown.
async fn disagrees(stage: &Stage, node: &Handle, ours: &heliostat_sim::zcash::Chain) {
    let theirs = node.chain();
    let status = stage
        .until("disagreed", |status| !status.disagreements.is_empty())
        .await;
    let [fork] = &status.disagreements[..] else {
        panic!("one fork is one disagreement: {:?}", status.disagreements);
    };
    assert_eq!(fork.upstream, name(node));
    assert_eq!(fork.height, PARTED + 1);
    assert_eq!(fork.ours, hex(ours.at(PARTED + 1).unwrap().hash));
    assert_eq!(fork.theirs, hex(theirs.at(PARTED + 1).unwrap().hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_forged_branch_of_a_second_node_is_shown_and_lowers_the_grade_from_there_on() {
    let (good, bad) = (honest().await, forger().await);
    let stage = Stage::before(&[&good, &bad]).await;
    // A head that far ahead is preferred, so the forged branch is what is
    // followed in the end; until then the honest one may be seen.
    let forged = bad.chain();
    stage
        .until("at a head", |status| status.local_height >= Some(BLOCKS))
        .await;
    stage.graded(PARTED, "agreed 2/2").await;
    stage.serves_after(&forged, &[&chain()]).await;
    stage.graded(PARTED, "agreed 2/2").await;
    assert_eq!(stage.grade(tip(&forged)).await, "relayed");
    assert_eq!(stage.grade(PARTED + 1).await, "relayed");
    assert!(stage.status().await.disagreements.len() <= 2);
    stage.quarantined(&[]).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_branch_of_the_first_node_is_never_better_than_relayed() {
    let bad = forger().await;
    let (good, other) = (honest().await, honest().await);
    let stage = Stage::before(&[&bad, &good, &other]).await;
    let forged = bad.chain();
    stage.serves_after(&forged, &[&chain()]).await;
    stage.graded(PARTED, "agreed 3/3").await;
    assert_eq!(stage.grade(PARTED + 1).await, "relayed");
    assert_eq!(stage.grade(tip(&forged)).await, "relayed");
    let told = |status: &heliostat_observe::ChainStatus| status.disagreements.len() == 2;
    stage.until("both disagree", told).await;
    stage.quarantined(&[]).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_grade_keeps_a_forged_branch_from_wallets() {
    let (bad, good) = (forger().await, honest().await);
    let settings = "network = 'regtest'\nminimum = { GetBlockRange = 'agreed 2/2' }";
    let stage = Stage::with(settings, &[&bad, &good]).await;
    stage
        .until("there", |status| {
            status.local_height == Some(tip(&bad.chain()))
        })
        .await;
    stage.graded(PARTED, "agreed 2/2").await;
    let refused = stage.blocks(PARTED + 1, &[]).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forger_as_long_as_the_honest_node_is_a_disagreement() {
    let (good, bad) = (honest().await, honest().await);
    bad.set_chain(branch(PARTED, 30));
    let stage = Stage::before(&[&good, &bad]).await;
    stage.serves(&chain()).await;
    disagrees(&stage, &bad, &chain()).await;
    assert_eq!(stage.grade(PARTED).await, "agreed 2/2");
    assert_eq!(stage.grade(PARTED + 1).await, "relayed");
    assert_eq!(stage.status().await.rewinds, 0);
    stage.quarantined(&[]).await;
    // It comes round.
    bad.set_chain(grown());
    good.set_chain(grown());
    stage.serves(&grown()).await;
    stage.graded(tip(&grown()), "agreed 2/2").await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_blocks_are_of_another_chain_than_its_ids_is_left_without_a_mixture() {
    for own in [branch(PARTED, 30), branch(PARTED, 40), branch(PARTED, 20)] {
        let (bad, good) = (honest().await, honest().await);
        let filter = Filter::method("getblock");
        bad.misbehave(Misbehaviour::Forked(own.clone()), filter);
        let stage = Stage::before(&[&bad, &good]).await;
        stage.serves_after(&chain(), &[&own]).await;
        stage.quarantined(&[]).await;
        stage
            .until("settled", |status| of(status, &good).state == "ok")
            .await;
        let rewinds = stage.status().await.rewinds;
        assert!(rewinds <= 8, "{rewinds} rewinds");
        stage.end().await;
    }
}
