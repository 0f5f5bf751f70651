//! The hash of a part of the context.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::base58::{Base58Error, Prefix, decode_array, encode};

/// The hash of contents, of a directory, of an inode or of a commit: all four
/// have the same text, `Co…` with 52 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ContextHash(pub [u8; 32]);

impl ContextHash {
    /// Characters of its text: the prefix was chosen so that all have as many.
    pub const TEXT: usize = 52;

    /// Reads the text; `from_str` for bytes.
    pub fn from_text(text: &[u8]) -> Result<Self, Base58Error> {
        decode_array(Prefix::CONTEXT, text).map(Self)
    }
}

impl fmt::Display for ContextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(Prefix::CONTEXT, &self.0))
    }
}

impl fmt::Debug for ContextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContextHash {
    type Err = Base58Error;

    fn from_str(text: &str) -> Result<Self, Base58Error> {
        Self::from_text(text.as_bytes())
    }
}

impl Serialize for ContextHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContextHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
