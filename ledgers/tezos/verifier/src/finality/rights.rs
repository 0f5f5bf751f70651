//! Who may attest a level, with what power, in which slot.

use std::collections::HashMap;

use crate::error::Error;
use crate::protocols::Protocol;

use super::sampler::{ConsensusKey, Sampler, StakeInfo};

/// Protocol constants that the rights depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// `consensus_committee_size`: slots of a level, 7,000 on mainnet.
    pub committee_size: u16,
    /// `consensus_threshold_size`: slots of a quorum, 4,667 on mainnet.
    pub threshold_size: u16,
}

/// One baker's right at a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The baker.
    pub baker: ConsensusKey,
    /// Its power: slots, or stake where all bakers attest.
    pub power: u64,
    /// The slot it attests in: its first one.
    pub slot: u16,
}

/// All rights at a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    rights: Vec<Right>,
    by_slot: HashMap<u16, usize>,
    committee: u64,
    threshold: u64,
}

/// Why this release cannot say who attests under a protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownRule {
    /// A protocol newer than this release, or older than its rules.
    #[error("the attestation rights of protocol {0} are not known to this release")]
    Protocol(String),
    /// All bakers attest, and the state does not say with what weight.
    #[error("all bakers attest under protocol {0}, whose state does not list their weights")]
    AllBakers(u8),
}

/// How the rights at a level are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Slots are drawn: [`Sampler`], seed, [`Rights::drawn`]. Says whether the
    /// sampler has companion keys.
    Drawn {
        /// For [`Sampler::decode`].
        companions: bool,
    },
    /// Every baker attests with its stake: [`StakeInfo`],
    /// [`Rights::of_stake`].
    AllBakers,
}

/// The rule for a level of a protocol. `first_level` is what
/// [`all_bakers_attest`] reads: absent in the state, where that is not so.
pub fn consensus_rule(
    protocol: &crate::ProtocolHash,
    level: i32,
    first_level: Option<i32>,
) -> Result<Rule, UnknownRule> {
    // Before 018 the sampler's total was counted in other units, and before
    // 019 attestations had other tags: this release has no such state to
    // check its reading against, and mainnet is past them.
    let known = Protocol::of(protocol).filter(|known| known.number >= 22);
    let known = known.ok_or_else(|| UnknownRule::Protocol(protocol.to_string()))?;
    match first_level {
        Some(first) if level >= first && known.number >= 25 => Ok(Rule::AllBakers),
        Some(first) if level >= first => Err(UnknownRule::AllBakers(known.number)),
        _ => Ok(Rule::Drawn {
            companions: known.number >= 23,
        }),
    }
}

/// Reads `all_bakers_attest_first_level`: a level's description, of which the
/// first four bytes are the level.
pub fn all_bakers_attest(bytes: &[u8]) -> Result<i32, Error> {
    // Level, its distance to the first, cycle, position in it (all i32), and
    // whether a seed nonce is due.
    const LENGTH: usize = 17;
    let mut cursor = crate::cursor::Cursor::new(bytes);
    let level = cursor.i32("first level at which all bakers attest")?;
    match bytes.len() {
        LENGTH => Ok(level),
        other => Err(Error::value("level description", other, "17 bytes")),
    }
}

impl Rights {
    /// Draws every slot's owner. `seed` is `cycle/<c>/random_seed`,
    /// `cycle_position` the level's distance to the first level of its cycle.
    pub fn drawn(
        sampler: &Sampler,
        seed: &[u8; 32],
        cycle_position: i32,
        parameters: &Parameters,
    ) -> Self {
        let mut at: Vec<Option<usize>> = vec![None; sampler.bakers().len()];
        let mut rights: Vec<Right> = vec![];
        for slot in 0..parameters.committee_size {
            let owner = sampler.owner(seed, cycle_position, slot);
            match at[owner] {
                Some(known) => rights[known].power += 1,
                None => {
                    at[owner] = Some(rights.len());
                    let baker = sampler.bakers()[owner].clone();
                    rights.push(Right {
                        baker,
                        power: 1,
                        slot,
                    });
                }
            }
        }
        let committee = u64::from(parameters.committee_size);
        Self::new(rights, committee, u64::from(parameters.threshold_size))
    }

    /// One slot for each baker, in the list's order, with its stake as power.
    /// The threshold is the constants' share of the total stake, rounded as
    /// the protocol does: divided before it is multiplied.
    pub fn of_stake(info: &StakeInfo, parameters: &Parameters) -> Self {
        let rights = info.shares.iter().zip(0_u16..).map(|(share, slot)| Right {
            baker: share.baker.clone(),
            power: share.weight,
            slot,
        });
        let unit = info.total / u64::from(parameters.committee_size.max(1));
        let threshold = unit.saturating_mul(u64::from(parameters.threshold_size));
        Self::new(rights.collect(), info.total, threshold)
    }

    fn new(rights: Vec<Right>, committee: u64, threshold: u64) -> Self {
        let by_slot = rights
            .iter()
            .enumerate()
            .map(|(at, right)| (right.slot, at))
            .collect();
        Self {
            rights,
            by_slot,
            committee,
            threshold,
        }
    }

    /// All bakers with rights, by their slots.
    pub fn all(&self) -> &[Right] {
        &self.rights
    }

    /// Index, in [`all`](Self::all), of the baker whose slot this is: `None`
    /// also for slots that a baker owns beside its first.
    pub fn at_slot(&self, slot: u16) -> Option<usize> {
        self.by_slot.get(&slot).copied()
    }

    /// Power of all bakers.
    pub fn committee(&self) -> u64 {
        self.committee
    }

    /// Power of a quorum.
    pub fn threshold(&self) -> u64 {
        self.threshold
    }
}
