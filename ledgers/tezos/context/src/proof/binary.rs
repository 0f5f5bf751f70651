//! The binary form (tezos.md 2.4), a third of the JSON: what a node answers
//! for `Accept: application/octet-stream`.
//!
//! [`read()`] and [`write()`] are the proof itself. A node puts the proof into its
//! RPC's output type, "a proof or nothing", and that behind a length: those two
//! are [`read_answer`] and [`write_answer`].

mod read;
mod write;

pub use self::{
    read::{read, read_answer},
    write::{write, write_answer},
};

/// First bits of a node's tag.
const NODE: u8 = 0b1000_0000;
const NODE_COUNT: u8 = 0b0011_1111;
/// Tags of a tree's other nodes; the low two bits tell the width of a length.
const VALUE: u8 = 0b1100_0000;
const BLINDED_VALUE: u8 = 0b1100_1000;
const BLINDED_NODE: u8 = 0b1101_0000;
const EXTENDER: u8 = 0b1101_1000;
/// Tags of an inode tree's.
const BLINDED_INODE: u8 = 0b1100_0000;
const INODE_EXTENDER: u8 = 0b1101_0000;
const NONE: u8 = 0b1110_0000;
/// An inode's tag: dense or not, how many, width of the length.
const DENSE: u8 = 0b0100_0000;
const SPARSE_COUNT: u8 = 0b0011_1100;
/// The bits that tell a length's width.
const WIDTH: u8 = 0b11;
/// Whether `before` and `after` are directories.
const BEFORE_NODE: u8 = 0b01;
const AFTER_NODE: u8 = 0b10;
/// The output type's tags.
const NOTHING: u8 = 0;
const SOMETHING: u8 = 1;
