//! A key that has not been read is never taken to be absent.

use std::collections::BTreeSet;

use heliostat_tezos_protocol::Protocol;
use heliostat_tezos_protocol::rpc::{Found, Key, Outcome};
use proptest::prelude::*;

use crate::state::*;

/// Every row, with some argument.
fn paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        "context/constants",
        "context/constants/parametric",
        "context/nonces/4",
        "context/liquidity_baking/cpmm_address",
        "context/total_supply",
        "context/protocol/first_level",
        "context/adaptive_issuance_launch_cycle",
        "context/seed_computation",
        "helpers/current_level",
        "helpers/levels_in_current_cycle",
        "helpers/round",
        "helpers/consecutive_round_zero",
        "votes/current_period",
        "votes/successor_period",
        "votes/current_quorum",
        "votes/current_proposal",
        "votes/total_voting_power",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.push(format!("votes/proposal_count/{ACCOUNT}"));
    for name in [
        "",
        "/balance",
        "/spendable",
        "/counter",
        "/manager_key",
        "/delegate",
        "/frozen_bonds",
        "/balance_and_frozen_bonds",
        "/script",
        "/storage",
        "/storage/used_space",
        "/storage/paid_space",
        "/entrypoints",
        "/entrypoints/mint",
    ] {
        paths.push(format!("context/contracts/{ACCOUNT}{name}"));
        paths.push(format!("context/contracts/{CONTRACT}{name}"));
    }
    paths
}

#[test]
fn nothing_is_answered_before_anything_is_read_unless_it_holds_for_every_state() {
    // Accounts have neither scripts nor space, contracts neither key nor counter.
    let of_every_state = |path: &str| {
        let account = path.contains(ACCOUNT);
        let contract = path.contains(CONTRACT);
        let of_contracts = ["/storage", "/script", "/entrypoints"];
        let of_accounts = ["/counter", "/manager_key"];
        (account && of_contracts.iter().any(|name| path.contains(name)))
            || (contract && of_accounts.iter().any(|name| path.ends_with(name)))
    };
    for protocol in Protocol::ALL {
        for path in paths() {
            let outcome = planned(protocol, &path).run(|_| None);
            if of_every_state(&path) {
                assert!(matches!(outcome, Outcome::Done(_)), "{path}: {outcome:?}");
            } else {
                assert!(matches!(outcome, Outcome::Need(_)), "{path}: {outcome:?}");
            }
        }
    }
}

#[test]
fn a_directory_where_a_value_belongs_is_left_to_a_node() {
    for path in paths() {
        let plan = planned(Protocol::Ushuaia, &path);
        if !plan.keys().is_empty() {
            let outcome = plan.run(|_| Some(Found::Directory));
            assert!(matches!(outcome, Outcome::Delegate(_)), "{path}");
        }
    }
}

/// A state with something at many keys.
fn state() -> State {
    let unit = "{\"prim\":\"unit\"}";
    let field = |name: &str| format!("{{\"prim\":\"{name}\",\"args\":[{unit}]}}");
    let code = format!(
        "[{},{},{{\"prim\":\"code\",\"args\":[[]]}}]",
        field("parameter"),
        field("storage")
    );
    State::new()
        .script(&code, "{\"prim\":\"Unit\"}")
        .contract(ACCOUNT_INDEX, "balance", "09")
        .contract(ACCOUNT_INDEX, "delegate", ACCOUNT_HASH)
        .with("contracts/global_counter", "07")
        .with("block_round", "00000000")
}

proptest! {
    #[test]
    fn with_part_of_the_reads_the_answer_is_the_same_or_more_are_asked_for(
        path in prop::sample::select(paths()),
        hidden in proptest::collection::vec(any::<bool>(), 8),
        full: bool,
    ) {
        let state = if full { state() } else { State::new() };
        let plan = planned(Protocol::Ushuaia, &path);
        let whole = state.run(&plan);
        // The keys in the order in which they are asked for; some are withheld.
        let mut read: BTreeSet<Key> = BTreeSet::new();
        let mut asked = 0;
        loop {
            let known = |key: &Key| read.contains(key).then(|| state.found(key));
            match plan.run(known) {
                Outcome::Need(keys) => {
                    let before = read.len();
                    for key in keys {
                        asked += 1;
                        if !hidden[asked % hidden.len()] {
                            read.insert(key);
                        }
                    }
                    if read.len() == before {
                        break;
                    }
                }
                done => {
                    prop_assert_eq!(&done, &whole);
                    break;
                }
            }
        }
    }

    #[test]
    fn any_values_are_answered_or_left_to_a_node(
        path in prop::sample::select(paths()),
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        for protocol in Protocol::ALL {
            let found = Found::Contents(bytes.clone().into());
            let outcome = planned(protocol, &path).run(|_| Some(found.clone()));
            prop_assert!(!matches!(outcome, Outcome::Need(_)));
        }
    }
}
