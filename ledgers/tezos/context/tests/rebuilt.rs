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

/// The whole tree of a vector.
fn rebuilt(name: &str) -> Tree {
    match name {
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
        "ext_root1" => chosen(300, &[], |path| path[0] == 5),
        "ext_root2" => chosen(260, &[], |path| path[..2] == [5, 7]),
        "sparse14" => chosen(400, &[], |path| path[0] < 14),
        "dense15" => chosen(400, &[], |path| path[0] < 15),
        "sparse_ext" => {
            let chain = numbers(40, |path| path[..2] == [9, 4]);
            chosen(270, &chain, |path| (1..4).contains(&path[0]))
        }
        "inode_ext" => {
            let chain = numbers(40, |path| path == [9, 4, 6]);
            chosen(300, &chain, |path| path[0] != 9)
        }
        _ => panic!("how {name} was made is not known"),
    }
}

/// Where names lead in a wide directory: OCaml's string hash, seeded with the
/// depth, made here once more.
fn path(name: &str) -> [u32; 3] {
    [0u32, 1, 2].map(|depth| {
        let mut hash = depth;
        for word in name.as_bytes().chunks(4) {
            let mut k = word
                .iter()
                .rev()
                .fold(0, |k, byte| k << 8 | u32::from(*byte));
            k = k
                .wrapping_mul(0xcc9e_2d51)
                .rotate_left(15)
                .wrapping_mul(0x1b87_3593);
            hash = (hash ^ k)
                .rotate_left(13)
                .wrapping_mul(5)
                .wrapping_add(0xe654_6b64);
        }
        hash ^= name.len() as u32;
        hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
        (hash ^ hash >> 16) % 32
    })
}

/// The first so many numbers whose names `k…` lead where they should.
fn numbers(count: usize, lead: impl Fn([u32; 3]) -> bool) -> Vec<u32> {
    (0..)
        .filter(|i| lead(path(&format!("k{i}"))))
        .take(count)
        .collect()
}

/// A directory of names chosen by where they lead, each its own value.
fn chosen(count: usize, more: &[u32], lead: impl Fn([u32; 3]) -> bool) -> Tree {
    let numbers = numbers(count, lead);
    root(
        numbers
            .iter()
            .chain(more)
            .map(|i| (format!("x/k{i}"), format!("k{i}").into_bytes())),
    )
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
        .map(|(name, group)| (rebuilt(&name), group))
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
    assert_eq!(proofs, 34);
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
