//! The narrow waist of Heliostat: the types and seams that mean the same for
//! every ledger, and nothing else. No runtime, no I/O, no ledger name.
//!
//! | module | what it holds |
//! |---|---|
//! | [`link`] | [`Id`], [`Point`], [`Link`]: positions in a chain; [`Anchor`]: the one a request is pinned to |
//! | [`assurance`] | [`Assurance`]: how an answer was checked |
//! | [`fault`] | [`Fault`] and [`Evidence`]: what can be wrong with an upstream, and the proof of a lie |
//! | [`change`] | [`Change`]: the one thing a follower broadcasts |
//! | [`source`] | [`Source`]: the seam towards an upstream |
//! | [`verifier`] | [`Verifier`]: the seam towards a ledger's rules (sync and pure) |

pub mod assurance;
pub mod change;
pub mod fault;
pub mod link;
pub mod source;
pub mod verifier;

pub use assurance::Assurance;
pub use change::Change;
pub use fault::{Evidence, Exhibit, Fault};
pub use link::{Anchor, Id, Link, Point};
pub use source::Source;
pub use verifier::{Reject, Verifier};
