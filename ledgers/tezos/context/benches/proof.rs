//! What one proof costs: read and verified, from JSON and from binary, each
//! over and over in one thread. Beside it, where the project has the mainnet
//! recording, what the real implementation took on another machine.
//!
//! Run with `cargo bench -p heliostat-tezos-context --bench proof`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{hint::black_box, time::Instant};

use heliostat_tezos_context::{
    Key, Limits, Lookup, Proof, Tree,
    proof::{binary, json},
};

/// Times a batch is run; the quickest counts, as the least disturbed.
const BATCHES: usize = 30;
const BATCH: usize = 200;

/// What Irmin and data-encoding (OCaml) took for the mainnet proofs, in
/// microseconds, on a shared two-core machine.
const REAL: [f64; 2] = [880.0, 1540.0];

/// Microseconds a call takes: in the quickest batch, and in the middle one.
fn time(mut call: impl FnMut()) -> (f64, f64) {
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let start = Instant::now();
            (0..BATCH).for_each(|_| call());
            start.elapsed().as_secs_f64() * 1e6 / BATCH as f64
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    (batches[0], batches[BATCHES / 2])
}

fn verified(proof: Proof, key: &Key) {
    let lookup = proof.verify().expect("a true proof").find(key);
    assert!(!matches!(black_box(lookup), Lookup::Blinded));
}

fn measure(label: &str, text: &str, key: &Key, real: Option<f64>) {
    let limits = Limits::default();
    let proof = json::read(text.as_bytes(), &limits)
        .expect("a proof")
        .expect("a proof");
    let bytes = binary::write(&proof);
    let from_json = time(|| {
        let proof = json::read(black_box(text).as_bytes(), &limits);
        verified(proof.expect("a proof").expect("a proof"), key);
    });
    let from_binary = time(|| {
        let proof = binary::read(black_box(&bytes), &limits);
        verified(proof.expect("a proof"), key);
    });
    let written = time(|| drop(black_box(json::write(&proof))));
    println!(
        "{label:44} json {:6} B {:6.1} us (median {:6.1})  binary {:5} B {:5.1} us (median {:5.1})  written as json {:6.1} us",
        text.len(),
        from_json.0,
        from_json.1,
        bytes.len(),
        from_binary.0,
        from_binary.1,
        written.0,
    );
    if let Some(real) = real {
        println!(
            "{:44} real implementation, from json: {real:.0} us, {:.0} times as long",
            "",
            real / from_json.0
        );
    }
}

fn main() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average before: {}", load.trim());
    if let Some(mainnet) = common::mainnet() {
        for (proof, real) in mainnet.proofs.iter().zip(REAL) {
            let label = format!("mainnet …/{}", &proof.path[proof.path.len() - 30..]);
            let key = proof.path.parse().expect("a key");
            measure(&label, proof.merkle_tree_v2.get(), &key, Some(real));
        }
    }
    for name in ["small", "dir256", "dir40000"] {
        let vectors = common::generated();
        let vector = vectors.iter().find(|v| v.name == name).expect("a vector");
        measure(name, vector.v2_json.get(), &vector.key(), None);
    }
    full_tree();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average after: {}", load.trim());
}

/// A full tree of many accounts: made, hashed, changed, proven.
fn full_tree() {
    const ACCOUNTS: usize = 300_000;
    let start = Instant::now();
    let tree: Tree = common::root((0..ACCOUNTS).map(|i| {
        (
            format!("contracts/index/{i:044x}/balance"),
            i.to_string().into_bytes(),
        )
    }));
    let built = start.elapsed();
    let start = Instant::now();
    let root = black_box(tree.hash());
    println!(
        "{ACCOUNTS} accounts: built in {built:.2?}, hashed in {:.2?}, root {root}",
        start.elapsed()
    );

    let start = Instant::now();
    let mut changed = tree.clone();
    for i in 0..1000 {
        let account = format!("{:044x}", i * 277);
        let path = [
            &b"data"[..],
            b"contracts",
            b"index",
            account.as_bytes(),
            b"balance",
        ];
        changed = changed.insert(&path, format!("{i}.")).expect("a full tree");
    }
    let edited = start.elapsed();
    let start = Instant::now();
    black_box(changed.hash());
    println!(
        "1000 balances: changed in {edited:.2?}, hashed in {:.2?}",
        start.elapsed()
    );

    let keys: Vec<Key> = (0..100)
        .map(|i| {
            format!("contracts/index/{:044x}/balance", i * 2_777)
                .parse()
                .expect("a key")
        })
        .collect();
    let start = Instant::now();
    let proof = Proof::produce_many(&changed, &keys).expect("a full tree");
    println!(
        "a proof of 100 balances: made in {:.2?}, {} B binary, {} B json",
        start.elapsed(),
        binary::write(&proof).len(),
        json::write(&proof).len(),
    );
}
