//! Stopping at any moment.

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::toy::{chain, forked};

/// Take a failing seed back with `HELIOSTAT_SEED=…`.
fn seeds() -> Vec<u64> {
    match std::env::var("HELIOSTAT_SEED") {
        Ok(seed) => vec![seed.parse().expect("HELIOSTAT_SEED is a number")],
        Err(_) => {
            let first: u64 = rand::rng().random_range(0..u64::MAX / 2);
            (first..first + 60).collect()
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_at_random_moments_and_going_on_gives_the_same_chain() {
    for seed in seeds() {
        println!("HELIOSTAT_SEED={seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let length = random.random_range(50..800);
        let node = Node::new(chain(length));
        let replica = MapReplica::new();
        replica.stored().delay = Duration::from_millis(random.random_range(0..30));
        node.script().delay = Duration::from_millis(random.random_range(0..20));
        let limits = Settings {
            fetches: random.random_range(1..40),
            window_blocks: random.random_range(1..300),
            commit_blocks: random.random_range(1..100),
            commit_time: Duration::from_millis(random.random_range(1..100)),
            branch_bytes: random.random_range(100..50_000),
            ..settings()
        };
        for round in 0..random.random_range(1..12u8) {
            let running = start(&[(&node, Role::Follow)], &replica, limits.clone());
            tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
            if random.random_bool(0.4) {
                let blocks = node.blocks();
                let depth = random.random_range(1..blocks.len().min(200));
                node.set(forked(
                    &blocks,
                    depth,
                    depth + random.random_range(1..9),
                    round + 1,
                ));
                tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
            }
            running.stop().await.unwrap();
            let stored = replica.blocks();
            let linked = stored
                .windows(2)
                .all(|pair| pair[0].link.id == pair[1].link.parent);
            assert!(linked, "links are intact after every stop");
        }
        let running = start(&[(&node, Role::Follow)], &replica, limits);
        running.at(&node).await;
        running.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_verified_is_stored_before_it_returns() {
    let node = Node::new(chain(500));
    // The second half never comes.
    node.script().before_fetch = Some(Box::new(|height, script| {
        script.hangs |= height == 250;
    }));
    let limits = Settings {
        commit_time: Duration::from_secs(100_000),
        ..settings()
    };
    let replica = MapReplica::new();
    let running = start(&[(&node, Role::Follow)], &replica, limits);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(replica.blocks(), [], "nothing was due yet");
    running.stop().await.unwrap();
    let stored = replica.blocks().len();
    assert!((200..=260).contains(&stored), "{stored}");
}

#[tokio::test(start_paused = true)]
async fn it_stops_at_once_while_it_waits_for_an_upstream() {
    let node = Node::new(chain(5));
    node.script().hangs = true;
    let running = follow(&[&node], &MapReplica::new());
    let progress = running.follower.progress();
    tokio::time::sleep(Duration::from_secs(1)).await;
    running.stop().await.unwrap();
    assert_eq!(progress.borrow().state, State::Stopped);
}
