//! The constants of a sandbox, field by field.
//!
//! Names, order and printed values are those of Octez's regression outputs of
//! `context/constants` in light mode (tezt/tests/expected/RPC_test.ml,
//! misc_protocol, of protocols 024 and 025); the optional rollup's address is
//! masked there and made up here. The bytes were put together by hand from the
//! published description of the encoding of 024
//! (id_024__pttallin__constants__parametric.ksy) and from the source of 025.

use heliostat_tezos_protocol::Protocol;
use heliostat_tezos_protocol::constants::Constants;
use proptest::prelude::*;

/// Which protocols have a field with this value.
type Protocols = &'static [Protocol];
const ALL: Protocols = &Protocol::ALL;
const TALLINN: Protocols = &[Protocol::Tallinn];
const USHUAIA: Protocols = &[Protocol::Ushuaia];

/// Protocols, name, JSON (empty: the field is not printed) and bytes in hex
/// (empty: the field is not stored).
#[rustfmt::skip]
const FIELDS: &[(Protocols, &str, &str, &str)] = &[
    (ALL, "proof_of_work_nonce_size", "8", ""),
    (ALL, "nonce_length", "32", ""),
    (ALL, "max_anon_ops_per_block", "132", ""),
    (ALL, "max_operation_data_length", "32768", ""),
    (ALL, "max_proposals_per_delegate", "20", ""),
    (ALL, "max_micheline_node_count", "50000", ""),
    (ALL, "max_micheline_bytes_limit", "50000", ""),
    (ALL, "max_allowed_global_constants_depth", "10000", ""),
    (TALLINN, "cache_layout_size", "3", ""),
    (USHUAIA, "cache_layout_size", "5", ""),
    (ALL, "michelson_maximum_type_size", "2001", ""),
    (ALL, "denunciation_period", "1", ""),
    (ALL, "slashing_delay", "1", ""),
    (ALL, "smart_rollup_max_wrapped_proof_binary_size", "30000", ""),
    (ALL, "smart_rollup_message_size_limit", "4096", ""),
    (ALL, "smart_rollup_max_number_of_messages_per_level", r#""1000000""#, ""),
    (ALL, "consensus_rights_delay", "2", "02"),
    (ALL, "blocks_preservation_cycles", "1", "01"),
    (ALL, "delegate_parameters_activation_delay", "2", "02"),
    (ALL, "tolerated_inactivity_period", "2", "02"),
    (ALL, "blocks_per_cycle", "8", "00000008"),
    (ALL, "blocks_per_commitment", "4", "00000004"),
    (ALL, "nonce_revelation_threshold", "4", "00000004"),
    (ALL, "cycles_per_voting_period", "8", "00000008"),
    (ALL, "hard_gas_limit_per_operation", r#""1040000""#, "80fa7e"),
    (ALL, "hard_gas_limit_per_block", r#""1040000""#, "80fa7e"),
    (ALL, "proof_of_work_threshold", r#""4611686018427387903""#, "3fffffffffffffff"),
    (ALL, "minimal_stake", r#""6000000000""#, "80f882ad16"),
    (ALL, "minimal_frozen_stake", r#""600000000""#, "808c8d9e02"),
    (ALL, "vdf_difficulty", r#""50000""#, "000000000000c350"),
    (ALL, "origination_size", "257", "00000101"),
    (ALL, "issuance_weights", r#"{"base_total_issued_per_minute":"80007812","baking_reward_fixed_portion_weight":5120,"baking_reward_bonus_weight":5120,"attesting_reward_weight":10240,"seed_nonce_revelation_tip_weight":1,"vdf_revelation_tip_weight":1,"dal_rewards_weight":2275}"#, "84a593260000140000001400000028000000000100000001000008e3"),
    (ALL, "cost_per_byte", r#""250""#, "fa01"),
    (ALL, "hard_storage_limit_per_operation", r#""60000""#, "a0a907"),
    (ALL, "quorum_min", "2000", "000007d0"),
    (ALL, "quorum_max", "7000", "00001b58"),
    (ALL, "min_proposal_quorum", "500", "000001f4"),
    (ALL, "liquidity_baking_subsidy", r#""5000000""#, "c096b102"),
    (ALL, "liquidity_baking_toggle_ema_threshold", "1000000000", "3b9aca00"),
    (ALL, "max_operations_time_to_live", "8", "0008"),
    (ALL, "minimal_block_delay", r#""1""#, "0000000000000001"),
    (ALL, "delay_increment_per_round", r#""1""#, "0000000000000001"),
    (ALL, "consensus_committee_size", "256", "00000100"),
    (ALL, "consensus_threshold_size", "0", "00000000"),
    (ALL, "minimal_participation_ratio", r#"{"numerator":2,"denominator":3}"#, "00020003"),
    (ALL, "limit_of_delegation_over_baking", "19", "13"),
    (ALL, "percentage_of_frozen_deposits_slashed_per_double_baking", "500", "01f4"),
    (ALL, "max_slashing_per_block", "10000", "2710"),
    (ALL, "max_slashing_threshold", r#"{"numerator":1,"denominator":3}"#, "00010003"),
    (ALL, "testnet_dictator", "", "00"),
    (ALL, "initial_seed", "", "00"),
    (ALL, "cache_script_size", "100000000", "05f5e100"),
    (ALL, "cache_stake_distribution_cycles", "5", "05"),
    (ALL, "cache_sampler_state_cycles", "5", "05"),
    (USHUAIA, "cache_stake_info_cycles", "5", "05"),
    (USHUAIA, "cache_swrr_selected_distribution_cycles", "5", "05"),
    (TALLINN, "dal_parametric", r#"{"feature_enable":true,"incentives_enable":true,"number_of_slots":16,"attestation_lag":8,"attestation_threshold":66,"minimal_participation_ratio":{"numerator":"16","denominator":"25"},"rewards_ratio":{"numerator":"1","denominator":"10"},"traps_fraction":{"numerator":"1","denominator":"2000"},"redundancy_factor":8,"page_size":3967,"slot_size":126944,"number_of_shards":256}"#, "ffff001008421019010a01901f080f7f0001efe00100"),
    (USHUAIA, "dal_parametric", r#"{"feature_enable":true,"incentives_enable":true,"dynamic_lag_enable":true,"number_of_slots":16,"attestation_lag":5,"attestation_lags":[1,2,3,4,5],"attestation_threshold":66,"minimal_participation_ratio":{"numerator":"16","denominator":"25"},"rewards_ratio":{"numerator":"1","denominator":"10"},"traps_fraction":{"numerator":"1","denominator":"2000"},"redundancy_factor":8,"page_size":3967,"slot_size":380832,"number_of_shards":256}"#, "ffffff001005000000050102030405421019010a01901f080f7f0005cfa00100"),
    (ALL, "smart_rollup_arith_pvm_enable", "false", "00"),
    (ALL, "smart_rollup_origination_size", "6314", "000018aa"),
    (ALL, "smart_rollup_challenge_window_in_blocks", "201600", "00031380"),
    (ALL, "smart_rollup_stake_amount", r#""10000000000""#, "80c8afa025"),
    (ALL, "smart_rollup_commitment_period_in_blocks", "150", "00000096"),
    (ALL, "smart_rollup_max_lookahead_in_blocks", "432000", "00069780"),
    (ALL, "smart_rollup_max_active_outbox_levels", "151200", "00024ea0"),
    (ALL, "smart_rollup_max_outbox_messages_per_level", "100", "00000064"),
    (ALL, "smart_rollup_number_of_sections_in_dissection", "32", "20"),
    (ALL, "smart_rollup_timeout_period_in_blocks", "100800", "000189c0"),
    (ALL, "smart_rollup_max_number_of_cemented_commitments", "5", "00000005"),
    (ALL, "smart_rollup_max_number_of_parallel_games", "32", "00000020"),
    (ALL, "smart_rollup_reveal_activation_level", r#"{"raw_data":{"Blake2B":0},"metadata":0,"dal_page":1,"dal_parameters":1,"dal_attested_slots_validity_lag":241920}"#, "000000000000000000000001000000010003b100"),
    (ALL, "smart_rollup_private_enable", "true", "ff"),
    (ALL, "smart_rollup_riscv_pvm_enable", "false", "00"),
    (USHUAIA, "smart_rollup_canonical_rollup_address", r#""sr163N83bpxaAsueGVijqp6e7G1RqEpRiMZz""#, "ff000102030405060708090a0b0c0d0e0f10111213"),
    (ALL, "zk_rollup_enable", "false", "00"),
    (ALL, "zk_rollup_origination_size", "4000", "00000fa0"),
    (ALL, "zk_rollup_min_pending_to_process", "10", "0000000a"),
    (ALL, "zk_rollup_max_ticket_payload_size", "2048", "00000800"),
    (ALL, "global_limit_of_staking_over_baking", "9", "09"),
    (ALL, "edge_of_staking_over_delegation", "3", "03"),
    (ALL, "adaptive_rewards_params", r#"{"issuance_ratio_final_min":{"numerator":"1","denominator":"400"},"issuance_ratio_final_max":{"numerator":"1","denominator":"10"},"issuance_ratio_initial_min":{"numerator":"9","denominator":"200"},"issuance_ratio_initial_max":{"numerator":"11","denominator":"200"},"initial_period":10,"transition_period":50,"max_bonus":"50000000000000","growth_rate":{"numerator":"1","denominator":"100"},"center_dz":{"numerator":"1","denominator":"2"},"radius_dz":{"numerator":"1","denominator":"50"}}"#, "019006010a0988030b88030a3200002d79883d200001a40101020132"),
    (ALL, "direct_ticket_spending_enable", "false", "00"),
    (ALL, "aggregate_attestation", "true", "ff"),
    (ALL, "allow_tz4_delegate_enable", "true", "ff"),
    (ALL, "all_bakers_attest_activation_threshold", r#"{"numerator":1,"denominator":2}"#, "00010002"),
    (USHUAIA, "native_contracts_enable", "true", "ff"),
    (USHUAIA, "swrr_new_baker_lottery_enable", "true", "ff"),
    (USHUAIA, "tz5_account_enable", "true", "ff"),
    (ALL, "issuance_modification_delay", "2", ""),
    (ALL, "consensus_key_activation_delay", "2", ""),
    (ALL, "unstake_finalization_delay", "3", ""),
];

fn fields(protocol: Protocol) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    FIELDS
        .iter()
        .filter(move |(protocols, ..)| protocols.contains(&protocol))
        .map(|(_, name, json, hex)| (*name, *json, *hex))
}

fn bytes(protocol: Protocol) -> Vec<u8> {
    let text: String = fields(protocol).map(|(.., hex)| hex).collect();
    hex::decode(text).expect("the table is hex")
}

fn object(fields: impl Iterator<Item = (&'static str, &'static str, &'static str)>) -> String {
    let printed: Vec<String> = fields
        .filter(|(_, json, _)| !json.is_empty())
        .map(|(name, json, _)| format!("\"{name}\":{json}"))
        .collect();
    format!("{{{}}}", printed.join(","))
}

#[test]
fn the_record_prints_as_octez_prints_it() {
    for protocol in Protocol::ALL {
        let constants = Constants::parse(protocol, &bytes(protocol)).unwrap();
        assert_eq!(constants.to_json().unwrap(), object(fields(protocol)));
    }
}

#[test]
fn the_parametric_part_is_what_is_stored() {
    for protocol in Protocol::ALL {
        let constants = Constants::parse(protocol, &bytes(protocol)).unwrap();
        let stored = fields(protocol).filter(|(.., hex)| !hex.is_empty());
        assert_eq!(constants.parametric_json(), object(stored));
    }
}

#[test]
fn a_dictator_and_a_seed_print_where_they_are_set() {
    let protocol = Protocol::Ushuaia;
    let text: String = fields(protocol)
        .map(|(name, _, hex)| match name {
            "testnet_dictator" => format!("ff00{}", "00".repeat(20)),
            "initial_seed" => format!("ff{}", "07".repeat(32)),
            "smart_rollup_canonical_rollup_address" => "00".to_owned(),
            _ => hex.to_owned(),
        })
        .collect();
    let constants = Constants::parse(protocol, &hex::decode(text).unwrap()).unwrap();
    let json = constants.parametric_json();
    assert!(json.contains(
        "\"testnet_dictator\":\"tz1Ke2h7sDdakHJQh8WX4Z372du1KChsksyU\",\"initial_seed\":\"rng"
    ));
    assert!(!json.contains("canonical"));
}

#[test]
fn a_record_of_another_protocol_is_refused() {
    for protocol in Protocol::ALL {
        for other in Protocol::ALL {
            let read = Constants::parse(protocol, &bytes(other));
            assert_eq!(
                read.is_ok(),
                protocol == other,
                "{other} read as {protocol}"
            );
        }
    }
}

#[test]
fn a_cut_record_is_refused_at_every_length() {
    let whole = bytes(Protocol::Ushuaia);
    for length in 0..whole.len() {
        assert!(Constants::parse(Protocol::Ushuaia, &whole[..length]).is_err());
    }
}

proptest! {
    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = bytes(Protocol::Ushuaia);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(constants) = Constants::parse(Protocol::Ushuaia, &bytes) {
            prop_assert!(constants.to_json().is_ok());
        }
    }
}
