//! The context after the first block: every directory that mainnet has below
//! `data`, and the values that the served calls read.

use bytes::Bytes;
use heliostat_tezos_context::Tree;
use heliostat_tezos_protocol::{ContractId, Protocol};

use super::{
    accounts::{Account, implicit},
    bakers::{Baker, sampler},
    constants, contracts, derive, n,
    world::Plan,
    z,
};

/// How many cycles' rights a state holds on either side of its own.
const CYCLES_AROUND: i32 = 2;

/// The root directory after the first block, of this level.
pub(super) fn first(plan: &Plan, level: i32) -> Tree {
    let mut pairs = Pairs::default();
    chain(&mut pairs, plan, level);
    let supply: u64 = plan.accounts.iter().map(|account| account.balance).sum();
    pairs.add("contracts/total_supply", n(supply));
    pairs.add("contracts/global_counter", z(123_456));
    for (number, account) in plan.accounts.iter().enumerate() {
        let baker = &plan.bakers[number % plan.bakers.len()];
        self::account(&mut pairs, account, baker);
    }
    for baker in &plan.bakers {
        self::baker(&mut pairs, baker, plan.numbers.cycle(level).0);
    }
    for contract in &plan.contracts {
        pairs.extend(contract.pairs());
    }
    pairs.extend(contracts::big_map(&plan.holders));
    let (cycle, _) = plan.numbers.cycle(level);
    for cycle in (cycle - CYCLES_AROUND).max(0)..=cycle + CYCLES_AROUND {
        for (name, value) in rights(plan, cycle) {
            pairs.add(&name, value);
        }
    }
    let protocol = plan.protocol.as_bytes().to_vec();
    pairs.0.push((vec!["protocol".to_owned()], protocol.into()));
    let none = Bytes::from_static(&[0]);
    pairs.0.push((vec!["test_chain".to_owned()], none));
    Tree::from_pairs(pairs.0).expect("no path leads through another one's contents")
}

/// Paths and values.
#[derive(Default)]
struct Pairs(Vec<(Vec<String>, Bytes)>);

impl Pairs {
    /// A value at a key below `data`.
    fn add(&mut self, key: &str, value: impl Into<Bytes>) {
        let names = std::iter::once("data").chain(key.split('/'));
        let names = names.map(str::to_owned).collect();
        self.0.push((names, value.into()));
    }

    fn extend(&mut self, pairs: Vec<(String, Vec<u8>)>) {
        for (key, value) in pairs {
            self.add(&key, value);
        }
    }
}

/// What says who bakes in a cycle: keys below `data`, values.
pub(super) fn rights(plan: &Plan, cycle: i32) -> [(String, Vec<u8>); 2] {
    [
        (
            format!("cycle/{cycle}/delegate_sampler_state"),
            sampler(&plan.bakers, cycle),
        ),
        (
            format!("cycle/{cycle}/random_seed"),
            seed_of_cycle(plan, cycle).to_vec(),
        ),
    ]
}

/// `cycle/<c>/random_seed`
pub(super) fn seed_of_cycle(plan: &Plan, cycle: i32) -> [u8; 32] {
    derive(plan.seed, "seed of a cycle", cycle as u64)
}

/// The protocol's own records.
fn chain(pairs: &mut Pairs, plan: &Plan, level: i32) {
    let version = Protocol::of(&plan.protocol.to_string()).map_or("unknown", Protocol::version);
    let filler = |label| derive(plan.seed, label, 0).to_vec();
    let cpmm = ContractId::Originated([7; 20]).to_bytes().to_vec();
    for (key, value) in [
        ("version", version.as_bytes().to_vec()),
        ("v1/constants", constants::encode(&plan.numbers)),
        ("v1/cycle_eras", constants::encode_eras(&plan.numbers)),
        ("block_round", 0i32.to_be_bytes().to_vec()),
        ("consecutive_round_zero", 5i32.to_be_bytes().to_vec()),
        ("protocol_activation_level", 1i32.to_be_bytes().to_vec()),
        (
            "adaptive_issuance_launch_cycle",
            [vec![0xff], 1i32.to_be_bytes().to_vec()].concat(),
        ),
        ("attestation_branch", filler("attestation branch")),
        ("cache", filler("cache")),
        ("number_of_caches", 5i32.to_be_bytes().to_vec()),
        ("commitments/ab", filler("commitment")),
        ("dal/level", level.to_be_bytes().to_vec()),
        ("domain/0/total_size", vec![0]),
        ("forbidden_delegates", 0u32.to_be_bytes().to_vec()),
        ("global_constant/0", filler("global constant")),
        ("liquidity_baking_cpmm_address", cpmm),
        ("liquidity_baking_escape_ema", 0i32.to_be_bytes().to_vec()),
        ("sapling/next", z(0)),
        ("seed_status", vec![0x00]),
        ("slashed_deposits/last", vec![0]),
        ("smart_rollup/inbox", filler("inbox")),
        ("ticket_balance/used", z(0)),
        (
            "votes/current_period",
            [&3i32.to_be_bytes()[..], &[0], &0i32.to_be_bytes()].concat(),
        ),
        ("votes/pred_period_kind", vec![4]),
        ("votes/participation_ema", 5_000i32.to_be_bytes().to_vec()),
        (
            "votes/voting_power_in_listings",
            700_000_000_000i64.to_be_bytes().to_vec(),
        ),
    ] {
        pairs.add(key, value);
    }
}

fn account(pairs: &mut Pairs, account: &Account, baker: &Baker) {
    let at = format!("contracts/index/{}", account.id.index());
    pairs.add(&format!("{at}/balance"), n(account.balance));
    pairs.add(&format!("{at}/counter"), z(account.counter));
    let manager = match (&account.secret, account.id) {
        (Some(secret), _) if account.is_revealed => [&[2], &secret.public().encode()[..]].concat(),
        (_, ContractId::Implicit(hash)) => [&[0], &hash.as_bytes()[..]].concat(),
        (_, ContractId::Originated(_)) => return,
    };
    pairs.add(&format!("{at}/manager"), manager);
    if account.delegates {
        let delegate = baker.address().encode().to_vec();
        pairs.add(&format!("{at}/delegate"), delegate);
    }
}

fn baker(pairs: &mut Pairs, baker: &Baker, cycle: i32) {
    let address = baker.address().encode();
    let index = implicit(&address).index();
    let at = format!("contracts/index/{index}");
    let stake = n(baker.stake(cycle));
    pairs.add(&format!("{at}/balance"), n(baker.stake(cycle) / 10));
    pairs.add(&format!("{at}/counter"), z(7));
    let key = baker.manager.public().encode();
    pairs.add(&format!("{at}/manager"), [&[2], &key[..]].concat());
    pairs.add(&format!("{at}/delegate"), address.to_vec());
    pairs.add(&format!("{at}/frozen_deposits_pseudotokens"), stake.clone());
    let text = hex::encode(address);
    pairs.add(&format!("staking_balance/{text}"), stake);
    pairs.add(&format!("delegates/{text}"), vec![0xff]);
    pairs.add(
        &format!("active_delegates_with_minimal_stake/{text}"),
        vec![0xff],
    );
    let consensus = hex::encode(baker.key.key.hash().encode());
    pairs.add(&format!("consensus_keys/{consensus}"), vec![0xff]);
}
