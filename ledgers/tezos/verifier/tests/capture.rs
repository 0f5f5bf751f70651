//! Finality against the signatures of a real block: mainnet 15,181,989.
//!
//! The simulator and the verifier could share a mistake, so the rules are held
//! once to what bakers really sent. The capture is a third party's and is not
//! part of this repository: it is `test/e2e/fixtures/tezos-live/capture.json`
//! of the public repository `shayansal/clpr-smart-contracts` (246,685
//! characters, taken from mainnet on 2026-10-01). To run the check:
//!
//! ```sh
//! HELIOSTAT_TEZOS_CAPTURE=/path/to/capture.json \
//!     cargo test -p heliostat-tezos-verifier --test capture -- --nocapture
//! ```
//!
//! Without the variable the tests say `skipped`. Nothing is believed because
//! the capture says it: the proofs must have the root they claim, the header
//! its proof-of-work stamp and its payload's hash, the operations their hashes.
//!
//! What is read of the file, a JSON object (other fields are not looked at):
//!
//! | field | what |
//! |---|---|
//! | `chainId`, `protocol` | base58 |
//! | `level`, `cycle`, `cyclePosition` | numbers: the block, and where in its cycle it is |
//! | `constants` | `consensus_committee_size`, `consensus_threshold_size` |
//! | `anchorSampler`, `anchorSeed` | answers of `merkle_tree_v2` for `cycle/<cycle>/delegate_sampler_state` and `random_seed` at one earlier block |
//! | `rawHeaderPrev` | hex of the header of `level - 1` |
//! | `blockLHeader` | the block's `header`, without `protocol`, `chain_id` and `hash` |
//! | `blockLPayloadOps` | hashes of its operations of the passes 1, 2 and 3 |
//! | `attestationOps` | attestations of it, out of `operations/0` of the next block |

use heliostat_tezos_context::defaults::Limits;
use heliostat_tezos_context::proof::json;
use heliostat_tezos_context::{ContextHash, Key, Lookup};
use heliostat_tezos_verifier::defaults::MAINNET_PROOF_OF_WORK;
use heliostat_tezos_verifier::finality::{
    Attestation, Attesters, Parameters, Quorum, Right, Rights, Rule, Sampler, Vote, consensus_rule,
    verify_quorum,
};
use heliostat_tezos_verifier::operations::payload_hash;
use heliostat_tezos_verifier::{ChainId, Header, OperationHash, ProtocolHash};
use serde_json::Value;

/// Where the capture is.
const VARIABLE: &str = "HELIOSTAT_TEZOS_CAPTURE";

/// The block that the capture is of; its power is known from elsewhere.
const LEVEL: i32 = 15_181_989;

struct Capture(Value);

impl Capture {
    /// The capture, if there is one; a named file that cannot be read fails.
    fn open() -> Option<Self> {
        let Some(path) = std::env::var_os(VARIABLE) else {
            eprintln!("skipped: {VARIABLE} does not name the capture of mainnet {LEVEL}");
            return None;
        };
        let bytes = std::fs::read(&path).expect("the capture can be read");
        Some(Self(serde_json::from_slice(&bytes).expect("JSON")))
    }

    fn number(&self, path: &str) -> i64 {
        let number = self.0.pointer(path).and_then(Value::as_i64);
        number.unwrap_or_else(|| panic!("a number at {path}"))
    }

    fn text(&self, path: &str) -> &str {
        let text = self.0.pointer(path).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("a text at {path}"))
    }

    fn chain(&self) -> ChainId {
        self.text("/chainId").parse().expect("a chain id")
    }

    fn protocol(&self) -> ProtocolHash {
        self.text("/protocol").parse().expect("a protocol hash")
    }

    /// What a proof shows of a file of the cycle, and the root it is under.
    fn proven(&self, field: &str, file: &str) -> (ContextHash, Vec<u8>) {
        let text = self.0[field].to_string();
        let proof = json::read(text.as_bytes(), &Limits::default());
        let proof = proof.expect("a proof").expect("not null");
        let verified = proof.verify().expect("a proof of the root it names");
        let cycle = self.number("/cycle").to_string();
        let key = Key::new(["cycle", &cycle, file]).expect("a key");
        match verified.find(&key) {
            Lookup::Contents(bytes) => (verified.root, bytes.to_vec()),
            other => panic!("{field} does not show {file}: {other:?}"),
        }
    }

    /// Who may attest at a position of the capture's cycle.
    fn rights(&self, position: i64) -> Rights {
        let (root, sampler) = self.proven("anchorSampler", "delegate_sampler_state");
        let (same, seed) = self.proven("anchorSeed", "random_seed");
        assert_eq!(root, same, "both out of one state");
        let rule = consensus_rule(&self.protocol(), LEVEL, None).expect("a known protocol");
        let Rule::Drawn { companions } = rule else {
            panic!("slots are drawn: {rule:?}")
        };
        let sampler = Sampler::decode(&sampler, companions).expect("a sampler");
        let seed: [u8; 32] = seed.try_into().expect("32 bytes");
        let size = |name: &str| {
            let number = self.number(&format!("/constants/{name}"));
            u16::try_from(number).expect("a number of slots")
        };
        let parameters = Parameters {
            committee_size: size("consensus_committee_size"),
            threshold_size: size("consensus_threshold_size"),
        };
        let position = i32::try_from(position).expect("a position");
        Rights::drawn(&sampler, &seed, position, &parameters)
    }

    fn previous(&self) -> Header {
        Header::from_raw_hex(self.text("/rawHeaderPrev")).expect("a header")
    }

    /// The block's header: the capture's fields with the protocol's name.
    fn header(&self) -> Header {
        let mut fields = self.0["blockLHeader"].clone();
        fields["protocol"] = self.0["protocol"].clone();
        Header::from_json(&fields).expect("a header")
    }

    fn attestations(&self) -> Vec<Attestation> {
        let listed = self.0["attestationOps"].as_array().expect("a list");
        let read = |operation| {
            let read = Attestation::from_json(operation).expect("an operation");
            read.expect("an attestation")
        };
        listed.iter().map(read).collect()
    }

    fn count(&self, vote: &Vote, attestations: &[Attestation]) -> Quorum {
        let rights = self.rights(self.number("/cyclePosition"));
        verify_quorum(&self.chain(), &rights, vote, attestations)
    }

    /// What the block's bakers had to attest, from its header alone.
    fn vote(&self) -> Vote {
        let header = self.header();
        Vote {
            level: header.level,
            round: header.fitness().expect("a fitness").round,
            payload_hash: header.contents().expect("contents").payload_hash,
        }
    }
}

fn power(rights: &Rights, attestation: &Attestation) -> u64 {
    let slots: Vec<u16> = match &attestation.attesters {
        Attesters::One(member) => vec![member.slot],
        Attesters::Aggregate(members) => members.iter().map(|member| member.slot).collect(),
    };
    let right = |slot| &rights.all()[rights.at_slot(slot).expect("a first slot")];
    slots
        .into_iter()
        .map(right)
        .map(|right: &Right| right.power)
        .sum()
}

#[test]
fn real_bakers_signatures_come_to_6942_of_7000_slots() {
    let Some(capture) = Capture::open() else {
        return;
    };
    assert_eq!(capture.number("/level"), i64::from(LEVEL));
    let quorum = capture.count(&capture.vote(), &capture.attestations());
    eprintln!("mainnet {LEVEL}: {quorum}; signers {:?}", quorum.signers);
    assert_eq!(quorum.refused, []);
    assert_eq!((quorum.power, quorum.unverified), (6_942, 0));
    assert_eq!((quorum.committee, quorum.threshold), (7_000, 4_667));
    assert!(quorum.reached());
    let signers = quorum.signers;
    let alone = (
        signers.ed25519,
        signers.secp256k1,
        signers.p256,
        signers.bls,
    );
    assert_eq!(alone, (47, 4, 25, 0));
    assert_eq!(signers.aggregated, 65);
}

#[test]
fn real_operations_hash_to_what_the_node_said() {
    let Some(capture) = Capture::open() else {
        return;
    };
    let listed = capture.0["attestationOps"].as_array().expect("a list");
    let mut compared = 0;
    for (said, read) in listed.iter().zip(capture.attestations()) {
        if let Some(said) = said.get("hash").and_then(Value::as_str) {
            assert_eq!(read.hash().to_string(), said);
            compared += 1;
        }
    }
    assert!(compared > 0, "an operation with its hash");
    eprintln!("{compared} operation hashes made again");
}

#[test]
fn a_real_quorum_is_on_a_payload_that_covers_the_predecessor() {
    let Some(capture) = Capture::open() else {
        return;
    };
    let (before, header) = (capture.previous(), capture.header());
    assert_eq!(header.follows(&before), Ok(()));
    for header in [&before, &header] {
        assert_eq!(header.has_proof_of_work(MAINNET_PROOF_OF_WORK), Ok(true));
    }
    let contents = header.contents().expect("contents");
    let listed = capture.0["blockLPayloadOps"].as_array().expect("passes");
    let hashes = listed
        .iter()
        .flat_map(|pass| pass.as_array().expect("a pass"));
    let hashes = hashes.map(|hash| hash.as_str().expect("a text").parse().expect("a hash"));
    let hashes: Vec<OperationHash> = hashes.collect();
    let found = payload_hash(&before.hash(), contents.payload_round, &hashes);
    assert_eq!(found, contents.payload_hash);
    assert_eq!(capture.vote().payload_hash, found);
}

#[test]
fn real_headers_are_signed_by_the_baker_of_the_rounds_slot() {
    let Some(capture) = Capture::open() else {
        return;
    };
    let position = capture.number("/cyclePosition");
    for (header, position) in [
        (capture.previous(), position - 1),
        (capture.header(), position),
    ] {
        assert_eq!(header.fitness().expect("a fitness").round, 0);
        let rights = capture.rights(position);
        let at = rights.at_slot(0).expect("the owner of slot 0");
        let key = &rights.all()[at].baker.key;
        assert_eq!(header.verify_signature(&capture.chain(), key), Ok(()));
    }
}

#[test]
fn nothing_of_it_counts_for_another_position_chain_or_vote() {
    let Some(capture) = Capture::open() else {
        return;
    };
    let (vote, attestations) = (capture.vote(), capture.attestations());
    // The draw of the next level gives the slots to others.
    let others = capture.rights(capture.number("/cyclePosition") + 1);
    let quorum = verify_quorum(&capture.chain(), &others, &vote, &attestations);
    assert!(!quorum.reached(), "{quorum}");
    let rights = capture.rights(capture.number("/cyclePosition"));
    let quorum = verify_quorum(&ChainId([1; 4]), &rights, &vote, &attestations);
    assert_eq!(quorum.power, 0);
    let later = Vote {
        round: vote.round + 1,
        ..vote
    };
    assert_eq!(capture.count(&later, &attestations).power, 0);
}

#[test]
fn a_real_attestation_with_one_bit_changed_takes_only_its_own_power_away() {
    let Some(capture) = Capture::open() else {
        return;
    };
    let (vote, good) = (capture.vote(), capture.attestations());
    let rights = capture.rights(capture.number("/cyclePosition"));
    // The first of each kind of key, and the aggregate, which is the last.
    for at in [0, 1, 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at].branch.0[31] ^= 1;
        let quorum = verify_quorum(&capture.chain(), &rights, &vote, &bad);
        assert_eq!(quorum.refused.len(), 1);
        assert_eq!(quorum.refused[0].index, at);
        assert_eq!(quorum.power, 6_942 - power(&rights, &good[at]));
    }
}
