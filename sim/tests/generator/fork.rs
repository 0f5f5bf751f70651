//! Branches.

use heliostat_sim::zcash::{Generator, Mix, generator::Shielded};

use super::{bytes, chain, zcash_primitives_agrees};

/// A branch is linked from genesis to its tip.
fn linked(generator: &Generator) {
    for pair in generator.chain().blocks.windows(2) {
        assert_eq!(pair[1].prev, pair[0].hash);
        assert_eq!(pair[1].height, pair[0].height + 1);
    }
}

#[test]
fn a_fork_shares_its_past_and_nothing_after() {
    let trunk = chain(61, 150, Mix::TYPICAL);
    for (height, blocks) in [(149, 3), (100, 60), (0, 20), (150, 5)] {
        let fork = trunk.fork(height, blocks, 1).expect("the height exists");
        linked(&fork);
        assert_eq!(fork.height(), height + blocks);
        for (ours, theirs) in trunk.chain().blocks.iter().zip(&fork.chain().blocks) {
            assert_eq!(ours.hash == theirs.hash, ours.height <= height);
        }
        for block in &fork.chain().blocks[1..] {
            zcash_primitives_agrees(block, &fork.config().network);
        }
    }
}

#[test]
fn forks_are_deterministic_and_differ_by_seed() {
    let trunk = chain(62, 80, Mix::TYPICAL);
    let fork = |seed| trunk.fork(60, 30, seed).expect("the height exists");
    assert!(bytes(&fork(1)) == bytes(&fork(1)));
    assert!(bytes(&fork(1)) != bytes(&fork(2)));
    let again = chain(62, 200, Mix::TYPICAL).fork(60, 30, 1);
    assert!(bytes(&fork(1)) == bytes(&again.expect("the height exists")));
    let mut longer = trunk.fork(60, 10, 1).expect("the height exists");
    longer.extend(20);
    assert!(bytes(&fork(1)) == bytes(&longer));
}

#[test]
fn a_fork_keeps_the_plan_up_to_its_height_and_plants_its_own_notes() {
    let trunk = chain(63, 200, Mix::TINY);
    let fork = trunk.fork(120, 40, 9).expect("the height exists");
    for height in 0..=120 {
        let (ours, theirs) = (
            trunk.plan().balance_at(height),
            fork.plan().balance_at(height),
        );
        assert_eq!(ours, theirs, "height {height}");
    }
    assert_ne!(trunk.plan().balance_at(160), fork.plan().balance_at(160));
    for pool in [Shielded::Sapling, Shielded::Orchard, Shielded::Ironwood] {
        let mut notes = fork.plan().notes.iter();
        assert!(notes.any(|note| note.pool == pool && note.height == 121));
    }
}

#[test]
fn a_fork_above_the_tip_is_refused() {
    let error = chain(64, 5, Mix::TINY).fork(6, 1, 1);
    let words = error.expect_err("there is no block 6").to_string();
    assert!(
        words.contains("height 6") && words.contains("ends at 5"),
        "{words}"
    );
}
