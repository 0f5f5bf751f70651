//! Whether a header can stand right after another one.

use super::Header;
use crate::error::Error;
use crate::hashes::BlockHash;

/// Why a header does not follow another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It names another predecessor.
    #[error("the header at level {level} names {named} as predecessor, not {expected}")]
    Predecessor {
        /// Its level.
        level: i32,
        /// The predecessor it names.
        named: BlockHash,
        /// The block before.
        expected: BlockHash,
    },
    /// Its level is not the next one.
    #[error("level {found} does not follow level {before}")]
    Level {
        /// The level it says.
        found: i32,
        /// The level before.
        before: i32,
    },
    /// Its time is not after the predecessor's.
    #[error("time {found} at level {level} is not after {before}")]
    Timestamp {
        /// Its level.
        level: i32,
        /// Its time, seconds since 1970.
        found: i64,
        /// The time before.
        before: i64,
    },
    /// Its fitness is not greater than the predecessor's.
    #[error("fitness at level {level} is not greater than before")]
    Fitness {
        /// Its level.
        level: i32,
    },
    /// Its fitness says another level than the header, or another round of
    /// the predecessor than the predecessor's.
    #[error("fitness at level {level} says {field} {found}, expected {expected}")]
    Rounds {
        /// Its level.
        level: i32,
        /// What it says wrong.
        field: &'static str,
        /// The value it says.
        found: i32,
        /// The value that fits.
        expected: i32,
    },
    /// `proto` neither stays nor goes up by one.
    #[error("proto {found} at level {level} does not follow {before}")]
    Proto {
        /// Its level.
        level: i32,
        /// The value it says.
        found: u8,
        /// The value before.
        before: u8,
    },
    /// Fitness that is none of Tenderbake's.
    #[error("level {level}: {source}")]
    Malformed {
        /// Its level.
        level: i32,
        /// What is wrong.
        source: Error,
    },
}

impl Header {
    /// Checks what every node checks between a Tenderbake block and the one
    /// before: hash link, level, growing time and fitness, the rounds that
    /// the fitness repeats, `proto` growing by steps of one. Stamp and
    /// signature are checked apart, they need the protocol's constants and
    /// rights.
    pub fn follows(&self, before: &Header) -> Result<(), LinkError> {
        let level = self.level;
        let expected = before.hash();
        if self.predecessor != expected {
            return Err(LinkError::Predecessor {
                level,
                named: self.predecessor,
                expected,
            });
        }
        if before.level.checked_add(1) != Some(level) {
            return Err(LinkError::Level {
                found: level,
                before: before.level,
            });
        }
        if self.timestamp <= before.timestamp {
            let (found, before) = (self.timestamp, before.timestamp);
            return Err(LinkError::Timestamp {
                level,
                found,
                before,
            });
        }
        let fitness = self
            .fitness()
            .map_err(|source| LinkError::Malformed { level, source })?;
        if self.fitness <= before.fitness {
            return Err(LinkError::Fitness { level });
        }
        let rounds = |field, found, expected| LinkError::Rounds {
            level,
            field,
            found,
            expected,
        };
        if fitness.level != level {
            return Err(rounds("level", fitness.level, level));
        }
        // The block before may be the last one of an Emmy protocol: then
        // nothing is known of its round.
        if let Ok(earlier) = before.fitness()
            && fitness.predecessor_round != earlier.round
        {
            return Err(rounds(
                "predecessor round",
                fitness.predecessor_round,
                earlier.round,
            ));
        }
        if self.proto != before.proto && self.proto != before.proto.wrapping_add(1) {
            return Err(LinkError::Proto {
                level,
                found: self.proto,
                before: before.proto,
            });
        }
        Ok(())
    }
}
