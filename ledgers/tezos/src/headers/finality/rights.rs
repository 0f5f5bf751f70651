//! Who may attest: read by proof from a state that is proven.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use heliostat_core::Assurance;
use heliostat_tezos_protocol::{Protocol, constants::Constants, levels::CycleEras};
use heliostat_tezos_verifier::{
    BlockHash, ProtocolHash,
    finality::{Parameters, Rights, Rule, Sampler, StakeInfo, all_bakers_attest, consensus_rule},
};

use super::{Why, header};
use crate::{
    light::{Core, Found, block::Link, resolve::At},
    links,
};

/// How many cycles ahead of a state rights are fixed in it.
const CYCLES_AHEAD: i32 = 2;

/// Cycles whose rights are kept.
const CYCLES_KEPT: usize = 3;

/// What a proven state says that holds for a while.
#[derive(Default)]
pub(super) struct Known {
    basis: Option<Basis>,
    cycles: BTreeMap<i32, Cycle>,
}

/// Facts of a protocol.
#[derive(Clone)]
struct Basis {
    protocol: ProtocolHash,
    proto: u8,
    eras: CycleEras,
    parameters: Parameters,
    /// From this level on all bakers attest.
    all_from: Option<i32>,
}

/// Who bakes in a cycle.
struct Cycle {
    rule: Rule,
    bakers: Bakers,
}

enum Bakers {
    Drawn(Box<Sampler>, [u8; 32]),
    All(Rights),
}

impl Known {
    /// The greatest level whose rights a state before `newest` can say.
    pub async fn reach(&mut self, core: &Arc<Core>, newest: &BlockHash) -> Result<i32, Why> {
        let (basis, level) = self.basis(core, newest).await?;
        let cycle = basis.eras.level(level).map(|level| level.cycle);
        let cycle = cycle.ok_or("the checkpoint lies before the first cycle")?;
        let last = basis.eras.levels_of_cycle(cycle + CYCLES_AHEAD);
        Ok(last.map_or(i32::MAX, |(_, last)| last))
    }

    /// The rights at a level.
    pub async fn rights(
        &mut self,
        core: &Arc<Core>,
        newest: &BlockHash,
        level: i32,
    ) -> Result<Arc<Rights>, Why> {
        let (basis, _) = self.basis(core, newest).await?;
        let place = basis.eras.level(level);
        let place = place.ok_or("the level lies before the first cycle")?;
        let rule = consensus_rule(&basis.protocol, level, basis.all_from)
            .map_err(|error| error.to_string())?;
        let fits = |known: &Cycle| known.rule == rule;
        if !self.cycles.get(&place.cycle).is_some_and(fits) {
            let bakers = read_cycle(core, newest, place.cycle, rule, &basis.parameters).await?;
            self.cycles.insert(place.cycle, Cycle { rule, bakers });
            while self.cycles.len() > CYCLES_KEPT {
                self.cycles.pop_first();
            }
        }
        let cycle = self.cycles.get(&place.cycle).ok_or("the rights are lost")?;
        Ok(Arc::new(match &cycle.bakers {
            Bakers::All(rights) => rights.clone(),
            Bakers::Drawn(sampler, seed) => {
                Rights::drawn(sampler, seed, place.cycle_position, &basis.parameters)
            }
        }))
    }

    /// The facts of the protocol, read anew when the protocol changes. Around a
    /// change the older ones are used for the few blocks until a state of the
    /// new protocol is proven: rights stay as they were fixed.
    async fn basis(&mut self, core: &Arc<Core>, newest: &BlockHash) -> Result<(Basis, i32), Why> {
        let state = proven_state(core, newest).await?;
        let header = header(core, &state.hash).await?;
        if let Some(basis) = self
            .basis
            .as_ref()
            .filter(|basis| basis.proto == header.proto)
        {
            return Ok((basis.clone(), header.level));
        }
        let names = [
            "v1/constants",
            "v1/cycle_eras",
            "all_bakers_attest_first_level",
        ];
        let [constants, eras, all_from] = read(core, &state, names).await?;
        let tree = state.state.tree().ok_or("the state's root is not known")?;
        let hash = links::protocol(&tree, None)
            .ok_or("the protocol is not known to this release; finality needs its rules")?;
        let protocol = Protocol::of(&hash.to_string())
            .ok_or_else(|| format!("the constants of protocol {hash} are not known here"))?;
        let constants = needed(constants, "v1/constants")?;
        let words = |error: heliostat_tezos_protocol::ProtocolError| error.to_string();
        let constants = Constants::parse(protocol, &constants).map_err(words)?;
        let number = |name: &str| -> Result<u16, Why> {
            let number = constants.number(name).map_err(words)?;
            u16::try_from(number).map_err(|_| format!("{name} is {number}"))
        };
        let basis = Basis {
            protocol: hash,
            proto: header.proto,
            eras: CycleEras::parse(&needed(eras, "v1/cycle_eras")?).map_err(words)?,
            parameters: Parameters {
                committee_size: number("consensus_committee_size")?,
                threshold_size: number("consensus_threshold_size")?,
            },
            all_from: match all_from {
                None => None,
                Some(bytes) => Some(all_bakers_attest(&bytes).map_err(|e| e.to_string())?),
            },
        };
        self.basis = Some(basis.clone());
        Ok((basis, header.level))
    }
}

/// The newest block whose state is proven: the one before the newest final
/// block, or the checkpoint's own where that is a root.
async fn proven_state(core: &Arc<Core>, newest: &BlockHash) -> Result<At, Why> {
    if core.blocks.get(newest).link() == Link::Checkpoint {
        return Ok(At::exact(core, *newest));
    }
    let before = header(core, newest).await?.predecessor;
    header(core, &before).await?;
    Ok(At::exact(core, before))
}

/// Reads values that must be proven.
async fn read<const N: usize>(
    core: &Arc<Core>,
    at: &At,
    keys: [&str; N],
) -> Result<[Option<Bytes>; N], Why> {
    let keys = keys
        .iter()
        .map(|key| key.parse().map_err(|error| format!("{error}")))
        .collect::<Result<Vec<_>, Why>>()?;
    let found = core.read(&at.state, &keys).await;
    let found = found.map_err(|error| error.to_string())?;
    let grade = core.grade_of_read(at).map_err(|error| error.to_string())?;
    if grade != Assurance::Proven {
        return Err(format!("the state of block {} is only {grade}", at.hash));
    }
    let values: Vec<_> = found
        .into_iter()
        .map(|found| match found {
            Found::Value(bytes) => Some(bytes),
            Found::Directory(_) | Found::Absent => None,
        })
        .collect();
    values.try_into().map_err(|_| "a read was lost".to_owned())
}

fn needed(value: Option<Bytes>, key: &str) -> Result<Bytes, Why> {
    value.ok_or_else(|| format!("{key} is absent from the proven state"))
}

async fn read_cycle(
    core: &Arc<Core>,
    newest: &BlockHash,
    cycle: i32,
    rule: Rule,
    parameters: &Parameters,
) -> Result<Bakers, Why> {
    let at = proven_state(core, newest).await?;
    let companions = match rule {
        Rule::AllBakers => {
            let key = format!("cycle/{cycle}/delegate_stake_info");
            let [info] = read(core, &at, [&key]).await?;
            let info = StakeInfo::decode(&needed(info, &key)?).map_err(|e| e.to_string())?;
            return Ok(Bakers::All(Rights::of_stake(&info, parameters)));
        }
        Rule::Drawn { companions } => companions,
    };
    let sampler = format!("cycle/{cycle}/delegate_sampler_state");
    let seed = format!("cycle/{cycle}/random_seed");
    let [state, bytes] = read(core, &at, [&sampler, &seed]).await?;
    let state = needed(state, &sampler)?;
    let state = Sampler::decode(&state, companions).map_err(|error| error.to_string())?;
    let bytes = needed(bytes, &seed)?;
    let seed = bytes.as_ref().try_into();
    let seed: [u8; 32] = seed.map_err(|_| format!("the seed has {} bytes", bytes.len()))?;
    Ok(Bakers::Drawn(Box::new(state), seed))
}
