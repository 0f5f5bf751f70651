//! The seam towards a ledger's rules.

use crate::{Evidence, Id, Link};

/// What a verifier says of bytes it does not accept.
#[derive(Clone, Debug)]
pub enum Reject {
    /// Sound in itself, but its parent is not our tip: a fork, or a head that
    /// moved between two calls. Nobody's fault.
    Unlinked {
        /// The parent it names.
        parent: Id,
    },
    /// A layout this release cannot read. The follower asks the upstream to
    /// describe it; what is taken from that description is `relayed`.
    Opaque(String),
    /// Sound as far as that can be told, but not on the chain this process was
    /// told to follow. Nobody's fault.
    Refused(String),
    /// False, and the evidence convicts whoever sent it.
    Wrong(Evidence),
}

/// A ledger's rules: no I/O, no clock, no runtime. Work is split in two so
/// that the costly part of many positions runs in parallel.
pub trait Verifier: Send + Sync + 'static {
    /// The bytes as the source gives them.
    type Raw: Send + 'static;
    /// A position that passed every check which needs no other position.
    type Checked: Send + 'static;
    /// Everything `extend` must know of the chain so far.
    type Tip: Clone + Send + Sync + 'static;
    /// What the replica stores of one position.
    type Item: Send + 'static;

    /// How many bytes of memory a raw position takes. The follower bounds what
    /// it holds by this figure, and charges what becomes of the position
    /// ([`Checked`](Self::Checked), [`Item`](Self::Item)) at the same one until
    /// it is stored. The default counts the value itself: a ledger whose raw
    /// position points to the heap says how much stands there.
    fn size(raw: &Self::Raw) -> usize {
        size_of_val(raw)
    }

    /// Checks what can be checked of the position alone. `height` is the
    /// height that was asked for; an answer for another one is `Wrong`.
    fn check(&self, height: u64, raw: Self::Raw) -> Result<Self::Checked, Reject>;

    /// Checks a position against the chain it extends, and moves the tip. The
    /// tip is unchanged when this fails. Cheap: it runs in sequence.
    fn extend(&self, tip: &mut Self::Tip, checked: Self::Checked) -> Result<Self::Item, Reject>;

    /// The last position of a chain; `None` before its first.
    fn link(tip: &Self::Tip) -> Option<Link>;

    /// The height the chain continues at.
    fn next_height(tip: &Self::Tip) -> u64;

    /// What decides between two valid chains: the heavier one wins, and of
    /// two equal ones the first seen. `None` where the ledger has no such
    /// measure; then the followed upstream's chain is the chain.
    fn weight(tip: &Self::Tip) -> Option<u128>;
}
