//! The methods: their names, under which an operator sets minimum grades and
//! metrics count them, what each is checked against, and the grade that earns.

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
    /// The grade of its answers, in words.
    pub grade: &'static str,
}

/// What an answer is checked against, and the grade that this earns.
type Check = (&'static str, &'static str);

const STATE: Check = (
    "proof from the block's state; absence is proven too",
    "that of the state's root: `proven` under a final header, else `agreed k/n`",
);
const HEADER: Check = (
    "the header's bytes, hashed to the block's hash",
    "that of the block: `proven` when it is final, else `agreed k/n`",
);
const PLACE: Check = (
    "the followed chain of headers",
    "that of the block: `proven` when it is final, else `agreed k/n`",
);
const NONE: Check = ("nothing: passed on to one endpoint", "`relayed`");

const fn method(name: &'static str, path: &'static str, check: Check) -> Method {
    Method {
        name,
        path,
        checked: check.0,
        grade: check.1,
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
    method("votes", "./votes/current_period", STATE),
    method("votes", "./votes/successor_period", STATE),
    method("votes", "./votes/current_quorum", STATE),
    method("votes", "./votes/current_proposal", STATE),
    method("votes", "./votes/total_voting_power", STATE),
    method("votes", "./votes/proposal_count/*", STATE),
    method("raw_bytes", "./context/raw/bytes/**", STATE),
    method("merkle_tree_v2", "./context/merkle_tree_v2/**", STATE),
    method("merkle_tree", "./context/merkle_tree/**", STATE),
    method("hash", "./hash", PLACE),
    method("header", "./header/**", HEADER),
    method(
        "operation_hashes",
        "./operation_hashes/**",
        (
            "the root in the block's header",
            "that of the block: `proven` when it is final, else `agreed k/n`",
        ),
    ),
    method(
        "operations",
        "./operations/**",
        (
            "all hashes against the root in the block's header; the texts are the node's",
            "`relayed`, because of the texts",
        ),
    ),
    method(
        "block",
        ".",
        (
            "hash, header and all operations' hashes; the operations' texts and the receipts are the node's",
            "`relayed`, because of the texts",
        ),
    ),
    method(
        "resulting_context_hash",
        "./resulting_context_hash",
        (
            "the next block's header; passed on while there is none",
            "that of the next block; `relayed` while there is none",
        ),
    ),
    method(
        "protocols",
        "./protocols",
        (
            "the roots of the states before and after the block, else what the endpoints agree on",
            "that of the roots, else `agreed k/n`",
        ),
    ),
    method(
        "chain_id",
        "/chains/*/chain_id",
        (
            "the settings or a quorum's signatures, else what the endpoints agree on",
            "`proven`, else `agreed k/n`",
        ),
    ),
    method("monitor_heads", "/monitor/heads/*", PLACE),
    method(
        "injection",
        "/injection/operation",
        (
            "passed on to one endpoint, or to as many as `send-policy` says, once each; the hash is computed here",
            "`relayed`",
        ),
    ),
    method("relayed", "/**", NONE),
];

/// All methods with what they are checked against, for the documentation.
pub fn method_table() -> &'static [Method] {
    METHODS
}

/// A part of a node's interface that is always passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedOn {
    /// Its paths, written as in [`Method::path`].
    pub path: &'static str,
    /// Why it is not answered here.
    pub why: &'static str,
}

const fn passed_on(path: &'static str, why: &'static str) -> PassedOn {
    PassedOn { path, why }
}

const WIDE: &str = "it lists a directory of the state that is too wide to be proven";
const MANY: &str = "it combines many keys by rules that differ between protocols";
const RUNS: &str = "it runs the protocol's code";
const RECEIPTS: &str = "receipts are not linked to headers by this release";
const NODES: &str = "it speaks of one node, not of the chain";

/// What is passed on, graded `relayed`, or refused under a minimum grade.
const PASSED_ON: &[PassedOn] = &[
    passed_on("./context/contracts", WIDE),
    passed_on("./context/delegates", WIDE),
    passed_on("./context/big_maps/*", WIDE),
    passed_on("./votes/listings", WIDE),
    passed_on("./votes/ballots", WIDE),
    passed_on("./votes/ballot_list", WIDE),
    passed_on("./votes/proposals", WIDE),
    passed_on("./context/delegates/*/**", MANY),
    passed_on("./context/contracts/*/full_balance", MANY),
    passed_on("./context/contracts/*/staked_balance", MANY),
    passed_on("./context/contracts/*/unstake_requests", MANY),
    passed_on("./context/issuance/**", MANY),
    passed_on("./context/smart_rollups/**", MANY),
    passed_on("./context/sapling/**", MANY),
    passed_on(
        "./context/raw/json/**",
        "it decodes with the protocol's code",
    ),
    passed_on("./helpers/baking_rights", MANY),
    passed_on("./helpers/attestation_rights", MANY),
    passed_on("./helpers/validators", MANY),
    passed_on("./helpers/scripts/**", RUNS),
    passed_on("./helpers/preapply/**", RUNS),
    passed_on("./helpers/forge/**", RUNS),
    passed_on("./context/constants/errors", RUNS),
    passed_on("./metadata", RECEIPTS),
    passed_on(
        "./live_blocks",
        "how many blocks count is receipt data of the node",
    ),
    passed_on("/chains/*/mempool/**", NODES),
    passed_on("/chains/*/is_bootstrapped", NODES),
    passed_on("/monitor/**", NODES),
    passed_on(
        "/injection/block",
        "written by bakers, to a node of their own",
    ),
    passed_on("/version", NODES),
    passed_on("/network/**", NODES),
    passed_on("/config/**", NODES),
];

/// What is passed on as a rule, with the reason, for the documentation. It is
/// not a list of what may be asked: everything that is not in
/// [`method_table`] is passed on.
pub fn passed_on_table() -> &'static [PassedOn] {
    PASSED_ON
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
            ("", "block"),
            ("/", "block"),
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
    fn what_is_passed_on_has_no_name_of_its_own() {
        for one in passed_on_table() {
            let (whole, _) = one.path.split_once("/**").unwrap_or((one.path, ""));
            let whole = match whole.strip_prefix('.') {
                Some(below) => format!("/chains/main/blocks/head{below}"),
                None => whole.to_owned(),
            };
            let whole = whole.replace('*', "x");
            let segments: Vec<_> = whole.split('/').filter(|s| !s.is_empty()).collect();
            let found = super::name(&segments, &Verb::GET);
            assert_eq!(found, "relayed", "{}", one.path);
        }
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
