//! What differs between the networks.

use heliostat_core::Id;

use crate::target::Target;

/// A Zcash network. Regtest stands for every chain without proof-of-work: none
/// of the rules about it, nor about time, is applied there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// The main network.
    Main,
    /// The public test network.
    Test,
    /// A private chain anybody can extend.
    Regtest,
}

/// Hash of the main network's first block, internal byte order.
const MAIN_GENESIS: [u8; 32] = [
    0x08, 0xce, 0x3d, 0x97, 0x31, 0xb0, 0x00, 0xc0, 0x83, 0x38, 0x45, 0x5c, 0x8a, 0x4a, 0x6b, 0xd0,
    0x5d, 0xa1, 0x6e, 0x26, 0xb1, 0x1d, 0xaa, 0x1b, 0x91, 0x71, 0x84, 0xec, 0xe8, 0x0f, 0x04, 0x00,
];
/// Hash of the test network's first block, internal byte order.
const TEST_GENESIS: [u8; 32] = [
    0x38, 0x2c, 0x4a, 0x33, 0x26, 0x61, 0xc7, 0xed, 0x06, 0x71, 0xf3, 0x2a, 0x34, 0xd7, 0x24, 0x61,
    0x9f, 0x08, 0x6c, 0x61, 0x87, 0x3b, 0xce, 0x7c, 0x99, 0x85, 0x9d, 0xd9, 0x92, 0x0a, 0xa6, 0x05,
];
/// Hash of regtest's usual first block, internal byte order.
const REGTEST_GENESIS: [u8; 32] = [
    0x27, 0xe3, 0x01, 0x34, 0xd6, 0x20, 0xe9, 0xfe, 0x61, 0xf7, 0x19, 0x93, 0x83, 0x20, 0xba, 0xb6,
    0x3e, 0x7e, 0x72, 0xc9, 0x1b, 0x5e, 0x23, 0x02, 0x56, 0x76, 0xf9, 0x0e, 0xd8, 0x11, 0x9f, 0x02,
];

/// Heights at which rules of this crate change. Main and test network as in
/// the deployment ZIPs (200, 205, 206, 259 and others).
struct Heights {
    overwinter: u64,
    sapling: u64,
    blossom: u64,
    nu7: u64,
    /// Where the time of a block gets a ceiling above the median time past.
    max_time: u64,
    /// Where the test network's minimum-difficulty rule begins (ZIP 205).
    min_difficulty: Option<u64>,
}

const MAIN: Heights = Heights {
    overwinter: 347_500,
    sapling: 419_200,
    blossom: 653_600,
    nu7: 3_543_405,
    max_time: 2,
    min_difficulty: None,
};
const TEST: Heights = Heights {
    overwinter: 207_500,
    sapling: 280_000,
    blossom: 584_000,
    nu7: 4_465_026,
    max_time: 653_606,
    min_difficulty: Some(299_188),
};

/// The parameters of the difficulty rule at one height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Seconds between blocks the rule steers to.
    pub(crate) spacing: i64,
    /// Blocks whose targets are averaged.
    pub(crate) window: usize,
    /// A gap of more seconds than this allows a minimum-difficulty block.
    pub(crate) min_difficulty_gap: Option<i64>,
}

impl Network {
    /// The network whose first block has this id (internal byte order).
    pub fn by_genesis(id: &Id) -> Option<Self> {
        [Self::Main, Self::Test, Self::Regtest]
            .into_iter()
            .find(|network| network.genesis() == *id)
    }

    /// The id of the first block. A regtest may have another one.
    pub fn genesis(self) -> Id {
        Id(match self {
            Self::Main => MAIN_GENESIS,
            Self::Test => TEST_GENESIS,
            Self::Regtest => REGTEST_GENESIS,
        })
    }

    /// `main`, `test` or `regtest`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Test => "test",
            Self::Regtest => "regtest",
        }
    }

    /// The network of that [`name`](Self::name).
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Main, Self::Test, Self::Regtest]
            .into_iter()
            .find(|network| network.name() == name)
    }

    /// Whether blocks carry a proof-of-work that can be checked. Where they
    /// do not, nothing about a block is better than the agreement of several
    /// upstreams.
    pub fn has_proof_of_work(self) -> bool {
        self != Self::Regtest
    }

    /// How many headers before `height` the contextual rules look at: 28
    /// before NU7, 113 from then on, none on regtest; never more than there
    /// are blocks below `height`.
    pub fn context(self, height: u64) -> usize {
        if !self.has_proof_of_work() {
            return 0;
        }
        let span = self.pace(height).window + crate::difficulty::MEDIAN_SPAN;
        usize::try_from(height).map_or(span, |height| height.min(span))
    }

    fn heights(self) -> Option<&'static Heights> {
        match self {
            Self::Main => Some(&MAIN),
            Self::Test => Some(&TEST),
            Self::Regtest => None,
        }
    }

    /// `PoWLimit`: 2^243 − 1 and 2^251 − 1.
    pub(crate) fn limit(self) -> Target {
        Target::ones(match self {
            Self::Main => 243,
            Self::Test | Self::Regtest => 251,
        })
    }

    /// Spacing and window at a height: protocol specification, difficulty
    /// adjustment; ZIP 208 (Blossom); ZIP 218 (NU7, which keeps the test
    /// network's gap at 450 seconds).
    pub(crate) fn pace(self, height: u64) -> Pace {
        let heights = self.heights().unwrap_or(&TEST);
        let (spacing, window, gap) = match height {
            nu7 if nu7 >= heights.nu7 => (25, 102, 450),
            blossom if blossom >= heights.blossom => (75, 17, 450),
            _ => (150, 17, 900),
        };
        Pace {
            spacing,
            window,
            min_difficulty_gap: heights
                .min_difficulty
                .filter(|start| height >= *start)
                .map(|_| gap),
        }
    }

    /// Whether the time of a block at `height` has a ceiling.
    pub(crate) fn has_max_time(self, height: u64) -> bool {
        self.heights()
            .is_some_and(|heights| height >= heights.max_time)
    }

    /// The lowest transaction version consensus allows at a height: 3 from
    /// Overwinter on, 4 from Sapling on.
    pub(crate) fn least_version(self, height: u64) -> u32 {
        match self.heights() {
            Some(heights) if height >= heights.sapling => 4,
            Some(heights) if height >= heights.overwinter => 3,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_looks_back_farther_from_nu7_on() {
        assert_eq!(Network::Main.context(5), 5);
        assert_eq!(Network::Main.context(3_543_404), 28);
        assert_eq!(Network::Main.context(3_543_405), 113);
        assert_eq!(Network::Regtest.context(500), 0);
    }

    #[test]
    fn names_and_first_blocks_identify_a_network() {
        for network in [Network::Main, Network::Test, Network::Regtest] {
            assert_eq!(Network::by_name(network.name()), Some(network));
            assert_eq!(Network::by_genesis(&network.genesis()), Some(network));
        }
        assert_eq!(Network::by_genesis(&Id([0; 32])), None);
    }
}
