//! Modes, heads, chain ids and checkpoints as they are written.

use std::fmt;

use heliostat_tezos::Mode;
use serde::{Deserialize, Serialize};

/// How answers are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ModeName {
    /// Reads are proven here against what several nodes agree on.
    #[default]
    Light,
    /// Reads are made here from the data of one node.
    Proxy,
    /// Every call is passed on to one node.
    Client,
}

impl ModeName {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Proxy => "proxy",
            Self::Client => "client",
        }
    }
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Light => Self::Light,
            ModeName::Proxy => Self::Proxy,
            ModeName::Client => Self::Client,
        }
    }
}

/// Which block `head` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum HeadName {
    /// The newest one that enough nodes gave.
    #[default]
    Newest,
    /// The newest one whose successor's header is verified.
    Proven,
}

/// A chain's id, `Net…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChainId(pub heliostat_tezos_verifier::ChainId);

impl std::str::FromStr for ChainId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = text.parse();
        id.map(Self).map_err(|error| {
            format!(
                "{text:?} is no chain id ({error}); write it as nodes do, such as NetXdQprcVkpaWU"
            )
        })
    }
}

impl TryFrom<String> for ChainId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ChainId> for String {
    fn from(id: ChainId) -> Self {
        id.0.to_string()
    }
}

/// A block, or the root of the state after one, that the operator trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checkpoint(pub heliostat_tezos::Checkpoint);

impl std::str::FromStr for Checkpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a checkpoint; write LEVEL:HASH, the hash of a block (B…) or the root of the state after it (Co…)"
            )
        };
        let (level, hash) = text.split_once(':').ok_or_else(wrong)?;
        let level = level.trim().parse().map_err(|_| wrong())?;
        let hash = hash.trim();
        let checkpoint = if let Ok(hash) = hash.parse() {
            heliostat_tezos::Checkpoint::Block { level, hash }
        } else {
            let root = hash.parse().map_err(|_| wrong())?;
            heliostat_tezos::Checkpoint::Root { level, root }
        };
        Ok(Self(checkpoint))
    }
}

impl TryFrom<String> for Checkpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            heliostat_tezos::Checkpoint::Block { level, hash } => write!(f, "{level}:{hash}"),
            heliostat_tezos::Checkpoint::Root { level, root } => write!(f, "{level}:{root}"),
        }
    }
}

impl From<Checkpoint> for String {
    fn from(checkpoint: Checkpoint) -> Self {
        checkpoint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_a_block_or_a_root_and_reads_back() {
        for text in [
            "15181988:BMMhJ4R65r5CBT3c9cRQfna28ApcqASYaN1oFepMxFmTF9zzR1M",
            "0:CoV8SQumiVU9saiu3FVNeDNewJaJH8yWdsGF3WLdsRr2P9S7MzCj",
        ] {
            let checkpoint: Checkpoint = text.parse().expect("a checkpoint");
            assert_eq!(String::from(checkpoint), text);
        }
        for text in ["", "7", "7:", "x:BM", "7:NetXdQprcVkpaWU", "-1:x"] {
            let error = text.parse::<Checkpoint>().expect_err("no checkpoint");
            assert!(error.contains("LEVEL:HASH"), "{error}");
        }
    }
}
