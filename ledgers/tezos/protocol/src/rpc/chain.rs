//! The protocol's own records: constants, levels, votes, seeds.

use heliostat_tezos_context::base58::{self, Prefix};

use super::contracts::{amount, quoted};
use super::reads::{Reads, Stop};
use super::{Answer, Key};
use crate::constants::Constants;
use crate::contract::{ContractId, PublicKeyHash};
use crate::cursor::whole;
use crate::error::ProtocolError;
use crate::json;
use crate::levels::{CycleEras, Level};
use crate::protocol::Protocol;
use crate::votes::{self, Period};

fn constants_key() -> Key {
    Key::new("v1/constants")
}

fn eras_key() -> Key {
    Key::new("v1/cycle_eras")
}

fn period_key() -> Key {
    Key::new("votes/current_period")
}

fn read_constants(protocol: Protocol, reads: &Reads<'_>) -> Result<Constants, Stop> {
    Ok(Constants::parse(protocol, &reads.needed(constants_key())?)?)
}

fn read_eras(reads: &Reads<'_>) -> Result<CycleEras, Stop> {
    Ok(CycleEras::parse(&reads.needed(eras_key())?)?)
}

/// Where a level lies; nodes fail before the first era, in words of their own.
fn level_at(eras: &CycleEras, level: i32) -> Result<Level, Stop> {
    eras.level(level)
        .ok_or_else(|| Stop::Delegate(format!("level {level} lies before the first cycle")))
}

fn null() -> Answer {
    Answer::Json("null".into())
}

pub(super) fn constants(protocol: Protocol, reads: &Reads<'_>) -> Result<Answer, Stop> {
    Ok(Answer::Json(read_constants(protocol, reads)?.to_json()?))
}

pub(super) fn parametric_constants(protocol: Protocol, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let constants = read_constants(protocol, reads)?;
    Ok(Answer::Json(constants.parametric_json()))
}

/// The nonce of a level: revealed (tag 1), still hidden behind its hash (tag
/// 0, which also tells the baker), or not to be had.
pub(super) fn nonce(level: i32, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let cycle = level_at(&read_eras(reads)?, level)?.cycle;
    let Some(bytes) = reads.one(Key::new(format!("cycle/{cycle}/nonces/{level}")))? else {
        return Ok(Answer::Json("{}".into()));
    };
    let malformed = || ProtocolError::malformed("nonce", "of an unknown form");
    let mut object = json::Object::new();
    match bytes.split_first() {
        Some((0, rest)) => match rest.split_at_checked(32) {
            Some((hash, delegate)) => {
                PublicKeyHash::from_bytes(delegate)?;
                object.text("hash", &base58::encode(Prefix::NONCE, hash))
            }
            None => return Err(malformed().into()),
        },
        Some((1, nonce)) if nonce.len() == 32 => object.text("nonce", &hex::encode(nonce)),
        _ => return Err(malformed().into()),
    };
    Ok(Answer::Json(object.finish()))
}

pub(super) fn cpmm_address(reads: &Reads<'_>) -> Result<Answer, Stop> {
    let bytes = reads.needed(Key::new("liquidity_baking_cpmm_address"))?;
    let contract = ContractId::from_bytes(&bytes)?;
    if !contract.is_originated() {
        return Err(ProtocolError::malformed("cpmm address", "not a contract").into());
    }
    Ok(quoted(contract))
}

pub(super) fn total_supply(reads: &Reads<'_>) -> Result<Answer, Stop> {
    let bytes = reads.needed(Key::new("contracts/total_supply"))?;
    Ok(quoted(amount(&bytes)?))
}

/// Protocol 025 keeps the level under another name.
pub(super) fn first_level(protocol: Protocol, reads: &Reads<'_>) -> Result<Answer, Stop> {
    number(
        match protocol {
            Protocol::Tallinn => "first_level_of_protocol",
            Protocol::Ushuaia => "protocol_activation_level",
        },
        reads,
    )
}

pub(super) fn launch_cycle(reads: &Reads<'_>) -> Result<Answer, Stop> {
    let bytes = reads.needed(Key::new("adaptive_issuance_launch_cycle"))?;
    let cycle = whole("launch cycle", &bytes, |cursor| {
        Ok(if cursor.bool()? {
            Some(cursor.i32()?)
        } else {
            None
        })
    })?;
    Ok(cycle.map_or_else(null, |cycle| Answer::Json(cycle.to_string())))
}

/// The stage that the next cycle's seed is in.
pub(super) fn seed_computation(
    protocol: Protocol,
    level: i32,
    reads: &Reads<'_>,
) -> Result<Answer, Stop> {
    let status = Key::new("seed_status");
    let [constants, eras, status] = reads.all([constants_key(), eras_key(), status])?;
    let absent = || Stop::Delegate("the protocol's records are not whole".into());
    let constants = Constants::parse(protocol, &constants.ok_or_else(absent)?)?;
    let level = level_at(&CycleEras::parse(&eras.ok_or_else(absent)?)?, level)?;
    let threshold = constants.number("nonce_revelation_threshold")?;
    if i64::from(level.cycle_position) < threshold {
        return Ok(Answer::Json("{\"nonce_revelation_stage\":{}}".into()));
    }
    let finished = whole("seed status", &status.ok_or_else(absent)?, |cursor| {
        cursor.bool()
    })?;
    if finished {
        return Ok(Answer::Json("{\"computation_finished\":{}}".into()));
    }
    let delay = constants.number("consensus_rights_delay")?;
    let seed = |cycle: i64| Key::new(format!("cycle/{cycle}/random_seed"));
    let cycle = i64::from(level.cycle) + delay;
    let [discriminant, challenge] = reads.all([seed(cycle), seed(cycle + 1)])?;
    let mut object = json::Object::new();
    for (name, seed) in [
        ("seed_discriminant", discriminant),
        ("seed_challenge", challenge),
    ] {
        let seed = seed.filter(|seed| seed.len() == 32).ok_or_else(absent)?;
        object.text(name, &hex::encode(seed));
    }
    Ok(Answer::Json(object.finish()))
}

pub(super) fn current_level(level: i32, offset: i32, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let level = (offset >= 0)
        .then(|| level.checked_add(offset))
        .flatten()
        .ok_or_else(|| Stop::Delegate("the offset is out of range".into()))?;
    Ok(Answer::Json(level_at(&read_eras(reads)?, level)?.to_json()))
}

pub(super) fn levels_in_cycle(level: i32, offset: i32, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let eras = read_eras(reads)?;
    let cycle = level_at(&eras, level)?.cycle;
    let out_of_range = || Stop::Delegate("the offset is out of range".into());
    let cycle = cycle.checked_add(offset).ok_or_else(out_of_range)?;
    if cycle < 0 {
        return Ok(Answer::NotFound);
    }
    let (first, last) = eras.levels_of_cycle(cycle).ok_or_else(out_of_range)?;
    let object = json::Object::new()
        .field("first", &first.to_string())
        .field("last", &last.to_string())
        .finish();
    Ok(Answer::Json(object))
}

/// A key whose value is one number of four bytes.
pub(super) fn number(key: &'static str, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let bytes = reads.needed(Key::new(key))?;
    let number = whole("number", &bytes, |cursor| cursor.i32())?;
    if number < 0 {
        return Err(ProtocolError::malformed("number", format!("{key} is negative")).into());
    }
    Ok(Answer::Json(number.to_string()))
}

/// What both period rows read: the period, the blocks of one, the eras.
fn voting(protocol: Protocol, reads: &Reads<'_>) -> Result<(Period, i32, CycleEras), Stop> {
    let [constants, eras, period] = reads.all([constants_key(), eras_key(), period_key()])?;
    let absent = || Stop::Delegate("the protocol's records are not whole".into());
    let constants = Constants::parse(protocol, &constants.ok_or_else(absent)?)?;
    let blocks = constants
        .number("cycles_per_voting_period")?
        .checked_mul(constants.number("blocks_per_cycle")?)
        .and_then(|blocks| i32::try_from(blocks).ok())
        .ok_or_else(|| Stop::Delegate("a voting period is too long".into()))?;
    let eras = CycleEras::parse(&eras.ok_or_else(absent)?)?;
    Ok((Period::parse(&period.ok_or_else(absent)?)?, blocks, eras))
}

/// The last block of a period has already put the next one in its place, but
/// still belongs to it.
pub(super) fn current_period(
    protocol: Protocol,
    level: i32,
    reads: &Reads<'_>,
) -> Result<Answer, Stop> {
    let (period, blocks, eras) = voting(protocol, reads)?;
    let level = level_at(&eras, level)?;
    let period = if period.begins_after(&level) {
        let kind = reads.needed(Key::new("votes/pred_period_kind"))?;
        period.before(votes::kind(&kind)?, blocks)
    } else {
        period
    };
    Ok(Answer::Json(period.to_json(&level, blocks)))
}

pub(super) fn successor_period(
    protocol: Protocol,
    level: i32,
    reads: &Reads<'_>,
) -> Result<Answer, Stop> {
    let (period, blocks, eras) = voting(protocol, reads)?;
    let next = level
        .checked_add(1)
        .ok_or_else(|| Stop::Delegate("there is no next level".into()))?;
    let level = level_at(&eras, next)?;
    Ok(Answer::Json(period.to_json(&level, blocks)))
}

/// Between the least and the greatest quorum, by how many took part so far,
/// in hundredths of a percent.
pub(super) fn current_quorum(protocol: Protocol, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let participation = Key::new("votes/participation_ema");
    let [constants, participation] = reads.all([constants_key(), participation])?;
    let absent = || Stop::Delegate("the protocol's records are not whole".into());
    let constants = Constants::parse(protocol, &constants.ok_or_else(absent)?)?;
    let participation = whole(
        "participation",
        &participation.ok_or_else(absent)?,
        |cursor| cursor.i32(),
    )?;
    let least = constants.number("quorum_min")?;
    let span = constants.number("quorum_max")? - least;
    // The protocol multiplies within 32 bits.
    let product = i32::try_from(i64::from(participation) * span)
        .map_err(|_| Stop::Delegate("the quorum is out of range".into()))?;
    Ok(Answer::Json(
        (least + i64::from(product / 10_000)).to_string(),
    ))
}

pub(super) fn current_proposal(reads: &Reads<'_>) -> Result<Answer, Stop> {
    match reads.one(Key::new("votes/current_proposal"))? {
        None => Ok(null()),
        Some(hash) if hash.len() == 32 => Ok(quoted(base58::encode(Prefix::PROTOCOL, &hash))),
        Some(_) => Err(ProtocolError::malformed("protocol hash", "not 32 bytes").into()),
    }
}

pub(super) fn total_voting_power(reads: &Reads<'_>) -> Result<Answer, Stop> {
    let bytes = reads.needed(Key::new("votes/voting_power_in_listings"))?;
    Ok(quoted(whole("voting power", &bytes, |cursor| {
        cursor.i64()
    })?))
}

pub(super) fn proposal_count(delegate: &PublicKeyHash, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let key = Key::new(format!("votes/proposals_count/{}", delegate.index()));
    let count = match reads.one(key)? {
        Some(bytes) => whole("proposal count", &bytes, |cursor| cursor.u16())?,
        None => 0,
    };
    Ok(Answer::Json(count.to_string()))
}
