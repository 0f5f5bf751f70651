//! Everything that a node can say against the truth.

use heliostat_tezos_context::Tree;

use crate::tezos::{
    accounts::NAMES,
    n,
    world::{Attesting, Block, Change, Recipe, Settings, World, balance_key, edited, key, read_n},
};

/// What the liars of one plot have in common: the same plot, the same lie.
pub type Plot = u64;

/// The plot of those who lie together.
pub(super) const TOGETHER: Plot = 0;

/// How far below the head an untrue branch begins.
const BRANCHES_BELOW: i32 = 3;

/// Most blocks that another chain begins with.
const OTHER_BLOCKS: usize = 8;

/// What a forged balance is more than the true one, times the plot's number
/// and one, in mutez.
const MORE: u64 = 1_000_000;

/// One lie. The forged values are the balances of the six named accounts and
/// the big map's: [`Lie::forged_balance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lie {
    /// Proofs show forged values under the block's true root, which they do
    /// not have.
    Value,
    /// Proofs and values come from a forged state, consistent in itself. The
    /// headers are true, and contradict its root.
    Root,
    /// The same with a state in which the named accounts are not.
    Absence,
    /// Proofs and values come from the state of the block before.
    OldState,
    /// Values and `raw/bytes` are forged, proofs are true.
    Plain,
    /// The bytes of headers are changed and do not have their block's hash.
    Header,
    /// The hash of a block asked for by a name or a level is that of the block
    /// before.
    Hash,
    /// A branch of its own from three blocks below the head on, in which the
    /// balances are forged. It has all but the stamps, and impostors'
    /// signatures.
    Unstamped,
    /// The same with stamps, which cost a little: only the signatures of
    /// blocks and attestations are wrong. It is one block longer than the
    /// true chain.
    Branch,
    /// The same without attestations.
    Unattested,
    /// Attestations of true blocks with signatures of impostors.
    Attestations,
    /// Lists of operation hashes from which one is missing.
    OperationHashes,
    /// Operations whose contents are changed, under their true hashes.
    Operations,
    /// Another protocol than the block's.
    Protocols,
    /// Another context for `resulting_context_hash`.
    Context,
    /// Another chain's name for the true one.
    ChainId,
    /// Another chain, consistent in itself: other genesis, bakers, accounts.
    OtherChain,
    /// Another hash for an operation that is injected.
    Injection,
}

impl Lie {
    /// All lies, for tests that go through them.
    pub const ALL: [Self; 18] = [
        Self::Value,
        Self::Root,
        Self::Absence,
        Self::OldState,
        Self::Plain,
        Self::Header,
        Self::Hash,
        Self::Unstamped,
        Self::Branch,
        Self::Unattested,
        Self::Attestations,
        Self::OperationHashes,
        Self::Operations,
        Self::Protocols,
        Self::Context,
        Self::ChainId,
        Self::OtherChain,
        Self::Injection,
    ];

    /// The balance that a liar of this plot tells instead of the true one.
    pub fn forged_balance(balance: u64, plot: Plot) -> u64 {
        balance + MORE * (plot + 1)
    }

    /// Whether it tells of blocks that are not on the true chain.
    pub(in crate::tezos) fn has_own_blocks(self) -> bool {
        matches!(
            self,
            Self::Unstamped | Self::Branch | Self::Unattested | Self::OtherChain
        )
    }

    /// Whether proofs come from another state than the block's.
    pub(super) fn proofs_are_forged(self) -> bool {
        matches!(
            self,
            Self::Value | Self::Root | Self::Absence | Self::OldState
        )
    }

    /// The chain it tells of instead of the true one.
    pub(in crate::tezos) fn world(self, truth: &World, plot: Plot) -> World {
        if self == Self::OtherChain {
            let blocks = truth.blocks();
            let blocks = &blocks[blocks.len().saturating_sub(OTHER_BLOCKS)..];
            let settings = Settings {
                blocks: blocks.len(),
                first_level: blocks[0].level,
                ..Settings::small()
            };
            return World::new(truth.seed() ^ (0x0c4a_11ce + plot), settings);
        }
        let from = (truth.head().level - BRANCHES_BELOW).max(truth.first().level);
        let mut told = truth.fork(from, &format!("{self:?} {plot}"));
        let forged = NAMES.map(|name| {
            let account = truth.account(name).id;
            let balance = truth.balance(truth.head(), &account);
            Change::Balance(account, Self::forged_balance(balance, plot))
        });
        let mut recipe = self.recipe();
        recipe.changes = forged.to_vec();
        told.bake_as(recipe);
        self.longer(&told, truth.head().level - from)
    }

    /// The same chain with more blocks.
    pub(in crate::tezos) fn longer(self, told: &World, blocks: i32) -> World {
        let mut told = told.clone();
        for _ in 0..blocks {
            told.bake_as(self.recipe());
        }
        told
    }

    fn recipe(self) -> Recipe {
        Recipe {
            attesting: match self {
                Self::OtherChain => Attesting::Everyone,
                Self::Unattested => Attesting::Nobody,
                _ => Attesting::Impostors,
            },
            unstamped: self == Self::Unstamped,
            ..Recipe::default()
        }
    }

    /// The state it tells of instead of a block's.
    pub(in crate::tezos) fn state(self, truth: &World, block: &Block, plot: Plot) -> Tree {
        let state = &block.state;
        match self {
            Self::OldState => truth
                .find(&block.header.predecessor)
                .map_or_else(|| state.clone(), |before| before.state.clone()),
            Self::Absence => NAMES.iter().fold(state.clone(), |state, name| {
                let index = truth.account(name).id.index();
                edited(&state, &key(&format!("contracts/index/{index}")), None)
            }),
            _ => forged(truth, state, plot),
        }
    }
}

/// A state with other balances, of accounts and in the big map.
fn forged(truth: &World, state: &Tree, plot: Plot) -> Tree {
    let mut forged = state.clone();
    for name in NAMES {
        let at = balance_key(&truth.account(name).id);
        if let Some(balance) = read_n(state, &at) {
            let balance = Lie::forged_balance(balance, plot);
            forged = edited(&forged, &at, Some(n(balance).into()));
        }
    }
    for entry in truth.holders().iter().take(NAMES.len()) {
        let change = Change::BigMap(entry.holder, entry.value + plot + 1);
        forged = change.apply(&forged);
    }
    forged
}
