//! A node over the trees of the generated proofs answers them byte for byte.
//!
//! The vectors are those of the context crate, made by running Octez's own
//! copy of Irmin and its proof codec (`tezos/tezos-mirror` at d26a8bef) on
//! synthetic trees; how the trees were made is told there.

use std::{collections::BTreeMap, io::Read as _, path::PathBuf};

use bytes::Bytes;
use heliostat_sim::tezos::Network;
use heliostat_tezos_context::Tree;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{node, small};

/// A generated proof.
#[derive(Deserialize)]
struct Generated {
    name: String,
    key: String,
    holey: bool,
    v2_json: Box<RawValue>,
    v2_bin: String,
}

fn generated() -> Vec<Generated> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../ledgers/tezos/context/tests/vectors/irmin_octez_generated_proofs.jsonl.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).expect("a vector file"))
        .read_to_string(&mut text)
        .expect("gzip");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a vector"))
        .collect()
}

/// The whole tree of a vector; `None` for those whose names are searched for.
fn rebuilt(name: &str) -> Option<Tree> {
    let accounts = |count: u32| {
        let account = |i: u32| {
            let name = i.wrapping_mul(0x9e37_79b1);
            let path = format!("contracts/index/{name:044x}/balance");
            (path, i.to_string().into_bytes())
        };
        (0..count).map(account).collect::<Vec<_>>()
    };
    let numbered = |count: u32| {
        let one = |i: u32| (format!("w/{i:02}"), i.to_string().into_bytes());
        (0..count).map(one).collect()
    };
    let pairs = match name {
        "small" => Vec::new(),
        "dir256" => accounts(256),
        "dir257" => accounts(257),
        "dir1000" => accounts(1000),
        "node62" => numbered(62),
        "node63" => numbered(63),
        "bigvalues" => vec![
            ("v/a".to_owned(), vec![b'a'; 255]),
            ("v/b".to_owned(), vec![b'b'; 256]),
            ("v/c".to_owned(), vec![b'c'; 65_536]),
            ("v/d".to_owned(), Vec::new()),
        ],
        _ => return None,
    };
    let always = [
        ("data/big_maps/next", vec![0]),
        ("data/version", b"alpha_current".to_vec()),
        ("protocol", vec![b'p'; 32]),
        ("test_chain", vec![0]),
    ];
    let below = pairs
        .into_iter()
        .map(|(path, value)| (format!("data/{path}"), value));
    let all = below.chain(always.map(|(path, value)| (path.to_owned(), value)));
    let all = all.map(|(path, value)| {
        let names: Vec<String> = path.split('/').map(str::to_owned).collect();
        (names, Bytes::from(value))
    });
    Some(Tree::from_pairs(all).expect("paths that do not clash"))
}

#[tokio::test]
async fn a_node_answers_the_generated_proofs_byte_for_byte() {
    let mut groups: BTreeMap<String, Vec<Generated>> = BTreeMap::new();
    for vector in generated() {
        groups.entry(vector.name.clone()).or_default().push(vector);
    }
    let mut proofs = 0;
    for (name, group) in groups {
        let Some(tree) = rebuilt(&name) else { continue };
        let world = small(1).world().forge(|_| tree.clone());
        let network = Network::new(world);
        let (_node, client) = node(&network).await;
        for vector in group {
            let holey = if vector.holey { "yes" } else { "no" };
            let path = format!(
                "/chains/main/blocks/head/context/merkle_tree_v2/{}?holey={holey}",
                vector.key
            );
            let json = client.bytes(&path).await;
            assert_eq!(
                json,
                vector.v2_json.get().as_bytes(),
                "{name} {}",
                vector.key
            );
            let bytes = client.binary(&path).await;
            // A length, and that there is a proof: what a node puts before it.
            let (length, framed) = bytes.split_at(4);
            assert_eq!(length, (framed.len() as u32).to_be_bytes());
            let expected = format!("01{}", vector.v2_bin);
            assert_eq!(hex::encode(framed), expected, "{name} {}", vector.key);
            proofs += 1;
        }
    }
    assert_eq!(proofs, 21);
}
