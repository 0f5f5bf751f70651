//! Headers: goldens of Octez's codec, the real header of the mainnet vector,
//! round trips, links, and hostile bytes.

use heliostat_tezos_verifier::header::{LiquidityBakingVote, Votes};
use heliostat_tezos_verifier::{
    BlockHash, ChainId, Contents, ContextHash, Error, Fitness, Header, Layout,
    OperationListListHash, PayloadHash, Protocol, ProtocolHash, RawFitness, Signature, defaults,
};
use proptest::prelude::*;
use serde_json::{Value, json};

mod common;

/// Bytes that `octez-codec encode 025-PsUshuai.block_header` gives for the
/// JSON of [`golden_json`] (regression output of tezt's `encoding.ml`; the
/// same for 013 Jakarta, and for alpha with an adaptive issuance vote "on").
const GOLDEN: &str = "00000533010e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8000000005e9dcbb00242e9bc4583d4f9fa6ba422733f45d3a44397141a953d2237bf8df62e5046eef700000011000000010100000008000000000000000a4c7319284b55068bb7c4e0b9f8585729db7fb27ab4ca9cff2038a1fc324f650c000000000000000000000000000000000000000000000000000000000000000000000000101895ca00000000ff043691f53c02ca1ac6f1a0c1586bf77973e04c2d9b618a8309e79651daf0d5580166804fe735e06e97e26da8236b6341b91c625d5e82b3524ec0a88cc982365e70f8a5b9bc65df2ea6d21ee244cc3a96fb33031c394c78b1179ff1b8a44237740c";

/// Offset of the votes byte in [`GOLDEN`], in bytes: before the signature.
const GOLDEN_VOTES: usize = GOLDEN.len() / 2 - 65;

fn golden_json(votes: &[(&str, Value)]) -> Value {
    let mut json = json!({
        "level": 1331,
        "proto": 1,
        "predecessor": "BKpbfCvh777DQHnXjU2sqHvVUNZ7dBAdqEfKkdw8EGSkD9LSYXb",
        "timestamp": "2020-04-20T16:20:00Z",
        "validation_pass": 2,
        "operations_hash": "LLoZqBDX1E2ADRXbmwYo8VtMNeHG6Ygzmm4Zqv97i91UPBQHy9Vq3",
        "fitness": ["01", "000000000000000a"],
        "context": "CoVDyf9y9gHfAkPWofBJffo4X4bWjmehH2LeVonDcCKKzyQYwqdk",
        "payload_hash": "vh1g87ZG6scSYxKhspAUzprQVuLAyoa5qMBKcUfjgnQGnFb3dJcG",
        "payload_round": 0,
        "proof_of_work_nonce": "101895ca00000000",
        "seed_nonce_hash": "nceUFoeQDgkJCmzdMWh19ZjBYqQD3N9fe6bXQ1ZsUKKvMn7iun5Z3",
        "signature": "sigbQ5ZNvkjvGssJgoAnUAfY4Wvvg3QZqawBYB1j1VDBNTMBAALnCzRHWzer34bnfmzgHg3EvwdzQKdxgSghB897cono6gbQ"
    });
    for (name, vote) in votes {
        json[*name] = vote.clone();
    }
    json
}

fn protocol(number: u8) -> ProtocolHash {
    let known = Protocol::known()
        .iter()
        .find(|known| known.number == number);
    known.expect("a protocol of the table").hash
}

#[test]
fn the_codecs_goldens_are_read_and_written_in_every_layout() {
    for (number, votes, byte) in [
        (
            12,
            vec![("liquidity_baking_escape_vote", json!(false))],
            0x00,
        ),
        (
            12,
            vec![("liquidity_baking_escape_vote", json!(true))],
            0xff,
        ),
        (
            13,
            vec![("liquidity_baking_toggle_vote", json!("off"))],
            0x01,
        ),
        (
            23,
            vec![
                ("liquidity_baking_toggle_vote", json!("off")),
                ("adaptive_issuance_vote", json!("on")),
            ],
            0x01,
        ),
        (
            24,
            vec![
                ("liquidity_baking_toggle_vote", json!("pass")),
                ("adaptive_issuance_vote", json!("pass")),
            ],
            0x0a,
        ),
        (
            25,
            vec![("liquidity_baking_toggle_vote", json!("off"))],
            0x01,
        ),
    ] {
        let mut bytes = hex::decode(GOLDEN).expect("hex");
        bytes[GOLDEN_VOTES] = byte;
        let mut json = golden_json(&votes);
        json["protocol"] = json!(protocol(number));
        let read = Header::from_json(&json).expect("the golden's JSON is a header");
        assert_eq!(
            hex::encode(read.encode()),
            hex::encode(&bytes),
            "protocol {number}"
        );
        let header = Header::decode(&bytes).expect("the golden's bytes are a header");
        assert_eq!(header, read);
        let chain = ChainId([0x7a, 0x06, 0xa7, 0x70]);
        let mut shown = header
            .json(&chain, &protocol(number))
            .expect("a known layout");
        assert_eq!(shown["hash"], json!(header.hash()));
        assert_eq!(shown["chain_id"], json!("NetXdQprcVkpaWU"));
        for extra in ["hash", "chain_id"] {
            shown.as_object_mut().expect("an object").remove(extra);
        }
        assert_eq!(shown, json);
    }
}

#[test]
fn the_parts_of_a_header_have_their_own_forms() {
    let header = Header::from_raw_hex(GOLDEN).expect("the golden is a header");
    assert_eq!(header.raw_hex(), GOLDEN);
    assert!(GOLDEN.ends_with(&header.protocol_data_hex()));
    let shell = header.shell_json();
    let data = header
        .protocol_data_json(&protocol(25))
        .expect("a known layout");
    let whole = golden_json(&[("liquidity_baking_toggle_vote", json!("off"))]);
    for (name, value) in whole.as_object().expect("an object") {
        let part = if shell.get(name).is_some() {
            &shell
        } else {
            &data
        };
        assert_eq!(&part[name], value, "{name}");
    }
    assert_eq!(shell.as_object().map(|fields| fields.len()), Some(8));
    let heads = header.heads_json();
    assert_eq!(heads["hash"], json!(header.hash()));
    assert_eq!(Header::from_json(&heads), Ok(header));
}

#[test]
fn a_protocol_of_tomorrow_keeps_its_raw_data_and_says_so() {
    let header = Header::from_raw_hex(GOLDEN).expect("the golden is a header");
    let unknown = ProtocolHash([9; 32]);
    let error = header
        .json(&ChainId([0; 4]), &unknown)
        .expect_err("an unknown layout");
    assert!(matches!(error, Error::UnknownProtocol { .. }), "{error}");
    assert!(error.to_string().contains(&unknown.to_string()));
    assert_eq!(Header::from_json(&header.heads_json()), Ok(header));
}

#[test]
fn the_real_header_has_its_hash_stamp_and_fitness() {
    let Some(vector) = common::mainnet() else {
        return;
    };
    let raw = vector["raw_header_15181988"].as_str().expect("hex");
    let header = Header::from_raw_hex(raw).expect("a mainnet header");
    assert_eq!(header.raw_hex(), raw);
    let hash = "BMMhJ4R65r5CBT3c9cRQfna28ApcqASYaN1oFepMxFmTF9zzR1M";
    assert_eq!(header.hash().to_string(), hash);
    let predecessor = "BKnYBS1N4ynPHFgCMGtQysLVUoqjTmdhrWqN3wDMJQyA6y1wKH9";
    assert_eq!(header.predecessor.to_string(), predecessor);
    assert_eq!(
        (header.level, header.proto, header.validation_passes),
        (15_181_988, 25, 4)
    );
    assert_eq!(header.timestamp, 1_790_845_261);
    let context = "CoWTER8ehrZZBoAEdT3TGYwYPczhK2R9mBWbPBHPpqRhhRCX8Bdc";
    assert_eq!(header.context.to_string(), context);
    let fitness = Fitness {
        level: 15_181_988,
        locked_round: None,
        predecessor_round: 0,
        round: 0,
    };
    assert_eq!(header.fitness(), Ok(fitness));
    assert_eq!(
        header.has_proof_of_work(defaults::MAINNET_PROOF_OF_WORK),
        Ok(true)
    );
    let mut idle = header.clone();
    // Last byte of the proof-of-work nonce: 32 + 4 + 8 bytes into the data.
    idle.protocol_data[43] ^= 1;
    assert_eq!(
        idle.has_proof_of_work(defaults::MAINNET_PROOF_OF_WORK),
        Ok(false)
    );
    let chain: ChainId = "NetXdQprcVkpaWU".parse().expect("mainnet's chain id");
    let json = header.json(&chain, &protocol(25)).expect("a known layout");
    assert_eq!(json["timestamp"], json!("2026-10-01T09:01:01Z"));
    assert_eq!(json["hash"], json!(hash));
    assert_eq!(json["liquidity_baking_toggle_vote"], json!("off"));
    assert_eq!(Header::from_json(&json), Ok(header));
}

#[test]
fn votes_outside_the_layout_are_refused() {
    assert!(Votes::read(0x01, Layout::EscapeVote).is_err());
    assert!(Votes::read(0x03, Layout::ToggleVote).is_err());
    assert!(Votes::read(0x04, Layout::ToggleVote).is_err());
    assert!(Votes::read(0x03, Layout::AdaptiveIssuance).is_err());
    assert!(Votes::read(0x0c, Layout::AdaptiveIssuance).is_err());
    assert!(Votes::read(0x10, Layout::AdaptiveIssuance).is_err());
    let both = Votes::Both(LiquidityBakingVote::Pass, LiquidityBakingVote::Off);
    assert_eq!(Votes::read(0x06, Layout::AdaptiveIssuance), Ok(both));
}

#[test]
fn protocol_data_of_a_wrong_length_is_refused() {
    let good = Header::from_raw_hex(GOLDEN).expect("the golden is a header");
    assert!(good.contents().is_ok());
    for change in [
        |data: &mut Vec<u8>| data.truncate(data.len() - 1),
        |data: &mut Vec<u8>| data.push(0),
        // Payload round below zero, then a seed nonce flag that is none.
        |data: &mut Vec<u8>| data[32] = 0x80,
        |data: &mut Vec<u8>| data[44] = 0x01,
        |data: &mut Vec<u8>| data.clear(),
    ] {
        let mut bad = good.clone();
        change(&mut bad.protocol_data);
        assert!(bad.contents().is_err());
        assert!(bad.proof_of_work_stamp().is_err());
        assert!(bad.signed_bytes(&ChainId([0; 4])).is_err());
        // The header itself still reads and hashes.
        assert_eq!(Header::decode(&bad.encode()), Ok(bad));
    }
}

#[test]
fn a_header_that_lies_about_its_lengths_is_refused() {
    let bytes = hex::decode(GOLDEN).expect("hex");
    for end in 0..131 {
        assert!(Header::decode(&bytes[..end]).is_err(), "{end}");
    }
    // Fitness length at 78, first item's length at 82.
    for at in [78, 82] {
        let mut bad = bytes.clone();
        bad[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(Header::decode(&bad).is_err());
    }
    let long = [bytes, vec![0; defaults::MOST_HEADER_BYTES]].concat();
    assert!(matches!(
        Header::decode(&long),
        Err(Error::TooLong { what: "header", .. })
    ));
}

proptest! {
    #[test]
    fn every_header_is_read_back(
        level in any::<i32>(),
        proto in any::<u8>(),
        hashes in any::<[[u8; 32]; 4]>(),
        timestamp in any::<i64>(),
        passes in any::<u8>(),
        fitness in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..6),
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let header = Header {
            level,
            proto,
            predecessor: BlockHash(hashes[0]),
            timestamp,
            validation_passes: passes,
            operations_hash: OperationListListHash(hashes[1]),
            fitness: RawFitness(fitness),
            context: ContextHash(hashes[2]),
            protocol_data: data,
        };
        prop_assert_eq!(Header::decode(&header.encode()), Ok(header.clone()));
        prop_assert_eq!(Header::from_json(&header.heads_json()), Ok(header));
    }

    #[test]
    fn protocol_data_is_read_back(
        payload in any::<[u8; 32]>(),
        round in 0..i32::MAX,
        nonce in any::<[u8; 8]>(),
        votes in any::<u8>(),
        long in any::<bool>(),
        fill in any::<u8>(),
    ) {
        let signature = vec![fill; if long { 96 } else { 64 }];
        let contents = Contents {
            payload_hash: PayloadHash(payload),
            payload_round: round,
            proof_of_work_nonce: nonce,
            seed_nonce_hash: None,
            votes,
            signature: Signature::from_bytes(&signature).expect("a signature's length"),
        };
        prop_assert_eq!(Contents::decode(&contents.encode()), Ok(contents));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(header) = Header::decode(&bytes) {
            prop_assert_eq!(header.encode(), bytes);
            let _ = (header.contents(), header.fitness(), header.proof_of_work_stamp());
        }
    }
}
