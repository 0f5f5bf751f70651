//! Whether a header stands right after another one.

use heliostat_tezos_verifier::{Fitness, Header, LinkError, RawFitness};

mod common;

/// A chain's block, good to follow `before`.
fn next(before: &Header) -> Header {
    let level = before.level + 1;
    let round = before.fitness().expect("a Tenderbake fitness").round;
    let fitness = Fitness {
        level,
        locked_round: None,
        predecessor_round: round,
        round: 0,
    };
    Header {
        level,
        predecessor: before.hash(),
        timestamp: before.timestamp + 6,
        fitness: fitness.write(),
        ..before.clone()
    }
}

fn first() -> Header {
    common::header(Fitness {
        level: 7,
        locked_round: None,
        predecessor_round: 0,
        round: 2,
    })
}

#[test]
fn a_header_follows_the_one_it_was_made_for() {
    let before = first();
    let after = next(&before);
    assert_eq!(after.follows(&before), Ok(()));
    assert_eq!(next(&after).follows(&after), Ok(()));
    assert!(matches!(
        next(&after).follows(&before),
        Err(LinkError::Predecessor { .. })
    ));
    assert!(matches!(
        before.follows(&after),
        Err(LinkError::Predecessor { .. })
    ));
}

#[test]
fn every_break_of_a_link_is_named() {
    let before = first();
    let good = next(&before);
    let broken = |change: fn(&mut Header)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad.follows(&before)
    };
    assert!(matches!(
        broken(|bad| bad.level += 1),
        Err(LinkError::Level { .. })
    ));
    assert!(matches!(
        broken(|bad| bad.timestamp -= 6),
        Err(LinkError::Timestamp { .. })
    ));
    assert!(matches!(
        broken(|bad| bad.proto += 2),
        Err(LinkError::Proto { .. })
    ));
    assert_eq!(broken(|bad| bad.proto += 1), Ok(()));
    let fitness = |fitness: Fitness| {
        let mut bad = good.clone();
        bad.fitness = fitness.write();
        bad.follows(&before)
    };
    let well = good.fitness().expect("a Tenderbake fitness");
    assert_eq!(fitness(well), Ok(()));
    assert!(matches!(
        fitness(Fitness { level: 7, ..well }),
        Err(LinkError::Fitness { .. })
    ));
    assert!(matches!(
        fitness(Fitness { level: 9, ..well }),
        Err(LinkError::Rounds { .. })
    ));
    let round = Fitness {
        predecessor_round: 1,
        ..well
    };
    assert!(matches!(fitness(round), Err(LinkError::Rounds { .. })));
    let mut emmy = good.clone();
    emmy.fitness = RawFitness(vec![vec![1], vec![0; 8]]);
    assert!(matches!(
        emmy.follows(&before),
        Err(LinkError::Malformed { .. })
    ));
}
