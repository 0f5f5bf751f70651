//! How a request names a chain and a block, exactly as a node reads it.

use std::fmt;

use heliostat_tezos_context::base58::{self, Prefix};

/// A block, as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BlockId {
    /// `genesis` (0) or `genesis+N`; a level relative to genesis.
    Genesis(u32),
    /// `head`, `head~N` or `head-N`: so many before the head.
    Head(u32),
    /// A level; with an offset applied that is not negative.
    Level(u32),
    /// A block hash and how far from it: negative is towards genesis.
    Hash([u8; 32], i64),
    /// `checkpoint`, `savepoint` or `caboose` with an offset: marks that every
    /// node sets for itself.
    Mark(Mark, i64),
}

/// A mark that every node sets for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// The newest block it will never leave.
    Checkpoint,
    /// The oldest block it has the state of.
    Savepoint,
    /// The oldest block it has at all.
    Caboose,
}

impl Mark {
    fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Savepoint => "savepoint",
            Self::Caboose => "caboose",
        }
    }
}

/// The text names no block; in a node's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Cannot parse block identifier: {0}")]
pub struct NotABlock(pub String);

impl BlockId {
    /// Reads the text of a path segment.
    pub fn parse(text: &str) -> Result<Self, NotABlock> {
        Self::read(text).ok_or_else(|| NotABlock(text.to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        let (name, offset) = split(text)?;
        let back = || u32::try_from(offset.checked_neg()?).ok();
        match name {
            "genesis" => Some(Self::Genesis(u32::try_from(offset).ok()?)),
            "head" => Some(Self::Head(back()?)),
            "checkpoint" => Some(Self::Mark(Mark::Checkpoint, offset)),
            "savepoint" => Some(Self::Mark(Mark::Savepoint, offset)),
            "caboose" => Some(Self::Mark(Mark::Caboose, offset)),
            level if level.bytes().all(|byte| byte.is_ascii_digit()) && !level.is_empty() => {
                let level = i64::from(level.parse::<i32>().ok()?);
                // Nodes take level 0 for genesis whatever stands behind it.
                let offset = if level == 0 { 0 } else { offset };
                Some(match u32::try_from(level.checked_add(offset)?).ok()? {
                    0 => Self::Genesis(0),
                    level => Self::Level(level),
                })
            }
            hash => {
                let hash = base58::decode(Prefix::BLOCK, hash).ok()?;
                Some(Self::Hash(hash.as_slice().try_into().ok()?, offset))
            }
        }
    }

    /// A hash without an offset.
    pub fn exact(hash: [u8; 32]) -> Self {
        Self::Hash(hash, 0)
    }
}

/// The name and the offset behind it; an offset may stand once.
fn split(text: &str) -> Option<(&str, i64)> {
    let Some(at) = text.find(['~', '-', '+']) else {
        return Some((text, 0));
    };
    let (name, rest) = text.split_at(at);
    let (sign, digits) = rest.split_at(1);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = i64::from(digits.parse::<i32>().ok().filter(|_| is_number)?);
    Some((name, if sign == "+" { number } else { -number }))
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = |f: &mut fmt::Formatter<'_>, by: i64| match by {
            0 => Ok(()),
            by if by < 0 => write!(f, "~{}", by.unsigned_abs()),
            by => write!(f, "+{by}"),
        };
        match self {
            Self::Genesis(0) => f.write_str("genesis"),
            Self::Genesis(up) => write!(f, "genesis+{up}"),
            Self::Head(0) => f.write_str("head"),
            Self::Head(back) => write!(f, "head~{back}"),
            Self::Level(level) => write!(f, "{level}"),
            Self::Hash(hash, by) => {
                f.write_str(&base58::encode(Prefix::BLOCK, hash))?;
                offset(f, *by)
            }
            Self::Mark(mark, by) => {
                f.write_str(mark.name())?;
                offset(f, *by)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2";

    #[test]
    fn every_form_a_node_reads_is_read() {
        let read = |text: &str| BlockId::parse(text).unwrap();
        assert_eq!(read("head"), BlockId::Head(0));
        assert_eq!(read("head~2"), BlockId::Head(2));
        assert_eq!(read("head-2"), BlockId::Head(2));
        assert_eq!(read("genesis"), BlockId::Genesis(0));
        assert_eq!(read("genesis+7"), BlockId::Genesis(7));
        assert_eq!(read("0"), BlockId::Genesis(0));
        assert_eq!(read("0+7"), BlockId::Genesis(0));
        assert_eq!(read("15"), BlockId::Level(15));
        assert_eq!(read("15~5"), BlockId::Level(10));
        assert_eq!(read("15-5"), BlockId::Level(10));
        assert_eq!(read("15+5"), BlockId::Level(20));
        assert_eq!(read("savepoint+1"), BlockId::Mark(Mark::Savepoint, 1));
        assert_eq!(read("caboose~1"), BlockId::Mark(Mark::Caboose, -1));
        assert!(matches!(read(HASH), BlockId::Hash(_, 0)));
        assert!(matches!(read(&format!("{HASH}~3")), BlockId::Hash(_, -3)));
        assert!(matches!(read(&format!("{HASH}+3")), BlockId::Hash(_, 3)));
    }

    #[test]
    fn anything_else_is_refused_in_the_words_of_a_node() {
        for bad in [
            "",
            "heads",
            "head+1",
            "head~",
            "head~x",
            "head~1~1",
            "genesis~1",
            "-1",
            "+1",
            "1.5",
            "5~6",
            "99999999999",
            "head~99999999999",
            "BLockGenesis",
            "~1",
        ] {
            let error = BlockId::parse(bad).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("Cannot parse block identifier: {bad}")
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_reads_back(back in 0u32..1_000_000, by in -9_000i64..9_000) {
            let hash = base58::decode(Prefix::BLOCK, HASH).unwrap();
            let hash: [u8; 32] = hash.as_slice().try_into().unwrap();
            for id in [
                BlockId::Head(back), BlockId::Genesis(back), BlockId::Level(back + 1),
                BlockId::Hash(hash, by), BlockId::Mark(Mark::Checkpoint, by),
            ] {
                proptest::prop_assert_eq!(BlockId::parse(&id.to_string()), Ok(id));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = BlockId::parse(&text);
        }
    }
}
