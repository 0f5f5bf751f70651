//! The two real proofs of the mainnet vector: read, verified, their value
//! found. The vector lies beside the project and is not part of it.

use std::{
    hint::black_box,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use heliostat_tezos_context::{
    Key, Limits, Lookup, Proof,
    proof::{binary, json},
};
use serde_json::Value;

use crate::machine;

/// Where the vector is looked for without `--vector`, from the project's root.
pub const VECTOR: &str = "../shared/vectors/tezos/tezos_mainnet_15181987.json";

/// Turns of each measurement; the median of their means is shown.
const TURNS: usize = 15;

/// How long a turn takes at least.
const TURN: Duration = Duration::from_millis(100);

/// What one proof may cost, JSON and binary, in microseconds.
const BARS: [f64; 2] = [100.0, 40.0];

/// What Octez's own Irmin and data-encoding took for the same two proofs as
/// JSON (`protocols/tezos.md`, section 9), in microseconds, on another machine
/// with two shared cores.
const IRMIN: [f64; 2] = [880.0, 1_540.0];

/// A proof in both encodings.
struct Sample {
    path: String,
    key: Key,
    json: Vec<u8>,
    binary: Vec<u8>,
}

/// Times both proofs in both encodings, and prints a table.
pub fn run(vector: Option<PathBuf>) -> Result<()> {
    let path = vector.unwrap_or_else(|| PathBuf::from(VECTOR));
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            println!("skipped: {}: {error}", path.display());
            return Ok(());
        }
    };
    let samples = samples(&serde_json::from_slice(&bytes)?)?;
    println!("| proof | encoding | bytes | µs | bar µs | met | Irmin µs | times as fast | load |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (at, sample) in samples.iter().enumerate() {
        let name = sample.path.rsplit('/').next().unwrap_or_default();
        for (form, bytes) in [("JSON", &sample.json), ("binary", &sample.binary)] {
            let is_json = form == "JSON";
            let micros = time(|| verify(sample, is_json))?;
            let bar = BARS[usize::from(!is_json)];
            let (irmin, times) = match IRMIN.get(at).filter(|_| is_json) {
                Some(irmin) => (format!("{irmin:.0}"), format!("{:.1}", irmin / micros)),
                None => <(String, String)>::default(),
            };
            println!(
                "| {name} | {form} | {} | {micros:.1} | {bar:.0} | {} | {irmin} | {times} | {:.2} |",
                bytes.len(),
                if micros <= bar { "yes" } else { "no" },
                machine::load_average()
            );
        }
    }
    Ok(())
}

fn samples(vector: &Value) -> Result<Vec<Sample>> {
    let proofs = vector["proofs"].as_array().context("no list of proofs")?;
    ensure!(proofs.len() == IRMIN.len(), "another vector");
    proofs.iter().map(sample).collect()
}

fn sample(vector: &Value) -> Result<Sample> {
    let path = vector["path"].as_str().context("a proof without a path")?;
    let key: Key = path.parse()?;
    let json = serde_json::to_vec(&vector["merkle_tree_v2"])?;
    let proof = json::read(&json, &Limits::default())?.context("null is no proof")?;
    Ok(Sample {
        path: path.to_owned(),
        key,
        binary: binary::write(&proof),
        json,
    })
}

/// Reads the proof, hashes it up to its root, and finds its value.
fn verify(sample: &Sample, is_json: bool) -> Result<()> {
    let limits = Limits::default();
    let proof: Option<Proof> = match is_json {
        true => json::read(black_box(&sample.json), &limits)?,
        false => Some(binary::read(black_box(&sample.binary), &limits)?),
    };
    let verified = proof.context("null is no proof")?.verify()?;
    let found = black_box(verified.find(&sample.key));
    ensure!(matches!(found, Lookup::Contents(_)), "no value");
    Ok(())
}

/// Microseconds of one call: the median of several turns.
fn time(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut means = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let start = Instant::now();
        let mut calls = 0_u32;
        while start.elapsed() < TURN {
            for _ in 0..16 {
                work()?;
            }
            calls += 16;
        }
        means.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
    }
    means.sort_by(f64::total_cmp);
    Ok(means[TURNS / 2])
}
