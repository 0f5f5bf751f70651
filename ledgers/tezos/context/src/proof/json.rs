//! The JSON form (tezos.md 2.4).
//!
//! Written exactly as a node does. Read with any number of the wrapper objects
//! `other_trees` and `other_inode_trees`, fields in any order, and children
//! listed sparsely or densely.

mod read;
mod write;

pub use self::{read::read, write::write};
