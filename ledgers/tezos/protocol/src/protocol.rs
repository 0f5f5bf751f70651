//! The protocols whose tables are known.

use std::fmt;
use std::str::FromStr;

/// A protocol whose storage layout and printed forms are known here. Every
/// other one is [`None`](Protocol::of): raw values of its blocks stay
/// readable, and its RPCs are left to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// 024, Tallinn.
    Tallinn,
    /// 025, Ushuaia.
    Ushuaia,
}

impl Protocol {
    /// All of them, oldest first.
    pub const ALL: [Self; 2] = [Self::Tallinn, Self::Ushuaia];

    /// The protocol of a hash, `P…`; `None` if its tables are not known.
    pub fn of(hash: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.hash() == hash)
    }

    /// The hash. Source: `TEZOS_PROTOCOL` of each protocol in Octez.
    pub fn hash(self) -> &'static str {
        match self {
            Self::Tallinn => "PtTALLiNtPec7mE7yY4m3k26J8Qukef3E3ehzhfXgFZKGtDdAXu",
            Self::Ushuaia => "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY",
        }
    }

    /// What the context keeps under `version`.
    pub fn version(self) -> &'static str {
        match self {
            Self::Tallinn => "t024_024",
            Self::Ushuaia => "u025_025",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash())
    }
}

/// A protocol hash whose tables are not known here.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("no tables for protocol {0:?}; its RPCs are relayed")]
pub struct UnknownProtocol(pub String);

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, UnknownProtocol> {
        Self::of(text).ok_or_else(|| UnknownProtocol(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use heliostat_tezos_context::base58::{Prefix, decode};

    use super::*;

    #[test]
    fn every_hash_is_a_protocol_hash_and_is_found_again() {
        for protocol in Protocol::ALL {
            assert!(decode(Prefix::PROTOCOL, protocol.hash()).is_ok());
            assert_eq!(protocol.hash().parse(), Ok(protocol));
        }
        assert_eq!(
            Protocol::of("PtParisBxoLz5gzMmn3d9WBQNoPSZakgnkMC2VNuQ3KXfUtUQeZ"),
            None
        );
    }
}
