//! Clocks that jump.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use heliostat_node::UpstreamState;

use super::*;
use crate::toy::{chain, grow};

/// Ten years.
const JUMP: u64 = 10 * 365 * 24 * 60 * 60;

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_raises_and_ends_the_alarm_and_stops_nothing() {
    let node = Node::new(chain(20));
    let replica = Arc::new(MapReplica::default());
    let head_time = || node.blocks().last().map_or(0, |block| block.link.time);
    let now = Arc::new(AtomicU64::new(head_time()));
    let clock = Arc::clone(&now);
    let settings = Settings {
        head_age: Some(Duration::from_secs(1_000)),
        clock: Arc::new(move || clock.load(Relaxed)),
        ..settings()
    };
    let running = start(&[(&node, Role::Follow)], &replica, settings);
    running.at(&node).await;
    let mut blocks = node.blocks();
    // Ten years on, back, to 1970, and as far as a clock goes.
    for (round, (time, stale)) in [
        (head_time() + JUMP, true),
        (head_time(), false),
        (0, false),
        (u64::MAX, true),
        (head_time(), false),
    ]
    .into_iter()
    .enumerate()
    {
        now.store(time, Relaxed);
        running
            .until("told", |progress| progress.stale == stale)
            .await;
        grow(&mut blocks, 3, round as u8);
        node.set(blocks.clone());
        running.at(&node).await;
        let status = running.upstreams.status();
        assert_eq!(status[0].state, UpstreamState::Up, "{status:?}");
    }
    assert!(running.upstreams.findings().is_empty());
    running.stop().await.expect("the replica is sound");
}
