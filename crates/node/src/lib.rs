//! The loops every followed ledger shares, generic over the seams of
//! [`heliostat_core`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`replica`] | [`Replica`]: the seam towards a ledger's store layout |

pub mod replica;

pub use replica::Replica;
