//! Proofs made to hurt: they are refused, at little cost.

mod common;

use common::{generated, root};
use heliostat_tezos_context::{
    ContextHash, Kind, Limits, Lookup, Proof, ProofError, Tree,
    proof::{KindedHash, binary, binary_v1, json},
};

const HASH: &str = "CoUmokaE2SMxp6oxnY5WJWQqiJUxfC4BTFRZyfxmTqQreaCLyBW7";

fn limits() -> Limits {
    Limits::default()
}

/// A proof's text around a state.
fn around(state: &str) -> String {
    format!(
        r#"{{"version":0,"before":{{"node":"{HASH}"}},"after":{{"node":"{HASH}"}},"state":{state}}}"#
    )
}

fn refused(state: &str) -> ProofError {
    json::read(around(state).as_bytes(), &limits()).expect_err("a refusal")
}

fn binary_refused(state: &[u8]) -> ProofError {
    let bytes = [&[3, 0, 0], &[7; 64][..], state].concat();
    binary::read(&bytes, &limits()).expect_err("a refusal")
}

#[test]
fn every_changed_bit_is_refused_or_hides_something() {
    for vector in generated() {
        if vector.v2_bin.len() > 5000 {
            continue;
        }
        let bytes = hex::decode(&vector.v2_bin).unwrap();
        let old = hex::decode(&vector.v1_bin).unwrap();
        let key = vector.key();
        let known = binary::read(&bytes, &limits()).unwrap().tree;
        let check = |proof: Result<Proof, ProofError>| {
            let Ok(verified) = proof.and_then(|proof| proof.verify()) else {
                return false;
            };
            assert_eq!(verified.root, vector.root, "{}", vector.label());
            let (found, known) = (verified.find(&key), known.find_key(&key));
            assert_eq!(format!("{found:?}"), format!("{known:?}"));
            true
        };
        // All bits of the small ones; a part of the larger ones, each time the
        // first ones, which hold the version.
        let every = if bytes.len() < 300 { 1 } else { 41 };
        let bits = |bytes: &[u8]| (0..24).chain((24..bytes.len() * 8).step_by(every));
        let mut accepted = 0;
        for at in bits(&bytes) {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            accepted += usize::from(check(binary::read(&changed, &limits())));
        }
        for at in bits(&old) {
            let mut changed = old.clone();
            changed[at / 8] ^= 1 << (at % 8);
            accepted += usize::from(check(binary_v1::read(&changed, &limits())));
        }
        // The version's sixteen bits, in both forms.
        assert_eq!(accepted, 32, "{}", vector.label());
    }
}

#[test]
fn every_proof_that_ends_early_is_refused() {
    let vectors = generated();
    for vector in [&vectors[0], &vectors[13]] {
        let text = vector.v2_json.get().as_bytes();
        let bytes = hex::decode(&vector.v2_bin).unwrap();
        let old = hex::decode(&vector.v1_bin).unwrap();
        for end in 0..text.len() {
            assert!(json::read(&text[..end], &limits()).is_err());
        }
        for end in 0..bytes.len() {
            assert!(binary::read(&bytes[..end], &limits()).is_err());
        }
        for end in 0..old.len() {
            assert!(binary_v1::read(&old[..end], &limits()).is_err());
        }
    }
}

#[test]
fn endless_nesting_stops_at_the_limit() {
    let deep = |unit: &str| refused(&unit.repeat(100_000));
    let levels = |error| matches!(error, ProofError::TooLarge { what: "levels", .. });
    assert!(levels(deep(r#"{"node":[["61","#)));
    assert!(levels(deep(r#"{"other_trees":{"node":[["61","#)));
    assert!(levels(binary_refused(&b"\x81\x01a".repeat(100_000))));
    assert!(!levels(deep(r#"{"other_trees":"#)));
    assert!(!levels(deep(r#"{"inode":{"proofs":{"sparse_proof":[[0,"#)));
    assert!(!levels(binary_refused(
        &b"\x07\xff\xff\xff\xff\xff\xff\xff\xff\x00".repeat(1000)
    )));
}

#[test]
fn the_deepest_tree_that_is_read_can_be_used() {
    let unit = r#"{"node":[["61","#;
    let depth = 159;
    let leaf = format!(r#"{{"blinded_node":"{HASH}"}}"#);
    let state = format!("{}{leaf}{}", unit.repeat(depth), "]]}".repeat(depth));
    let proof = json::read(around(&state).as_bytes(), &limits())
        .unwrap()
        .unwrap();
    assert!(matches!(proof.verify(), Err(ProofError::Before { .. })));
    let again = binary::read(&binary::write(&proof), &limits()).unwrap();
    assert_eq!(again.tree.hash(), proof.tree.hash());
    let merged = again.tree.merge(&proof.tree).unwrap();
    assert!(matches!(
        merged.find(&vec![&b"a"[..]; depth]),
        Lookup::Blinded
    ));
    assert!(matches!(merged.find(&[b"a", b"b"]), Lookup::Absent));
}

#[test]
fn lengths_that_nothing_follows_allocate_nothing() {
    // A value of 4 GB, a list of 4 GB, a segment and names beyond the end.
    for state in [
        &b"\xc3\xff\xff\xff\xff"[..],
        b"\xbf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\xff",
        b"\xbe",
        b"\x43\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert!(matches!(
            binary_refused(state),
            ProofError::Malformed { .. }
        ));
    }
    let old = [
        &[0, 0, 1],
        &[7; 32][..],
        &[1],
        &[7; 32],
        &[2, 0xff, 0xff, 0xff, 0xff],
    ]
    .concat();
    assert!(binary_v1::read(&old, &limits()).is_err());
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let vector = &generated()[7];
    let text = vector.v2_json.get().as_bytes();
    let small = Limits {
        bytes: text.len() - 1,
        ..limits()
    };
    assert_eq!(
        json::read(text, &small).unwrap_err(),
        ProofError::TooLarge {
            what: "bytes",
            limit: text.len() - 1
        }
    );
    let few = Limits {
        nodes: 200,
        ..limits()
    };
    assert_eq!(
        json::read(text, &few).unwrap_err(),
        ProofError::TooLarge {
            what: "nodes",
            limit: 200
        }
    );
}

#[test]
fn directories_that_cannot_be_are_refused() {
    let child = format!(r#"{{"blinded_inode":"{HASH}"}}"#);
    let leaf = format!(r#"{{"blinded_value":"{HASH}"}}"#);
    let inode = |length: &str, proofs: &str| {
        refused(&format!(
            r#"{{"inode":{{"length":"{length}","proofs":{proofs}}}}}"#
        ))
    };
    let sparse = |index: &str| format!(r#"{{"sparse_proof":[[{index},{child}]]}}"#);
    let dense = format!(
        r#"{{"dense_proof":[{}{child}]}}"#,
        format!("{child},").repeat(32)
    );
    let nobody = r#"{"sparse_proof":[]}"#;
    let stranger = format!(r#"{{"sparse_proof":[[0,{{"inode_values":[["00",{leaf}]]}}]]}}"#);
    for error in [
        inode("256", &sparse("0")),
        inode("-1", &sparse("0")),
        inode("18446744073709551616", &sparse("0")),
        inode("300", &sparse("32")),
        inode("300", &sparse("256")),
        inode("300", &dense),
        inode("300", nobody),
        inode("300", &stranger),
        refused(&format!(
            r#"{{"node":[["61",{leaf}],["61",{{"value":"00"}}]]}}"#
        )),
        refused(&format!(r#"{{"node":[["6",{leaf}]]}}"#)),
        refused(&format!(r#"{{"node":[["{}",{leaf}]]}}"#, "61".repeat(256))),
        refused(&format!(
            r#"{{"extender":{{"length":"300","segment":"80","proof":{child}}}}}"#
        )),
        refused(&format!(
            r#"{{"extender":{{"length":"300","segment":"ffffffffffffffc0","proof":{child}}}}}"#
        )),
        refused(r#"{"none":{}}"#),
        refused(r#"{"value":"\u0030\u0030"}"#),
        refused(r#"{"value":"00"},"state":{"value":"00"}"#),
    ] {
        assert!(matches!(error, ProofError::Malformed { .. }), "{error}");
    }
    let shown =
        refused(r#"{"blinded_value":"CoUmokaE2SMxp6oxnY5WJWQqiJUxfC4BTFRZyfxmTqQreaCLyBW8"}"#);
    assert!(
        shown.to_string().contains("its checksum is wrong"),
        "{shown}"
    );
}

#[test]
fn fields_may_come_in_any_order_but_not_at_any_cost() {
    let vector = generated()
        .into_iter()
        .find(|v| v.name == "inode_ext")
        .unwrap();
    // What a tool does that sorts names: `proof` comes before `segment`.
    let sorted: serde_json::Value = serde_json::from_str(vector.v2_json.get()).unwrap();
    let sorted = sorted.to_string();
    assert!(sorted.find("\"proof\":") < sorted.find("\"segment\":"));
    let proof = json::read(sorted.as_bytes(), &limits()).unwrap().unwrap();
    assert_eq!(json::write(&proof), vector.v2_json.get());

    let unit = r#"{"extender":{"proof":{"inode_values":[["61","#;
    let end = r#"]]},"segment":"04","length":"300"}}"#;
    let state = format!(
        "{}{{\"value\":\"00\"}}{}",
        unit.repeat(150),
        end.repeat(150)
    );
    assert!(refused(&state).to_string().contains("too costly"));
}

#[test]
fn a_flat_list_of_more_than_256_entries_is_hashed_as_inodes() {
    let tree = root((0..300u32).map(|i| (format!("wide/{i}"), vec![0])));
    let list: Vec<String> = (0..300u32)
        .map(|i| format!(r#"["{}",{{"value":"00"}}]"#, hex::encode(i.to_string())))
        .collect();
    let proof = json::read(
        around(&format!(r#"{{"node":[{}]}}"#, list.join(","))).as_bytes(),
        &limits(),
    );
    let Lookup::Directory(wide) = tree.find(&[b"data", b"wide"]) else {
        panic!("a directory");
    };
    assert_eq!(proof.unwrap().unwrap().tree.hash(), wide.hash());
}

#[test]
fn an_answer_is_told_from_nothing_in_every_frame() {
    let vector = &generated()[0];
    let bare = hex::decode(&vector.v2_bin).unwrap();
    let proof = binary::read(&bare, &limits()).unwrap();
    let framed = binary::write_answer(Some(&proof));
    assert_eq!(framed[..5], [0, 0, 0, 226, 1]);
    for bytes in [&bare[..], &framed, &framed[4..]] {
        let read = binary::read_answer(bytes, &limits()).unwrap().unwrap();
        assert_eq!(binary::write(&read), bare);
    }
    for nothing in [&binary::write_answer(None)[..], &[0]] {
        assert!(binary::read_answer(nothing, &limits()).unwrap().is_none());
    }
    assert!(json::read(b"null\n", &limits()).unwrap().is_none());
    for bad in [&[][..], &[0, 0, 0, 0], &[2], &[1], &[0, 0, 0, 2, 0]] {
        assert!(binary::read_answer(bad, &limits()).is_err(), "{bad:?}");
    }
}

#[test]
fn a_root_of_the_wrong_kind_or_a_changed_after_is_refused() {
    let mut proof = Proof::of(Tree::empty().insert(&[b"a"], vec![1]).unwrap());
    assert!(proof.verify().is_ok());
    proof.after.hash = ContextHash([1; 32]);
    assert!(matches!(proof.verify(), Err(ProofError::After { .. })));
    proof.after = KindedHash {
        kind: Kind::Contents,
        ..proof.before
    };
    assert_eq!(proof.verify().unwrap_err(), ProofError::Kind);
}
