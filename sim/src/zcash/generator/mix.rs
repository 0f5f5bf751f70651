//! What a block is made of.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// How many transactions of each kind stand in a thousand blocks on average,
/// the coinbase not counted, and how wide they are. A kind whose pool is not
/// active yet is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Transparent only: P2PKH and P2SH, spending earlier outputs.
    pub transparent: u32,
    /// With a Sapling part.
    pub sapling: u32,
    /// With an Orchard part.
    pub orchard: u32,
    /// With an Ironwood part; one in eight has a Sapling and an Orchard part
    /// too.
    pub ironwood: u32,
    /// The most outputs or actions a part has; at least 2.
    pub width: u32,
}

impl Mix {
    /// Coinbases only: about 85 bytes of compact block, which is where the
    /// cost per message shows.
    pub const TINY: Self = Self {
        transparent: 0,
        sapling: 0,
        orchard: 0,
        ironwood: 0,
        width: 2,
    };

    /// About 650 bytes of compact block in the shielded pools, which is what
    /// recent mainnet blocks average.
    pub const TYPICAL: Self = Self {
        transparent: 500,
        sapling: 900,
        orchard: 150,
        ironwood: 250,
        width: 4,
    };

    /// Mostly payments between transparent addresses.
    pub const TRANSPARENT_HEAVY: Self = Self {
        transparent: 8_000,
        sapling: 100,
        orchard: 50,
        ironwood: 50,
        width: 4,
    };

    /// Busy shielded pools.
    pub const SHIELDED_HEAVY: Self = Self {
        transparent: 500,
        sapling: 3_000,
        orchard: 1_000,
        ironwood: 2_000,
        width: 8,
    };
}

/// A number of transactions whose mean is `per_thousand` / 1000.
pub(super) fn draw(rng: &mut ChaCha8Rng, per_thousand: u32) -> u32 {
    let spare = rng.random_range(0..1000) < per_thousand % 1000;
    per_thousand / 1000 + u32::from(spare)
}
