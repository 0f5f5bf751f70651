//! The link from a root to the next header's context.

use heliostat_tezos_context::ContextHash;
use heliostat_tezos_verifier::commit::{Message, commit_of, find_message, find_operations};
use heliostat_tezos_verifier::{Fitness, Header, RawFitness, defaults};

mod common;

const ROOT: &str = "CoW5kYht3mLj3GGu5wpDCfg4EYXLxNQ8J72oSW1d9rGjoEFdGk1y";

fn header() -> Header {
    common::header(Fitness {
        level: 12,
        locked_round: Some(0),
        predecessor_round: 1,
        round: 2,
    })
}

/// The mainnet vector has the header of level 15,181,988 and the commit tail
/// of 15,181,987: what a commit needs of that level's header is there.
#[test]
fn a_real_root_makes_the_context_of_the_real_next_header() {
    let Some(vector) = common::mainnet() else {
        return;
    };
    let next = Header::from_raw_hex(vector["raw_header_15181988"].as_str().expect("hex"))
        .expect("a mainnet header");
    let parent = "CoVzMaq1mBmgYYxFv4JqLXvdd6GTh4FrUkAVXgDAQRmZxiewfQbh";
    let fitness = Fitness {
        level: 15_181_987,
        locked_round: None,
        predecessor_round: 0,
        round: 0,
    };
    let before = Header {
        level: 15_181_987,
        timestamp: 1_790_845_255,
        fitness: fitness.write(),
        context: parent.parse().expect("a context hash"),
        ..next.clone()
    };
    let root: ContextHash = ROOT.parse().expect("a context hash");
    assert_eq!(find_operations(&before, root, next.context), Ok(Some(79)));
    let commit = commit_of(&before, root, Message::Operations(79), None).expect("Tenderbake");
    assert_eq!(commit.hash(), next.context);
    let other = commit_of(&before, root, Message::Operations(80), None).expect("Tenderbake");
    assert_ne!(other.hash(), next.context);
    // Another root has no count.
    assert_eq!(
        find_operations(&before, parent.parse().expect("a hash"), next.context),
        Ok(None)
    );
}

#[test]
fn the_count_is_found_from_none_to_the_most() {
    let header = header();
    let root = ContextHash([9; 32]);
    for count in [0, 1, 79, defaults::MOST_OPERATIONS] {
        let commit =
            commit_of(&header, root, Message::Operations(count), None).expect("Tenderbake");
        assert_eq!(
            find_operations(&header, root, commit.hash()),
            Ok(Some(count))
        );
    }
    let more = Message::Operations(defaults::MOST_OPERATIONS + 1);
    let commit = commit_of(&header, root, more, None).expect("Tenderbake");
    assert_eq!(find_operations(&header, root, commit.hash()), Ok(None));
}

#[test]
fn the_first_block_of_a_protocol_has_an_empty_message() {
    let header = header();
    let root = ContextHash([9; 32]);
    let commit = commit_of(&header, root, Message::Empty, None).expect("Tenderbake");
    assert_eq!(commit.message, "");
    assert_eq!(
        find_message(&header, root, commit.hash(), None),
        Ok(Some(Message::Empty))
    );
}

#[test]
fn before_mumbai_the_parent_is_the_predecessors_context() {
    let header = header();
    let (root, parent) = (ContextHash([9; 32]), ContextHash([8; 32]));
    let own = commit_of(&header, root, Message::Operations(5), Some(parent)).expect("Tenderbake");
    let found = find_message(&header, root, own.hash(), Some(parent));
    assert_eq!(found, Ok(Some(Message::Operations(5))));
    assert_eq!(find_message(&header, root, own.hash(), None), Ok(None));
}

#[test]
fn a_header_without_tenderbakes_fitness_makes_no_commit() {
    let mut header = header();
    header.fitness = RawFitness(vec![vec![1], vec![0; 8]]);
    assert!(commit_of(&header, ContextHash([9; 32]), Message::Empty, None).is_err());
}
