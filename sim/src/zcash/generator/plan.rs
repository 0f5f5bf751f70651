//! What was planted: the answer sheet for whoever scans the chain.

/// A shielded pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shielded {
    /// Sapling.
    Sapling,
    /// Orchard.
    Orchard,
    /// Ironwood.
    Ironwood,
}

/// One note to the known wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlantedNote {
    /// The pool it is in.
    pub pool: Shielded,
    /// The block that made it.
    pub height: u64,
    /// The transaction that made it, in internal order.
    pub txid: [u8; 32],
    /// Which output or action of its pool in that transaction, from 0.
    pub index: u32,
    /// Which leaf of its pool's note commitment tree, from 0.
    pub position: u64,
    /// Its value in zatoshi.
    pub value: u64,
    /// What its spend publishes.
    pub nullifier: [u8; 32],
    /// Where it was spent, if it was.
    pub spent: Option<Spent>,
}

/// Where a planted note was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The block.
    pub height: u64,
    /// The transaction, in internal order.
    pub txid: [u8; 32],
}

/// What the known wallet holds, in zatoshi.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// In Sapling notes.
    pub sapling: u64,
    /// In Orchard notes.
    pub orchard: u64,
    /// In Ironwood notes.
    pub ironwood: u64,
}

impl Balance {
    /// All pools together.
    pub fn total(&self) -> u64 {
        self.sapling + self.orchard + self.ironwood
    }
}

/// Every planted note of one branch, in chain order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The notes.
    pub notes: Vec<PlantedNote>,
}

impl Plan {
    /// The notes that exist and are unspent after the block at `height`.
    pub fn unspent_at(&self, height: u64) -> impl Iterator<Item = &PlantedNote> {
        self.notes.iter().filter(move |note| {
            note.height <= height && note.spent.is_none_or(|spent| spent.height > height)
        })
    }

    /// The balance after the block at `height`.
    pub fn balance_at(&self, height: u64) -> Balance {
        let mut balance = Balance::default();
        for note in self.unspent_at(height) {
            match note.pool {
                Shielded::Sapling => balance.sapling += note.value,
                Shielded::Orchard => balance.orchard += note.value,
                Shielded::Ironwood => balance.ironwood += note.value,
            }
        }
        balance
    }

    /// The plan as it stood after the block at `height`.
    pub(super) fn up_to(&self, height: u64) -> Self {
        let mut plan = self.clone();
        plan.notes.retain(|note| note.height <= height);
        for note in &mut plan.notes {
            note.spent = note.spent.filter(|spent| spent.height <= height);
        }
        plan
    }
}
