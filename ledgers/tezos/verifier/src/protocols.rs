//! Which protocols this release knows, and what their headers look like.

use std::sync::LazyLock;

use crate::hashes::ProtocolHash;

/// What the votes byte of a header means. Everything else in the protocol
/// data has the same form in all Tenderbake protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// 012: one boolean, `liquidity_baking_escape_vote`, 00 or ff.
    EscapeVote,
    /// 013–017 and 025: `liquidity_baking_toggle_vote` in bits 0–1.
    ToggleVote,
    /// 018–024: the same, and `adaptive_issuance_vote` in bits 2–3.
    AdaptiveIssuance,
}

/// What this crate has to know of a protocol by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Its number: 12 for Ithaca up to 25 for Ushuaia.
    pub number: u8,
    /// Its hash.
    pub hash: ProtocolHash,
    /// Its header's layout.
    pub layout: Layout,
}

/// Mainnet's Tenderbake protocols, from the protocol registry of Octez.
const KNOWN: [(u8, &str, Layout); 14] = [
    (
        12,
        "Psithaca2MLRFYargivpo7YvUr7wUDqyxrdhC5CQq78mRvimz6A",
        Layout::EscapeVote,
    ),
    (
        13,
        "PtJakart2xVj7pYXJBXrqHgd82rdkLey5ZeeGwDgPp9rhQUbSqY",
        Layout::ToggleVote,
    ),
    (
        14,
        "PtKathmankSpLLDALzWw7CGD2j2MtyveTwboEYokqUCP4a1LxMg",
        Layout::ToggleVote,
    ),
    (
        15,
        "PtLimaPtLMwfNinJi9rCfDPWea8dFgTZ1MeJ9f1m2SRic6ayiwW",
        Layout::ToggleVote,
    ),
    (
        16,
        "PtMumbai2TmsJHNGRkD8v8YDbtao7BLUC3wjASn1inAKLFCjaH1",
        Layout::ToggleVote,
    ),
    (
        17,
        "PtNairobiyssHuh87hEhfVBGCVrK3WnS8Z2FT4ymB5tAa4r1nQf",
        Layout::ToggleVote,
    ),
    (
        18,
        "ProxfordYmVfjWnRcgjWH36fW6PArwqykTFzotUxRs6gmTcZDuH",
        Layout::AdaptiveIssuance,
    ),
    (
        19,
        "PtParisBxoLz5gzMmn3d9WBQNoPSZakgnkMC2VNuQ3KXfUtUQeZ",
        Layout::AdaptiveIssuance,
    ),
    (
        20,
        "PsParisCZo7KAh1Z1smVd9ZMZ1HHn5gkzbM94V3PLCpknFWhUAi",
        Layout::AdaptiveIssuance,
    ),
    (
        21,
        "PsQuebecnLByd3JwTiGadoG4nGWi3HYiLXUjkibeFV8dCFeVMUg",
        Layout::AdaptiveIssuance,
    ),
    (
        22,
        "PsRiotumaAMotcRoDWW1bysEhQy2n1M5fy8JgRp8jjRfHGmfeA7",
        Layout::AdaptiveIssuance,
    ),
    (
        23,
        "PtSeouLouXkxhg39oWzjxDWaCydNfR3RxCUrNe4Q9Ro8BTehcbh",
        Layout::AdaptiveIssuance,
    ),
    (
        24,
        "PtTALLiNtPec7mE7yY4m3k26J8Qukef3E3ehzhfXgFZKGtDdAXu",
        Layout::AdaptiveIssuance,
    ),
    (
        25,
        "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY",
        Layout::ToggleVote,
    ),
];

static TABLE: LazyLock<Vec<Protocol>> = LazyLock::new(|| {
    let read = |(number, hash, layout): (u8, &str, Layout)| Protocol {
        number,
        hash: hash
            .parse()
            .expect("a hash of the table, because a test reads all of them"),
        layout,
    };
    KNOWN.into_iter().map(read).collect()
});

impl Protocol {
    /// The protocol of this hash, if this release knows it.
    pub fn of(hash: &ProtocolHash) -> Option<Self> {
        TABLE.iter().find(|known| known.hash == *hash).copied()
    }

    /// All protocols this release knows, oldest first.
    pub fn known() -> &'static [Self] {
        &TABLE
    }

    /// Whether a header of this protocol carries the context of its own block
    /// (up to 015 Lima). From 016 Mumbai on it carries the context of the
    /// state *before* its block: header N+1 is the one that commits to the
    /// state after N.
    pub fn carries_own_context(&self) -> bool {
        self.number < 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_of_the_table_has_a_valid_checksum() {
        assert_eq!(Protocol::known().len(), KNOWN.len());
        for known in Protocol::known() {
            assert_eq!(Protocol::of(&known.hash), Some(*known));
        }
        assert_eq!(Protocol::of(&ProtocolHash([0; 32])), None);
    }

    #[test]
    fn headers_lag_behind_their_state_from_mumbai_on() {
        let lagging: Vec<u8> = Protocol::known()
            .iter()
            .filter(|known| !known.carries_own_context())
            .map(|known| known.number)
            .collect();
        assert_eq!(lagging, (16..=25).collect::<Vec<_>>());
    }
}
