//! Voting periods.
//!
//! Source: `voting_period_repr.ml` and `voting_period_storage.ml` of 024 and 025.

use crate::cursor::whole;
use crate::error::ProtocolError;
use crate::json;
use crate::levels::Level;

/// The kinds of period by their number.
const KINDS: [&str; 5] = [
    "proposal",
    "exploration",
    "cooldown",
    "promotion",
    "adoption",
];

/// A voting period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Counted from the first.
    pub index: i32,
    /// One of proposal, exploration, cooldown, promotion, adoption.
    pub kind: &'static str,
    /// The level position of its first block.
    pub start_position: i32,
}

/// The kind of a period from its byte.
pub fn kind(bytes: &[u8]) -> Result<&'static str, ProtocolError> {
    let number = whole("voting period kind", bytes, |cursor| cursor.u8())?;
    KINDS
        .get(usize::from(number))
        .copied()
        .ok_or_else(|| ProtocolError::malformed("voting period kind", format!("{number}")))
}

impl Period {
    /// Decodes `votes/current_period`: index, kind, first position.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProtocolError> {
        whole("voting period", bytes, |cursor| {
            Ok(Self {
                index: cursor.i32()?,
                kind: kind(cursor.take(1)?)?,
                start_position: cursor.i32()?,
            })
        })
    }

    /// Whether the last block of the period before has already put this one
    /// in its place: the block then still belongs to that one.
    pub fn begins_after(&self, level: &Level) -> bool {
        level.level_position.wrapping_sub(self.start_position) == -1
    }

    /// The period before, of a kind that is stored apart.
    #[must_use]
    pub fn before(&self, kind: &'static str, blocks_per_period: i32) -> Self {
        Self {
            index: self.index.wrapping_sub(1),
            kind,
            start_position: self.start_position.wrapping_sub(blocks_per_period),
        }
    }

    /// The JSON of `votes/current_period` and `votes/successor_period` at a
    /// level. Numbers wrap as the protocol's do.
    pub fn to_json(&self, level: &Level, blocks_per_period: i32) -> String {
        let position = level.level_position.wrapping_sub(self.start_position);
        let remaining = blocks_per_period.wrapping_sub(position.wrapping_add(1));
        let period = json::Object::new()
            .field("index", &self.index.to_string())
            .text("kind", self.kind)
            .field("start_position", &self.start_position.to_string())
            .finish();
        json::Object::new()
            .field("voting_period", &period)
            .field("position", &position.to_string())
            .field("remaining", &remaining.to_string())
            .finish()
    }
}
