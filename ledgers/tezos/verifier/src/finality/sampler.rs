//! Who bakes in a cycle, as the state has it.

use heliostat_tezos_context::hash::blake2b;

use crate::cursor::Cursor;
use crate::defaults::{MOST_BAKERS, MOST_SAMPLER_BYTES};
use crate::error::Error;
use crate::keys::{KeyKind, PublicKey, PublicKeyHash};

/// A baker, and the keys it signs consensus with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsensusKey {
    /// The key that signs blocks and attestations.
    pub key: PublicKey,
    /// The baker's address: the key's own hash, if it has no other.
    pub delegate: PublicKeyHash,
    /// The BLS key that signs what a baker with a BLS key says of the data
    /// availability layer.
    pub companion: Option<PublicKey>,
}

impl ConsensusKey {
    /// Bytes: tagged key, 00 or ff and the delegate's tagged hash (21), and,
    /// if the protocol has companion keys, 00 or ff and a BLS key (48).
    fn read(cursor: &mut Cursor<'_>, companions: bool) -> Result<Self, Error> {
        let key = PublicKey::read(cursor)?;
        let delegate = match cursor.flag("delegate")? {
            true => PublicKeyHash::read(cursor)?,
            false => key.hash(),
        };
        let companion = match companions && cursor.flag("companion key")? {
            true => {
                let bytes = cursor.take(KeyKind::Bls.key_len(), "companion key")?;
                Some(PublicKey::new(KeyKind::Bls, bytes)?)
            }
            false => None,
        };
        Ok(Self {
            key,
            delegate,
            companion,
        })
    }
}

/// The alias of a baker that keeps all of its column: -1.
const NO_ALIAS: u32 = u32::MAX;

/// The lottery over a cycle's bakers, by stake: an alias table (Vose).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampler {
    total: i64,
    bakers: Vec<ConsensusKey>,
    mass: Vec<i64>,
    alias: Vec<u32>,
}

impl Sampler {
    /// Reads `cycle/<c>/delegate_sampler_state`: total i64, then three arrays
    /// (bakers, their share i64, their alias i31). An array is its length
    /// u32, one element that fills, the elements' size in bytes u32, the
    /// elements. `companions`: whether bakers may have companion keys, from
    /// protocol 023 on.
    ///
    /// All arrays must have one length, aliases must point into it, shares
    /// must be within the total, and no delegate may bake twice. A share that
    /// is the total leaves nothing to an alias: there stands -1.
    pub fn decode(bytes: &[u8], companions: bool) -> Result<Self, Error> {
        if bytes.len() > MOST_SAMPLER_BYTES {
            let (what, size) = ("delegate sampler", bytes.len());
            return Err(Error::TooLong {
                what,
                size,
                most: MOST_SAMPLER_BYTES,
            });
        }
        let mut cursor = Cursor::new(bytes);
        let total = cursor.i64("total")?;
        let bakers = array(&mut cursor, |c| ConsensusKey::read(c, companions))?;
        let mass = array(&mut cursor, |c| c.i64("share"))?;
        let alias = array(&mut cursor, |c| c.u32("alias"))?;
        cursor.end("delegate sampler")?;
        let count = bakers.len();
        let sound = total > 0
            && count > 0
            && mass.len() == count
            && alias.len() == count
            && mass.iter().all(|mass| (0..=total).contains(mass))
            && mass.iter().zip(&alias).all(|(mass, alias)| {
                (*alias as usize) < count || (*alias == NO_ALIAS && *mass == total)
            });
        if !sound {
            let found = format_args!("{count} bakers over {total}");
            return Err(Error::value(
                "delegate sampler",
                found,
                "a table of one size",
            ));
        }
        distinct(bakers.iter())?;
        Ok(Self {
            total,
            bakers,
            mass,
            alias,
        })
    }

    /// The bakers, in the table's order.
    pub fn bakers(&self) -> &[ConsensusKey] {
        &self.bakers
    }

    /// Index of the baker that owns a slot at a level.
    ///
    /// `seed` is `cycle/<c>/random_seed`, `cycle_position` the level's
    /// distance to the cycle's first. Attestation slots are drawn with it,
    /// and, unless a protocol draws bakers in another way, the baker of a
    /// round: the owner of slot `round mod committee size`.
    pub fn owner(&self, seed: &[u8; 32], cycle_position: i32, slot: u16) -> usize {
        let slot = i32::from(slot);
        let mut draw = Draw::new(seed, cycle_position, slot);
        let at = draw.below(self.bakers.len() as i64) as usize;
        // Below the total: where the share is all of it, no alias is looked at.
        let mark = draw.below(self.total);
        if mark < self.mass[at] {
            at
        } else {
            self.alias[at] as usize
        }
    }
}

/// Numbers drawn from a seed: eight bytes of a hash at a time.
struct Draw {
    state: [u8; 32],
    at: usize,
}

impl Draw {
    fn new(seed: &[u8; 32], cycle_position: i32, slot: i32) -> Self {
        let state = blake2b(&[seed, &cycle_position.to_be_bytes(), &slot.to_be_bytes()]);
        Self { state, at: 0 }
    }

    /// A number from 0 up to, not including, `bound`, which is positive. Each
    /// is as likely: numbers of the last, incomplete stretch are thrown away.
    fn below(&mut self, bound: i64) -> i64 {
        let limit = i64::MAX - i64::MAX % bound;
        loop {
            if self.at + 8 > self.state.len() {
                self.state = blake2b(&[&self.state]);
                self.at = 0;
            }
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.state[self.at..self.at + 8]);
            self.at += 8;
            // The smallest number has no absolute value: it counts as 0.
            let number = i64::from_be_bytes(bytes).checked_abs().unwrap_or(0);
            if number < limit {
                return number % bound;
            }
        }
    }
}

/// A baker's part in a cycle's stake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StakeShare {
    /// The baker.
    pub baker: ConsensusKey,
    /// Its weight.
    pub weight: u64,
}

/// All bakers of a cycle with their weights: the rights where all bakers
/// attest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StakeInfo {
    /// Sum that the threshold is made of.
    pub total: u64,
    /// The bakers, in the order of their slots.
    pub shares: Vec<StakeShare>,
}

impl StakeInfo {
    /// Reads `cycle/<c>/delegate_stake_info` (protocol 025): total i64, size
    /// in bytes u32, then bakers, each with its weight i64. The weights must
    /// add up to no more than the total, and no delegate may stand twice.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        let total = weight(cursor.i64("total stake")?)?;
        let mut inner = cursor.sized(MOST_SAMPLER_BYTES, "stake list")?;
        cursor.end("stake info")?;
        let mut shares = vec![];
        let mut sum = 0_u64;
        while inner.remaining() > 0 {
            at_most_bakers(shares.len() + 1)?;
            let baker = ConsensusKey::read(&mut inner, true)?;
            let weight = weight(inner.i64("stake")?)?;
            sum = sum.saturating_add(weight);
            shares.push(StakeShare { baker, weight });
        }
        if shares.is_empty() || sum > total {
            let found = format_args!("{sum} of {total}");
            return Err(Error::value(
                "sum of stakes",
                found,
                "at most the total, of some",
            ));
        }
        distinct(shares.iter().map(|share| &share.baker))?;
        Ok(Self { total, shares })
    }
}

fn weight(value: i64) -> Result<u64, Error> {
    u64::try_from(value).map_err(|_| Error::value("stake", value, "a natural number"))
}

fn at_most_bakers(size: usize) -> Result<(), Error> {
    match size > MOST_BAKERS {
        true => Err(Error::TooLong {
            what: "list of bakers",
            size,
            most: MOST_BAKERS,
        }),
        false => Ok(()),
    }
}

/// No delegate stands in a list twice: power would be counted twice.
fn distinct<'a>(bakers: impl Iterator<Item = &'a ConsensusKey>) -> Result<(), Error> {
    let mut delegates: Vec<_> = bakers.map(|baker| baker.delegate).collect();
    delegates.sort_unstable();
    match delegates.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::value("bakers", pair[0], "each delegate once")),
        None => Ok(()),
    }
}

/// Reads one of the sampler's arrays.
fn array<'a, T>(
    cursor: &mut Cursor<'a>,
    mut element: impl FnMut(&mut Cursor<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let count = cursor.u32("array length")? as usize;
    at_most_bakers(count)?;
    element(cursor)?;
    let mut inner = cursor.sized(MOST_SAMPLER_BYTES, "array")?;
    let mut items = vec![];
    while inner.remaining() > 0 {
        at_most_bakers(items.len() + 1)?;
        items.push(element(&mut inner)?);
    }
    if items.len() != count {
        let expected = "the array's length";
        return Err(Error::value("number of elements", items.len(), expected));
    }
    Ok(items)
}
