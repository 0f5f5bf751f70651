use heliostat_tezos_verifier::{ContextHash, Fitness, OperationListListHash};

use super::*;

/// A Tenderbake header after `before`; `salt` tells branches apart.
fn after(before: &Header, salt: u8) -> Header {
    let level = before.level + 1;
    Header {
        level,
        proto: 1,
        predecessor: before.hash(),
        timestamp: before.timestamp + 6,
        validation_passes: 4,
        operations_hash: OperationListListHash([salt; 32]),
        fitness: Fitness {
            level,
            locked_round: None,
            predecessor_round: 0,
            round: 0,
        }
        .write(),
        context: ContextHash([salt; 32]),
        protocol_data: vec![salt; 80],
    }
}

fn first() -> Header {
    let mut first = after(
        &Header {
            level: 99,
            proto: 1,
            predecessor: BlockHash([0; 32]),
            timestamp: 1_000,
            validation_passes: 4,
            operations_hash: OperationListListHash([0; 32]),
            fitness: Fitness {
                level: 99,
                locked_round: None,
                predecessor_round: 0,
                round: 0,
            }
            .write(),
            context: ContextHash([0; 32]),
            protocol_data: vec![0; 80],
        },
        0,
    );
    first.predecessor = BlockHash([9; 32]);
    first
}

/// `length` headers from level 100 on.
fn branch(length: usize) -> Vec<Header> {
    let mut headers = vec![first()];
    while headers.len() < length {
        headers.push(after(&headers[headers.len() - 1], 0));
    }
    headers
}

fn with(headers: &[Header], n: usize) -> Chain {
    let mut chain = Chain::new(n);
    for header in headers {
        assert_eq!(chain.insert(header.hash(), header.clone()), Ok(true));
    }
    chain
}

#[test]
fn the_head_is_the_newest_block_that_enough_endpoints_descend_from() {
    let headers = branch(5);
    let mut chain = with(&headers, 3);
    chain.set_head(0, &headers[4].hash());
    chain.set_head(1, &headers[3].hash());
    chain.set_head(2, &headers[1].hash());
    let level = |chain: &Chain, needed| chain.agreed_head(needed).map(|place| place.header.level);
    assert_eq!(level(&chain, 1), Some(104));
    assert_eq!(level(&chain, 2), Some(103));
    assert_eq!(level(&chain, 3), Some(101));
    assert_eq!(chain.support(&headers[0].hash()), 3);
    chain.dismiss(2);
    assert_eq!(level(&chain, 3), None);
}

#[test]
fn an_endpoint_that_changes_branch_no_longer_stands_behind_the_old_one() {
    let headers = branch(3);
    let mut chain = with(&headers, 2);
    chain.set_head(0, &headers[2].hash());
    chain.set_head(1, &headers[2].hash());
    let other = after(&headers[1], 7);
    chain.insert(other.hash(), other.clone()).unwrap();
    chain.set_head(1, &other.hash());
    assert_eq!(chain.support(&headers[2].hash()), 1);
    assert_eq!(chain.support(&headers[1].hash()), 2);
    assert_eq!(chain.agreed_head(2).unwrap().hash, headers[1].hash());
}

#[test]
fn a_header_with_another_hash_or_a_broken_link_is_refused() {
    let headers = branch(2);
    let mut chain = with(&headers, 1);
    let mut forged = after(&headers[1], 1);
    assert_eq!(
        chain.insert(BlockHash([1; 32]), forged.clone()),
        Err(Refused::Hash(forged.hash()))
    );
    forged.timestamp = headers[1].timestamp;
    assert!(matches!(
        chain.insert(forged.hash(), forged),
        Err(Refused::Link(_))
    ));
}

#[test]
fn a_gap_is_found_and_once_filled_counts_for_the_blocks_below() {
    let headers = branch(6);
    let mut chain = Chain::new(2);
    for header in &headers[..2] {
        chain.insert(header.hash(), header.clone()).unwrap();
    }
    chain.set_head(0, &headers[1].hash());
    chain.insert(headers[5].hash(), headers[5].clone()).unwrap();
    assert_eq!(chain.gap(&headers[5].hash(), 10), Some(headers[4].hash()));
    for header in headers[2..5].iter().rev() {
        chain.insert(header.hash(), header.clone()).unwrap();
    }
    chain.set_head(1, &headers[5].hash());
    assert_eq!(chain.support(&headers[1].hash()), 2);
    assert!(chain.descends(&headers[5].hash(), &headers[0].hash()));
    assert!(!chain.descends(&headers[0].hash(), &headers[5].hash()));
    assert_eq!(
        chain.ancestor(&headers[5].hash(), 5),
        Some(headers[0].hash())
    );
    assert_eq!(
        chain.children(&headers[2].hash())[0].hash,
        headers[3].hash()
    );
}

#[test]
fn a_head_that_is_not_connected_says_nothing_about_older_blocks() {
    let headers = branch(8);
    let mut chain = Chain::new(1);
    for header in &headers[..3] {
        chain.insert(header.hash(), header.clone()).unwrap();
    }
    chain.set_head(0, &headers[2].hash());
    chain.insert(headers[7].hash(), headers[7].clone()).unwrap();
    chain.set_head(0, &headers[7].hash());
    assert_eq!(chain.support(&headers[7].hash()), 1);
    assert_eq!(chain.support(&headers[2].hash()), 0);
}

#[test]
fn what_one_endpoint_claims_far_above_does_not_hide_the_head_of_the_others() {
    let headers = branch(4);
    let mut chain = with(&headers, 3);
    chain.set_head(0, &headers[3].hash());
    chain.set_head(1, &headers[3].hash());
    let mut far = after(&headers[3], 5);
    far.level = i32::MAX;
    far.predecessor = BlockHash([5; 32]);
    chain.insert(far.hash(), far.clone()).unwrap();
    chain.set_head(2, &far.hash());
    assert_eq!(chain.agreed_head(2).unwrap().hash, headers[3].hash());
    assert!(chain.agreed_head(3).is_none());
    assert!(chain.agreed_head(0).is_none());
}

#[test]
fn a_flood_of_headers_is_bounded_and_costs_nobody_its_branch() {
    let headers = branch(4);
    let mut chain = with(&headers, 2);
    chain.set_head(0, &headers[3].hash());
    let mut fake = after(&headers[3], 5);
    for number in 0..10 * defaults::HEADERS {
        fake.timestamp += 1;
        fake.level = 1_000_000 + i32::try_from(number).unwrap();
        fake.predecessor = BlockHash([6; 32]);
        chain.insert(fake.hash(), fake.clone()).unwrap();
        chain.set_head(1, &fake.hash());
    }
    assert!(chain.headers.len() <= 3 * defaults::HEADERS + 1);
    assert!(chain.after.len() <= 3 * defaults::HEADERS + 1);
    assert_eq!(chain.agreed_head(1).unwrap().hash, fake.hash());
    assert!(headers.iter().all(|h| chain.header(&h.hash()).is_some()));
}
