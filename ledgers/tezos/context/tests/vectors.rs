//! What the real Irmin made and judged, and what mainnet recorded.

mod common;

use common::{Judged, generated, lines, mainnet};
use heliostat_tezos_context::{
    Commit, ContextHash, Key, Limits, Lookup, Proof, Tree,
    hash::blake2b,
    proof::{ProduceError, binary, binary_v1, json},
};

fn limits() -> Limits {
    Limits::default()
}

fn read(text: &str) -> Proof {
    json::read(text.as_bytes(), &limits())
        .expect("a proof")
        .expect("not null")
}

#[test]
fn every_generated_proof_has_its_root_and_commit() {
    let vectors = generated();
    assert_eq!(vectors.len(), 34);
    for vector in vectors {
        let verified = read(vector.v2_json.get()).verify().unwrap();
        assert_eq!(verified.root, vector.root, "{}", vector.label());
        let commit = Commit {
            root: verified.root,
            parents: Vec::new(),
            date: 1_612_521_119,
            author: "Tezos".to_owned(),
            message: "msg".to_owned(),
        };
        assert_eq!(commit.hash(), vector.commit, "{}", vector.label());
    }
}

#[test]
fn every_generated_proof_is_the_same_in_all_its_forms_byte_for_byte() {
    for vector in generated() {
        let label = vector.label();
        let (v2, v1) = (
            hex::decode(&vector.v2_bin).unwrap(),
            hex::decode(&vector.v1_bin).unwrap(),
        );
        let proofs = [
            read(vector.v2_json.get()),
            binary::read(&v2, &limits()).unwrap(),
            binary_v1::read(&v1, &limits()).unwrap(),
        ];
        for proof in proofs {
            assert_eq!(json::write(&proof), vector.v2_json.get(), "{label}");
            assert_eq!(hex::encode(binary::write(&proof)), vector.v2_bin, "{label}");
            assert_eq!(
                hex::encode(binary_v1::write(&proof)),
                vector.v1_bin,
                "{label}"
            );
        }
    }
}

#[test]
fn a_generated_proof_proves_its_own_key_again() {
    // What a proof shows is all that is needed to make it again.
    for vector in generated() {
        let proof = read(vector.v2_json.get());
        let again = Proof::produce(&proof.tree, &vector.key(), vector.holey).unwrap();
        assert_eq!(
            json::write(&again),
            vector.v2_json.get(),
            "{}",
            vector.label()
        );
    }
}

#[test]
fn a_proof_does_not_prove_what_it_does_not_show() {
    let vector = &generated()[0];
    let proof = read(vector.v2_json.get());
    let key: Key = "big_maps/next".parse().unwrap();
    assert_eq!(
        Proof::produce(&proof.tree, &key, false).unwrap_err(),
        ProduceError::Blinded { key }
    );
}

/// What each generated proof says about its key.
fn said(name: &str, key: &str, holey: bool) -> Option<Result<Vec<u8>, &'static str>> {
    let text = |text: &str| Some(Ok(text.as_bytes().to_vec()));
    let last = key.rsplit('/').next().unwrap_or_default();
    if holey {
        return Some(Err("blinded"));
    }
    match (name, key) {
        ("small", "version") => text("alpha_current"),
        ("small", "big_maps/next") => Some(Ok(vec![0])),
        ("small", "big_maps" | "") | ("bigvalues", "v") => Some(Err("directory")),
        ("small", "nothere" | "version/x") => Some(Err("absent")),
        _ if key.contains("absent") || matches!(last, "zz" | "nope") => Some(Err("absent")),
        ("bigvalues", "v/a") => Some(Ok(vec![0x61; 255])),
        ("bigvalues", "v/b") => Some(Ok(vec![0x62; 256])),
        ("bigvalues", "v/d") => Some(Ok(Vec::new())),
        ("dir257", _) if key.contains("3779b100") => text("256"),
        ("dir256" | "dir257", _) => text("0"),
        ("dir1000", _) => text("7"),
        ("dir40000", _) => text("12345"),
        ("node62" | "node63", _) => text("5"),
        _ if last.starts_with('k') => text(last),
        _ => None,
    }
}

#[test]
fn every_generated_proof_says_what_is_at_its_key() {
    for vector in generated() {
        let expected = said(&vector.name, &vector.key, vector.holey).expect("a known vector");
        let verified = read(vector.v2_json.get()).verify().unwrap();
        let found = match verified.find(&vector.key()) {
            Lookup::Contents(bytes) => Ok(bytes.to_vec()),
            Lookup::Directory(tree) => {
                assert!(tree.is_complete());
                Err("directory")
            }
            Lookup::Absent => Err("absent"),
            Lookup::Blinded => Err("blinded"),
        };
        assert_eq!(found, expected, "{}", vector.label());
    }
}

#[test]
fn the_verdicts_are_those_of_the_real_irmin() {
    let cases: Vec<Judged> = lines("irmin_negative_cases.jsonl.gz");
    assert_eq!(cases.len(), 18);
    for case in cases {
        let key: Key = case.key.parse().unwrap();
        let ours = json::read(case.v2_json.get().as_bytes(), &limits())
            .and_then(|proof| proof.unwrap().verify())
            .map(|verified| verified.find(&key));
        let verdict = &case.real_irmin_verdict;
        match ours {
            Ok(Lookup::Contents(bytes)) => {
                let value = verdict.strip_prefix("OK value:").expect(&case.label);
                assert!(hex::encode(bytes).starts_with(value), "{}", case.label);
            }
            Ok(Lookup::Absent) => assert_eq!(verdict, "OK absent", "{}", case.label),
            other => assert!(
                verdict.starts_with("REJECT") || verdict.starts_with("EXN"),
                "{}: {verdict}, but {other:?}",
                case.label
            ),
        }
    }
}

#[test]
fn two_mainnet_proofs_lead_to_the_next_blocks_header() {
    let Some(mainnet) = mainnet() else { return };
    let header = hex::decode(&mainnet.raw_header_15181988).unwrap();
    // level, proto, predecessor, timestamp, passes, operations hash; the
    // fitness behind its length; the context.
    let fitness = 4 + 1 + 32 + 8 + 1 + 32;
    let length: [u8; 4] = header[fitness..fitness + 4].try_into().unwrap();
    let context = fitness + 4 + u32::from_be_bytes(length) as usize;
    let context = ContextHash(header[context..context + 32].try_into().unwrap());
    assert_eq!(
        context.to_string(),
        "CoWTER8ehrZZBoAEdT3TGYwYPczhK2R9mBWbPBHPpqRhhRCX8Bdc"
    );

    let values = ["2b701220", "004ad744"];
    let sizes = [3626, 5687];
    for ((proof, value), size) in mainnet.proofs.iter().zip(values).zip(sizes) {
        let text = proof.merkle_tree_v2.get();
        let read = read(text);
        let verified = read.verify().unwrap();
        let Lookup::Contents(bytes) = verified.find(&proof.path.parse().unwrap()) else {
            panic!("{} has contents", proof.path);
        };
        assert!(hex::encode(bytes).starts_with(value));
        let binary = binary::write(&read);
        assert_eq!(binary.len(), size);
        let reread = binary::read(&binary, &limits()).unwrap();
        let spaceless: String = text.split_whitespace().collect();
        assert_eq!(json::write(&reread), spaceless);

        let tail = hex::decode(&mainnet.commit_tail_15181987).unwrap();
        let commit = blake2b(&[&32u64.to_be_bytes(), &verified.root.0, &tail]);
        assert_eq!(ContextHash(commit), context);
        let commit = Commit {
            root: verified.root,
            parents: vec![
                "CoVzMaq1mBmgYYxFv4JqLXvdd6GTh4FrUkAVXgDAQRmZxiewfQbh"
                    .parse()
                    .unwrap(),
            ],
            date: 1_790_845_255,
            author: "Tezos".to_owned(),
            message: "lvl 15181987, fit:(15181987, unlocked, 0, 0), round 0, 79 ops".to_owned(),
        };
        assert_eq!(commit.hash(), context);
    }
}

#[test]
fn the_two_mainnet_proofs_merge_into_one_tree() {
    let Some(mainnet) = mainnet() else { return };
    let trees: Vec<Tree> = mainnet
        .proofs
        .iter()
        .map(|proof| read(proof.merkle_tree_v2.get()).verify().unwrap().tree)
        .collect();
    let both = trees[0].merge(&trees[1]).unwrap();
    assert_eq!(both.hash(), trees[0].hash());
    for (proof, other) in mainnet.proofs.iter().zip([&trees[1], &trees[0]]) {
        let key = proof.path.parse().unwrap();
        assert!(matches!(both.find_key(&key), Lookup::Contents(_)));
        assert!(matches!(other.find_key(&key), Lookup::Blinded));
    }
}

#[test]
fn the_mainnet_genesis_context_is_computed_from_nothing() {
    // Ps9mPmXaRzmzk35gbAYNCAw6UXdE2qoABTHbN2oEEc1qM7CwT9P.
    let protocol = heliostat_tezos_context::base58::decode(
        heliostat_tezos_context::base58::Prefix::PROTOCOL,
        "Ps9mPmXaRzmzk35gbAYNCAw6UXdE2qoABTHbN2oEEc1qM7CwT9P",
    )
    .unwrap();
    let tree = Tree::empty()
        .insert(&[b"data", b"version"], "genesis")
        .unwrap()
        .insert(&[b"protocol"], protocol)
        .unwrap()
        .insert(&[b"test_chain"], vec![0])
        .unwrap();
    let commit = Commit {
        root: tree.hash(),
        parents: Vec::new(),
        // 2018-06-30T16:07:32Z
        date: 1_530_374_852,
        author: "Tezos".to_owned(),
        message: "Genesis".to_owned(),
    };
    assert_eq!(
        commit.hash().to_string(),
        "CoV8SQumiVU9saiu3FVNeDNewJaJH8yWdsGF3WLdsRr2P9S7MzCj"
    );
}

#[test]
fn the_light_mode_document_shows_these_hashes() {
    let version = Tree::contents("alpha_current");
    assert_eq!(
        version.hash().to_string(),
        "CoWVK1YzoDnMGrNioKL9Mze6s4XX8Uw9Vp9hPHYXqHfaFpwnmXmA"
    );
    let big_maps = Tree::empty().insert(&[b"next"], vec![0]).unwrap();
    assert_eq!(
        big_maps.hash().to_string(),
        "CoVbip7pyXZDp1umo3cGUbCWJUA8wDkPbWR56wKqS434DiDSwGWC"
    );
    assert!(Tree::empty().hash().to_string().starts_with("CoVdWnW"));
}
