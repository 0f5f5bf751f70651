//! Fitness: how two chains compare, and where a Tenderbake header says its
//! level and rounds again.

use std::cmp::Ordering;

use crate::cursor::Cursor;
use crate::defaults::{MOST_FITNESS_BYTES, MOST_FITNESS_ITEMS};
use crate::error::Error;

/// First item of every Tenderbake fitness.
const TENDERBAKE_VERSION: u8 = 2;

/// Fitness as the shell knows it: a list of byte strings of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct RawFitness(pub Vec<Vec<u8>>);

impl RawFitness {
    /// Reads the items that follow the field's total length. `cursor` stands
    /// at that 4-byte length.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let mut inner = cursor.sized(MOST_FITNESS_BYTES, "fitness")?;
        let mut items = Vec::new();
        while inner.remaining() > 0 {
            if items.len() == MOST_FITNESS_ITEMS {
                return Err(Error::TooLong {
                    what: "fitness",
                    size: items.len() + 1,
                    most: MOST_FITNESS_ITEMS,
                });
            }
            let mut item = inner.sized(MOST_FITNESS_BYTES, "fitness item")?;
            items.push(item.rest().to_vec());
        }
        Ok(Self(items))
    }

    /// Total length, then each item behind its own length; lengths take four
    /// bytes, big-endian.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let total: usize = self.0.iter().map(|item| item.len() + 4).sum();
        out.extend_from_slice(&(total as u32).to_be_bytes());
        for item in &self.0 {
            out.extend_from_slice(&(item.len() as u32).to_be_bytes());
            out.extend_from_slice(item);
        }
    }
}

impl PartialOrd for RawFitness {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The shell's order: the longer list wins; of equally long lists the first
/// differing item decides, longer before greater (`Fitness.compare`).
impl Ord for RawFitness {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_item = || {
            self.0.iter().zip(&other.0).find_map(|(a, b)| {
                let order = a.len().cmp(&b.len()).then_with(|| a.cmp(b));
                order.is_ne().then_some(order)
            })
        };
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| by_item().unwrap_or(Ordering::Equal))
    }
}

/// Fitness of a Tenderbake block (protocols 012 and on).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fitness {
    /// The block's level.
    pub level: i32,
    /// Round at which the payload was locked by a preattestation quorum.
    pub locked_round: Option<i32>,
    /// Round of the predecessor.
    pub predecessor_round: i32,
    /// Round of the block.
    pub round: i32,
}

impl Fitness {
    /// Reads the five items: version 02, level, locked round or nothing, minus
    /// the predecessor's round minus one, round. Negative rounds and a locked
    /// round that is not before the round are refused, as the protocol does.
    pub fn read(raw: &RawFitness) -> Result<Self, Error> {
        const FORM: &str = "the five items of a Tenderbake fitness";
        let wrong = || Error::value("fitness", format_args!("{:02x?}", raw.0), FORM);
        let [version, level, locked, predecessor, round] = raw.0.as_slice() else {
            return Err(wrong());
        };
        if version.as_slice() != [TENDERBAKE_VERSION] {
            return Err(wrong());
        }
        let number = |item: &[u8]| -> Result<i32, Error> {
            Ok(i32::from_be_bytes(item.try_into().map_err(|_| wrong())?))
        };
        let natural = |value: i32| if value < 0 { Err(wrong()) } else { Ok(value) };
        let locked_round = match locked.as_slice() {
            [] => None,
            bytes => Some(natural(number(bytes)?)?),
        };
        let fitness = Self {
            level: natural(number(level)?)?,
            locked_round,
            // -1 - x is the bitwise complement, which cannot overflow.
            predecessor_round: natural(!number(predecessor)?)?,
            round: natural(number(round)?)?,
        };
        if fitness
            .locked_round
            .is_some_and(|locked| locked >= fitness.round)
        {
            return Err(wrong());
        }
        Ok(fitness)
    }

    /// The five items.
    pub fn write(&self) -> RawFitness {
        let four = |value: i32| value.to_be_bytes().to_vec();
        RawFitness(vec![
            vec![TENDERBAKE_VERSION],
            four(self.level),
            self.locked_round.map(four).unwrap_or_default(),
            four(!self.predecessor_round),
            four(self.round),
        ])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fitness(
        level: i32,
        locked_round: Option<i32>,
        predecessor_round: i32,
        round: i32,
    ) -> Fitness {
        Fitness {
            level,
            locked_round,
            predecessor_round,
            round,
        }
    }

    #[test]
    fn a_mainnet_fitness_is_read() {
        let raw = RawFitness(vec![
            vec![2],
            vec![0x00, 0xe7, 0xa8, 0xa4],
            vec![],
            vec![0xff; 4],
            vec![0; 4],
        ]);
        let read = Fitness::read(&raw).expect("a Tenderbake fitness");
        assert_eq!(read, fitness(15_181_988, None, 0, 0));
        assert_eq!(read.write(), raw);
    }

    #[test]
    fn rounds_order_as_the_protocol_wants() {
        let base = fitness(5, None, 0, 1).write();
        assert!(fitness(6, None, 0, 0).write() > base, "a higher level wins");
        assert!(fitness(5, Some(0), 0, 1).write() > base, "a lock wins");
        assert!(
            fitness(5, None, 1, 1).write() < base,
            "an earlier predecessor wins"
        );
        assert!(fitness(5, None, 0, 2).write() > base, "a later round wins");
        assert!(RawFitness(vec![vec![0; 8]]) < base, "the longer list wins");
    }

    #[test]
    fn malformed_fitness_is_refused() {
        let good = fitness(5, Some(1), 0, 2).write();
        assert!(Fitness::read(&good).is_ok());
        for change in [
            |raw: &mut RawFitness| raw.0[0] = vec![1],
            |raw: &mut RawFitness| raw.0[1] = vec![0; 3],
            |raw: &mut RawFitness| raw.0[2] = vec![0, 0, 0, 2],
            |raw: &mut RawFitness| raw.0[2] = vec![0xff; 4],
            |raw: &mut RawFitness| raw.0[3] = vec![0; 4],
            |raw: &mut RawFitness| raw.0[4] = vec![0xff; 4],
            |raw: &mut RawFitness| raw.0.truncate(4),
            |raw: &mut RawFitness| raw.0.push(vec![]),
        ] {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(Fitness::read(&bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn writing_then_reading_gives_the_same(
            level in 0..i32::MAX,
            predecessor in 0..i32::MAX,
            round in 1..i32::MAX,
            locked in any::<Option<u16>>(),
        ) {
            let locked = locked.map(i32::from).filter(|locked| *locked < round);
            let value = fitness(level, locked, predecessor, round);
            prop_assert_eq!(Fitness::read(&value.write()), Ok(value));
        }
    }
}
