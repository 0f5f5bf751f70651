//! The protocol's own records: levels, votes, nonces, seeds.

use heliostat_tezos_protocol::Protocol;
use heliostat_tezos_protocol::rpc::{Answer, Outcome, plan};

use crate::state::*;

/// Level 1 on: 8 blocks a cycle, a commitment every 4.
const ERAS: &str = "0000001000000001000000000000000800000004";
/// The constants of a sandbox of protocol 025, which tests/constants.rs has
/// field by field: 8 cycles of 8 blocks a voting period, quorum 2,000 to 7,000,
/// nonces revealed up to position 4, rights 2 cycles ahead.
const CONSTANTS: &str = "020102020000000800000004000000040000000880fa7e80fa7e3fffffffffffffff80f882ad16808c8d9e02\
    000000000000c3500000010184a593260000140000001400000028000000000100000001000008e3fa01a0a9\
    07000007d000001b58000001f4c096b1023b9aca000008000000000000000100000000000000010000010000\
    000000000200031301f4271000010003000005f5e10005050505ffffff001005000000050102030405421019\
    010a01901f080f7f0005cfa0010000000018aa0003138080c8afa025000000960006978000024ea000000064\
    20000189c00000000500000020000000000000000000000001000000010003b100ff00ff0001020304050607\
    08090a0b0c0d0e0f101112130000000fa00000000a000008000903019006010a0988030b88030a3200002d79\
    883d200001a4010102013200ffff00010002ffffff";

fn state() -> State {
    State::new()
        .with("v1/cycle_eras", ERAS)
        .with("v1/constants", CONSTANTS)
}

fn at(path: &str, level: i32, state: &State) -> Outcome {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let steps: Vec<&str> = path.split('/').collect();
    let query: Vec<(&str, &str)> = query.split_once('=').into_iter().collect();
    let plan = plan(Protocol::Ushuaia, level, &steps, &query);
    state.run(&plan.expect("a test asks for known rows"))
}

#[track_caller]
fn prints(path: &str, level: i32, state: &State, json: &str) {
    let expected = Outcome::Done(Answer::Json(json.to_owned()));
    assert_eq!(at(path, level, state), expected, "{path}");
}

#[test]
fn levels_and_cycles_count_from_the_first_level() {
    let state = state();
    // RPC_test.ml, misc_protocol.
    let first = "{\"level\":1,\"level_position\":0,\"cycle\":0,\"cycle_position\":0,\
        \"expected_commitment\":false}";
    prints("helpers/current_level", 1, &state, first);
    prints("helpers/current_level?offset=0", 1, &state, first);
    let later = "{\"level\":12,\"level_position\":11,\"cycle\":1,\"cycle_position\":3,\
        \"expected_commitment\":true}";
    prints("helpers/current_level?offset=2", 10, &state, later);
    let levels = "helpers/levels_in_current_cycle";
    prints(levels, 1, &state, "{\"first\":1,\"last\":8}");
    let next = "helpers/levels_in_current_cycle?offset=1";
    prints(next, 1, &state, "{\"first\":9,\"last\":16}");
    let before = "helpers/levels_in_current_cycle?offset=-1";
    assert_eq!(at(before, 1, &state), Outcome::Done(Answer::NotFound));
    for (path, level) in [
        ("helpers/current_level", 0),
        ("helpers/current_level?offset=-1", 5),
        ("helpers/current_level?offset=2147483647", 5),
        ("helpers/levels_in_current_cycle?offset=2147483647", 5),
    ] {
        assert!(
            matches!(at(path, level, &state), Outcome::Delegate(_)),
            "{path}"
        );
    }
}

#[test]
fn a_voting_period_prints_where_the_block_stands_in_it() {
    // Index 1, exploration, from position 64.
    let state = state()
        .with("votes/current_period", "000000010100000040")
        .with("votes/pred_period_kind", "00");
    let exploration = |position: i32, remaining: i32| {
        format!(
            "{{\"voting_period\":{{\"index\":1,\"kind\":\"exploration\",\"start_position\":64}},\
             \"position\":{position},\"remaining\":{remaining}}}"
        )
    };
    prints("votes/current_period", 65, &state, &exploration(0, 63));
    prints("votes/current_period", 128, &state, &exploration(63, 0));
    prints("votes/successor_period", 64, &state, &exploration(0, 63));
    // The last block of the period before has already put this one in place.
    let proposal = "{\"voting_period\":{\"index\":0,\"kind\":\"proposal\",\"start_position\":0},\
        \"position\":63,\"remaining\":0}";
    prints("votes/current_period", 64, &state, proposal);
}

#[test]
fn votes_print_their_small_records() {
    let state = state()
        .with("votes/participation_ema", "00001b58")
        .with("votes/voting_power_in_listings", "000012309ce54000")
        .with(
            "votes/proposals_count/ed25519/02298c03ed7d454a101eb7022bc95f7e5f41ac78",
            "0003",
        );
    // RPC_test.ml, votes: 2,000 + 7,000 x 5,000 / 10,000.
    assert_eq!(state.json("votes/current_quorum"), "5500");
    assert_eq!(state.json("votes/total_voting_power"), "\"20000000000000\"");
    assert_eq!(state.json("votes/current_proposal"), "null");
    assert_eq!(state.json(&format!("votes/proposal_count/{ACCOUNT}")), "3");
    let hash = "0d".repeat(32);
    let state = State::new().with("votes/current_proposal", &hash);
    assert!(state.json("votes/current_proposal").starts_with("\"P"));
    assert_eq!(state.json(&format!("votes/proposal_count/{ACCOUNT}")), "0");
}

#[test]
fn a_nonce_is_revealed_hidden_or_forgotten() {
    let bytes = "07".repeat(32);
    let state = state()
        .with("cycle/0/nonces/4", &format!("01{bytes}"))
        .with("cycle/1/nonces/12", &format!("00{bytes}{ACCOUNT_HASH}"))
        .with("cycle/2/nonces/20", &bytes);
    assert_eq!(
        state.json("context/nonces/4"),
        format!("{{\"nonce\":\"{bytes}\"}}")
    );
    assert!(
        state
            .json("context/nonces/12")
            .starts_with("{\"hash\":\"nce")
    );
    assert_eq!(state.json("context/nonces/5"), "{}");
    state.delegated("context/nonces/20");
    state.delegated("context/nonces/0");
}

#[test]
fn the_seed_goes_through_three_stages() {
    let seed = |byte: &str| byte.repeat(32);
    let path = "context/seed_computation";
    let randao = state()
        .with("seed_status", "00")
        .with("cycle/2/random_seed", &seed("0a"))
        .with("cycle/3/random_seed", &seed("0b"));
    prints(path, 4, &randao, "{\"nonce_revelation_stage\":{}}");
    let stage = format!(
        "{{\"seed_discriminant\":\"{}\",\"seed_challenge\":\"{}\"}}",
        seed("0a"),
        seed("0b")
    );
    prints(path, 5, &randao, &stage);
    let vdf = state().with("seed_status", "ff");
    prints(path, 5, &vdf, "{\"computation_finished\":{}}");
}

#[test]
fn the_small_records_of_the_chain_print() {
    let state = State::new()
        .with("liquidity_baking_cpmm_address", CONTRACT_INDEX)
        .with("contracts/total_supply", "80e0998dcc6e")
        .with("protocol_activation_level", "00000002")
        .with("first_level_of_protocol", "00000003")
        .with("adaptive_issuance_launch_cycle", "ff00000007")
        .with("block_round", "00000001")
        .with("consecutive_round_zero", "00000009");
    let cpmm = state.json("context/liquidity_baking/cpmm_address");
    assert_eq!(cpmm, format!("\"{CONTRACT}\""));
    assert_eq!(state.json("context/total_supply"), "\"3800000000000\"");
    assert_eq!(state.json("context/protocol/first_level"), "2");
    let old = planned(Protocol::Tallinn, "context/protocol/first_level");
    assert_eq!(state.run(&old), Outcome::Done(Answer::Json("3".into())));
    assert_eq!(state.json("context/adaptive_issuance_launch_cycle"), "7");
    assert_eq!(state.json("helpers/round"), "1");
    assert_eq!(state.json("helpers/consecutive_round_zero"), "9");
    let never = State::new().with("adaptive_issuance_launch_cycle", "00");
    assert_eq!(never.json("context/adaptive_issuance_launch_cycle"), "null");
}

#[test]
fn constants_are_read_and_records_that_must_be_there_are_not_made_up() {
    let json = state().json("context/constants");
    assert!(json.contains("\"unstake_finalization_delay\":3"));
    assert!(
        !state()
            .json("context/constants/parametric")
            .contains("unstake_finalization")
    );
    for path in [
        "context/constants",
        "context/total_supply",
        "helpers/round",
        "helpers/current_level",
        "votes/current_period",
        "votes/current_quorum",
        "votes/total_voting_power",
    ] {
        State::new().delegated(path);
    }
}
