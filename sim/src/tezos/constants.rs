//! The constants of protocol 025 as the context stores them.
//!
//! Values are those of Octez's sandbox (its regression output of
//! `context/constants`), but for what [`Numbers`] sets.

/// The constants that the generated chain itself depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// `blocks_per_cycle`
    pub blocks_per_cycle: i32,
    /// `blocks_per_commitment`
    pub blocks_per_commitment: i32,
    /// `proof_of_work_threshold`
    pub proof_of_work_threshold: u64,
    /// `max_operations_time_to_live`
    pub max_operations_time_to_live: i16,
    /// `minimal_block_delay`, in seconds
    pub minimal_block_delay: i64,
    /// `consensus_committee_size`
    pub committee_size: u16,
    /// `consensus_threshold_size`
    pub threshold_size: u16,
}

/// All fields of the record in their order, in hex; empty where [`Numbers`]
/// has the value.
#[rustfmt::skip]
const FIELDS: &[(&str, &str)] = &[
    ("consensus_rights_delay", "02"),
    ("blocks_preservation_cycles", "01"),
    ("delegate_parameters_activation_delay", "02"),
    ("tolerated_inactivity_period", "02"),
    ("blocks_per_cycle", ""),
    ("blocks_per_commitment", ""),
    ("nonce_revelation_threshold", "00000004"),
    ("cycles_per_voting_period", "00000008"),
    ("hard_gas_limit_per_operation", "80fa7e"),
    ("hard_gas_limit_per_block", "80fa7e"),
    ("proof_of_work_threshold", ""),
    ("minimal_stake", "80f882ad16"),
    ("minimal_frozen_stake", "808c8d9e02"),
    ("vdf_difficulty", "000000000000c350"),
    ("origination_size", "00000101"),
    ("issuance_weights", "84a593260000140000001400000028000000000100000001000008e3"),
    ("cost_per_byte", "fa01"),
    ("hard_storage_limit_per_operation", "a0a907"),
    ("quorum_min", "000007d0"),
    ("quorum_max", "00001b58"),
    ("min_proposal_quorum", "000001f4"),
    ("liquidity_baking_subsidy", "c096b102"),
    ("liquidity_baking_toggle_ema_threshold", "3b9aca00"),
    ("max_operations_time_to_live", ""),
    ("minimal_block_delay", ""),
    ("delay_increment_per_round", "0000000000000001"),
    ("consensus_committee_size", ""),
    ("consensus_threshold_size", ""),
    ("minimal_participation_ratio", "00020003"),
    ("limit_of_delegation_over_baking", "13"),
    ("percentage_of_frozen_deposits_slashed_per_double_baking", "01f4"),
    ("max_slashing_per_block", "2710"),
    ("max_slashing_threshold", "00010003"),
    ("testnet_dictator", "00"),
    ("initial_seed", "00"),
    ("cache_script_size", "05f5e100"),
    ("cache_stake_distribution_cycles", "05"),
    ("cache_sampler_state_cycles", "05"),
    ("cache_stake_info_cycles", "05"),
    ("cache_swrr_selected_distribution_cycles", "05"),
    ("dal_parametric", "ffffff001005000000050102030405421019010a01901f080f7f0005cfa00100"),
    ("smart_rollup_arith_pvm_enable", "00"),
    ("smart_rollup_origination_size", "000018aa"),
    ("smart_rollup_challenge_window_in_blocks", "00031380"),
    ("smart_rollup_stake_amount", "80c8afa025"),
    ("smart_rollup_commitment_period_in_blocks", "00000096"),
    ("smart_rollup_max_lookahead_in_blocks", "00069780"),
    ("smart_rollup_max_active_outbox_levels", "00024ea0"),
    ("smart_rollup_max_outbox_messages_per_level", "00000064"),
    ("smart_rollup_number_of_sections_in_dissection", "20"),
    ("smart_rollup_timeout_period_in_blocks", "000189c0"),
    ("smart_rollup_max_number_of_cemented_commitments", "00000005"),
    ("smart_rollup_max_number_of_parallel_games", "00000020"),
    ("smart_rollup_reveal_activation_level", "000000000000000000000001000000010003b100"),
    ("smart_rollup_private_enable", "ff"),
    ("smart_rollup_riscv_pvm_enable", "00"),
    ("smart_rollup_canonical_rollup_address", "ff000102030405060708090a0b0c0d0e0f10111213"),
    ("zk_rollup_enable", "00"),
    ("zk_rollup_origination_size", "00000fa0"),
    ("zk_rollup_min_pending_to_process", "0000000a"),
    ("zk_rollup_max_ticket_payload_size", "00000800"),
    ("global_limit_of_staking_over_baking", "09"),
    ("edge_of_staking_over_delegation", "03"),
    ("adaptive_rewards_params", "019006010a0988030b88030a3200002d79883d200001a40101020132"),
    ("direct_ticket_spending_enable", "00"),
    ("aggregate_attestation", "ff"),
    ("allow_tz4_delegate_enable", "ff"),
    ("all_bakers_attest_activation_threshold", "00010002"),
    ("native_contracts_enable", "ff"),
    ("swrr_new_baker_lottery_enable", "00"),
    ("tz5_account_enable", "ff"),
];

/// `v1/constants`.
pub fn encode(numbers: &Numbers) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, hex) in FIELDS {
        match *name {
            "blocks_per_cycle" => out.extend(numbers.blocks_per_cycle.to_be_bytes()),
            "blocks_per_commitment" => out.extend(numbers.blocks_per_commitment.to_be_bytes()),
            "proof_of_work_threshold" => out.extend(numbers.proof_of_work_threshold.to_be_bytes()),
            "max_operations_time_to_live" => {
                out.extend(numbers.max_operations_time_to_live.to_be_bytes());
            }
            "minimal_block_delay" => out.extend(numbers.minimal_block_delay.to_be_bytes()),
            "consensus_committee_size" => {
                out.extend(u32::from(numbers.committee_size).to_be_bytes());
            }
            "consensus_threshold_size" => {
                out.extend(u32::from(numbers.threshold_size).to_be_bytes());
            }
            _ => out.extend(hex::decode(hex).expect("the table holds hex")),
        }
    }
    out
}

/// `v1/cycle_eras`: one era, from level 1 on.
pub fn encode_eras(numbers: &Numbers) -> Vec<u8> {
    let era = [
        1,
        0,
        numbers.blocks_per_cycle,
        numbers.blocks_per_commitment,
    ];
    let mut out = 16u32.to_be_bytes().to_vec();
    out.extend(era.iter().flat_map(|number: &i32| number.to_be_bytes()));
    out
}

impl Numbers {
    /// The cycle of a level, and the level's position in it.
    pub fn cycle(&self, level: i32) -> (i32, i32) {
        let position = level - 1;
        let length = self.blocks_per_cycle;
        (position.div_euclid(length), position.rem_euclid(length))
    }
}
