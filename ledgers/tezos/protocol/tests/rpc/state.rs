//! A state by key, and the loop that a light node runs.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use heliostat_tezos_protocol::Protocol;
use heliostat_tezos_protocol::defaults::READ_ROUNDS;
use heliostat_tezos_protocol::micheline::{binary, json};
use heliostat_tezos_protocol::rpc::{Answer, Found, Key, Outcome, Plan, plan};

/// An account and a contract of Octez's encoding samples.
pub const ACCOUNT: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
pub const CONTRACT: &str = "KT1DieU51jzXLerQx5AqMCiLC1SsCeM8yRat";
/// Their keys under `contracts/index`.
pub const ACCOUNT_INDEX: &str = "000002298c03ed7d454a101eb7022bc95f7e5f41ac78";
pub const CONTRACT_INDEX: &str = "0138560805b4c8d7b7fbbafad5c59dbfa3878ca70500";
/// The account's hash as a delegate is stored.
pub const ACCOUNT_HASH: &str = "0002298c03ed7d454a101eb7022bc95f7e5f41ac78";

/// The values of a block's state.
#[derive(Clone, Default)]
pub struct State {
    values: BTreeMap<String, Bytes>,
    /// How many rounds of reads the last answer took.
    pub rounds: Cell<usize>,
}

impl State {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value in hex.
    pub fn with(mut self, key: &str, hex: &str) -> Self {
        let bytes = hex::decode(hex).expect("a test writes hex");
        self.values.insert(key.to_owned(), bytes.into());
        self
    }

    /// Adds a value of an account or contract.
    pub fn contract(self, index: &str, name: &str, hex: &str) -> Self {
        self.with(&format!("contracts/index/{index}/{name}"), hex)
    }

    /// Adds the contract with code and storage, both as JSON.
    pub fn script(self, code: &str, storage: &str) -> Self {
        let sized = |text| {
            hex::encode(binary::write_sized(
                &json::read_text(text).expect("a test writes Micheline"),
            ))
        };
        self.contract(CONTRACT_INDEX, "balance", "05")
            .contract(CONTRACT_INDEX, "data/code", &sized(code))
            .contract(CONTRACT_INDEX, "data/storage", &sized(storage))
    }

    /// Adds an expression, given as JSON.
    pub fn expression(self, key: &str, text: &str) -> Self {
        let bytes = binary::write(&json::read_text(text).expect("a test writes Micheline"));
        self.with(key, &hex::encode(bytes))
    }

    pub fn found(&self, key: &Key) -> Found {
        match self.values.get(key.as_str()) {
            Some(bytes) => Found::Contents(bytes.clone()),
            None => Found::Absent,
        }
    }

    /// Runs a plan round by round, reading what it asks for and nothing else.
    pub fn run(&self, plan: &Plan) -> Outcome {
        let mut read = BTreeSet::new();
        for round in 0..READ_ROUNDS {
            self.rounds.set(round);
            let known = |key: &Key| read.contains(key).then(|| self.found(key));
            match plan.run(known) {
                Outcome::Need(keys) => {
                    assert!(!keys.is_empty(), "nothing is asked for");
                    for key in keys {
                        assert!(key.steps().all(|step| !step.is_empty()), "{key}");
                        assert!(read.insert(key), "a key is asked for twice");
                    }
                }
                done => return done,
            }
        }
        panic!("the plan never ends");
    }

    /// The answer at level 1,000 of protocol 025.
    pub fn get(&self, path: &str) -> Outcome {
        self.run(&planned(Protocol::Ushuaia, path))
    }

    /// The JSON of an answer.
    #[track_caller]
    pub fn json(&self, path: &str) -> String {
        match self.get(path) {
            Outcome::Done(Answer::Json(json)) => json,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[track_caller]
    pub fn not_found(&self, path: &str) {
        assert_eq!(self.get(path), Outcome::Done(Answer::NotFound), "{path}");
    }

    #[track_caller]
    pub fn delegated(&self, path: &str) {
        let outcome = self.get(path);
        assert!(
            matches!(outcome, Outcome::Delegate(_)),
            "{path}: {outcome:?}"
        );
    }
}

/// The plan of a path with an optional query, at level 1,000.
#[track_caller]
pub fn planned(protocol: Protocol, path: &str) -> Plan {
    try_plan(protocol, path).unwrap_or_else(|| panic!("no plan for {path}"))
}

pub fn try_plan(protocol: Protocol, path: &str) -> Option<Plan> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let steps: Vec<&str> = path.split('/').collect();
    let query: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    plan(protocol, 1_000, &steps, &query)
}
