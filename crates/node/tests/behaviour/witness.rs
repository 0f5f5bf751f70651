//! What the other upstreams say of our chain.

use heliostat_core::{Assurance, Evidence, Fault};

use super::*;
use crate::toy::{chain, forked, grow};

/// Long enough for a few rounds of questions.
const ROUNDS: Duration = Duration::from_secs(40);

fn witnessed(nodes: &[&Arc<Node>]) -> Running {
    let role = |index| {
        if index == 0 {
            Role::Follow
        } else {
            Role::Witness
        }
    };
    let nodes: Vec<_> = nodes
        .iter()
        .enumerate()
        .map(|(i, node)| (*node, role(i)))
        .collect();
    start(&nodes, &MapReplica::new(), settings())
}

fn test_lie() -> Fault {
    Fault::Wrong(Evidence {
        rule: "test.lie".into(),
        words: "one is not two".into(),
        height: None,
        exhibits: Vec::new(),
    })
}

fn grades(running: &Running, heights: impl IntoIterator<Item = u64>) -> Vec<String> {
    let agreement = running.follower.agreement();
    let grade = |height| agreement.grade(height).to_string();
    heights.into_iter().map(grade).collect()
}

#[tokio::test(start_paused = true)]
async fn agreeing_witnesses_grade_the_whole_chain() {
    let nodes = [(); 3].map(|()| Node::new(chain(100)));
    let running = witnessed(&[&nodes[0], &nodes[1], &nodes[2]]);
    running.at(&nodes[0]).await;
    tokio::time::sleep(ROUNDS).await;
    let seen = grades(&running, [0, 50, 99, 100]);
    assert_eq!(seen, ["agreed 3/3", "agreed 3/3", "agreed 3/3", "relayed"]);
    assert_eq!(nodes[1].script().fetched + nodes[2].script().fetched, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lie_that_somebody_else_reports_takes_back_what_the_liar_agreed_to() {
    let nodes = [(); 3].map(|()| Node::new(chain(100)));
    let running = witnessed(&[&nodes[0], &nodes[1], &nodes[2]]);
    running.at(&nodes[0]).await;
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(grades(&running, [50]), ["agreed 3/3"]);
    let lie = test_lie();
    running.upstreams.report(&running.upstreams.all()[1], &lie);
    assert_eq!(grades(&running, [0, 50]), ["relayed", "relayed"]);
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(
        grades(&running, [50]),
        ["agreed 2/2"],
        "the honest are asked"
    );
}

/// A sync is long, and the lie may be one that a client's question uncovers.
#[tokio::test(start_paused = true)]
async fn one_that_somebody_else_reports_is_not_followed_to_the_end_nor_counted() {
    let nodes = [(); 2].map(|()| Node::new(chain(2_000)));
    nodes[0].script().delay = Duration::from_secs(1);
    let nodes = [&nodes[0], &nodes[1]];
    let running = follow(&nodes, &MapReplica::new());
    running
        .until("syncing", |now| now.height() > Some(100))
        .await;
    running
        .upstreams
        .report(&running.upstreams.all()[0], &test_lie());
    let before = nodes[0].script().fetched;
    running.at(nodes[1]).await;
    assert!(nodes[0].script().fetched <= before + heliostat_node::defaults::FETCHES);
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(grades(&running, [50]), ["relayed"], "one is left");
}

#[tokio::test(start_paused = true)]
async fn the_marks_of_a_chain_that_was_left_are_never_on_the_new_one() {
    let nodes = [(); 2].map(|()| Node::new(chain(50)));
    let running = witnessed(&[&nodes[0], &nodes[1]]);
    running.at(&nodes[0]).await;
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(grades(&running, [44, 49]), ["agreed 2/2", "agreed 2/2"]);

    // The commit takes long enough for a round of questions to fall into it.
    running.replica.stored().delay = ROUNDS;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    running.replica.stored().visible = Some(Box::new({
        let (seen, agreement) = (Arc::clone(&seen), running.follower.agreement());
        move |link| {
            let grades = [44, 45, 49, link.height].map(|at| agreement.grade(at).to_string());
            seen.lock().unwrap().push(grades);
        }
    }));
    nodes[0].set(forked(&nodes[0].blocks(), 5, 8, 1));
    running.at(&nodes[0]).await;
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen, [["agreed 2/2", "relayed", "relayed", "relayed"]]);
}

#[tokio::test(start_paused = true)]
async fn a_single_upstream_agrees_with_nobody() {
    let node = Node::new(chain(10));
    let running = witnessed(&[&node]);
    running.at(&node).await;
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(running.follower.agreement().grade(5), Assurance::Relayed);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_witness_counts_in_n_and_not_in_k() {
    let nodes = [(); 3].map(|()| Node::new(chain(100)));
    nodes[2].script().down = true;
    let running = witnessed(&[&nodes[0], &nodes[1], &nodes[2]]);
    running.at(&nodes[0]).await;
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(grades(&running, [99]), ["agreed 2/3"]);
    assert!(running.upstreams.disagreements().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_witness_that_is_a_block_behind_does_not_disagree() {
    let nodes = [chain(100), chain(99), chain(60)].map(Node::new);
    let running = witnessed(&[&nodes[0], &nodes[1], &nodes[2]]);
    running.at(&nodes[0]).await;
    tokio::time::sleep(ROUNDS).await;
    let seen = grades(&running, [59, 60, 98, 99]);
    assert_eq!(seen, ["agreed 3/3", "agreed 2/3", "agreed 2/3", "relayed"]);
    assert!(running.upstreams.disagreements().is_empty());
    // When it has caught up, it is heard.
    nodes[1].set(chain(100));
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(grades(&running, [99]), ["agreed 2/3"]);
}

#[tokio::test(start_paused = true)]
async fn a_witness_on_another_branch_is_a_disagreement_and_no_liar() {
    let base = chain(100);
    let nodes = [
        Node::new(base.clone()),
        Node::new(base.clone()),
        Node::new(base.clone()),
    ];
    let running = witnessed(&[&nodes[0], &nodes[1], &nodes[2]]);
    running.at(&nodes[0]).await;
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(grades(&running, [99]), ["agreed 3/3"]);

    nodes[2].set(forked(&base, 7, 7, 1));
    tokio::time::sleep(ROUNDS).await;
    let disagreements = running.upstreams.disagreements();
    assert_eq!(disagreements.len(), 1, "told once: {disagreements:?}");
    assert_eq!(disagreements[0].height, 93);
    assert_eq!(disagreements[0].upstream, "node-2");
    assert_ne!(disagreements[0].ours, disagreements[0].theirs);
    let seen = grades(&running, [92, 93, 99]);
    assert_eq!(seen, ["agreed 3/3", "agreed 2/3", "agreed 2/3"]);
    assert!(!running.upstreams.all()[2].is_quarantined());
}

#[tokio::test(start_paused = true)]
async fn grades_above_a_rewind_are_gone_until_they_are_earned_again() {
    let base = chain(100);
    let nodes = [(); 2].map(|()| Node::new(base.clone()));
    let running = witnessed(&[&nodes[0], &nodes[1]]);
    running.at(&nodes[0]).await;
    tokio::time::sleep(ROUNDS).await;
    // The witness is silent, so that only the rewind can take grades back.
    nodes[1].script().down = true;
    let after = forked(&base, 5, 6, 1);
    nodes[0].set(after.clone());
    running.at(&nodes[0]).await;
    assert_eq!(
        grades(&running, [94, 95, 100]),
        ["agreed 2/2", "relayed", "relayed"]
    );
    nodes[1].script().down = false;
    nodes[1].set(after);
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(grades(&running, [95, 100]), ["agreed 2/2", "agreed 2/2"]);
    assert!(running.upstreams.disagreements().is_empty());
}

#[tokio::test(start_paused = true)]
async fn new_blocks_are_asked_about_without_waiting_for_the_interval() {
    let nodes = [(); 2].map(|()| Node::new(chain(100)));
    let running = witnessed(&[&nodes[0], &nodes[1]]);
    running.at(&nodes[0]).await;
    tokio::time::sleep(ROUNDS).await;
    let mut blocks = nodes[0].blocks();
    grow(&mut blocks, 1, 0);
    nodes[1].set(blocks.clone());
    nodes[0].set(blocks);
    running.at(&nodes[0]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(grades(&running, [100]), ["agreed 2/2"]);
}

#[tokio::test(start_paused = true)]
async fn a_stored_chain_is_graded_at_once_after_a_restart() {
    let nodes = [(); 2].map(|()| Node::new(chain(100)));
    let replica = MapReplica::new();
    for block in nodes[0].blocks() {
        replica.stored().blocks.insert(block.link.height, block);
    }
    // The first round begins before the store was read and ends after it, and
    // no new block comes to begin another.
    replica.stored().delay = Duration::from_millis(20);
    nodes[1].script().delay = Duration::from_millis(50);
    let roles = [(&nodes[0], Role::Follow), (&nodes[1], Role::Witness)];
    let running = start(&roles, &replica, settings());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(grades(&running, [99]), ["agreed 2/2"]);
}

#[tokio::test(start_paused = true)]
async fn a_liars_word_counts_for_nothing_afterwards() {
    let nodes = [(); 3].map(|()| Node::new(chain(100)));
    let nodes_ref: Vec<_> = nodes.iter().map(|node| (node, Role::Follow)).collect();
    let running = start(&nodes_ref, &MapReplica::new(), settings());
    running.at(&nodes[0]).await;
    tokio::time::sleep(ROUNDS).await;
    assert_eq!(grades(&running, [50]), ["agreed 3/3"]);
    for node in &nodes {
        let mut blocks = node.blocks();
        grow(&mut blocks, 1, 0);
        node.script().blocks = blocks;
    }
    nodes[0].script().lies_from = Some(100);
    running.at(&nodes[1]).await;
    tokio::time::sleep(ROUNDS).await;
    assert!(running.upstreams.all()[0].is_quarantined());
    assert_eq!(grades(&running, [50, 100]), ["agreed 2/2", "agreed 2/2"]);
}

#[tokio::test(start_paused = true)]
async fn witnesses_are_asked_during_a_long_sync_too() {
    let nodes = [(); 2].map(|()| Node::new(chain(2_000)));
    nodes[0].script().delay = Duration::from_secs(2);
    let running = witnessed(&[&nodes[0], &nodes[1]]);
    running
        .until("on its way", |now| now.height() > Some(1_200))
        .await;
    assert_eq!(grades(&running, [300]), ["agreed 2/2"]);
    assert_eq!(running.follower.progress().borrow().state, State::Syncing);
}
