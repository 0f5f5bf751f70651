//! Rights and quorums over a committee made here, with real signatures of
//! all kinds, and everything that must not count.

use heliostat_tezos_verifier::finality::{
    Attestation, Attesters, Member, Parameters, Quorum, Refusal, Rights, StakeInfo, Vote,
    verify_quorum,
};
use heliostat_tezos_verifier::{ChainId, KeyKind, PayloadHash};

mod common;

use common::committee::{Committee, dal};

const CHAIN: ChainId = ChainId([0x7a, 0x06, 0xa7, 0x70]);

const VOTE: Vote = Vote {
    level: 100,
    round: 1,
    payload_hash: PayloadHash([7; 32]),
};

const PARAMETERS: Parameters = Parameters {
    committee_size: 120,
    threshold_size: 81,
};

const SEED: [u8; 32] = [4; 32];

fn rights(committee: &Committee) -> Rights {
    Rights::drawn(&committee.sampler(), &SEED, 17, &PARAMETERS)
}

fn count(rights: &Rights, attestations: &[Attestation]) -> Quorum {
    verify_quorum(&CHAIN, rights, &VOTE, attestations)
}

#[test]
fn everybody_attesting_is_the_whole_committee() {
    let committee = Committee::new();
    let rights = rights(&committee);
    let quorum = count(&rights, &committee.attest_all(&rights, &CHAIN, &VOTE));
    assert_eq!(quorum.refused, []);
    assert_eq!(
        (quorum.power, quorum.committee, quorum.threshold),
        (120, 120, 81)
    );
    assert_eq!(quorum.unverified, 0);
    assert!(quorum.reached());
    let signers = quorum.signers;
    assert_eq!(
        (signers.ed25519, signers.secp256k1, signers.p256),
        (3, 2, 2)
    );
    assert_eq!((signers.bls, signers.aggregated), (0, 5));
    assert_eq!(quorum.to_string(), "quorum: 120 of 120 attested, 81 needed");
}

#[test]
fn each_baker_counts_with_the_slots_it_drew() {
    let committee = Committee::new();
    let rights = rights(&committee);
    assert_eq!(
        rights.all().iter().map(|right| right.power).sum::<u64>(),
        120
    );
    for right in rights.all() {
        let one = committee.attest(right, &CHAIN, &VOTE, None);
        let quorum = count(&rights, &[one]);
        assert_eq!(quorum.power, right.power, "{:?}", quorum.refused);
        assert!(!quorum.reached());
    }
}

#[test]
fn the_threshold_is_reached_exactly_at_its_power() {
    let committee = Committee::new();
    let rights = rights(&committee);
    let mut attestations = vec![];
    let mut power = 0;
    for right in rights.all() {
        attestations.push(committee.attest(right, &CHAIN, &VOTE, None));
        power += right.power;
        let quorum = count(&rights, &attestations);
        assert_eq!(quorum.power, power);
        assert_eq!(quorum.reached(), power >= 81);
    }
}

#[test]
fn dal_content_is_signed_alone_and_in_aggregates() {
    let committee = Committee::new();
    let rights = rights(&committee);
    for right in rights.all() {
        let is_bls = right.baker.key.kind() == KeyKind::Bls;
        if is_bls && right.baker.companion.is_none() {
            continue;
        }
        let mut one = committee.attest(right, &CHAIN, &VOTE, Some(dal(0x8001)));
        assert_eq!(
            count(&rights, std::slice::from_ref(&one)).power,
            right.power
        );
        // Saying something else of the DAL is another message.
        one.attesters = Attesters::One(Member {
            slot: right.slot,
            dal: Some(dal(0x8003)),
        });
        assert_eq!(count(&rights, std::slice::from_ref(&one)).power, 0);
        one.attesters = Attesters::One(Member {
            slot: right.slot,
            dal: None,
        });
        assert_eq!(count(&rights, &[one]).power, 0);
    }
    let bls: Vec<_> = rights
        .all()
        .iter()
        .filter(|right| right.baker.key.kind() == KeyKind::Bls)
        .collect();
    let contents = |n: usize| n.is_multiple_of(2).then(|| dal(n as u128 * 77));
    let aggregate = committee.aggregate(&bls, &CHAIN, &VOTE, contents);
    let power = bls.iter().map(|right| right.power).sum::<u64>();
    assert_eq!(
        count(&rights, std::slice::from_ref(&aggregate)).power,
        power
    );
    let mut forged = aggregate;
    let Attesters::Aggregate(members) = &mut forged.attesters else {
        panic!("an aggregate")
    };
    members[1].dal = Some(dal(1));
    let quorum = count(&rights, &[forged]);
    assert_eq!(quorum.power, 0);
    assert!(matches!(quorum.refused[0].reason, Refusal::Signature(_)));
}

#[test]
fn a_bls_key_may_sign_its_slot_where_there_are_no_aggregates() {
    let committee = Committee::new();
    let rights = rights(&committee);
    let right = rights
        .all()
        .iter()
        .find(|right| right.baker.key.kind() == KeyKind::Bls);
    let right = right.expect("a baker with a BLS key");
    let plain = committee.attest_plainly(right, &CHAIN, &VOTE);
    assert_eq!(count(&rights, &[plain]).power, right.power);
}

#[test]
fn another_level_round_payload_chain_or_watermark_does_not_count() {
    let committee = Committee::new();
    let rights = rights(&committee);
    for other in [
        Vote { level: 101, ..VOTE },
        Vote { round: 0, ..VOTE },
        Vote {
            payload_hash: PayloadHash([8; 32]),
            ..VOTE
        },
    ] {
        let attestations = committee.attest_all(&rights, &CHAIN, &other);
        let quorum = count(&rights, &attestations);
        assert_eq!(quorum.power, 0);
        assert_eq!(quorum.refused.len(), attestations.len());
        assert!(
            quorum
                .refused
                .iter()
                .all(|refused| refused.reason == Refusal::Vote(other))
        );
        // Claiming to be the vote asked for breaks the signatures.
        let claiming = attestations
            .into_iter()
            .map(|one| Attestation { vote: VOTE, ..one });
        let quorum = count(&rights, &claiming.collect::<Vec<_>>());
        assert_eq!(quorum.power, 0);
        assert!(
            quorum
                .refused
                .iter()
                .all(|one| matches!(one.reason, Refusal::Signature(_)))
        );
    }
    let elsewhere = committee.attest_all(&rights, &ChainId([1; 4]), &VOTE);
    assert_eq!(count(&rights, &elsewhere).power, 0);
    // Watermark 12 is a preattestation's.
    let pre = committee.attest_all_with(0x12, &rights, &CHAIN, &VOTE);
    assert_eq!(count(&rights, &pre).power, 0);
}

#[test]
fn a_branch_that_was_not_signed_does_not_count() {
    let committee = Committee::new();
    let rights = rights(&committee);
    let mut attestations = committee.attest_all(&rights, &CHAIN, &VOTE);
    for one in &mut attestations {
        one.branch.0[0] ^= 1;
    }
    assert_eq!(count(&rights, &attestations).power, 0);
}

#[test]
fn nobody_counts_twice_or_in_another_slot() {
    let committee = Committee::new();
    let rights = rights(&committee);
    let all = committee.attest_all(&rights, &CHAIN, &VOTE);
    let twice = [all.clone(), all.clone()].concat();
    let quorum = count(&rights, &twice);
    assert_eq!(quorum.power, 120);
    assert_eq!(quorum.refused.len(), all.len());
    assert!(
        quorum
            .refused
            .iter()
            .all(|one| matches!(one.reason, Refusal::Twice(_)))
    );
    // Alone, then in the aggregate: the whole aggregate falls.
    let bls = rights
        .all()
        .iter()
        .find(|right| right.baker.key.kind() == KeyKind::Bls);
    let alone = committee.attest(bls.expect("a BLS key"), &CHAIN, &VOTE, None);
    let quorum = count(&rights, &[vec![alone], all.clone()].concat());
    assert_eq!(quorum.refused.len(), 1);
    assert!(matches!(quorum.refused[0].reason, Refusal::Twice(_)));
    // A later slot of the same baker, and a slot beyond the committee.
    let classic = rights
        .all()
        .iter()
        .find(|right| right.baker.key.kind() == KeyKind::Ed25519);
    let right = classic.expect("an Ed25519 key");
    let later = (0..120).find(|slot| {
        rights.at_slot(*slot).is_none() && committee.owner(&SEED, 17, *slot) == right.baker
    });
    for slot in [later.expect("a baker of several slots"), 120, u16::MAX] {
        let moved = committee.attest_at(slot, right, &CHAIN, &VOTE);
        let quorum = count(&rights, &[moved]);
        assert_eq!(quorum.refused[0].reason, Refusal::Slot(slot));
    }
    // Another baker's slot.
    let other = rights
        .all()
        .iter()
        .find(|other| other.baker != right.baker)
        .expect("another");
    let stolen = committee.attest_at(other.slot, right, &CHAIN, &VOTE);
    let quorum = count(&rights, &[stolen]);
    assert!(matches!(quorum.refused[0].reason, Refusal::Signature(_)));
}

#[test]
fn aggregates_are_of_distinct_bls_keys_only() {
    let committee = Committee::new();
    let rights = rights(&committee);
    let bls: Vec<_> = rights
        .all()
        .iter()
        .filter(|right| right.baker.key.kind() == KeyKind::Bls)
        .collect();
    let good = committee.aggregate(&bls, &CHAIN, &VOTE, |_| None);
    let members = |members: Vec<Member>| Attestation {
        attesters: Attesters::Aggregate(members),
        ..good.clone()
    };
    let Attesters::Aggregate(all) = good.attesters.clone() else {
        panic!("an aggregate")
    };
    let refusal = |attestation| count(&rights, &[attestation]).refused[0].reason.clone();
    assert_eq!(refusal(members(vec![])), Refusal::Empty);
    let twice = [all.clone(), all[..1].to_vec()].concat();
    assert_eq!(refusal(members(twice)), Refusal::Twice(all[0].slot));
    let classic = rights
        .all()
        .iter()
        .find(|right| right.baker.key.kind() == KeyKind::P256);
    let slot = classic.expect("a P-256 key").slot;
    let mixed = [all.clone(), vec![Member { slot, dal: None }]].concat();
    assert_eq!(refusal(members(mixed)), Refusal::NotBls(slot));
    assert!(matches!(
        refusal(members(all[1..].to_vec())),
        Refusal::Signature(_)
    ));
    // Committee's baker 11 has a BLS key and no companion.
    let lonely = committee.baker(11);
    let right = rights
        .all()
        .iter()
        .find(|right| right.baker == lonely)
        .expect("its right");
    let mut one = committee.attest(right, &CHAIN, &VOTE, None);
    one.attesters = Attesters::Aggregate(vec![Member {
        slot: right.slot,
        dal: Some(dal(2)),
    }]);
    assert_eq!(refusal(one), Refusal::NoCompanion(right.slot));
}

#[test]
fn power_of_keys_that_cannot_be_verified_is_counted_apart() {
    let mut committee = Committee::new();
    committee.make_unverifiable(0);
    let rights = rights(&committee);
    let attestations = committee.attest_all(&rights, &CHAIN, &VOTE);
    let quorum = count(&rights, &attestations);
    let unknown = rights
        .all()
        .iter()
        .find(|right| right.baker.key.kind() == KeyKind::MlDsa44);
    let power = unknown.expect("a tz5 baker").power;
    assert_eq!((quorum.power, quorum.unverified), (120 - power, power));
    // Only this baker and enough others that it would tip the scale.
    let mut fewer = vec![];
    let mut sum = 0;
    for (right, one) in committee.singles(&rights, &CHAIN, &VOTE) {
        if right.baker.key.kind() == KeyKind::MlDsa44 || sum + right.power < 81 {
            sum += if right.baker.key.kind() == KeyKind::MlDsa44 {
                0
            } else {
                right.power
            };
            fewer.push(one);
        }
    }
    let quorum = count(&rights, &fewer);
    assert!(!quorum.reached());
    assert_eq!(quorum.hangs_on_unverified(), quorum.power + power >= 81);
    assert!(quorum.to_string().contains("tz5"), "{quorum}");
}

#[test]
fn all_bakers_attest_with_their_stake() {
    let committee = Committee::new();
    let stakes: Vec<u64> = (0..12).map(|n| 1_000 + n * 100).collect();
    let info = StakeInfo::decode(&committee.stake_info(&stakes)).expect("a stake list");
    let rights = Rights::of_stake(&info, &PARAMETERS);
    let total: u64 = stakes.iter().sum();
    assert_eq!(rights.committee(), total);
    assert_eq!(rights.threshold(), total / 120 * 81);
    let quorum = count(&rights, &committee.attest_all(&rights, &CHAIN, &VOTE));
    assert_eq!((quorum.power, quorum.refused.len()), (total, 0));
    assert!(quorum.reached());
    for (slot, right) in rights.all().iter().enumerate() {
        assert_eq!((usize::from(right.slot), right.power), (slot, stakes[slot]));
    }
}

#[test]
fn an_empty_committee_has_no_quorum() {
    let parameters = Parameters {
        committee_size: 0,
        threshold_size: 0,
    };
    let rights = Rights::drawn(&Committee::new().sampler(), &SEED, 17, &parameters);
    assert!(!count(&rights, &[]).reached());
}
