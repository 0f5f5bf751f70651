//! The fields of the constants, by protocol.
//!
//! Protocol 025 differs from 024 in these: two caches more
//! (`cache_stake_info_cycles`, `cache_swrr_selected_distribution_cycles`, and
//! `cache_layout_size` 5 for 3), `dynamic_lag_enable` and `attestation_lags` of
//! the DAL, `smart_rollup_canonical_rollup_address`, and three switches at the
//! end (`native_contracts_enable`, `swrr_new_baker_lottery_enable`,
//! `tz5_account_enable`).

use super::{Field, Kind};
use crate::protocol::Protocol;

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// The parametric constants in the order in which they are stored.
pub(super) fn parametric(protocol: Protocol) -> &'static [Field] {
    match protocol {
        Protocol::Tallinn => TALLINN,
        Protocol::Ushuaia => USHUAIA,
    }
}

/// The fixed constants: names and JSON.
pub(super) fn fixed(protocol: Protocol) -> [(&'static str, &'static str); 15] {
    let cache_layout_size = match protocol {
        Protocol::Tallinn => "3",
        Protocol::Ushuaia => "5",
    };
    [
        ("proof_of_work_nonce_size", "8"),
        ("nonce_length", "32"),
        ("max_anon_ops_per_block", "132"),
        ("max_operation_data_length", "32768"),
        ("max_proposals_per_delegate", "20"),
        ("max_micheline_node_count", "50000"),
        ("max_micheline_bytes_limit", "50000"),
        ("max_allowed_global_constants_depth", "10000"),
        ("cache_layout_size", cache_layout_size),
        ("michelson_maximum_type_size", "2001"),
        ("denunciation_period", "1"),
        ("slashing_delay", "1"),
        ("smart_rollup_max_wrapped_proof_binary_size", "30000"),
        ("smart_rollup_message_size_limit", "4096"),
        (
            "smart_rollup_max_number_of_messages_per_level",
            "\"1000000\"",
        ),
    ]
}

/// `v1/constants` of protocol 024.
const TALLINN: &[Field] = &[
    field("consensus_rights_delay", Kind::U8),
    field("blocks_preservation_cycles", Kind::U8),
    field("delegate_parameters_activation_delay", Kind::U8),
    field("tolerated_inactivity_period", Kind::U8),
    field("blocks_per_cycle", Kind::I32),
    field("blocks_per_commitment", Kind::I32),
    field("nonce_revelation_threshold", Kind::I32),
    field("cycles_per_voting_period", Kind::I32),
    field("hard_gas_limit_per_operation", Kind::Z),
    field("hard_gas_limit_per_block", Kind::Z),
    field("proof_of_work_threshold", Kind::I64),
    field("minimal_stake", Kind::N),
    field("minimal_frozen_stake", Kind::N),
    field("vdf_difficulty", Kind::I64),
    field("origination_size", Kind::I31),
    field("issuance_weights", Kind::Record(ISSUANCE_WEIGHTS)),
    field("cost_per_byte", Kind::N),
    field("hard_storage_limit_per_operation", Kind::Z),
    field("quorum_min", Kind::I32),
    field("quorum_max", Kind::I32),
    field("min_proposal_quorum", Kind::I32),
    field("liquidity_baking_subsidy", Kind::N),
    field("liquidity_baking_toggle_ema_threshold", Kind::I32),
    field("max_operations_time_to_live", Kind::I16),
    field("minimal_block_delay", Kind::I64),
    field("delay_increment_per_round", Kind::I64),
    field("consensus_committee_size", Kind::I31),
    field("consensus_threshold_size", Kind::I31),
    field("minimal_participation_ratio", Kind::Ratio),
    field("limit_of_delegation_over_baking", Kind::U8),
    field(
        "percentage_of_frozen_deposits_slashed_per_double_baking",
        Kind::U16,
    ),
    field("max_slashing_per_block", Kind::U16),
    field("max_slashing_threshold", Kind::Ratio),
    field("testnet_dictator", Kind::OptionalKeyHash),
    field("initial_seed", Kind::OptionalSeed),
    field("cache_script_size", Kind::I31),
    field("cache_stake_distribution_cycles", Kind::I8),
    field("cache_sampler_state_cycles", Kind::I8),
    field("dal_parametric", Kind::Record(DAL_TALLINN)),
    field("smart_rollup_arith_pvm_enable", Kind::Bool),
    field("smart_rollup_origination_size", Kind::I31),
    field("smart_rollup_challenge_window_in_blocks", Kind::I31),
    field("smart_rollup_stake_amount", Kind::N),
    field("smart_rollup_commitment_period_in_blocks", Kind::I31),
    field("smart_rollup_max_lookahead_in_blocks", Kind::I32),
    field("smart_rollup_max_active_outbox_levels", Kind::I32),
    field("smart_rollup_max_outbox_messages_per_level", Kind::I31),
    field("smart_rollup_number_of_sections_in_dissection", Kind::U8),
    field("smart_rollup_timeout_period_in_blocks", Kind::I31),
    field("smart_rollup_max_number_of_cemented_commitments", Kind::I31),
    field("smart_rollup_max_number_of_parallel_games", Kind::I31),
    field(
        "smart_rollup_reveal_activation_level",
        Kind::Record(REVEAL_ACTIVATION),
    ),
    field("smart_rollup_private_enable", Kind::Bool),
    field("smart_rollup_riscv_pvm_enable", Kind::Bool),
    field("zk_rollup_enable", Kind::Bool),
    field("zk_rollup_origination_size", Kind::I31),
    field("zk_rollup_min_pending_to_process", Kind::I31),
    field("zk_rollup_max_ticket_payload_size", Kind::I31),
    field("global_limit_of_staking_over_baking", Kind::U8),
    field("edge_of_staking_over_delegation", Kind::U8),
    field("adaptive_rewards_params", Kind::Record(REWARDS)),
    field("direct_ticket_spending_enable", Kind::Bool),
    field("aggregate_attestation", Kind::Bool),
    field("allow_tz4_delegate_enable", Kind::Bool),
    field("all_bakers_attest_activation_threshold", Kind::Ratio),
];

/// `v1/constants` of protocol 025.
const USHUAIA: &[Field] = &[
    field("consensus_rights_delay", Kind::U8),
    field("blocks_preservation_cycles", Kind::U8),
    field("delegate_parameters_activation_delay", Kind::U8),
    field("tolerated_inactivity_period", Kind::U8),
    field("blocks_per_cycle", Kind::I32),
    field("blocks_per_commitment", Kind::I32),
    field("nonce_revelation_threshold", Kind::I32),
    field("cycles_per_voting_period", Kind::I32),
    field("hard_gas_limit_per_operation", Kind::Z),
    field("hard_gas_limit_per_block", Kind::Z),
    field("proof_of_work_threshold", Kind::I64),
    field("minimal_stake", Kind::N),
    field("minimal_frozen_stake", Kind::N),
    field("vdf_difficulty", Kind::I64),
    field("origination_size", Kind::I31),
    field("issuance_weights", Kind::Record(ISSUANCE_WEIGHTS)),
    field("cost_per_byte", Kind::N),
    field("hard_storage_limit_per_operation", Kind::Z),
    field("quorum_min", Kind::I32),
    field("quorum_max", Kind::I32),
    field("min_proposal_quorum", Kind::I32),
    field("liquidity_baking_subsidy", Kind::N),
    field("liquidity_baking_toggle_ema_threshold", Kind::I32),
    field("max_operations_time_to_live", Kind::I16),
    field("minimal_block_delay", Kind::I64),
    field("delay_increment_per_round", Kind::I64),
    field("consensus_committee_size", Kind::I31),
    field("consensus_threshold_size", Kind::I31),
    field("minimal_participation_ratio", Kind::Ratio),
    field("limit_of_delegation_over_baking", Kind::U8),
    field(
        "percentage_of_frozen_deposits_slashed_per_double_baking",
        Kind::U16,
    ),
    field("max_slashing_per_block", Kind::U16),
    field("max_slashing_threshold", Kind::Ratio),
    field("testnet_dictator", Kind::OptionalKeyHash),
    field("initial_seed", Kind::OptionalSeed),
    field("cache_script_size", Kind::I31),
    field("cache_stake_distribution_cycles", Kind::I8),
    field("cache_sampler_state_cycles", Kind::I8),
    field("cache_stake_info_cycles", Kind::I8),
    field("cache_swrr_selected_distribution_cycles", Kind::I8),
    field("dal_parametric", Kind::Record(DAL_USHUAIA)),
    field("smart_rollup_arith_pvm_enable", Kind::Bool),
    field("smart_rollup_origination_size", Kind::I31),
    field("smart_rollup_challenge_window_in_blocks", Kind::I31),
    field("smart_rollup_stake_amount", Kind::N),
    field("smart_rollup_commitment_period_in_blocks", Kind::I31),
    field("smart_rollup_max_lookahead_in_blocks", Kind::I32),
    field("smart_rollup_max_active_outbox_levels", Kind::I32),
    field("smart_rollup_max_outbox_messages_per_level", Kind::I31),
    field("smart_rollup_number_of_sections_in_dissection", Kind::U8),
    field("smart_rollup_timeout_period_in_blocks", Kind::I31),
    field("smart_rollup_max_number_of_cemented_commitments", Kind::I31),
    field("smart_rollup_max_number_of_parallel_games", Kind::I31),
    field(
        "smart_rollup_reveal_activation_level",
        Kind::Record(REVEAL_ACTIVATION),
    ),
    field("smart_rollup_private_enable", Kind::Bool),
    field("smart_rollup_riscv_pvm_enable", Kind::Bool),
    field(
        "smart_rollup_canonical_rollup_address",
        Kind::OptionalRollup,
    ),
    field("zk_rollup_enable", Kind::Bool),
    field("zk_rollup_origination_size", Kind::I31),
    field("zk_rollup_min_pending_to_process", Kind::I31),
    field("zk_rollup_max_ticket_payload_size", Kind::I31),
    field("global_limit_of_staking_over_baking", Kind::U8),
    field("edge_of_staking_over_delegation", Kind::U8),
    field("adaptive_rewards_params", Kind::Record(REWARDS)),
    field("direct_ticket_spending_enable", Kind::Bool),
    field("aggregate_attestation", Kind::Bool),
    field("allow_tz4_delegate_enable", Kind::Bool),
    field("all_bakers_attest_activation_threshold", Kind::Ratio),
    field("native_contracts_enable", Kind::Bool),
    field("swrr_new_baker_lottery_enable", Kind::Bool),
    field("tz5_account_enable", Kind::Bool),
];

/// What each kind of reward weighs.
const ISSUANCE_WEIGHTS: &[Field] = &[
    field("base_total_issued_per_minute", Kind::N),
    field("baking_reward_fixed_portion_weight", Kind::I31),
    field("baking_reward_bonus_weight", Kind::I31),
    field("attesting_reward_weight", Kind::I31),
    field("seed_nonce_revelation_tip_weight", Kind::I31),
    field("vdf_revelation_tip_weight", Kind::I31),
    field("dal_rewards_weight", Kind::I31),
];

/// The data availability layer in protocol 024.
const DAL_TALLINN: &[Field] = &[
    field("feature_enable", Kind::Bool),
    field("incentives_enable", Kind::Bool),
    field("number_of_slots", Kind::U16),
    field("attestation_lag", Kind::U8),
    field("attestation_threshold", Kind::U8),
    field("minimal_participation_ratio", Kind::Rational),
    field("rewards_ratio", Kind::Rational),
    field("traps_fraction", Kind::Rational),
    field("redundancy_factor", Kind::U8),
    field("page_size", Kind::U16),
    field("slot_size", Kind::I31),
    field("number_of_shards", Kind::U16),
];

/// The data availability layer in protocol 025.
const DAL_USHUAIA: &[Field] = &[
    field("feature_enable", Kind::Bool),
    field("incentives_enable", Kind::Bool),
    field("dynamic_lag_enable", Kind::Bool),
    field("number_of_slots", Kind::U16),
    field("attestation_lag", Kind::U8),
    field("attestation_lags", Kind::Bytes),
    field("attestation_threshold", Kind::U8),
    field("minimal_participation_ratio", Kind::Rational),
    field("rewards_ratio", Kind::Rational),
    field("traps_fraction", Kind::Rational),
    field("redundancy_factor", Kind::U8),
    field("page_size", Kind::U16),
    field("slot_size", Kind::I31),
    field("number_of_shards", Kind::U16),
];

/// The levels from which smart rollups may reveal what.
const REVEAL_ACTIVATION: &[Field] = &[
    field("raw_data", Kind::Record(REVEAL_RAW_DATA)),
    field("metadata", Kind::I32),
    field("dal_page", Kind::I32),
    field("dal_parameters", Kind::I32),
    field("dal_attested_slots_validity_lag", Kind::I31),
];

/// The level from which data of a hash may be revealed.
const REVEAL_RAW_DATA: &[Field] = &[field("Blake2B", Kind::I32)];

/// How issuance adapts. A bonus is stored and printed in units of 10^-15.
const REWARDS: &[Field] = &[
    field("issuance_ratio_final_min", Kind::Rational),
    field("issuance_ratio_final_max", Kind::Rational),
    field("issuance_ratio_initial_min", Kind::Rational),
    field("issuance_ratio_initial_max", Kind::Rational),
    field("initial_period", Kind::U8),
    field("transition_period", Kind::U8),
    field("max_bonus", Kind::I64),
    field("growth_rate", Kind::Rational),
    field("center_dz", Kind::Rational),
    field("radius_dz", Kind::Rational),
];
