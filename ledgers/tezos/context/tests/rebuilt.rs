//! The generated proofs' trees made again from what is known of them: the same
//! roots, and the same proofs byte for byte.

mod common;

use common::{Generated, generated, root};
use heliostat_tezos_context::{
    Limits, Proof, Tree,
    proof::{binary, json},
};

/// Accounts named by a multiple of the golden ratio, each with its number as
/// its balance.
fn accounts(count: u32) -> Tree {
    root((0..count).map(|i| {
        let name = i.wrapping_mul(0x9e37_79b1);
        (
            format!("contracts/index/{name:044x}/balance"),
            i.to_string().into_bytes(),
        )
    }))
}

fn numbered(count: u32) -> Tree {
    root((0..count).map(|i| (format!("w/{i:02}"), i.to_string().into_bytes())))
}

/// The whole tree of a vector; `None` where how its names were chosen is not
/// known.
fn rebuilt(name: &str) -> Option<Tree> {
    Some(match name {
        "small" => root([]),
        "dir256" => accounts(256),
        "dir257" => accounts(257),
        "dir1000" => accounts(1000),
        "dir40000" => accounts(40_000),
        "node62" => numbered(62),
        "node63" => numbered(63),
        "bigvalues" => root([
            ("v/a".to_owned(), vec![b'a'; 255]),
            ("v/b".to_owned(), vec![b'b'; 256]),
            ("v/c".to_owned(), vec![b'c'; 65_536]),
            ("v/d".to_owned(), Vec::new()),
        ]),
        _ => return None,
    })
}

fn by_tree() -> Vec<(Tree, Vec<Generated>)> {
    let mut groups: Vec<(String, Vec<Generated>)> = Vec::new();
    for vector in generated() {
        match groups.last_mut() {
            Some((name, group)) if *name == vector.name => group.push(vector),
            _ => groups.push((vector.name.clone(), vec![vector])),
        }
    }
    groups
        .into_iter()
        .filter_map(|(name, group)| Some((rebuilt(&name)?, group)))
        .collect()
}

#[test]
fn a_tree_made_again_has_the_same_root_and_gives_the_same_proofs() {
    let mut proofs = 0;
    for (tree, group) in by_tree() {
        assert!(tree.is_complete());
        for vector in group {
            let label = vector.label();
            assert_eq!(tree.hash(), vector.root, "{label}");
            let proof = Proof::produce(&tree, &vector.key(), vector.holey).unwrap();
            assert_eq!(json::write(&proof), vector.v2_json.get(), "{label}");
            assert_eq!(hex::encode(binary::write(&proof)), vector.v2_bin, "{label}");
            proofs += 1;
        }
    }
    assert_eq!(proofs, 23);
}

#[test]
fn a_proof_of_several_keys_shows_what_each_alone_shows() {
    for (tree, group) in by_tree() {
        let keys: Vec<_> = group.iter().map(Generated::key).collect();
        let common = Proof::produce_many(&tree, &keys).unwrap();
        let bytes = binary::write(&common);
        let read = binary::read(&bytes, &Limits::default()).unwrap();
        let verified = read.verify().unwrap();
        assert_eq!(verified.root, tree.hash());
        let apart: usize = group.iter().map(|vector| vector.v2_bin.len() / 2).sum();
        assert!(keys.len() == 1 || bytes.len() < apart);
        for key in &keys {
            let found = format!("{:?}", verified.find(key));
            assert_eq!(found, format!("{:?}", tree.find_key(key)));
        }
    }
}

#[test]
fn growing_a_directory_one_by_one_gives_the_same_root_at_every_width() {
    let whole = accounts(1000);
    let mut tree = root([]);
    for i in 0..1000u32 {
        let name = format!("{:044x}", i.wrapping_mul(0x9e37_79b1));
        let path = [
            &b"data"[..],
            b"contracts",
            b"index",
            name.as_bytes(),
            b"balance",
        ];
        tree = tree.insert(&path, i.to_string()).unwrap();
        if matches!(i, 255 | 256) {
            assert_eq!(tree.hash(), accounts(i + 1).hash());
        }
    }
    assert_eq!(tree.hash(), whole.hash());
    for i in (0..1000u32).rev() {
        let name = format!("{:044x}", i.wrapping_mul(0x9e37_79b1));
        let path = [&b"data"[..], b"contracts", b"index", name.as_bytes()];
        tree = tree.remove(&path).unwrap();
        if matches!(i, 257 | 256 | 33 | 32 | 1) {
            assert_eq!(tree.hash(), accounts(i).hash());
        }
    }
    assert_eq!(tree.hash(), root([]).hash());
}
