//! What a chain is made from.

use heliostat_tezos_protocol::Protocol;
use heliostat_tezos_verifier::ProtocolHash;

use crate::tezos::constants::Numbers;

/// Blocks of a cycle. Short, so that tests reach the next one.
const BLOCKS_PER_CYCLE: i32 = 64;

/// How easy the stamp is: one header in 256 has it.
const PROOF_OF_WORK: u64 = (1 << 56) - 1;

/// Slots of a level; a quorum is two thirds of them and one.
const COMMITTEE: u16 = 256;

/// The first block's time: 2026-01-01T00:00:00Z.
const BEGINS: i64 = 1_767_225_600;

/// What a chain is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Accounts that are not bakers; more than 256 make a directory of inodes.
    pub accounts: usize,
    /// How many of them the big map has an entry of; more than 256 make a
    /// directory of inodes.
    pub holders: usize,
    /// Bakers.
    pub bakers: usize,
    /// Blocks to begin with.
    pub blocks: usize,
    /// Level of the first block.
    pub first_level: i32,
    /// Time of the first block, in seconds since 1970.
    pub begins: i64,
    /// The protocol of all blocks. Another hash than that of 025 stands for a
    /// protocol that readers do not know: the records stay those of 025.
    pub protocol: ProtocolHash,
    /// The constants that the chain depends on.
    pub numbers: Numbers,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accounts: 400,
            holders: 5,
            bakers: 12,
            blocks: 8,
            // The eleventh cycle, just begun.
            first_level: 10 * BLOCKS_PER_CYCLE + 4,
            begins: BEGINS,
            protocol: Protocol::Ushuaia
                .hash()
                .parse()
                .expect("a hash of the protocol table"),
            numbers: Numbers {
                blocks_per_cycle: BLOCKS_PER_CYCLE,
                blocks_per_commitment: 16,
                proof_of_work_threshold: PROOF_OF_WORK,
                max_operations_time_to_live: 120,
                minimal_block_delay: 6,
                committee_size: COMMITTEE,
                threshold_size: COMMITTEE / 3 * 2 + 1,
            },
        }
    }
}

impl Settings {
    /// A chain of protocol 025 with this many blocks.
    pub fn blocks(blocks: usize) -> Self {
        Self {
            blocks,
            ..Self::default()
        }
    }

    /// A chain of protocol 025 that is quick to make: few accounts and bakers.
    pub fn small() -> Self {
        Self {
            accounts: 20,
            bakers: 6,
            ..Self::default()
        }
    }
}
