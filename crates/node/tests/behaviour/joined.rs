//! A chain that is joined in the middle, where a checkpoint stands.

use heliostat_core::Link;

use super::*;
use crate::toy::{Block, chain, forked, grow};

/// A replica that joins the chain of `block`, and stores what comes after it.
fn joined_at(block: &Block) -> Arc<MapReplica> {
    let replica = MapReplica::new();
    replica.stored().joined = Some(block.link);
    replica
}

/// The blocks of a node above its block `joint`.
fn above(blocks: &[Block], joint: u64) -> &[Block] {
    &blocks[joint as usize + 1..]
}

async fn ends_at(running: &Running, link: Link) {
    running
        .until("caught up", |now| now.local == Some(link))
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_replica_goes_on_from_where_it_was_joined() {
    let blocks = chain(60);
    let node = Node::new(blocks.clone());
    let replica = joined_at(&blocks[10]);
    let running = follow(&[&node], &replica);
    ends_at(&running, blocks[59].link).await;
    assert_eq!(replica.blocks(), above(&blocks, 10));
    running.stop().await.unwrap();

    let mut longer = blocks;
    grow(&mut longer, 5, 0);
    node.set(longer.clone());
    let running = follow(&[&node], &replica);
    ends_at(&running, longer[64].link).await;
    assert_eq!(replica.blocks(), above(&longer, 10));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_where_the_chain_was_joined_is_waited_for() {
    let blocks = chain(12);
    let node = Node::new(blocks[..8].to_vec());
    let replica = joined_at(&blocks[10]);
    let running = follow(&[&node], &replica);
    running
        .waiting("its head is 7, below everything this replica keeps")
        .await;
    node.set(blocks[..11].to_vec());
    let at_joint = |now: &Progress| now.state == State::Following && now.target == Some(10);
    running.until("at the joint", at_joint).await;
    assert!(replica.blocks().is_empty(), "there is nothing to store yet");
    node.set(blocks.clone());
    ends_at(&running, blocks[11].link).await;
}

#[tokio::test(start_paused = true)]
async fn a_fork_right_above_the_joint_is_followed_and_one_below_it_is_not() {
    let blocks = chain(14);
    let node = Node::new(blocks.clone());
    let replica = joined_at(&blocks[10]);
    let running = follow(&[&node], &replica);
    ends_at(&running, blocks[13].link).await;

    // All that is stored goes, and the joint stays.
    let fork = forked(&blocks, 3, 5, 1);
    node.set(fork.clone());
    ends_at(&running, fork[15].link).await;
    assert_eq!(replica.blocks(), above(&fork, 10));
    let rewound = replica.stored().commits.last().copied();
    assert_eq!(rewound, Some((Some(10), 5, true)));

    let deeper = forked(&blocks, 4, 30, 2);
    node.set(deeper);
    running
        .waiting("nothing in common with this replica, from height 10 on")
        .await;
    assert_eq!(replica.blocks(), above(&fork, 10));
}

#[tokio::test(start_paused = true)]
async fn an_empty_replica_is_not_joined_to_another_chain() {
    let blocks = chain(14);
    let other = forked(&blocks, 5, 20, 1);
    let (node, twin) = (Node::new(other), Node::new(blocks.clone()));
    let replica = joined_at(&blocks[10]);
    let running = follow(&[&node], &replica);
    running
        .waiting("nothing in common with this replica, from height 10 on")
        .await;
    assert!(replica.blocks().is_empty());
    running.stop().await.unwrap();

    let running = follow(&[&node, &twin], &replica);
    ends_at(&running, blocks[13].link).await;
    assert_eq!(replica.blocks(), above(&blocks, 10));
}
