//! Catching up, following, and what is told on the way.

use heliostat_core::Change;
use heliostat_node::Notice;

use super::*;
use crate::toy::{chain, forked, grow};

#[tokio::test(start_paused = true)]
async fn an_empty_replica_catches_up_and_then_follows_block_by_block() {
    let node = Node::new(chain(5_000));
    let replica = MapReplica::new();
    let running = follow(&[&node], &replica);
    running.at(&node).await;
    let commits = replica.stored().commits.len();
    assert!(commits <= 20, "{commits} commits for 5,000 blocks");

    let mut changes = running.follower.changes().subscribe();
    for _ in 0..20 {
        let mut blocks = node.blocks();
        grow(&mut blocks, 1, 0);
        node.set(blocks);
        running.at(&node).await;
        let link = replica.link().unwrap();
        assert_eq!(
            changes.next().await,
            Some(Notice::Change(Change::Extend(link)))
        );
        assert_eq!(replica.stored().commits.last(), Some(&(None, 1, true)));
    }
    let progress = running.follower.progress().borrow().clone();
    assert_eq!(progress.state, State::Following);
    assert_eq!(
        (progress.height(), progress.target),
        (Some(5_019), Some(5_019))
    );
    assert_eq!(progress.missing(), Some(0));
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_new_block_is_seen_without_a_hint_too() {
    let node = Node::new(chain(3));
    let running = follow(&[&node], &MapReplica::new());
    running.at(&node).await;
    grow(&mut node.script().blocks, 1, 0);
    running.at(&node).await;
}

#[tokio::test(start_paused = true)]
async fn a_sync_goes_on_where_the_last_one_ended() {
    let node = Node::new(chain(300));
    let replica = MapReplica::new();
    let running = follow(&[&node], &replica);
    running.at(&node).await;
    running.stop().await.unwrap();
    let fetched = node.script().fetched;

    grow(&mut node.script().blocks, 50, 0);
    let running = follow(&[&node], &replica);
    running.at(&node).await;
    assert_eq!(
        node.script().fetched,
        fetched + 50,
        "nothing is fetched twice"
    );
}

#[tokio::test(start_paused = true)]
async fn memory_stays_within_the_window() {
    let blocks = {
        let mut blocks = Vec::new();
        for _ in 0..3_000 {
            blocks.push(toy::Block::new(blocks.last(), 1, vec![1; 1_000]));
        }
        blocks
    };
    let node = Node::new(blocks);
    let replica = MapReplica::new();
    replica.stored().delay = Duration::from_millis(20);
    // Given out, and not durable yet: the most there was of it.
    let most = Arc::new(std::sync::Mutex::new((0, 0)));
    node.script().before_fetch = Some(Box::new({
        let (replica, most) = (Arc::clone(&replica), Arc::clone(&most));
        move |_, script| {
            let stored = replica.stored().blocks.len();
            let (blocks, bytes) = (script.fetched + 1 - stored, script.fetched_bytes + 1_000);
            let mut most = most.lock().unwrap();
            *most = (most.0.max(blocks), most.1.max(bytes - stored * 1_000));
        }
    }));
    for (window_blocks, window_bytes) in [(40, 1 << 30), (4_096, 25_000), (1, 1)] {
        *replica.stored() = toy::replica::Stored {
            delay: Duration::from_millis(20),
            ..Default::default()
        };
        *most.lock().unwrap() = (0, 0);
        {
            let mut script = node.script();
            (script.fetched, script.fetched_bytes) = (0, 0);
        }
        let limits = Settings {
            window_blocks,
            window_bytes,
            commit_blocks: 16,
            ..settings()
        };
        let running = start(&[(&node, Role::Follow)], &replica, limits);
        running.at(&node).await;
        let (blocks, bytes) = *most.lock().unwrap();
        assert!(
            blocks <= window_blocks,
            "{blocks} blocks in {window_blocks}"
        );
        assert!(
            bytes <= window_bytes.max(1_000),
            "{bytes} bytes in {window_bytes}"
        );
        assert!(
            blocks >= window_blocks.min(20),
            "the window is used: {blocks}"
        );
        running.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_described_by_the_upstream() {
    let mut blocks = chain(100);
    for height in [3, 50, 51, 99] {
        blocks[height].opaque = true;
    }
    let node = Node::new(blocks);
    let replica = MapReplica::new();
    let running = follow(&[&node], &replica);
    running
        .until("caught up", |now| now.height() == Some(99))
        .await;
    assert_eq!(node.script().described, 4);
}

/// One that makes positions unreadable could hide what is in them.
#[tokio::test(start_paused = true)]
async fn what_another_upstream_gives_readable_is_taken_from_there() {
    let mut blocks = chain(100);
    for height in [3, 50, 51, 99] {
        blocks[height].opaque = true;
    }
    let (murky, clear) = (Node::new(blocks.clone()), Node::new(chain(100)));
    let running = follow(&[&murky, &clear], &MapReplica::new());
    running.at(&clear).await;
    assert_eq!(murky.script().described, 0);
    assert_eq!(clear.script().fetched, 4);
    running.stop().await.unwrap();

    // On another branch it has nothing to say, and neither when it is away.
    for other in [
        Node::new(forked(&chain(100), 98, 90, 1)),
        Node::new(chain(100)),
    ] {
        murky.script().described = 0;
        other.script().down = other.blocks().len() == 100;
        let running = follow(&[&murky, &other], &MapReplica::new());
        let head = blocks.last().map(|block| block.link);
        running.until("caught up", |now| now.local == head).await;
        assert_eq!(murky.script().described, 4);
        running.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_head_is_told() {
    let node = Node::new(chain(3));
    let settings = Settings {
        head_age: Some(Duration::from_secs(600)),
        ..settings()
    };
    let running = start(&[(&node, Role::Follow)], &MapReplica::new(), settings);
    let progress = running.until("stale", |now| now.stale).await;
    assert_eq!(progress.head_age(5_000_000), Some(4_000_000 - 150));
}
