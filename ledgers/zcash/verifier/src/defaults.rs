//! Every limit of the scanner, with its reason.

/// Longest block, in bytes: consensus allows no more (`MAX_BLOCK_SIZE`).
pub const MAX_BLOCK_BYTES: usize = 2_000_000;

/// Largest value of a CompactSize: the peer protocol's bound on any message,
/// and the one lightwalletd's parser uses.
pub const MAX_COMPACT_SIZE: u32 = 0x0200_0000;

/// Sapling spends, Sapling outputs or actions of one transaction stay below
/// this (protocol specification, transaction encoding, from version 5 on).
pub const SHIELDED_PARTS_LIMIT: usize = 1 << 16;

/// Shortest transaction: header, two empty lists, lock time.
pub const MIN_TRANSACTION_BYTES: usize = 10;

/// Shortest transparent input: outpoint, empty script, sequence number.
pub const MIN_INPUT_BYTES: usize = 41;

/// Shortest transparent output: value, empty script.
pub const MIN_OUTPUT_BYTES: usize = 9;

/// Headers a [`Tip`](crate::Tip) keeps: the most the difficulty rule looks
/// back (averaging window of 102 from NU7 on, ZIP 218, plus a median of 11).
/// Before NU7 the rule looks back 28.
pub const CONTEXT_HEADERS: usize = 113;

/// Longest JSON-RPC message that is read as evidence: tree states are a few
/// kilobytes, and no longer reply to that question is read in the first place.
pub const MAX_REPLY_BYTES: usize = 256 << 10;
