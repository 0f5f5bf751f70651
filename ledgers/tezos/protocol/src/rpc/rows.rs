//! The rows: which path is which RPC, and what answers it.

use super::reads::{Reads, Stop};
use super::{Answer, Plan, chain, contracts, scripts};
use crate::contract::{ContractId, PublicKeyHash};
use crate::defaults::{DECIMAL_DIGITS, ENTRYPOINT_BYTES};
use crate::protocol::Protocol;
use crate::script::expression_hash;

/// An RPC with its arguments.
#[derive(Clone, Debug)]
pub(super) enum Row {
    Balance(ContractId),
    Counter(ContractId),
    ManagerKey(ContractId),
    Delegate(ContractId),
    FrozenBonds(ContractId),
    BalanceAndFrozenBonds(ContractId),
    Info(ContractId),
    /// `used_bytes` or `paid_bytes`.
    Space(ContractId, &'static str),
    Script(ContractId),
    Storage(ContractId),
    Entrypoints(ContractId, Normalize),
    Entrypoint(ContractId, String, Normalize),
    BigMapValue(String, [u8; 32]),
    Constants,
    ParametricConstants,
    Nonce(i32),
    CpmmAddress,
    TotalSupply,
    FirstLevel,
    LaunchCycle,
    SeedComputation,
    CurrentLevel(i32),
    LevelsInCurrentCycle(i32),
    Round,
    ConsecutiveRoundZero,
    CurrentPeriod,
    SuccessorPeriod,
    CurrentQuorum,
    CurrentProposal,
    TotalVotingPower,
    ProposalCount(PublicKeyHash),
}

/// Whether types are printed without annotations.
pub(super) type Normalize = bool;

/// The plan of a GET on `path` below `/chains/C/blocks/B/`, for a block at
/// `level` whose state `protocol` is in charge of. `query` has the decoded
/// pairs of the query string.
///
/// `None` if the RPC is not answered here: unknown to these tables, or with an
/// argument whose handling is not certain. A node is to be asked then.
pub fn plan(protocol: Protocol, level: i32, path: &[&str], query: &[(&str, &str)]) -> Option<Plan> {
    let row = match path {
        ["context", "contracts", account, rest @ ..] => {
            contract_row(protocol, account, rest, query)?
        }
        ["helpers", "current_level"] => Row::CurrentLevel(offset(query)?),
        ["helpers", "levels_in_current_cycle"] => Row::LevelsInCurrentCycle(offset(query)?),
        // No other row takes a query.
        _ if !query.is_empty() => return None,
        ["context", "big_maps", id, hash] => {
            Row::BigMapValue(big_map_id(id)?, expression_hash(hash).ok()?)
        }
        ["context", "constants"] => Row::Constants,
        ["context", "constants", "parametric"] => Row::ParametricConstants,
        ["context", "nonces", level] => Row::Nonce(number(level)?),
        ["context", "liquidity_baking", "cpmm_address"] => Row::CpmmAddress,
        ["context", "total_supply"] => Row::TotalSupply,
        ["context", "protocol", "first_level"] => Row::FirstLevel,
        ["context", "adaptive_issuance_launch_cycle"] => Row::LaunchCycle,
        ["context", "seed_computation"] => Row::SeedComputation,
        ["helpers", "round"] => Row::Round,
        ["helpers", "consecutive_round_zero"] => Row::ConsecutiveRoundZero,
        ["votes", "current_period"] => Row::CurrentPeriod,
        ["votes", "successor_period"] => Row::SuccessorPeriod,
        ["votes", "current_quorum"] => Row::CurrentQuorum,
        ["votes", "current_proposal"] => Row::CurrentProposal,
        ["votes", "total_voting_power"] => Row::TotalVotingPower,
        ["votes", "proposal_count", delegate] => Row::ProposalCount(delegate.parse().ok()?),
        _ => return None,
    };
    Some(Plan {
        protocol,
        level,
        row,
    })
}

fn contract_row(
    protocol: Protocol,
    account: &str,
    rest: &[&str],
    query: &[(&str, &str)],
) -> Option<Row> {
    let contract: ContractId = account.parse().ok()?;
    // Protocol 024 does not know tz5… accounts and refuses their names.
    if protocol < Protocol::Ushuaia
        && let ContractId::Implicit(hash) = contract
        && hash.is_mldsa44()
    {
        return None;
    }
    match rest {
        ["entrypoints"] => return Some(Row::Entrypoints(contract, normalize(query)?)),
        ["entrypoints", name] if (1..=ENTRYPOINT_BYTES).contains(&name.len()) => {
            let normalize = normalize(query)?;
            return Some(Row::Entrypoint(contract, (*name).to_owned(), normalize));
        }
        _ if !query.is_empty() => return None,
        _ => {}
    }
    Some(match rest {
        [] => Row::Info(contract),
        ["balance" | "spendable"] => Row::Balance(contract),
        ["counter"] => Row::Counter(contract),
        ["manager_key"] => Row::ManagerKey(contract),
        ["delegate"] => Row::Delegate(contract),
        ["frozen_bonds"] => Row::FrozenBonds(contract),
        ["balance_and_frozen_bonds" | "spendable_and_frozen_bonds"] => {
            Row::BalanceAndFrozenBonds(contract)
        }
        ["script"] => Row::Script(contract),
        ["storage"] => Row::Storage(contract),
        ["storage", "used_space"] => Row::Space(contract, "used_bytes"),
        ["storage", "paid_space"] => Row::Space(contract, "paid_bytes"),
        _ => return None,
    })
}

/// A number without sign, as a path has it.
fn number(text: &str) -> Option<i32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// A big map's number in the form that is its key.
fn big_map_id(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=DECIMAL_DIGITS).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    (plain && text != "-0").then(|| text.to_owned())
}

/// The query's `offset`, 0 without one.
fn offset(query: &[(&str, &str)]) -> Option<i32> {
    match query {
        [] => Some(0),
        [("offset", value)] => match value.strip_prefix('-') {
            Some(digits) => number(digits).map(|number| -number),
            None => number(value),
        },
        _ => None,
    }
}

/// The query's flag `normalize_types`.
fn normalize(query: &[(&str, &str)]) -> Option<Normalize> {
    match query {
        [] => Some(false),
        [("normalize_types", value)] => match value.to_ascii_lowercase().as_str() {
            "" | "true" | "t" | "yes" | "y" => Some(true),
            "false" | "f" | "no" | "n" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

impl Row {
    /// Answers from what has been read.
    pub(super) fn answer(
        &self,
        protocol: Protocol,
        level: i32,
        reads: &Reads<'_>,
    ) -> Result<Answer, Stop> {
        match self {
            Self::Balance(contract) => contracts::balance(contract, reads),
            Self::Counter(contract) => contracts::counter(contract, reads),
            Self::ManagerKey(contract) => contracts::manager_key(contract, reads),
            Self::Delegate(contract) => contracts::delegate(contract, reads),
            Self::FrozenBonds(contract) => contracts::frozen_bonds(contract, reads),
            Self::BalanceAndFrozenBonds(contract) => contracts::with_bonds(contract, reads),
            Self::Info(contract) => contracts::info(protocol, contract, reads),
            Self::Space(contract, name) => contracts::space(contract, name, reads),
            Self::Script(contract) => scripts::script(protocol, contract, reads),
            Self::Storage(contract) => scripts::storage(protocol, contract, reads),
            Self::Entrypoints(contract, normalize) => {
                scripts::entrypoints(protocol, contract, *normalize, reads)
            }
            Self::Entrypoint(contract, name, normalize) => {
                scripts::entrypoint(protocol, contract, name, *normalize, reads)
            }
            Self::BigMapValue(id, hash) => scripts::big_map_value(id, hash, reads),
            Self::Constants => chain::constants(protocol, reads),
            Self::ParametricConstants => chain::parametric_constants(protocol, reads),
            Self::Nonce(at) => chain::nonce(*at, reads),
            Self::CpmmAddress => chain::cpmm_address(reads),
            Self::TotalSupply => chain::total_supply(reads),
            Self::FirstLevel => chain::first_level(protocol, reads),
            Self::LaunchCycle => chain::launch_cycle(reads),
            Self::SeedComputation => chain::seed_computation(protocol, level, reads),
            Self::CurrentLevel(offset) => chain::current_level(level, *offset, reads),
            Self::LevelsInCurrentCycle(offset) => chain::levels_in_cycle(level, *offset, reads),
            Self::Round => chain::number("block_round", reads),
            Self::ConsecutiveRoundZero => chain::number("consecutive_round_zero", reads),
            Self::CurrentPeriod => chain::current_period(protocol, level, reads),
            Self::SuccessorPeriod => chain::successor_period(protocol, level, reads),
            Self::CurrentQuorum => chain::current_quorum(protocol, reads),
            Self::CurrentProposal => chain::current_proposal(reads),
            Self::TotalVotingPower => chain::total_voting_power(reads),
            Self::ProposalCount(delegate) => chain::proposal_count(delegate, reads),
        }
    }
}
