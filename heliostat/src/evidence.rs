//! `heliostat verify-evidence`: reaches the verdict again from the exhibits
//! alone, without asking anybody.

use std::{fs::File, io::Read as _, path::Path};

use heliostat_core::Evidence;
use heliostat_store::{Options as StoreOptions, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    address::without_credentials,
    cli::exit::{Failure, store_failure},
    defaults,
};

/// A proof of a lie, as a file holds it: alone, or as `/evidence` sends it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Held {
    Finding {
        upstream: String,
        evidence: Evidence,
    },
    Alone(Evidence),
}

/// What became of one proof.
#[derive(Debug, Serialize)]
pub struct Rechecked {
    /// Who said it, where the file says so. Not a part of the proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The rule that is broken.
    pub rule: String,
    /// The same in words, as the file has them. Not a part of the proof.
    pub words: String,
    /// Whether the exhibits show the lie.
    pub holds: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Rechecked {
    fn of(upstream: Option<String>, evidence: &Evidence) -> Self {
        let verdict = recheck(evidence);
        Self {
            upstream,
            rule: evidence.rule.clone(),
            words: evidence.words.clone(),
            holds: verdict.is_ok(),
            why: verdict.err(),
        }
    }
}

/// The verdict of the ledger whose rule it is.
fn recheck(evidence: &Evidence) -> Result<(), String> {
    match evidence.rule.split('.').next() {
        Some("tezos") => {
            heliostat_tezos::evidence::recheck(evidence).map_err(|error| error.to_string())
        }
        Some("zcash") => {
            heliostat_zcash_verifier::convict(evidence).map_err(|error| error.to_string())
        }
        _ => Err("the rule is of no ledger this release has".to_owned()),
    }
}

/// Checks every proof in a file, and prints what became of it.
///
/// # Errors
/// The file cannot be read (2), or a proof does not hold (1).
pub fn run(file: &Path, json: bool) -> Result<(), Failure> {
    let held = read(file)?;
    let found: Vec<_> = held
        .iter()
        .map(|held| match held {
            Held::Finding { upstream, evidence } => Rechecked::of(Some(upstream.clone()), evidence),
            Held::Alone(evidence) => Rechecked::of(None, evidence),
        })
        .collect();
    if json {
        let text = serde_json::to_string_pretty(&found).map_err(anyhow::Error::from)?;
        println!("{text}");
    } else {
        found.iter().for_each(print);
    }
    let broken = found.iter().filter(|found| !found.holds).count();
    match broken {
        0 => Ok(()),
        _ => Err(Failure::failed(format!(
            "{broken} of {} proofs do not show a lie",
            found.len()
        ))),
    }
}

fn print(found: &Rechecked) {
    let mark = if found.holds { "holds  " } else { "DOES NOT" };
    let who = found.upstream.as_deref().unwrap_or("somebody");
    println!("{mark}  {who}: {} [{}]", found.words, found.rule);
    if let Some(why) = &found.why {
        println!("          {why}");
    }
}

/// The proofs in a file: one, or a list of them.
fn read(file: &Path) -> Result<Vec<Held>, Failure> {
    let shown = file.display();
    let opened = File::open(file);
    let opened = opened.map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    let mut text = String::new();
    let limit = defaults::EVIDENCE_FILE;
    let size = opened
        .take(limit + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    if size as u64 > limit {
        return Err(Failure::usage(format!(
            "{shown} has more than {limit} bytes; split the list"
        )));
    }
    let wrong = |error: serde_json::Error| {
        Failure::usage(format!(
            "{shown} holds no evidence: {error}; save what /evidence of a running Heliostat sends"
        ))
    };
    let value: Value = serde_json::from_str(&text).map_err(wrong)?;
    let all = match value {
        Value::Array(all) => all,
        one => vec![one],
    };
    let held: Result<Vec<_>, _> = all.into_iter().map(serde_json::from_value).collect();
    let held = held.map_err(wrong)?;
    match held.is_empty() {
        true => Err(Failure::usage(format!(
            "{shown} is an empty list: nobody was caught lying"
        ))),
        false => Ok(held),
    }
}

/// What a store holds against upstreams.
#[derive(Debug, Serialize)]
pub struct Kept {
    /// The store's address without credentials.
    pub store: String,
    /// Every proof in it.
    pub evidence: Vec<Rechecked>,
}

impl Kept {
    /// How many do not hold.
    pub fn broken(&self) -> u64 {
        let broken = self.evidence.iter().filter(|found| !found.holds);
        broken.count() as u64
    }

    /// Tells people.
    pub fn print(&self, name: &str) {
        let verdict = if self.broken() == 0 {
            "clean"
        } else {
            "NOT CLEAN"
        };
        println!(
            "{name}: {verdict}, {} proofs of lies in {}; nothing else is stored of this ledger",
            self.evidence.len(),
            self.store
        );
        self.evidence.iter().for_each(print);
    }
}

/// Checks every proof in a store again.
///
/// # Errors
/// The store cannot be read.
pub async fn stored(name: &str, address: &str, tables: &[Table]) -> Result<Kept, Failure> {
    let store = heliostat_store::open(address, name, tables, StoreOptions::read_only())
        .await
        .map_err(store_failure)?;
    let found = heliostat_node::Findings::open(store)
        .await
        .map_err(store_failure)?;
    let evidence = found
        .evidence()
        .iter()
        .map(|finding| Rechecked::of(Some(finding.upstream.clone()), &finding.evidence))
        .collect();
    Ok(Kept {
        store: without_credentials(address),
        evidence,
    })
}
