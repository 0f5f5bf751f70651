//! The methods: their names, under which an operator sets minimum grades and
//! metrics count them, and what each is checked against.

use std::collections::BTreeMap;

use axum::http::Method as Verb;
use heliostat_core::Assurance;

use crate::light::StartError;

/// One method of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name in settings and metrics.
    pub name: &'static str,
    /// Its paths: `*` stands for one segment, a last `**` for any rest. Paths
    /// that begin with a dot lie below `/chains/CHAIN/blocks/BLOCK`.
    pub path: &'static str,
    /// What its answers are checked against, in words.
    pub checked: &'static str,
}

const STATE: &str = "proof from the block's state; absence is proven too";
const HEADER: &str = "the header's bytes, hashed to the block's hash";
const NONE: &str = "nothing: passed on to one endpoint";

const fn method(name: &'static str, path: &'static str, checked: &'static str) -> Method {
    Method {
        name,
        path,
        checked,
    }
}

/// All methods; of several that fit a path the first counts.
const METHODS: &[Method] = &[
    method("balance", "./context/contracts/*/balance", STATE),
    method("balance", "./context/contracts/*/spendable", STATE),
    method("counter", "./context/contracts/*/counter", STATE),
    method("manager_key", "./context/contracts/*/manager_key", STATE),
    method("delegate", "./context/contracts/*/delegate", STATE),
    method("script", "./context/contracts/*/script", STATE),
    method("storage", "./context/contracts/*/storage", STATE),
    method("storage_space", "./context/contracts/*/storage/*", STATE),
    method("entrypoints", "./context/contracts/*/entrypoints/**", STATE),
    method("frozen_bonds", "./context/contracts/*/frozen_bonds", STATE),
    method(
        "frozen_bonds",
        "./context/contracts/*/balance_and_frozen_bonds",
        STATE,
    ),
    method(
        "frozen_bonds",
        "./context/contracts/*/spendable_and_frozen_bonds",
        STATE,
    ),
    method("contract", "./context/contracts/*", STATE),
    method("big_map", "./context/big_maps/*/*", STATE),
    method("constants", "./context/constants", STATE),
    method("constants", "./context/constants/parametric", STATE),
    method("nonce", "./context/nonces/*", STATE),
    method(
        "cpmm_address",
        "./context/liquidity_baking/cpmm_address",
        STATE,
    ),
    method("total_supply", "./context/total_supply", STATE),
    method("first_level", "./context/protocol/first_level", STATE),
    method(
        "launch_cycle",
        "./context/adaptive_issuance_launch_cycle",
        STATE,
    ),
    method("seed_computation", "./context/seed_computation", STATE),
    method("current_level", "./helpers/current_level", STATE),
    method(
        "levels_in_current_cycle",
        "./helpers/levels_in_current_cycle",
        STATE,
    ),
    method("round", "./helpers/round", STATE),
    method("round", "./helpers/consecutive_round_zero", STATE),
    method("votes", "./votes/**", STATE),
    method("raw_bytes", "./context/raw/bytes/**", STATE),
    method("merkle_tree_v2", "./context/merkle_tree_v2/**", STATE),
    method("merkle_tree", "./context/merkle_tree/**", STATE),
    method("hash", "./hash", "the followed chain of headers"),
    method("header", "./header/**", HEADER),
    method(
        "operation_hashes",
        "./operation_hashes/**",
        "the root in the block's header",
    ),
    method(
        "operations",
        "./operations/**",
        "hashes against the root in the block's header; the texts are the node's",
    ),
    method(
        "resulting_context_hash",
        "./resulting_context_hash",
        "the next block's header",
    ),
    method("protocols", "./protocols", "agreement of the endpoints"),
    method(
        "chain_id",
        "/chains/*/chain_id",
        "agreement of the endpoints, or the settings",
    ),
    method(
        "monitor_heads",
        "/monitor/heads/*",
        "the followed chain of headers",
    ),
    method(
        "injection",
        "/injection/operation",
        "passed on to one endpoint, once; the hash is computed here",
    ),
    method("relayed", "/**", NONE),
];

/// All methods with what they are checked against, for the documentation.
pub fn method_table() -> &'static [Method] {
    METHODS
}

/// The name of the method that a path is.
pub fn name(segments: &[&str], verb: &Verb) -> &'static str {
    let is_read = *verb == Verb::GET;
    let fits = |method: &&Method| {
        let (pattern, path) = match (method.path.strip_prefix('.'), segments) {
            (Some(below), ["chains", _, "blocks", _, tail @ ..]) => (below, tail),
            (None, all) => (method.path, all),
            (Some(_), _) => return false,
        };
        is_read == (method.name != "injection") && matches(pattern, path)
            || method.name == "relayed"
    };
    METHODS
        .iter()
        .find(fits)
        .map_or("relayed", |method| method.name)
}

fn matches(pattern: &str, path: &[&str]) -> bool {
    let mut path = path.iter();
    for step in pattern.split('/').filter(|step| !step.is_empty()) {
        if step == "**" {
            return true;
        }
        match path.next() {
            Some(name) if step == "*" || step == *name => {}
            _ => return false,
        }
    }
    path.next().is_none()
}

/// Checks that every name in the minimum grades is one.
pub(crate) fn check(minimum: &BTreeMap<String, Assurance>) -> Result<(), StartError> {
    let is_known = |name: &str| name == "*" || METHODS.iter().any(|method| method.name == name);
    match minimum.keys().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => {
            let mut known: Vec<_> = METHODS.iter().map(|method| method.name).collect();
            known.dedup();
            Err(StartError::UnknownMethod {
                name: name.clone(),
                known: known.join(", "),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_names() {
        let name = |path: &str| {
            let segments: Vec<_> = path.split('/').filter(|s| !s.is_empty()).collect();
            name(&segments, &Verb::GET)
        };
        let block = "/chains/main/blocks/head";
        for (tail, expected) in [
            ("/context/contracts/tz1/balance", "balance"),
            ("/context/contracts/KT1", "contract"),
            ("/context/contracts/KT1/storage/used_space", "storage_space"),
            ("/context/raw/bytes/a/b/c", "raw_bytes"),
            ("/header", "header"),
            ("/header/raw", "header"),
            ("/operations/3/0", "operations"),
            ("/metadata", "relayed"),
            ("/votes/current_period", "votes"),
            ("/helpers/baking_rights", "relayed"),
        ] {
            assert_eq!(name(&format!("{block}{tail}")), expected, "{tail}");
        }
        assert_eq!(name("/version"), "relayed");
        assert_eq!(name("/chains/main/chain_id"), "chain_id");
        assert_eq!(name("/monitor/heads/main"), "monitor_heads");
        let sent = ["injection", "operation"];
        assert_eq!(super::name(&sent, &Verb::POST), "injection");
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let minimum = BTreeMap::from([("balanse".to_owned(), Assurance::Proven)]);
        let error = check(&minimum).unwrap_err().to_string();
        assert!(error.contains("balanse") && error.contains("balance, counter"));
        let minimum = BTreeMap::from([("*".to_owned(), Assurance::Proven)]);
        assert!(check(&minimum).is_ok());
    }
}
