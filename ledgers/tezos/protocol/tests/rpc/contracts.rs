//! Accounts: balance, counter, key, delegate.

use heliostat_tezos_protocol::{Protocol, PublicKeyHash};

use crate::state::*;

fn account(name: &str) -> String {
    format!("context/contracts/{ACCOUNT}{name}")
}

fn contract(name: &str) -> String {
    format!("context/contracts/{CONTRACT}{name}")
}

/// An Ed25519 public key as a manager is stored: tag, then kind and key.
fn manager(tag: &str, kind: &str, length: usize) -> String {
    format!("{tag}{kind}{}", "07".repeat(length))
}

#[test]
fn an_account_that_is_absent_has_nothing_and_a_contract_is_not_found() {
    let state = State::new().with("contracts/global_counter", "00");
    assert_eq!(state.json(&account("/balance")), "\"0\"");
    assert_eq!(state.json(&account("/spendable")), "\"0\"");
    assert_eq!(state.json(&account("/counter")), "\"0\"");
    assert_eq!(state.json(&account("/manager_key")), "null");
    assert_eq!(state.json(&account("/frozen_bonds")), "\"0\"");
    state.not_found(&account("/delegate"));
    state.delegated(&account("/balance_and_frozen_bonds"));
    // RPC_test.ml, contracts: an account that was never touched.
    assert_eq!(
        state.json(&account("")),
        "{\"balance\":\"0\",\"counter\":\"0\",\"revealed\":false}"
    );
    for name in [
        "",
        "/balance",
        "/counter",
        "/manager_key",
        "/delegate",
        "/script",
        "/storage",
        "/entrypoints",
        "/entrypoints/default",
        "/frozen_bonds",
    ] {
        state.not_found(&contract(name));
    }
}

#[test]
fn an_account_prints_as_octez_prints_it() {
    let state = State::new()
        // 3,800,000,000,000 mutez.
        .contract(ACCOUNT_INDEX, "balance", "80e0998dcc6e")
        .contract(ACCOUNT_INDEX, "counter", "04")
        .contract(ACCOUNT_INDEX, "manager", &manager("02", "00", 32))
        .contract(ACCOUNT_INDEX, "delegate", ACCOUNT_HASH);
    assert_eq!(
        state.json(&account("")),
        format!(
            "{{\"balance\":\"3800000000000\",\"delegate\":\"{ACCOUNT}\",\
             \"counter\":\"4\",\"revealed\":true}}"
        )
    );
    assert_eq!(state.rounds.get(), 1);
    assert_eq!(state.json(&account("/delegate")), format!("\"{ACCOUNT}\""));
    assert!(state.json(&account("/manager_key")).starts_with("\"edpk"));
}

#[test]
fn a_counter_that_is_absent_is_the_chains() {
    let state = State::new().with("contracts/global_counter", "8001");
    assert_eq!(state.json(&account("/counter")), "\"64\"");
    assert_eq!(state.rounds.get(), 2);
    // Without a counter anywhere nothing can be said.
    State::new().delegated(&account("/counter"));
}

#[test]
fn a_manager_that_is_a_hash_or_an_old_bls_key_is_not_revealed() {
    let with = |hex: &str| {
        State::new()
            .contract(ACCOUNT_INDEX, "manager", hex)
            .json(&account("/manager_key"))
    };
    assert_eq!(with(&format!("00{ACCOUNT_HASH}")), "null");
    assert_eq!(with(&manager("01", "03", 48)), "null");
    assert!(with(&manager("02", "03", 48)).starts_with("\"BLpk"));
    assert!(with(&manager("01", "00", 32)).starts_with("\"edpk"));
    let unknown = State::new().contract(ACCOUNT_INDEX, "manager", &manager("03", "00", 32));
    unknown.delegated(&account("/manager_key"));
}

#[test]
fn a_contracts_bonds_and_space_are_read() {
    let state = State::new()
        .contract(CONTRACT_INDEX, "balance", "05")
        .contract(CONTRACT_INDEX, "total_frozen_bonds", "07")
        .contract(CONTRACT_INDEX, "used_bytes", "8a05")
        .contract(CONTRACT_INDEX, "delegate", ACCOUNT_HASH);
    assert_eq!(state.json(&contract("/frozen_bonds")), "\"7\"");
    assert_eq!(state.json(&contract("/balance_and_frozen_bonds")), "\"12\"");
    assert_eq!(
        state.json(&contract("/spendable_and_frozen_bonds")),
        "\"12\""
    );
    assert_eq!(state.json(&contract("/storage/used_space")), "\"330\"");
    assert_eq!(state.json(&contract("/storage/paid_space")), "\"0\"");
    assert_eq!(state.json(&account("/storage/paid_space")), "null");
    assert_eq!(state.json(&contract("/delegate")), format!("\"{ACCOUNT}\""));
}

#[test]
fn values_that_do_not_decode_are_left_to_a_node() {
    for hex in ["", "80", "8000", "0500"] {
        let state = State::new().contract(ACCOUNT_INDEX, "balance", hex);
        state.delegated(&account("/balance"));
    }
    let state = State::new().contract(ACCOUNT_INDEX, "delegate", "00");
    state.delegated(&account("/delegate"));
}

#[test]
fn paths_that_are_not_answered_here_have_no_plan() {
    for path in [
        "context/contracts",
        "context/contracts/tz1",
        &account("/full_balance"),
        &account("/balance?x=1"),
        &account("/entrypoints/"),
        &account("/entrypoints?normalize_types=maybe"),
        "context/big_maps/4",
        "context/big_maps/4/expr",
        "context/big_maps/04/expruMCdcsPZLsDrRBj9A2xuTdVv5W2VvuApnvpQxkKtBz7eUYzRbF",
        "context/nonces/-1",
        "context/raw/bytes/version",
        "helpers/current_level?offset=x",
        "helpers/round?offset=1",
        "header",
        "",
    ] {
        for protocol in Protocol::ALL {
            assert!(try_plan(protocol, path).is_none(), "{path}");
        }
    }
}

#[test]
fn accounts_that_a_protocol_does_not_know_are_left_to_a_node() {
    // A hash of zeros; only its kind counts.
    let hash = hex::decode("04".to_owned() + &"00".repeat(20)).unwrap();
    let name = PublicKeyHash::from_bytes(&hash).unwrap();
    let path = format!("context/contracts/{name}/balance");
    assert!(try_plan(Protocol::Tallinn, &path).is_none());
    assert!(try_plan(Protocol::Ushuaia, &path).is_some());
}
