//! Attestations as bytes and as JSON: goldens of Octez's codec, round trips,
//! hostile bytes, and what a payload covers.

use heliostat_tezos_verifier::finality::{
    Attestation, Attesters, DalContent, Member, PayloadError, Vote, check_payload,
};
use heliostat_tezos_verifier::{
    BlockHash, ChainId, Contents, ContextHash, Fitness, Header, OperationHash, PayloadHash,
    Signature, defaults, operations,
};
use proptest::prelude::*;
use serde_json::json;

/// Unsigned operations as `octez-codec` encodes them for 025 (regression
/// output of tezt's `encoding.ml`): attestation, with DAL content, aggregate.
const GOLDENS: [&str; 3] = [
    "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a815000000000533000000000000000000000000000000000000000000000000000000000000000000000000",
    "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8170000000005330000000000000000000000000000000000000000000000000000000000000000000000008020",
    "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a81f00000533000000000000000000000000000000000000000000000000000000000000000000000000000000100000000017ff80200033ff00037dff01",
];

const BRANCH: &str = "BKpbfCvh777DQHnXjU2sqHvVUNZ7dBAdqEfKkdw8EGSkD9LSYXb";

fn one(attesters: Attesters, signature: &[u8]) -> Attestation {
    let vote = Vote {
        level: 1331,
        round: 0,
        payload_hash: PayloadHash([0; 32]),
    };
    Attestation {
        branch: BRANCH.parse().expect("a block hash"),
        vote,
        attesters,
        signature: Signature::from_bytes(signature).expect("a signature's length"),
    }
}

fn member(slot: u16, dal: Option<u128>) -> Member {
    let dal = dal.map(|bits| DalContent::from_bits(&bits.to_le_bytes()));
    Member { slot, dal }
}

fn encode(attestation: &Attestation) -> Vec<u8> {
    [
        attestation.branch.as_bytes().as_slice(),
        &attestation.encode_data(),
    ]
    .concat()
}

#[test]
fn the_codecs_goldens_are_read_and_written() {
    let aggregate = vec![
        member(0, None),
        member(23, Some(2048)),
        member(51, Some(0)),
        member(893, Some(1)),
    ];
    let expected = [
        one(Attesters::One(member(0, None)), &[7; 64]),
        one(Attesters::One(member(0, Some(2048))), &[7; 64]),
        one(Attesters::Aggregate(aggregate), &[7; 96]),
    ];
    for (golden, expected) in GOLDENS.iter().zip(expected) {
        let signature = expected.signature.as_bytes();
        // A longer signature announces its first bytes.
        let tag: &[u8] = if signature.len() == 96 {
            &[0xff, 3]
        } else {
            &[]
        };
        let bytes = [
            hex::decode(golden).expect("hex"),
            tag.to_vec(),
            signature.to_vec(),
        ]
        .concat();
        assert_eq!(Attestation::decode(&bytes), Ok(Some(expected.clone())));
        assert_eq!(hex::encode(encode(&expected)), hex::encode(&bytes));
        let data = &bytes[32..];
        assert_eq!(
            expected.hash(),
            operations::operation_hash(&expected.branch, data)
        );
        // What a classic key signs: watermark, chain, the golden.
        let signed = expected.signed_bytes(&ChainId([1, 2, 3, 4]));
        assert_eq!(hex::encode(&signed), format!("1301020304{golden}"));
        let bls = expected.bls_signed_bytes(&ChainId([1, 2, 3, 4]));
        let vote =
            "000005330000000000000000000000000000000000000000000000000000000000000000000000000";
        let branch = &golden[..64];
        assert!(hex::encode(bls).starts_with(&format!("1301020304{branch}29{}", &vote[..80])));
    }
}

#[test]
fn a_nodes_json_is_read() {
    let single = one(Attesters::One(member(5, Some(2048))), &[7; 64]);
    let json = json!({
        "protocol": "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY",
        "hash": single.hash(),
        "branch": BRANCH,
        "contents": [{
            "kind": "attestation_with_dal", "slot": 5, "level": 1331, "round": 0,
            "block_payload_hash": PayloadHash([0; 32]), "dal_attestation": "2048"
        }],
        "signature": single.signature,
    });
    assert_eq!(Attestation::from_json(&json), Ok(Some(single)));

    let members = vec![member(1, None), member(9, Some(3))];
    let aggregate = one(Attesters::Aggregate(members), &[7; 96]);
    let json = json!({
        "branch": BRANCH,
        "contents": [{
            "kind": "attestations_aggregate",
            "consensus_content":
                {"level": 1331, "round": 0, "block_payload_hash": PayloadHash([0; 32])},
            "committee": [{"slot": 1}, {"slot": 9, "dal_attestation": "3"}],
            "metadata": {}
        }],
        "signature": aggregate.signature,
    });
    assert_eq!(Attestation::from_json(&json), Ok(Some(aggregate)));
}

#[test]
fn other_operations_are_none_and_broken_ones_are_errors() {
    let good = json!({
        "branch": BRANCH,
        "contents": [{"kind": "attestation", "slot": 5, "level": 1331, "round": 0,
            "block_payload_hash": PayloadHash([0; 32])}],
        "signature": Signature::from_bytes(&[7; 64]).expect("a signature's length"),
    });
    assert!(matches!(Attestation::from_json(&good), Ok(Some(_))));
    for (path, value) in [
        ("/contents/0/kind", json!("preattestation")),
        ("/contents/0/kind", json!("transaction")),
        ("/contents", json!([])),
    ] {
        let mut other = good.clone();
        *other.pointer_mut(path).expect("a field") = value;
        assert_eq!(Attestation::from_json(&other), Ok(None), "{path}");
    }
    let mut pruned = good.clone();
    pruned
        .as_object_mut()
        .expect("an object")
        .remove("signature");
    assert_eq!(Attestation::from_json(&pruned), Ok(None));
    for (path, value) in [
        ("/contents/0/slot", json!(65_536)),
        ("/contents/0/slot", json!(-1)),
        ("/contents/0/level", json!("1331")),
        ("/contents/0/block_payload_hash", json!(BRANCH)),
        ("/branch", json!("B")),
        ("/signature", json!(7)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).expect("a field") = value;
        assert!(Attestation::from_json(&bad).is_err(), "{path}");
    }
}

#[test]
fn bytes_of_other_operations_are_none_and_wrong_lengths_errors() {
    let single = encode(&one(Attesters::One(member(1, None)), &[7; 64]));
    for end in 0..single.len() {
        assert!(Attestation::decode(&single[..end]).is_err(), "{end}");
    }
    let good = encode(&one(Attesters::Aggregate(vec![member(1, None)]), &[7; 96]));
    // Up to 63 bytes of signature: 64 would be a classic one.
    for end in 0..good.len() - 35 {
        assert!(Attestation::decode(&good[..end]).is_err(), "{end}");
    }
    assert!(Attestation::decode(&[good.clone(), vec![0]].concat()).is_err());
    let mut other = good.clone();
    other[32] = 20;
    assert_eq!(Attestation::decode(&other), Ok(None));
    // The committee's length, after tag, level, round and payload hash.
    let mut long = good.clone();
    long[73..77].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(Attestation::decode(&long).is_err());
    let huge = vec![0x15; defaults::MOST_OPERATION_BYTES + 1];
    assert!(Attestation::decode(&huge).is_err());
}

/// A header whose payload is that of these operations.
fn header(passes: &[Vec<OperationHash>]) -> Header {
    let predecessor = BlockHash([1; 32]);
    let rest = passes.iter().skip(1).flatten();
    let contents = Contents {
        payload_hash: operations::payload_hash(&predecessor, 2, rest),
        payload_round: 2,
        proof_of_work_nonce: [0; 8],
        seed_nonce_hash: None,
        votes: 0,
        signature: Signature::from_bytes(&[0; 64]).expect("a signature's length"),
    };
    let fitness = Fitness {
        level: 9,
        locked_round: Some(2),
        predecessor_round: 0,
        round: 3,
    };
    Header {
        level: 9,
        proto: 1,
        predecessor,
        timestamp: 0,
        validation_passes: 4,
        operations_hash: operations::operations_hash(passes),
        fitness: fitness.write(),
        context: ContextHash([3; 32]),
        protocol_data: contents.encode(),
    }
}

#[test]
fn a_payload_binds_predecessor_round_and_operations() {
    let hash = |n| OperationHash([n; 32]);
    let passes = [
        vec![hash(1), hash(2)],
        vec![],
        vec![hash(3)],
        vec![hash(4), hash(5)],
    ];
    let header = header(&passes);
    let contents = header.contents().expect("protocol data");
    let vote = Vote {
        level: 9,
        round: 3,
        payload_hash: contents.payload_hash,
    };
    assert_eq!(check_payload(&header, &passes), Ok(vote));

    let mut fewer = passes.clone();
    fewer[3].pop();
    assert!(matches!(
        check_payload(&header, &fewer),
        Err(PayloadError::Operations { .. })
    ));
    let mut elsewhere = header.clone();
    elsewhere.predecessor = BlockHash([2; 32]);
    assert!(matches!(
        check_payload(&elsewhere, &passes),
        Err(PayloadError::Payload { .. })
    ));
    let mut later = header.clone();
    later.protocol_data = Contents {
        payload_round: 3,
        ..contents
    }
    .encode();
    assert!(matches!(
        check_payload(&later, &passes),
        Err(PayloadError::Payload { .. })
    ));
    // Consensus operations are no part of the payload, but of the block.
    let mut silent = passes.clone();
    silent[0].clear();
    let mut lighter = header.clone();
    lighter.operations_hash = operations::operations_hash(&silent);
    assert_eq!(check_payload(&lighter, &silent), Ok(vote));
    assert!(matches!(
        check_payload(&header, &silent),
        Err(PayloadError::Operations { .. })
    ));
    lighter.protocol_data.clear();
    assert!(matches!(
        check_payload(&lighter, &silent),
        Err(PayloadError::Header(_))
    ));
}

proptest! {
    #[test]
    fn every_attestation_is_read_back(
        slots in prop::collection::vec((any::<u16>(), any::<Option<u128>>()), 1..20),
        level in any::<i32>(),
        round in any::<i32>(),
        together in any::<bool>(),
        kind in 0_usize..3,
    ) {
        let members: Vec<_> = slots.iter().map(|(slot, dal)| member(*slot, *dal)).collect();
        let attesters = match together {
            true => Attesters::Aggregate(members),
            false => Attesters::One(members[0].clone()),
        };
        let signature = vec![9; [64, 96, 2_420][kind]];
        let mut attestation = one(attesters, &signature);
        attestation.vote = Vote { level, round, ..attestation.vote };
        prop_assert_eq!(Attestation::decode(&encode(&attestation)), Ok(Some(attestation)));
    }

    #[test]
    fn hostile_bytes_never_panic(
        tag in prop::sample::select(vec![21_u8, 23, 31]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [vec![0; 32], vec![tag], bytes].concat();
        if let Ok(Some(read)) = Attestation::decode(&bytes) {
            prop_assert_eq!(encode(&read), bytes);
        }
    }
}
