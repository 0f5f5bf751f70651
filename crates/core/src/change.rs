//! The one thing a follower broadcasts.

use crate::Link;

/// A step of the local replica, published after it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The replica now ends at this link. One message may stand for many
    /// positions: everything between the last message's link and this one is
    /// there too.
    Extend(Link),
    /// Everything above this link is gone; the replica ends here until the
    /// next [`Change::Extend`].
    Rewind(Link),
}
