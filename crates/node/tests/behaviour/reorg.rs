//! Forks: which branch is followed, and how it is found.

use heliostat_core::Change;
use heliostat_node::Notice;

use super::*;
use crate::toy::{chain, forked, grow};

#[tokio::test(start_paused = true)]
async fn a_heavier_branch_of_any_depth_replaces_ours_in_one_step() {
    for depth in 1..=40 {
        let node = Node::new(chain(50));
        let replica = MapReplica::new();
        let running = follow(&[&node], &replica);
        running.at(&node).await;
        let mut changes = running.follower.changes().subscribe();
        node.set(forked(&node.blocks(), depth, depth + 1, 1));
        running.at(&node).await;
        let keep = 49 - depth as u64;
        let kept = node.blocks()[keep as usize].link;
        let told = (changes.next().await, changes.next().await);
        let rewind = Some(Notice::Change(Change::Rewind(kept)));
        let extend = Some(Notice::Change(Change::Extend(replica.link().unwrap())));
        assert_eq!(told, (rewind, extend));
        let last = replica.stored().commits.last().copied().unwrap();
        assert_eq!((last.0, last.1), (Some(keep), depth + 1));
    }
}

#[tokio::test(start_paused = true)]
async fn the_common_ancestor_is_found_with_a_logarithmic_number_of_questions() {
    for depth in [1, 2, 10, 100, 900] {
        let node = Node::new(chain(1_000));
        let running = follow(&[&node], &MapReplica::new());
        running.at(&node).await;
        node.script().ids = 0;
        node.set(forked(&node.blocks(), depth, depth + 1, 1));
        running.at(&node).await;
        // One question compares the heads.
        let most = 2 * depth.ilog2() as usize + 3;
        let asked = node.script().ids;
        assert!(asked <= most, "{asked} questions for depth {depth}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fork_of_several_commits_length_is_followed() {
    let node = Node::new(chain(700));
    let replica = MapReplica::new();
    let limits = Settings {
        commit_blocks: 50,
        ..settings()
    };
    let running = start(&[(&node, Role::Follow)], &replica, limits);
    running.at(&node).await;
    node.set(forked(&node.blocks(), 600, 2_000, 1));
    running.at(&node).await;
}

#[tokio::test(start_paused = true)]
async fn a_branch_too_big_to_hold_is_weighed_first_and_then_stored() {
    let node = Node::new(chain(300));
    let replica = MapReplica::new();
    let limits = Settings {
        branch_bytes: 1_000,
        ..settings()
    };
    let running = start(&[(&node, Role::Follow)], &replica, limits);
    running.at(&node).await;
    // Lighter first: read to its end, and not stored.
    let commits = replica.stored().commits.len();
    node.set(forked(&node.blocks(), 200, 150, 1));
    running.waiting("is not heavier").await;
    assert_eq!(replica.stored().commits.len(), commits);
    assert_eq!(replica.blocks(), chain(300));
    let mut heavier = node.blocks();
    grow(&mut heavier, 60, 1);
    node.set(heavier);
    running.at(&node).await;
}

#[tokio::test(start_paused = true)]
async fn a_reorg_in_the_middle_of_a_sync_is_nobodys_fault() {
    for at in [1, 17, 400, 799] {
        for depth in [1, 2, 64, 300] {
            let before = chain(800);
            let after = forked(&before, depth, depth + 1, 1);
            let node = Node::new(before);
            node.script().before_fetch = Some(Box::new({
                let after = after.clone();
                move |height, script| {
                    if height == at {
                        script.blocks = after.clone();
                    }
                }
            }));
            let running = follow(&[&node], &MapReplica::new());
            let head = after.last().map(|block| block.link);
            running
                .until("on the new branch", |now| now.local == head)
                .await;
            assert_eq!(running.replica.blocks(), after);
            let status = &running.upstreams.status()[0];
            assert_eq!((status.failures, &status.trouble), (0, &None));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reorg_while_the_new_branch_is_being_read_is_followed() {
    let node = Node::new(chain(200));
    let running = follow(&[&node], &MapReplica::new());
    running.at(&node).await;
    let first = forked(&node.blocks(), 50, 60, 1);
    let second = forked(&node.blocks(), 80, 95, 2);
    node.script().before_fetch = Some(Box::new({
        let second = second.clone();
        move |height, script| {
            if height == 190 {
                script.blocks = second.clone();
            }
        }
    }));
    node.set(first);
    let head = second.last().map(|block| block.link);
    running
        .until("on the last branch", |now| now.local == head)
        .await;
    assert_eq!(running.replica.blocks(), second);
}

#[tokio::test(start_paused = true)]
async fn a_lighter_or_equal_branch_is_refused_and_read_only_once() {
    for (depth, count) in [(1, 1), (5, 5), (5, 3), (20, 1)] {
        let ours = chain(50);
        let node = Node::new(ours.clone());
        let running = follow(&[&node], &MapReplica::new());
        running.at(&node).await;
        node.set(forked(&ours, depth, count, 1));
        running.waiting("is not heavier").await;
        assert_eq!(running.replica.blocks(), ours);
        let fetched = node.script().fetched;
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(node.script().fetched, fetched);
        assert_eq!(running.replica.blocks(), ours);
        assert!(!running.upstreams.all()[0].is_quarantined());
        let disagreements = running.upstreams.disagreements();
        assert_eq!(disagreements.len(), 1);
        assert_eq!(disagreements[0].height, 50 - depth as u64);

        // Two more blocks than it takes make it the heavier one.
        let mut heavier = node.blocks();
        grow(&mut heavier, depth - count + 1, 1);
        node.set(heavier);
        running.at(&node).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_shorter_but_heavier_branch_wins() {
    let ours = chain(50);
    let node = Node::new(ours.clone());
    let running = follow(&[&node], &MapReplica::new());
    running.at(&node).await;
    let mut heavy = ours[..40].to_vec();
    heavy.push(toy::Block::new(heavy.last(), 11, vec![7]));
    node.set(heavy);
    running.at(&node).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_measure_the_upstreams_branch_is_the_chain() {
    let ours = chain(50);
    let node = Node::new(ours.clone());
    let replica = MapReplica::new();
    replica.stored().weightless = true;
    let running = follow(&[&node], &replica);
    running.at(&node).await;
    for (depth, count) in [(3, 5), (10, 2), (5, 5)] {
        node.set(forked(&node.blocks(), depth, count, count as u8));
        running.at(&node).await;
    }
    // A head that is only lower is no other branch.
    let blocks = node.blocks();
    node.set(blocks[..blocks.len() - 3].to_vec());
    running.waiting("already ends at").await;
    assert_eq!(replica.blocks(), blocks);
}

#[tokio::test(start_paused = true)]
async fn a_fork_deeper_than_allowed_or_another_network_is_waited_out_in_words() {
    let ours = chain(50);
    let node = Node::new(ours.clone());
    let limits = Settings {
        max_rewind: 10,
        ..settings()
    };
    let running = start(&[(&node, Role::Follow)], &MapReplica::new(), limits);
    running.at(&node).await;
    node.set(forked(&ours, 11, 20, 1));
    running.waiting("forget what is stored from height").await;
    let mut elsewhere = Vec::new();
    grow(&mut elsewhere, 60, 9);
    node.set(elsewhere);
    running.waiting("forget what is stored from height").await;
    assert_eq!(running.replica.blocks(), ours);
    running.stop().await.unwrap();

    let node = Node::new(ours.clone());
    let replica = MapReplica::new();
    let running = follow(&[&node], &replica);
    running.at(&node).await;
    let mut elsewhere = Vec::new();
    grow(&mut elsewhere, 60, 9);
    node.set(elsewhere);
    running
        .waiting("name an upstream of the same network")
        .await;
    assert!(!running.upstreams.all()[0].is_quarantined());
    assert_eq!(replica.blocks(), ours);
    node.set(chain(55));
    running.at(&node).await;
}
