//! Random trees, and proofs that were tampered with. A failure prints its case;
//! `PROPTEST_CASES` sets how many there are, and the cases that failed are kept
//! beside this file.

use std::collections::BTreeMap;

use bytes::Bytes;
use heliostat_tezos_context::{
    Key, Limits, Lookup, Proof, Tree,
    proof::{binary, binary_v1, json},
    raw, v1,
};
use proptest::prelude::*;

type Model = BTreeMap<Vec<String>, Vec<u8>>;

fn limits() -> Limits {
    Limits::default()
}

/// Contents by path below `data`: a few directories, one of them wide.
fn models() -> impl Strategy<Value = Model> {
    let name = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "d.",
        "long_name_beyond_the_inline_bytes",
    ]);
    let path = prop::collection::vec(name.prop_map(str::to_owned), 1..4);
    let value = prop::collection::vec(any::<u8>(), 0..40);
    let small = prop::collection::btree_map(path, value, 0..12);
    let wide = prop_oneof![2 => Just(0usize), 1 => 200usize..300, 2 => 300usize..1500];
    (small, wide, any::<u32>()).prop_map(|(small, wide, salt)| {
        // A path through another one's contents has no place.
        let mut model: Model = small
            .iter()
            .filter(|(path, _)| (1..path.len()).all(|n| !small.contains_key(&path[..n])))
            .map(|(path, value)| (path.clone(), value.clone()))
            .collect();
        for i in 0..wide {
            let name = format!("{:x}", (i as u32).wrapping_mul(0x9e37_79b1) ^ salt);
            model.insert(vec!["wide".to_owned(), name, "v".to_owned()], vec![i as u8]);
        }
        model
    })
}

fn below_data(path: &[String]) -> Vec<&[u8]> {
    std::iter::once(&b"data"[..])
        .chain(path.iter().map(String::as_bytes))
        .collect()
}

fn tree(model: &Model) -> Tree {
    let pairs = model.iter().map(|(path, value)| {
        let path: Vec<Vec<u8>> = below_data(path).iter().map(|name| name.to_vec()).collect();
        (path, Bytes::copy_from_slice(value))
    });
    Tree::from_pairs(pairs.chain([(vec![b"protocol".to_vec()], Bytes::from_static(b"p"))]))
        .expect("paths that do not clash")
}

/// The same thing: equal in kind and, where shown, in all that is in it.
fn same(one: &Lookup, other: &Lookup) -> bool {
    match (one, other) {
        (Lookup::Contents(one), Lookup::Contents(other)) => one == other,
        (Lookup::Directory(one), Lookup::Directory(other)) => one.hash() == other.hash(),
        (Lookup::Absent, Lookup::Absent) => true,
        _ => false,
    }
}

/// A key of the model, one above it, one below it, or one that is nowhere.
fn pick(model: &Model, n: usize) -> Key {
    let mut path = match model.keys().nth(n % model.len().max(1)) {
        Some(path) => path.clone(),
        None => vec!["a".to_owned()],
    };
    match n / 7 % 4 {
        0 => {}
        1 => path.truncate(path.len() - 1),
        2 => path.push("x".to_owned()),
        _ => {
            let last = path.len() - 1;
            path[last].push('!');
        }
    }
    // Whole wide directories are proven in a test of their own.
    if path == ["wide"] {
        path.push("nowhere".to_owned());
    }
    Key::new(path).expect("short names")
}

fn forms(proof: &Proof) -> [Proof; 3] {
    let text = json::write(proof);
    [
        json::read(text.as_bytes(), &limits())
            .expect("json")
            .expect("not null"),
        binary::read(&binary::write(proof), &limits()).expect("binary"),
        binary_v1::read(&binary_v1::write(proof), &limits()).expect("binary, version 1"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_proven_is_what_the_tree_says(model in models(), picks in prop::collection::vec(any::<usize>(), 1..6)) {
        let tree = tree(&model);
        let keys: Vec<Key> = picks.iter().map(|n| pick(&model, *n)).collect();
        let common = Proof::produce_many(&tree, &keys).unwrap();
        for key in &keys {
            let single = Proof::produce(&tree, key, false).unwrap();
            for proof in forms(&single).iter().chain(&forms(&common)) {
                let verified = proof.verify().unwrap();
                prop_assert_eq!(verified.root, tree.hash());
                prop_assert!(same(&verified.find(key), &tree.find_key(key)), "{}", key);
            }
        }
        let forms = forms(&common);
        prop_assert_eq!(json::write(&forms[1]), json::write(&common));
        prop_assert_eq!(binary::write(&forms[2]), binary::write(&common));
        prop_assert_eq!(binary_v1::write(&forms[0]), binary_v1::write(&common));
        let answer = binary::write_answer(Some(&common));
        let answered = binary::read_answer(&answer, &limits()).unwrap().unwrap();
        prop_assert_eq!(binary::write(&answered), binary::write(&common));
    }

    #[test]
    fn all_proofs_together_are_the_tree(model in models(), order in any::<u64>()) {
        let tree = tree(&model);
        let mut keys: Vec<Key> = model.keys().map(|path| Key::new(path).unwrap()).collect();
        keys.sort_by_key(|key| key.to_string().bytes().fold(order, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)));
        let mut known = Tree::blinded(tree.kind(), tree.hash());
        for batch in keys.chunks(40) {
            let proof = Proof::produce_many(&tree, batch).unwrap();
            known = known.merge(&proof.verify().unwrap().tree).unwrap();
            prop_assert_eq!(known.hash(), tree.hash());
            for key in batch {
                prop_assert!(same(&known.find_key(key), &tree.find_key(key)));
            }
        }
        prop_assert!(keys.is_empty() || matches!(known.find(&[b"data"]), Lookup::Directory(data) if data.is_complete()));
        if !keys.is_empty() {
            // What it shows is all that is needed to prove any of it again.
            let whole = Proof::produce(&known, &Key::default(), false).unwrap();
            let direct = Proof::produce(&tree, &Key::default(), false).unwrap();
            prop_assert_eq!(binary::write(&whole), binary::write(&direct));
        }
    }

    #[test]
    fn edits_give_the_tree_that_building_anew_gives(
        model in models(),
        edits in prop::collection::vec((any::<usize>(), prop::option::of(any::<u8>())), 0..40),
    ) {
        let mut changed = model.clone();
        let mut edited = tree(&model);
        for (n, value) in edits {
            let path: Vec<String> = pick(&changed, n).steps().iter().map(|s| String::from_utf8(s.clone()).unwrap()).collect();
            let names = below_data(&path);
            match value {
                Some(value) if !path.is_empty() => {
                    changed.retain(|other, _| !other.starts_with(&path) && !path.starts_with(other));
                    changed.insert(path.clone(), vec![value]);
                    edited = edited.insert(&names, vec![value]).unwrap();
                }
                Some(_) => {}
                None => {
                    changed.retain(|other, _| !other.starts_with(&path));
                    edited = edited.remove(&names).unwrap();
                }
            }
        }
        prop_assert_eq!(edited.hash(), tree(&changed).hash());
    }

    #[test]
    fn an_older_block_shows_what_did_not_change(model in models(), picks in prop::collection::vec(any::<usize>(), 2..8)) {
        let old = tree(&model);
        let keys: Vec<Key> = picks.iter().map(|n| pick(&model, *n)).collect();
        let (known, fresh) = keys.split_at(keys.len() - 1);
        let known = Proof::produce_many(&old, known).unwrap().verify().unwrap().tree;
        let new = old.insert(&[b"data", b"counter"], "new").unwrap();
        let fresh = Proof::produce(&new, &fresh[0], false).unwrap().verify().unwrap().tree;
        let both = fresh.graft(&known);
        prop_assert_eq!(both.hash(), new.hash());
        for key in &keys {
            match both.find_key(key) {
                Lookup::Blinded => prop_assert!(key != keys.last().unwrap()),
                found => prop_assert!(same(&found, &new.find_key(key)), "{}", key),
            }
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_changes_nothing(model in models(), n in any::<usize>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let tree = tree(&model);
        let key = pick(&model, n);
        let proof = Proof::produce(&tree, &key, false).unwrap();
        let text = json::write(&proof).into_bytes();
        let bytes = binary::write(&proof);
        let old = binary_v1::write(&proof);
        let changed = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        };
        let read = [
            json::read(&changed(&text), &limits()).ok().flatten(),
            binary::read(&changed(&bytes), &limits()).ok(),
            binary_v1::read(&changed(&old), &limits()).ok(),
        ];
        for verified in read.into_iter().flatten().filter_map(|proof| proof.verify().ok()) {
            // It may show less, and with another root another tree; of this
            // root it says nothing else.
            let found = verified.find(&key);
            let true_or_silent = matches!(found, Lookup::Blinded) || same(&found, &tree.find_key(&key));
            prop_assert!(verified.root != tree.hash() || true_or_silent);
            prop_assert!(verified.root == tree.hash());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = json::read(&bytes, &limits());
        let _ = binary::read(&bytes, &limits());
        let _ = binary::read_answer(&bytes, &limits());
        let _ = binary_v1::read(&bytes, &limits());
        let _ = v1::read(&bytes, &limits());
        let _ = raw::read(&bytes, &limits());
    }

    #[test]
    fn older_answers_and_raw_bytes_show_the_same_tree(model in models(), picks in prop::collection::vec(any::<usize>(), 1..5)) {
        let tree = tree(&model);
        let Lookup::Directory(data) = tree.find(&[b"data"]) else { return Ok(()) };
        let mut local = Tree::blinded(data.kind(), data.hash());
        for key in picks.iter().map(|n| pick(&model, *n)) {
            let Ok(answer) = v1::produce(&tree, &key, false) else { continue };
            let text = v1::write(&answer).unwrap();
            let read = v1::read(text.as_bytes(), &limits()).unwrap().unwrap();
            prop_assert_eq!(v1::write(&read).unwrap(), text);
            let found = tree.find_key(&key);
            let (last, above) = key.steps().split_last().unwrap();
            if matches!(data.find(&Key::new(above).unwrap().below_data()), Lookup::Contents(_)) {
                // One name below contents: a node's answer shows an empty
                // directory there, which has not the root.
                prop_assert!(last == b"x" && v1::adopt(Some(&local), &read).is_err());
                continue;
            }
            local = v1::adopt(Some(&local), &read).unwrap();
            prop_assert_eq!(local.hash(), data.hash());
            prop_assert!(same(&local.find(&key.below_data()), &found), "{}", key);
            if let Lookup::Directory(directory) = &found {
                let text = raw::write(directory, None).unwrap();
                prop_assert_eq!(raw::read(text.as_bytes(), &limits()).unwrap().hash(), directory.hash());
            }
        }
    }
}
