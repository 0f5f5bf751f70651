//! Upstreams that lie, die, stall, flap, or promise too much; and a store
//! that is full.

use heliostat_core::Change;
use heliostat_node::{Notice, UpstreamState};

use super::*;
use crate::toy::{chain, forked, grow};

#[tokio::test(start_paused = true)]
async fn a_liar_is_quarantined_with_its_evidence_and_the_next_upstream_goes_on() {
    for from in [0, 1, 100, 499] {
        let (liar, honest) = (Node::new(chain(500)), Node::new(chain(500)));
        liar.script().lies_from = Some(from);
        let replica = MapReplica::new();
        let running = follow(&[&liar, &honest], &replica);
        running.at(&honest).await;
        let status = running.upstreams.status();
        assert_eq!(status[0].state, UpstreamState::Quarantined);
        assert_eq!(status[1].state, UpstreamState::Up);
        let findings = running.upstreams.findings();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].upstream, "node-0");
        assert_eq!(findings[0].evidence.rule, "toy.id");
        assert_eq!(findings[0].evidence.height, Some(from));
        assert_eq!(findings[0].evidence.exhibits[0].bytes, b"a lie");
        assert_eq!(
            honest.script().fetched,
            500 - from as usize,
            "it goes on at the lie"
        );
        // It is not asked again, whatever it says later.
        liar.script().lies_from = None;
        let asked = liar.script().heads;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(liar.script().heads, asked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lie_told_late_is_found_and_nothing_before_it_is_lost() {
    let node = Node::new(chain(100));
    let running = follow(&[&node], &MapReplica::new());
    running.at(&node).await;
    node.script().lies_from = Some(120);
    let mut blocks = node.blocks();
    grow(&mut blocks, 50, 0);
    node.set(blocks);
    running
        .until("at the lie", |now| now.height() == Some(119))
        .await;
    running
        .waiting("is wrong: block 120 is not what it says")
        .await;
}

#[tokio::test(start_paused = true)]
async fn upstreams_that_are_all_down_at_the_start_are_waited_for() {
    let nodes = [Node::new(chain(50)), Node::new(chain(50))];
    for node in &nodes {
        node.script().down = true;
    }
    let replica = MapReplica::new();
    let running = follow(&[&nodes[0], &nodes[1]], &replica);
    let why = "node-0 is unreachable: connection refused; node-1 is unreachable";
    running.waiting(why).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    running.waiting(why).await;
    nodes[1].script().down = false;
    running.at(&nodes[1]).await;
    assert!(!running.upstreams.all()[0].is_quarantined());
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_never_answers_holds_nobody_up_for_good() {
    let (stuck, honest) = (Node::new(chain(50)), Node::new(chain(50)));
    stuck.script().hangs = true;
    let running = follow(&[&stuck, &honest], &MapReplica::new());
    running.at(&honest).await;
    let status = &running.upstreams.status()[0];
    assert_eq!(status.trouble.as_ref().unwrap().kind, "unreachable");
    assert!(!running.upstreams.all()[0].is_quarantined());
}

/// The time here is the test's own: nothing waits for a real clock.
#[tokio::test(start_paused = true)]
async fn blocks_that_never_come_are_soon_asked_of_another_and_then_not_of_the_first_again() {
    let (stuck, honest) = (Node::new(chain(50)), Node::new(chain(50)));
    stuck.script().hangs_from = Some(20);
    let running = follow(&[&stuck, &honest], &MapReplica::new());
    let mut slowest = Duration::ZERO;
    for round in 0..20 {
        let since = tokio::time::Instant::now();
        running.at(&honest).await;
        assert!(since.elapsed() < 2 * heliostat_node::defaults::PATIENCE);
        if round > 5 {
            slowest = slowest.max(since.elapsed());
        }
        let mut blocks = honest.blocks();
        grow(&mut blocks, 1, 0);
        stuck.set(blocks.clone());
        honest.set(blocks);
    }
    assert!(slowest < heliostat_node::defaults::PATIENCE, "{slowest:?}");
    assert!(!running.upstreams.all()[0].is_quarantined());
    assert!(
        honest.script().fetched >= 30,
        "the first 20 came from the other"
    );
}

#[tokio::test(start_paused = true)]
async fn a_description_that_never_comes_is_soon_asked_of_another() {
    let mut blocks = chain(50);
    blocks[30].opaque = true;
    let (stuck, honest) = (Node::new(blocks.clone()), Node::new(blocks.clone()));
    stuck.script().describes_never = true;
    let running = follow(&[&stuck, &honest], &MapReplica::new());
    let since = tokio::time::Instant::now();
    let all = |now: &Progress| now.height() == Some(49);
    running.until("at the head", all).await;
    assert!(since.elapsed() < 2 * heliostat_node::defaults::PATIENCE);
    assert!(!running.upstreams.all()[0].is_quarantined());
    assert_eq!(honest.script().described, 1);
    running.stop().await.unwrap();

    // Nobody else could describe it: it is waited for as long as for anything.
    let slow = Node::new(blocks);
    slow.script().delay = Duration::from_secs(8);
    let running = follow(&[&slow], &MapReplica::new());
    running.until("at the head", all).await;
    assert_eq!(running.upstreams.status()[0].failures, 0);
}

/// It is believed again after a while, and then delivers.
#[tokio::test(start_paused = true)]
async fn one_that_once_kept_us_waiting_is_preferred_again_when_it_is_well() {
    let (first, second) = (Node::new(chain(50)), Node::new(chain(50)));
    first.script().hangs_from = Some(20);
    let running = follow(&[&first, &second], &MapReplica::new());
    running.at(&second).await;
    first.script().hangs_from = None;
    let mut blocks = second.blocks();
    for _block in 0..20 {
        tokio::time::sleep(heliostat_node::defaults::DOUBT / 10).await;
        grow(&mut blocks, 1, 0);
        first.set(blocks.clone());
        second.set(blocks.clone());
        running.at(&second).await;
    }
    assert!(running.upstreams.status()[0].serving);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_slow_is_not_left_when_nobody_else_has_more() {
    let (slow, other) = (Node::new(chain(100)), Node::new(chain(20)));
    slow.script().delay = Duration::from_secs(8);
    let running = follow(&[&slow, &other], &MapReplica::new());
    running.at(&slow).await;
    assert!(!running.upstreams.all()[0].is_quarantined());
}

#[tokio::test(start_paused = true)]
async fn a_slow_upstream_is_followed_and_not_held_against_it() {
    let node = Node::new(chain(300));
    node.script().delay = Duration::from_secs(5);
    let running = follow(&[&node], &MapReplica::new());
    running.at(&node).await;
    assert_eq!(running.upstreams.status()[0].failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_flapping_upstream_is_followed_whenever_it_is_up() {
    let node = Node::new(chain(10));
    let running = follow(&[&node], &MapReplica::new());
    for round in 0..30 {
        node.script().down = round % 2 == 0;
        if round % 2 == 0 {
            running.waiting("connection refused").await;
        } else {
            let mut blocks = node.blocks();
            grow(&mut blocks, 3, 0);
            node.set(blocks);
            running.at(&node).await;
        }
    }
    assert!(!running.upstreams.all()[0].is_quarantined());
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_dies_in_mid_sync_is_replaced_and_later_preferred_again() {
    let (first, second) = (Node::new(chain(900)), Node::new(chain(900)));
    first.script().before_fetch = Some(Box::new(|height, script| {
        script.down |= height == 300;
    }));
    // It refuses what is asked after the fetch that brought it down.
    let running = follow(&[&first, &second], &MapReplica::new());
    running.at(&second).await;
    assert!(running.upstreams.status()[1].serving);
    first.script().before_fetch = None;
    first.script().down = false;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(running.upstreams.status()[0].serving);
    assert_eq!(running.upstreams.status()[0].trouble, None);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_claimed_too_high_stops_nobody() {
    let (boaster, honest) = (Node::new(chain(100)), Node::new(chain(120)));
    boaster.script().boast = 1_000;
    let running = follow(&[&boaster, &honest], &MapReplica::new());
    running.at(&honest).await;
    let mut blocks = honest.blocks();
    for _ in 0..200 {
        grow(&mut blocks, 1, 0);
        honest.set(blocks.clone());
        running.at(&honest).await;
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    let status = running.upstreams.status();
    assert!(status[1].serving, "{status:?}");
    assert_eq!(status[0].trouble.as_ref().unwrap().kind, "behind");
    assert!(!running.upstreams.all()[0].is_quarantined());

    // Alone, it is followed as far as it delivers.
    let boaster = Node::new(chain(100));
    boaster.script().boast = u64::MAX - 200;
    let running = follow(&[&boaster], &MapReplica::new());
    running
        .until("as far as it goes", |now| now.height() == Some(99))
        .await;
    running.waiting("it has no block 100").await;
    grow(&mut boaster.script().blocks, 5, 0);
    running
        .until("further", |now| now.height() == Some(104))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_restarted_upstream_that_is_behind_us_is_waited_for() {
    let node = Node::new(chain(100));
    let running = follow(&[&node], &MapReplica::new());
    running.at(&node).await;
    node.set(chain(30));
    running
        .waiting("its head is 29, and this replica already ends at 99")
        .await;
    assert_eq!(running.replica.blocks(), chain(100));
    node.set(chain(105));
    running.at(&node).await;
}

#[tokio::test(start_paused = true)]
async fn with_two_forks_the_heavier_is_followed_and_the_other_is_no_liar() {
    let base = chain(100);
    let light = Node::new(forked(&base, 10, 11, 1));
    let heavy = Node::new(forked(&base, 20, 40, 2));
    let running = follow(&[&light, &heavy], &MapReplica::new());
    running.at(&heavy).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(running.replica.blocks(), heavy.blocks());
    let status = running.upstreams.status();
    assert!(status.iter().all(|one| one.evidence.is_none()));
    assert!(!running.upstreams.disagreements().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_full_store_is_waited_for_and_told() {
    let node = Node::new(chain(2_500));
    let replica = MapReplica::new();
    replica.stored().full = 12;
    let running = follow(&[&node], &replica);
    let full = |now: &Progress| matches!(&now.state, State::Store(why) if why.contains("is full"));
    let progress = running.until("full", full).await;
    assert!(
        progress
            .state
            .to_string()
            .starts_with("store: the disk of toy is full")
    );
    running.at(&node).await;
    assert_eq!(running.upstreams.status()[0].failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_is_told_to_subscribers() {
    let node = Node::new(chain(50));
    let replica = MapReplica::new();
    let running = follow(&[&node], &replica);
    running.at(&node).await;
    let mut changes = running.follower.changes().subscribe();
    replica.stored().lost_replies = 1;
    node.set(forked(&node.blocks(), 5, 6, 1));
    running.at(&node).await;
    let kept = node.blocks()[44].link;
    assert_eq!(
        changes.next().await,
        Some(Notice::Change(Change::Rewind(kept)))
    );
    let tip = Change::Extend(replica.link().unwrap());
    assert_eq!(changes.next().await, Some(Notice::Change(tip)));
    assert_eq!(replica.stored().commits.len(), 2, "it was not done twice");
}
