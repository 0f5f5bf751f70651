//! Every limit of this crate, with its reason.

/// Longest header looked at. A mainnet header has 257 bytes; one signed with
/// ML-DSA-44 has 2,420 bytes of signature more, a seed nonce 32.
pub const MOST_HEADER_BYTES: usize = 8 * 1024;

/// Longest fitness looked at. A Tenderbake fitness has 33 bytes with its
/// lengths; older protocols needed fewer.
pub const MOST_FITNESS_BYTES: usize = 256;

/// Most items of a fitness: Tenderbake has five.
pub const MOST_FITNESS_ITEMS: usize = 16;

/// Proof-of-work threshold of mainnet (constant `proof_of_work_threshold`):
/// the first eight bytes of the stamp, unsigned, are at most this.
pub const MAINNET_PROOF_OF_WORK: u64 = (1 << 48) - 1;

/// How far the search for a block's operation count goes. A block has at most
/// a few thousand operations: 7,000 slots bound the attestations, the gas
/// limit bounds the rest far below. One try costs one BLAKE2b of ~200 bytes.
pub const MOST_OPERATIONS: u32 = 20_000;

/// Longest operation of the consensus pass looked at: an aggregate of the
/// largest committee, with its signature.
pub const MOST_OPERATION_BYTES: usize = MOST_COMMITTEE_BYTES + 4 * 1024;

/// Longest list of an aggregate's members looked at: one for each of 7,000
/// slots, each with a slot, a flag and up to 20 bytes of DAL content.
pub const MOST_COMMITTEE_BYTES: usize = 160 * 1024;

/// Longest DAL content looked at: 32 slots of 8 lags are 32 bytes, so there
/// is room for eight times as much.
pub const MOST_DAL_BYTES: usize = 256;

/// Most bakers of a cycle: mainnet has about 200, and a level's slots are
/// numbered with 16 bits.
pub const MOST_BAKERS: usize = u16::MAX as usize;

/// Longest list of bakers looked at: mainnet's has 17 KB. With ML-DSA-44 keys
/// (1,312 bytes) for 500 bakers it would have 700 KB.
pub const MOST_SAMPLER_BYTES: usize = 4 * 1024 * 1024;
