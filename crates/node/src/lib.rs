//! The loops every followed ledger shares, generic over the seams of
//! [`heliostat_core`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`upstream`] | [`Upstreams`]: who is asked, in which order, and what is known of each |
//! | [`follower`] | [`Follower`]: choose, fetch ahead, verify, commit, publish; rewind to the common ancestor |
//! | [`witness`] | [`Agreement`]: what the other upstreams say of our chain |
//! | [`asked`] | [`Asked`]: who is told of every question to an upstream |
//! | [`findings`] | [`Findings`]: lies with their evidence, and forks; bounded, kept over a restart |
//! | [`feed`] | [`ChangeFeed`]: what became of the replica, for subscribers |
//! | [`outbox`] | [`Outbox`]: writes, each with a durable receipt and sent once |
//! | [`access`] | [`Access`]: what proves to an upstream who we are, and it to us |
//! | [`minimum`] | [`Minimum`]: the lowest grades an operator wants answered |
//! | [`room`] | [`Room`]: memory for what one upstream answers |
//! | [`unanswered`] | [`Unanswered`]: whether a request without an answer can have left |
//! | [`progress`] | [`Progress`]: how far the replica is, for people |
//! | [`replica`] | [`Replica`]: the seam towards a ledger's store layout |
//! | [`defaults`] | every limit and time-out, with its reason |
//!
//! A ledger that is followed brings a [`Source`](heliostat_core::Source), a
//! [`Verifier`](heliostat_core::Verifier) and a [`Replica`], and gets the
//! rest. One that only reads on demand uses [`Upstreams`] alone.

pub mod access;
mod ancestor;
pub mod asked;
pub mod defaults;
pub mod feed;
pub mod findings;
pub mod follower;
pub mod minimum;
pub mod outbox;
pub mod progress;
pub mod replica;
pub mod room;
pub mod unanswered;
pub mod upstream;
pub mod witness;

pub use access::{Access, AccessError, AccessOptions};
pub use asked::Asked;
pub use feed::{ChangeFeed, Changes, Notice};
pub use findings::{Disagreement, Finding, Findings};
pub use follower::{Follower, Settings};
pub use minimum::Minimum;
pub use outbox::Outbox;
pub use progress::{Progress, State};
pub use replica::Replica;
pub use room::Room;
pub use unanswered::Unanswered;
pub use upstream::{
    Clock, Role, Served, Trouble, Upstream, UpstreamState, UpstreamStatus, Upstreams, system_clock,
};
pub use witness::{Agreement, Mark};
