//! Whether attestations reach the threshold.

use heliostat_tezos_context::hash::blake2b;

use crate::hashes::ChainId;
use crate::keys::{KeyKind, PublicKey, SignatureError, WeightedKey, verify_aggregate};

use super::attestation::{Attestation, Attesters, Member, Vote};
use super::rights::{Right, Rights};

/// Why an attestation does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It attests another level, round or payload.
    #[error("it attests level {}, round {}, payload {}", .0.level, .0.round, .0.payload_hash)]
    Vote(Vote),
    /// The slot is no baker's first one.
    #[error("slot {0} is not the first slot of a baker at this level")]
    Slot(u16),
    /// The slot's baker has been counted already.
    #[error("the baker of slot {0} has attested already")]
    Twice(u16),
    /// A member of an aggregate without a BLS key.
    #[error("the baker of slot {0} is in an aggregate but has no BLS key")]
    NotBls(u16),
    /// DAL content of a baker with a BLS key that has no companion key.
    #[error("the baker of slot {0} attests DAL content but has no companion key")]
    NoCompanion(u16),
    /// An aggregate of nobody.
    #[error("an aggregate without members")]
    Empty,
    /// The signature does not hold.
    #[error(transparent)]
    Signature(SignatureError),
}

/// An attestation that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its index among those given.
    pub index: usize,
    /// Why.
    pub reason: Refusal,
}

/// How many bakers' signatures were verified, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Signers {
    /// tz1.
    pub ed25519: usize,
    /// tz2.
    pub secp256k1: usize,
    /// tz3.
    pub p256: usize,
    /// tz4, alone.
    pub bls: usize,
    /// tz4, in aggregates.
    pub aggregated: usize,
}

/// What attestations of one vote come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// Power whose signatures hold.
    pub power: u64,
    /// Power of bakers whose signatures this release cannot verify (tz5): not
    /// in `power`.
    pub unverified: u64,
    /// Power that a quorum needs.
    pub threshold: u64,
    /// Power of all bakers.
    pub committee: u64,
    /// Who signed.
    pub signers: Signers,
    /// What does not count.
    pub refused: Vec<Refused>,
}

impl Quorum {
    /// Whether verified power reaches the threshold.
    pub fn reached(&self) -> bool {
        self.threshold > 0 && self.power >= self.threshold
    }

    /// Whether unverified power could be what is missing.
    pub fn hangs_on_unverified(&self) -> bool {
        !self.reached() && self.power.saturating_add(self.unverified) >= self.threshold
    }
}

impl std::fmt::Display for Quorum {
    /// One line: what was reached, or what is missing and why.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            power,
            threshold,
            committee,
            unverified,
            ..
        } = self;
        if self.reached() {
            return write!(
                f,
                "quorum: {power} of {committee} attested, {threshold} needed"
            );
        }
        write!(
            f,
            "no quorum: {power} of {committee} attested, {threshold} needed"
        )?;
        if *unverified > 0 {
            write!(
                f,
                "; {unverified} more signed with keys (tz5) this release cannot verify"
            )?;
        }
        match self.refused.first() {
            None => Ok(()),
            Some(first) => {
                write!(
                    f,
                    "; {} refused, the first because {}",
                    self.refused.len(),
                    first.reason
                )
            }
        }
    }
}

/// Counts the power of the bakers that attested exactly `vote`, whose level
/// is the one the rights are for.
///
/// Each attestation counts by itself: one that does not hold is named in
/// [`Quorum::refused`] and takes nothing from the others; an aggregate counts
/// as a whole or not at all. A baker counts once.
pub fn verify_quorum(
    chain: &ChainId,
    rights: &Rights,
    vote: &Vote,
    attestations: &[Attestation],
) -> Quorum {
    let mut count = Count {
        rights,
        seen: vec![false; rights.all().len()],
        quorum: Quorum {
            power: 0,
            unverified: 0,
            threshold: rights.threshold(),
            committee: rights.committee(),
            signers: Signers::default(),
            refused: vec![],
        },
    };
    for (index, attestation) in attestations.iter().enumerate() {
        if let Err(reason) = count.add(chain, vote, attestation) {
            count.quorum.refused.push(Refused { index, reason });
        }
    }
    count.quorum
}

struct Count<'a> {
    rights: &'a Rights,
    seen: Vec<bool>,
    quorum: Quorum,
}

impl<'a> Count<'a> {
    fn add(
        &mut self,
        chain: &ChainId,
        vote: &Vote,
        attestation: &Attestation,
    ) -> Result<(), Refusal> {
        if attestation.vote != *vote {
            return Err(Refusal::Vote(attestation.vote));
        }
        match &attestation.attesters {
            Attesters::One(member) => self.add_one(chain, attestation, member),
            Attesters::Aggregate(members) => self.add_aggregate(chain, attestation, members),
        }
    }

    /// The baker whose slot this is, if it has not been counted.
    fn open(&self, slot: u16) -> Result<(usize, &'a Right), Refusal> {
        let at = self.rights.at_slot(slot).ok_or(Refusal::Slot(slot))?;
        match self.seen[at] {
            true => Err(Refusal::Twice(slot)),
            false => Ok((at, &self.rights.all()[at])),
        }
    }

    fn add_one(
        &mut self,
        chain: &ChainId,
        attestation: &Attestation,
        member: &Member,
    ) -> Result<(), Refusal> {
        let (at, right) = self.open(member.slot)?;
        let key = &right.baker.key;
        let verified = match key.kind() {
            KeyKind::MlDsa44 => {
                self.seen[at] = true;
                self.quorum.unverified = self.quorum.unverified.saturating_add(right.power);
                return Ok(());
            }
            KeyKind::Bls => verify_bls(chain, attestation, member, right),
            _ => key
                .verify(&attestation.signed_bytes(chain), &attestation.signature)
                .map_err(Refusal::Signature),
        };
        verified?;
        let signers = &mut self.quorum.signers;
        match key.kind() {
            KeyKind::Ed25519 => signers.ed25519 += 1,
            KeyKind::Secp256k1 => signers.secp256k1 += 1,
            KeyKind::P256 => signers.p256 += 1,
            KeyKind::Bls | KeyKind::MlDsa44 => signers.bls += 1,
        }
        self.count(at);
        Ok(())
    }

    fn add_aggregate(
        &mut self,
        chain: &ChainId,
        attestation: &Attestation,
        members: &[Member],
    ) -> Result<(), Refusal> {
        if members.is_empty() {
            return Err(Refusal::Empty);
        }
        let mut bakers = vec![];
        let mut keys = vec![];
        for member in members {
            let (at, right) = self.open(member.slot)?;
            if right.baker.key.kind() != KeyKind::Bls {
                return Err(Refusal::NotBls(member.slot));
            }
            if bakers.contains(&at) {
                return Err(Refusal::Twice(member.slot));
            }
            bakers.push(at);
            keys.extend(weighted_keys(attestation, member, right)?);
        }
        verify_aggregate(
            &keys,
            &attestation.bls_signed_bytes(chain),
            &attestation.signature,
        )
        .map_err(Refusal::Signature)?;
        self.quorum.signers.aggregated += bakers.len();
        bakers.into_iter().for_each(|at| self.count(at));
        Ok(())
    }

    fn count(&mut self, at: usize) {
        self.seen[at] = true;
        let power = self.rights.all()[at].power;
        self.quorum.power = self.quorum.power.saturating_add(power);
    }
}

/// A BLS key alone: signs as in an aggregate, or, in protocols without
/// aggregates, the contents with its slot. Both say who and what.
fn verify_bls(
    chain: &ChainId,
    attestation: &Attestation,
    member: &Member,
    right: &Right,
) -> Result<(), Refusal> {
    let signature = &attestation.signature;
    let aggregable = weighted_keys(attestation, member, right).and_then(|keys| {
        verify_aggregate(&keys, &attestation.bls_signed_bytes(chain), signature)
            .map_err(Refusal::Signature)
    });
    aggregable.or_else(|refusal| {
        let plain = right
            .baker
            .key
            .verify(&attestation.signed_bytes(chain), signature);
        plain.map_err(|_| refusal)
    })
}

/// The keys that a member signs with: its consensus key, and for DAL content
/// its companion key, times a weight that depends on that content.
fn weighted_keys(
    attestation: &Attestation,
    member: &Member,
    right: &Right,
) -> Result<Vec<WeightedKey>, Refusal> {
    let key = &right.baker.key;
    let mut keys = vec![WeightedKey {
        key: key.clone(),
        weight: None,
    }];
    if let Some(dal) = &member.dal {
        let companion = right.baker.companion.as_ref();
        let companion = companion.ok_or(Refusal::NoCompanion(member.slot))?;
        let weight = companion_weight(key, companion, attestation, &dal.words());
        keys.push(WeightedKey {
            key: companion.clone(),
            weight: Some(weight),
        });
    }
    Ok(keys)
}

/// Weight of a companion key, little-endian: the hash of both keys' hashes,
/// the operation without its slot, and the DAL content.
fn companion_weight(
    key: &PublicKey,
    companion: &PublicKey,
    attestation: &Attestation,
    dal: &[u8],
) -> [u8; 32] {
    let (key, companion) = (key.hash(), companion.hash());
    blake2b(&[
        key.as_bytes(),
        companion.as_bytes(),
        &attestation.bls_mode(),
        dal,
    ])
}
