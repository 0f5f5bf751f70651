use super::*;

fn full(salt: u8) -> Vote {
    Vote::Root(Root::Full(ContextHash([salt; 32])))
}

fn data(salt: u8) -> Vote {
    Vote::Root(Root::Data(ContextHash([salt; 32])))
}

fn asked(n: usize, needed: usize) -> Board {
    let board = Board::new(n, needed);
    for endpoint in 0..n {
        assert!(board.ask(endpoint));
        assert!(!board.ask(endpoint));
    }
    board
}

#[test]
fn a_majority_pins_as_soon_as_it_is_there() {
    let board = asked(3, 2);
    board.cast(2, full(1), None);
    assert_eq!(board.decide(false), Decision::Open);
    board.cast(0, full(1), None);
    let root = Root::Full(ContextHash([1; 32]));
    assert_eq!(board.pinned(), Some(root));
    assert_eq!(board.support(&root), 2);
    // A late vote counts as well, on either side.
    board.cast(1, full(9), None);
    assert_eq!(board.support(&root), 2);
    assert_eq!(board.against(&root).len(), 1);
}

#[test]
fn where_two_roots_could_win_everybody_is_heard_first() {
    let board = asked(4, 2);
    board.cast(3, full(9), None);
    board.cast(2, full(9), None);
    assert_eq!(board.decide(false), Decision::Open);
    assert!(board.is_reached());
    board.cast(0, full(1), None);
    board.cast(1, full(1), None);
    // A tie goes to the list's order, as in Octez.
    assert_eq!(board.pinned(), Some(Root::Full(ContextHash([1; 32]))));
}

#[test]
fn too_few_are_never_enough() {
    let board = asked(3, 3);
    board.cast(0, full(1), None);
    board.cast(1, full(1), None);
    board.cast(2, full(9), None);
    assert_eq!(board.decide(false), Decision::Failed(2));
    assert_eq!(board.pinned(), None);
    let board = asked(2, 2);
    board.cast(0, full(1), None);
    board.cast(1, Vote::Failed("away".into()), None);
    assert_eq!(board.decide(false), Decision::Failed(1));
    assert!(board.ask(1), "it may be asked again");
}

#[test]
fn a_vote_of_the_old_call_counts_where_the_directory_is_known_to_be_below() {
    let board = asked(2, 2);
    board.cast(1, data(5), None);
    board.cast(0, full(1), Some(ContextHash([5; 32])));
    let root = Root::Full(ContextHash([1; 32]));
    assert_eq!(board.pinned(), Some(root));
    assert_eq!(board.support(&root), 2);

    let board = asked(2, 2);
    board.cast(1, data(6), None);
    board.cast(0, full(1), Some(ContextHash([5; 32])));
    assert_eq!(board.decide(false), Decision::Failed(1));
}

#[test]
fn the_old_call_alone_can_pin_the_directory() {
    let board = asked(2, 2);
    board.cast(0, data(6), None);
    board.cast(1, data(6), None);
    assert_eq!(board.pinned(), Some(Root::Data(ContextHash([6; 32]))));
}

#[test]
fn a_liar_takes_its_vote_along() {
    let board = asked(2, 2);
    board.cast(0, full(1), None);
    board.cast(1, full(1), None);
    board.dismiss(1);
    assert_eq!(board.pinned(), None);
    assert_eq!(board.decide(false), Decision::Failed(1));
}

#[test]
fn a_refuted_root_is_not_pinned_by_votes_again_but_by_a_header() {
    let root = |salt| Root::Full(ContextHash([salt; 32]));
    let board = asked(3, 2);
    board.cast(0, full(1), None);
    board.cast(1, full(1), None);
    assert_eq!(board.pinned(), Some(root(1)));
    assert!(board.refute(root(1)) && !board.refute(root(1)));
    assert!(board.is_refuted(0) && !board.is_refuted(2));
    board.cast(2, full(2), None);
    assert_eq!(board.decide(false), Decision::Failed(1));
    assert_eq!(board.pinned(), None);
    // Another header says it after all.
    board.pin(root(1));
    assert_eq!(board.pinned(), Some(root(1)));
    assert!(!board.is_refuted(0));
}
