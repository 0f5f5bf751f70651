//! The older RPC: shapes, union, comparison.

mod common;

use common::root;
use heliostat_tezos_context::{
    Key, Kind, Limits, Lookup, Tree,
    tree::Place,
    v1::{self, ContainsError, MerkleTree, MerkleTreeError, Node, ShapeError, UnionError},
};

fn key(text: &str) -> Key {
    text.parse().expect("a key")
}

fn read(text: &str) -> MerkleTree {
    v1::read(text.as_bytes(), &Limits::default())
        .expect("an answer")
        .expect("not null")
}

/// The answer as it comes over the wire.
fn answer(tree: &Tree, path: &str, holey: bool) -> MerkleTree {
    let made = v1::produce(tree, &key(path), holey).expect("a full tree");
    read(&v1::write(&made).expect("a full tree"))
}

/// A sandbox's tree.
fn sandbox() -> Tree {
    let wide = (0..300u32).map(|i| (format!("wide/{i}"), i.to_be_bytes().to_vec()));
    root(
        [("contracts/global_counter".to_owned(), vec![0])]
            .into_iter()
            .chain([("contracts/index/00ab/balance".to_owned(), vec![1])])
            .chain([("contracts/index/00cd/balance".to_owned(), vec![2])])
            .chain(wide),
    )
}

fn data(tree: &Tree) -> Tree {
    match tree.get(&[b"data"]) {
        Place::Found(data) => data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_is_written_as_a_node_writes_it() {
    let tree = sandbox();
    let text =
        v1::write(&v1::produce(&tree, &key("contracts/global_counter"), false).unwrap()).unwrap();
    let hash = |path: &[&[u8]]| match tree.get(path) {
        Place::Found(tree) => tree.hash(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        text,
        format!(
            r#"[["big_maps",[false,"CoVbip7pyXZDp1umo3cGUbCWJUA8wDkPbWR56wKqS434DiDSwGWC"]],["contracts",[["global_counter","00"],["index",[false,"{}"]]]],["version",[true,"CoWVK1YzoDnMGrNioKL9Mze6s4XX8Uw9Vp9hPHYXqHfaFpwnmXmA"]],["wide",[false,"{}"]]]"#,
            hash(&[b"data", b"contracts", b"index"]),
            hash(&[b"data", b"wide"]),
        )
    );
    assert_eq!(v1::write(&read(&text)).unwrap(), text);
}

#[test]
fn answers_have_the_root_of_data_and_together_show_all_of_it() {
    let tree = data(&sandbox());
    let mut local: Option<Tree> = None;
    let keys = [
        "contracts/global_counter",
        "contracts/index",
        "wide",
        "version",
        "big_maps/next",
    ];
    for path in keys {
        let answer = answer(&sandbox(), path, false);
        let adopted = v1::adopt(local.as_ref(), &answer).unwrap();
        assert_eq!(adopted.hash(), tree.hash());
        if let Some(local) = &local {
            let united = v1::union(local, &answer).unwrap();
            assert_eq!(
                format!("{:?}", united.entries()),
                format!("{:?}", adopted.entries())
            );
        }
        local = Some(adopted);
    }
    assert!(local.unwrap().is_complete());
}

#[test]
fn an_absent_name_is_absent_also_in_a_wide_directory() {
    let tree = sandbox();
    for (path, way) in [
        ("wide/1000", "wide"),
        ("contracts/nope/balance", "contracts"),
    ] {
        let adopted = v1::adopt(None, &answer(&tree, path, false)).unwrap();
        assert_eq!(adopted.hash(), data(&tree).hash());
        assert!(
            matches!(adopted.find(&key(path).below_data()), Lookup::Absent),
            "{path}"
        );
        assert!(matches!(
            adopted.find(&key(way).below_data()),
            Lookup::Directory(_)
        ));
    }
}

#[test]
fn a_shallow_root_is_unshallowed_by_an_answer() {
    let shallow = Tree::blinded(Kind::Directory, data(&sandbox()).hash());
    let answer = answer(&sandbox(), "version", false);
    let united = v1::union(&shallow, &answer).unwrap();
    assert!(matches!(united.find(&[b"version"]), Lookup::Contents(_)));
}

#[test]
fn a_holey_answer_is_contained_and_has_the_shape_of_the_data() {
    let tree = sandbox();
    for path in [
        "contracts/global_counter",
        "wide/17",
        "contracts/index/00ab/balance",
    ] {
        let full = answer(&tree, path, false);
        let holey = answer(&tree, path, true);
        let local = v1::adopt(None, &full).unwrap();
        assert_eq!(v1::same_shape(&key(path), &full, &holey), Ok(()));
        assert_eq!(v1::contains(&local, &holey), Ok(()));
        assert_eq!(v1::contains(&local, &full), Err(ContainsError::Data));
    }
}

#[test]
fn every_changed_hash_is_refused_in_the_words_of_octez() {
    let tree = sandbox();
    let path = "contracts/index/00ab/balance";
    let text = v1::write(&v1::produce(&tree, &key(path), true).unwrap()).unwrap();
    let full = answer(&tree, path, false);
    let local = v1::adopt(None, &full).unwrap();
    let other = "CoUmokaE2SMxp6oxnY5WJWQqiJUxfC4BTFRZyfxmTqQreaCLyBW7";
    let hashes: Vec<usize> = text.match_indices("\"Co").map(|(at, _)| at + 1).collect();
    assert_eq!(hashes.len(), 6);
    for at in hashes {
        let mut changed = text.clone();
        changed.replace_range(at..at + 52, other);
        let changed = read(&changed);
        let contained = v1::contains(&local, &changed).unwrap_err();
        assert!(
            contained
                .to_string()
                .contains(&format!("while node hash is {other}"))
        );
        let united = v1::union(&local, &changed).unwrap_err();
        assert!(
            united
                .to_string()
                .contains(&format!("while Merkle node hash is {other}")),
            "{united}"
        );
        let adopted = v1::adopt(Some(&local), &changed).unwrap_err();
        assert!(matches!(adopted, UnionError::Root { .. }));
    }
    let contained = |text: &str| v1::contains(&local, &read(text)).unwrap_err().to_string();
    assert_eq!(
        contained(&format!(r#"[["nope",[true,"{other}"]]]"#)),
        "Key nope, which is in Merkle tree, cannot be found in in-memory tree"
    );
    let data = v1::union(
        &local,
        &read(r#"[["contracts",[["global_counter","01"]]]]"#),
    )
    .unwrap_err();
    assert!(
        data.to_string()
            .starts_with("At contracts;global_counter: hash of Data is ")
    );
    let added = v1::union(&local, &read(r#"[["nope","01"]]"#)).unwrap_err();
    assert!(matches!(added, UnionError::Shallow { .. }));
}

#[test]
fn answers_of_different_shapes_are_told_apart() {
    let tree = sandbox();
    let at = |path| answer(&tree, path, true);
    let contracts = key("contracts/global_counter");
    assert_eq!(
        v1::same_shape(&contracts, &at("contracts/global_counter"), &at("version")),
        Ok(())
    );
    let errors =
        v1::same_shape(&contracts, &at("contracts/global_counter"), &at("wide/1")).unwrap_err();
    assert_eq!(
        errors,
        [ShapeError::Shape {
            left: "Hash",
            right: "Continue"
        }]
    );
    let missing = read(r#"[["contracts",[]]]"#);
    let errors = v1::same_shape(&contracts, &at("version"), &missing).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "Key \"big_maps\" is missing in one of the trees."
    );
    assert_eq!(errors.len(), 3);
}

#[test]
fn keys_that_a_node_fails_on_fail_here_in_its_words() {
    let tree = sandbox();
    assert_eq!(
        v1::produce(&tree, &Key::default(), false).unwrap_err(),
        MerkleTreeError::NoKey
    );
    let error = v1::produce(&tree, &key("version/x/y/z"), false).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("key x;y;z (top-level key: version;x;y;z) wasn't fully consumed")
    );
    // One name below contents is an empty directory to a node.
    let below = answer(&tree, "version/x", false);
    assert!(
        matches!(below.get(b"version"), Some(Node::Continue(tree)) if tree.nodes().count() == 0)
    );
}

/// The answer in the light mode's first documentation, which no node ever gave.
const SAMPLE: &str = r#"[
  ["active_delegates_with_rolls", {"H": "CoVe9oDs8t8WgH9JHB3DqbvxCZw1Q5ky7qBsZfMiLeKe6RiSMHn1"}],
  ["big_maps", {"H": "CoVbip7pyXZDp1umo3cGUbCWJUA8wDkPbWR56wKqS434DiDSwGWC"}],
  ["contracts", {"C": [["global_counter", {"D": "00"}]]}],
  ["version", {"H": "CoWVK1YzoDnMGrNioKL9Mze6s4XX8Uw9Vp9hPHYXqHfaFpwnmXmA"}]
]"#;

#[test]
fn the_documented_shape_is_read_and_the_real_one_written() {
    let sample = read(SAMPLE);
    let Some(Node::Hash { kind: None, hash }) = sample.get(b"version") else {
        panic!("a hash without its kind");
    };
    assert_eq!(*hash, Tree::contents("alpha_current").hash());
    let Some(Node::Continue(contracts)) = sample.get(b"contracts") else {
        panic!("a directory");
    };
    assert!(matches!(
        contracts.get(b"global_counter"),
        Some(Node::Data(_))
    ));
    assert!(
        v1::write(&sample)
            .unwrap()
            .starts_with(r#"[["active_delegates_with_rolls",[false,"CoVe9o"#)
    );
    // Alone it does not tell contents from directories; a tree does.
    assert!(matches!(
        v1::adopt(None, &sample),
        Err(UnionError::Kind { .. })
    ));
    let local = data(&root([("contracts/global_counter".to_owned(), vec![0])]));
    let tagged = read(&SAMPLE.replacen(
        r#"["active_delegates_with_rolls", {"H": "CoVe9oDs8t8WgH9JHB3DqbvxCZw1Q5ky7qBsZfMiLeKe6RiSMHn1"}],"#,
        "",
        1,
    ));
    assert!(v1::union(&local, &tagged).unwrap().is_complete());
}

#[test]
fn directories_named_like_tags_are_data() {
    for text in [
        r#"[["a",{"H":"00"}]]"#,
        r#"[["a",{"C":"00","D":"01"}]]"#,
        r#"[["a",{"D":"01","H":"00"}]]"#,
        r#"[["a",{}]]"#,
    ] {
        let Some(Node::Data(tree)) = read(text).get(b"a").cloned() else {
            panic!("{text} is data");
        };
        assert_eq!(tree.kind(), Kind::Directory);
        assert_eq!(v1::write(&read(text)).unwrap(), text);
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    let limits = Limits::default();
    assert!(v1::read(b" null\n", &limits).unwrap().is_none());
    for text in [
        "",
        "{}",
        "[",
        "[[]]",
        "[[\"a\"]]",
        "[[\"a\",]]",
        "[[\"a\",null]]",
        "[[\"a\",[true]]]",
        "[[\"a\",[true,\"Co\"]]]",
        "[[\"a\",\"0\"]]",
        "[[\"a\",\"00\"],[\"a\",\"00\"]]",
        "[]x",
        "nullx",
        &"[[\"a\",".repeat(100_000),
        &"[[\"a\",{\"C\":".repeat(100_000),
        &"[[\"a\",{\"D\":".repeat(100_000),
        &format!("[[\"a\",{}", "{\"D\":".repeat(100_000)),
    ] {
        assert!(v1::read(text.as_bytes(), &limits).is_err(), "{text:.60}");
    }
    let few = Limits { nodes: 3, ..limits };
    let text = v1::write(&v1::produce(&sandbox(), &key("version"), false).unwrap()).unwrap();
    assert!(v1::read(text.as_bytes(), &few).is_err());
    assert!(
        v1::read(
            text.as_bytes(),
            &Limits {
                bytes: 10,
                ..limits
            }
        )
        .is_err()
    );
}
