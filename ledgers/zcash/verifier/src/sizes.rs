//! Sizes of the note commitment trees.

/// Leaves in the note commitment tree of each pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TreeSizes {
    /// Sapling.
    pub sapling: u32,
    /// Orchard.
    pub orchard: u32,
    /// Ironwood.
    pub ironwood: u32,
}

impl TreeSizes {
    /// Pool by pool; a tree cannot hold more than 2^32 leaves, so the sum
    /// stays at the largest number.
    pub fn plus(self, more: Self) -> Self {
        Self {
            sapling: self.sapling.saturating_add(more.sapling),
            orchard: self.orchard.saturating_add(more.orchard),
            ironwood: self.ironwood.saturating_add(more.ironwood),
        }
    }

    /// Whether no pool has fewer leaves than in `part`.
    pub(crate) fn holds(self, part: Self) -> bool {
        self.sapling >= part.sapling
            && self.orchard >= part.orchard
            && self.ironwood >= part.ironwood
    }
}
