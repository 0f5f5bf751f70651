//! What a chain is made from.

use zcash_protocol::{consensus::BlockHeight, local_consensus::LocalNetwork};

use super::mix::Mix;

/// Seconds between blocks since Blossom (ZIP 208).
pub const SPACING: u32 = 75;
/// 2026-01-01 00:00:00 UTC: block 1 of a chain that names no time.
const BASE_TIME: u32 = 1_767_225_600;

/// What a chain is made from. Everything but `blocks` decides every byte;
/// `blocks` only says how many of them, so a longer chain starts with the
/// shorter one.
#[derive(Clone, Debug)]
pub struct GeneratorConfig {
    /// The seed of all chance.
    pub seed: u64,
    /// Blocks above genesis to begin with.
    pub blocks: u64,
    /// What a block is made of, besides planted notes and their spends.
    pub mix: Mix,
    /// Blocks between planted notes; 0 plants none. Half-way between two,
    /// one of the notes may be spent.
    pub plant_every: u64,
    /// The seed of the wallet that the notes are for.
    pub wallet_seed: [u8; 32],
    /// When each upgrade activates.
    pub network: LocalNetwork,
    /// The time of block 1; the others follow every [`SPACING`] seconds,
    /// give or take.
    pub base_time: u32,
}

impl GeneratorConfig {
    /// A typical chain with every upgrade active from block 1 and a note
    /// planted every 40 blocks for the wallet of an all-7 seed.
    pub fn new(seed: u64, blocks: u64) -> Self {
        Self {
            seed,
            blocks,
            mix: Mix::TYPICAL,
            plant_every: 40,
            wallet_seed: [7; 32],
            network: everything_at(1),
            base_time: BASE_TIME,
        }
    }

    /// The same chain, timed so that its last block is about as old as `time`.
    pub fn ending_at(mut self, time: u32) -> Self {
        let span = u32::try_from(self.blocks).unwrap_or(u32::MAX);
        self.base_time = time.saturating_sub(span.saturating_mul(SPACING));
        self
    }
}

/// A network where every upgrade up to NU6.3 activates at one height.
pub fn everything_at(height: u32) -> LocalNetwork {
    let height = Some(BlockHeight::from_u32(height));
    LocalNetwork {
        overwinter: height,
        sapling: height,
        blossom: height,
        heartwood: height,
        canopy: height,
        nu5: height,
        nu6: height,
        nu6_1: height,
        nu6_2: height,
        nu6_3: height,
        nu7: None,
    }
}
