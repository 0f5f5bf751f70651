//! Levels, cycles and the eras in which cycles had one length.
//!
//! Source: `level_repr.ml` and `level_storage.ml` of 024 and 025.

use crate::cursor::{Cursor, whole};
use crate::defaults::CYCLE_ERAS;
use crate::error::ProtocolError;
use crate::json;

/// Bytes of one era in `v1/cycle_eras`.
const ERA_BYTES: usize = 16;

/// Cycles of one length, from a level on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleEra {
    /// The era's first level.
    pub first_level: i32,
    /// The era's first cycle.
    pub first_cycle: i32,
    /// Blocks of each cycle.
    pub blocks_per_cycle: i32,
    /// Every how many blocks a baker commits to a nonce.
    pub blocks_per_commitment: i32,
}

/// All eras of a chain, newest first; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleEras(Vec<CycleEra>);

/// Where a level lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The level, counted from genesis.
    pub level: i32,
    /// Counted from the first level after genesis' protocol.
    pub level_position: i32,
    /// The cycle.
    pub cycle: i32,
    /// Counted from the cycle's first level.
    pub cycle_position: i32,
    /// Whether the block has to commit to a nonce.
    pub expected_commitment: bool,
}

impl CycleEras {
    /// Decodes `v1/cycle_eras`: a four-byte length, then per era four numbers
    /// of four bytes. An error if they do not descend, or a length is not positive.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let eras = whole("cycle eras", bytes, |cursor| {
            let bytes = cursor.sized()?;
            let count = bytes.len() / ERA_BYTES;
            if count == 0 || count > CYCLE_ERAS || bytes.len() % ERA_BYTES != 0 {
                return Err(cursor.error(format!("{} bytes of eras", bytes.len())));
            }
            let mut cursor = Cursor::new("cycle eras", bytes);
            (0..count)
                .map(|_| {
                    Ok(CycleEra {
                        first_level: cursor.i32()?,
                        first_cycle: cursor.i32()?,
                        blocks_per_cycle: cursor.i32()?,
                        blocks_per_commitment: cursor.i32()?,
                    })
                })
                .collect::<Result<Vec<_>, _>>()
        })?;
        let malformed = |reason| Err(ProtocolError::malformed("cycle eras", reason));
        for era in &eras {
            let lengths = era.blocks_per_cycle.min(era.blocks_per_commitment);
            if lengths <= 0 || era.first_level < 0 || era.first_cycle < 0 {
                return malformed("a number is negative or zero");
            }
        }
        let descends = |pair: &[CycleEra]| {
            pair[0].first_level > pair[1].first_level && pair[0].first_cycle > pair[1].first_cycle
        };
        if !eras.windows(2).all(descends) {
            return malformed("they do not descend");
        }
        Ok(Self(eras))
    }

    /// Where a level lies; `None` for levels before the first era.
    pub fn level(&self, level: i32) -> Option<Level> {
        let era = self.0.iter().find(|era| level >= era.first_level)?;
        let first = self.0.last()?.first_level;
        let position = level - era.first_level;
        let cycle_position = position % era.blocks_per_cycle;
        Some(Level {
            level,
            level_position: level - first,
            cycle: era
                .first_cycle
                .checked_add(position / era.blocks_per_cycle)?,
            cycle_position,
            expected_commitment: cycle_position % era.blocks_per_commitment
                == era.blocks_per_commitment - 1,
        })
    }

    /// The first and the last level of a cycle; `None` for cycles before the
    /// first era, or so far ahead that levels cannot count them.
    pub fn levels_of_cycle(&self, cycle: i32) -> Option<(i32, i32)> {
        let at = self.0.iter().position(|era| cycle >= era.first_cycle)?;
        let era = &self.0[at];
        let offset = (cycle - era.first_cycle).checked_mul(era.blocks_per_cycle)?;
        let first = era.first_level.checked_add(offset)?;
        let last = first.checked_add(era.blocks_per_cycle - 1)?;
        // A node counts on until the next cycle begins, which a newer era may
        // do early.
        let newer = at.checked_sub(1).map(|newer| self.0[newer].first_level - 1);
        let last = newer.map_or(last, |newer| last.min(newer));
        (first <= last).then_some((first, last))
    }
}

impl Level {
    /// The JSON of `helpers/current_level`.
    pub fn to_json(&self) -> String {
        json::Object::new()
            .field("level", &self.level.to_string())
            .field("level_position", &self.level_position.to_string())
            .field("cycle", &self.cycle.to_string())
            .field("cycle_position", &self.cycle_position.to_string())
            .field("expected_commitment", &self.expected_commitment.to_string())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(eras: &[[i32; 4]]) -> Vec<u8> {
        let mut bytes = u32::try_from(eras.len() * ERA_BYTES)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        bytes.extend(
            eras.iter()
                .flatten()
                .flat_map(|number| number.to_be_bytes()),
        );
        bytes
    }

    #[test]
    fn the_first_level_of_a_sandbox_prints_as_octez_prints_it() {
        // RPC_test.ml, misc_protocol of protocol 025: level 1, 8 blocks a cycle.
        let eras = CycleEras::parse(&encode(&[[1, 0, 8, 4]])).unwrap();
        assert_eq!(
            eras.level(1).unwrap().to_json(),
            "{\"level\":1,\"level_position\":0,\"cycle\":0,\"cycle_position\":0,\"expected_commitment\":false}"
        );
        assert_eq!(eras.levels_of_cycle(0), Some((1, 8)));
        assert!(eras.level(4).unwrap().expected_commitment);
        assert_eq!(eras.level(0), None);
    }

    #[test]
    fn a_newer_era_counts_from_its_own_first_cycle() {
        let eras = CycleEras::parse(&encode(&[[101, 10, 20, 5], [1, 0, 10, 5]])).unwrap();
        assert_eq!(eras.level(100).unwrap().cycle, 9);
        assert_eq!(eras.level(101).unwrap().cycle, 10);
        assert_eq!(eras.level(121).unwrap().cycle, 11);
        assert_eq!(eras.level(121).unwrap().level_position, 120);
        assert_eq!(eras.levels_of_cycle(9), Some((91, 100)));
        assert_eq!(eras.levels_of_cycle(11), Some((121, 140)));
        assert_eq!(eras.levels_of_cycle(i32::MAX), None);
    }

    #[test]
    fn eras_that_do_not_descend_or_have_no_length_are_refused() {
        for eras in [
            &[][..],
            &[[1, 0, 0, 4]],
            &[[1, 0, 8, 0]],
            &[[1, 0, 8, 4], [1, 0, 8, 4]],
            &[[-1, 0, 8, 4]],
        ] {
            assert!(CycleEras::parse(&encode(eras)).is_err(), "{eras:?}");
        }
        let mut bytes = encode(&[[1, 0, 8, 4]]);
        bytes[3] += 1;
        assert!(CycleEras::parse(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn any_level_lies_in_the_cycle_that_it_is_said_to(level in 1..i32::MAX, offset: i32) {
            let eras = CycleEras::parse(&encode(&[[1_000, 100, 7, 3], [2, 0, 10, 5]])).unwrap();
            if let Some(found) = eras.level(level)
                && let Some((first, last)) = eras.levels_of_cycle(found.cycle)
            {
                prop_assert!((first..=last).contains(&level));
                prop_assert_eq!(first + found.cycle_position, level);
            }
            let _ = eras.levels_of_cycle(offset);
            let _ = eras.level(offset);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60), level: i32) {
            if let Ok(eras) = CycleEras::parse(&bytes) {
                let _ = eras.level(level);
                let _ = eras.levels_of_cycle(level);
            }
        }
    }
}
