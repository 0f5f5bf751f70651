//! The chain: baked block by block, and forked.
//!
//! What is true of it: headers hash to their blocks, link, carry their
//! proof-of-work stamp and their baker's signature; each names the commit of
//! the state before its own block; operations have their roots; every block
//! holds signed attestations of the one before it, whose slots are drawn from
//! the sampler and the seed in the state. What is filler: the hashes of
//! metadata in the root directory, the values of directories that no call
//! reads, and rewards (there are none).
//!
//! The first block stands for a chain that is already old: nothing before it
//! is held, as on a node that was started from a snapshot.
//!
//! | module | what it holds |
//! |---|---|
//! | `bake` | the next block: state, operations, header |
//! | `block` | [`Block`]; the genesis block |
//! | `change` | [`Change`]; where values stand in a state |
//! | `forge` | forks, and other states below the same headers |
//! | `settings` | [`Settings`]: what a chain is made from |

mod bake;
mod block;
mod change;
mod forge;
mod settings;

use std::sync::Arc;

use bytes::Bytes;
use heliostat_tezos_context::ContextHash;
use heliostat_tezos_protocol::ContractId;
use heliostat_tezos_verifier::{
    BlockHash, ChainId, ProtocolHash,
    finality::{Parameters, Rights, Sampler},
};

pub use block::Block;
pub use change::{Change, balance_key, counter_key};
pub(super) use change::{edited, key, read_n, read_z};
pub use settings::Settings;

use super::{
    accounts::Account,
    bakers::{Baker, sampler},
    constants::Numbers,
    contracts::{self, Contract, Entry},
    derive, state,
};

/// What all branches of a chain have in common.
pub(super) struct Plan {
    pub seed: u64,
    pub numbers: Numbers,
    pub begins: i64,
    pub protocol: ProtocolHash,
    pub chain_id: ChainId,
    pub genesis: Arc<Block>,
    pub bakers: Vec<Baker>,
    pub accounts: Vec<Account>,
    pub contracts: Vec<Contract>,
    pub holders: Vec<Entry>,
}

/// A chain: consecutive blocks, cheap to clone and to fork.
#[derive(Clone)]
pub struct World {
    plan: Arc<Plan>,
    blocks: Vec<Arc<Block>>,
    /// Sets this branch's chance apart from every other branch's.
    branch: [u8; 32],
}

/// Who attests the block before, in the block that is baked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attesting {
    /// All bakers.
    #[default]
    Everyone,
    /// The bakers of the first so many first slots.
    Some(usize),
    /// Nobody.
    Nobody,
    /// People without the bakers' keys, in the name of all of them. They sign
    /// the block too.
    Impostors,
}

/// How a block is baked.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// What happens in it.
    pub changes: Vec<Change>,
    /// Operations from outside: branch and data.
    pub injected: Vec<Bytes>,
    /// Its round.
    pub round: i32,
    /// Who attests the block before.
    pub attesting: Attesting,
    /// Whether the header goes without its proof-of-work stamp.
    pub unstamped: bool,
}

impl World {
    /// A chain with `settings.blocks` blocks. The same seed and settings give
    /// the same chain.
    ///
    /// # Panics
    ///
    /// For fewer than one baker or six accounts, or no blocks.
    pub fn new(seed: u64, settings: Settings) -> Self {
        let enough = settings.bakers > 0 && settings.accounts >= 6 && settings.blocks > 0;
        assert!(enough, "a chain needs a baker, six accounts and a block");
        let (chain_id, genesis) = block::genesis(seed, settings.begins);
        let accounts: Vec<_> = (0..settings.accounts)
            .map(|number| Account::new(seed, number))
            .collect();
        let plan = Arc::new(Plan {
            seed,
            numbers: settings.numbers,
            begins: settings.begins,
            protocol: settings.protocol,
            chain_id,
            genesis: Arc::new(genesis),
            bakers: (0..settings.bakers)
                .map(|number| Baker::new(seed, number))
                .collect(),
            contracts: contracts::all(seed, &accounts),
            holders: contracts::entries(&accounts, settings.holders),
            accounts,
        });
        let mut world = Self {
            blocks: vec![Arc::new(bake::first(&plan, settings.first_level))],
            plan,
            branch: derive(seed, "branch", 0),
        };
        for _ in 1..settings.blocks {
            world.bake(&[]);
        }
        world
    }

    /// Bakes the next block, attested by everyone.
    ///
    /// # Panics
    ///
    /// For a change that the state does not allow, such as a transfer of more
    /// than there is.
    pub fn bake(&mut self, changes: &[Change]) -> Arc<Block> {
        self.bake_as(Recipe {
            changes: changes.to_vec(),
            ..Recipe::default()
        })
    }

    /// The same in another way.
    ///
    /// # Panics
    ///
    /// As [`World::bake`].
    pub fn bake_as(&mut self, recipe: Recipe) -> Arc<Block> {
        let block = bake::next(&self.plan, self.head(), &recipe, &self.branch);
        let block = Arc::new(block);
        self.blocks.push(block.clone());
        block
    }

    /// The newest block.
    pub fn head(&self) -> &Arc<Block> {
        self.blocks.last().expect("a chain has a first block")
    }

    /// The oldest block that is held, genesis apart.
    pub fn first(&self) -> &Arc<Block> {
        &self.blocks[0]
    }

    /// All blocks but genesis, oldest first.
    pub fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    /// The genesis block: level 0, a hash that is nothing's.
    pub fn genesis(&self) -> &Arc<Block> {
        &self.plan.genesis
    }

    /// The block of a hash.
    pub fn find(&self, hash: &BlockHash) -> Option<&Arc<Block>> {
        let held = self.blocks.iter().rev().find(|block| block.hash == *hash);
        held.or_else(|| Some(self.genesis()).filter(|block| block.hash == *hash))
    }

    /// The block at a level.
    pub fn at(&self, level: i32) -> Option<&Arc<Block>> {
        if level == 0 {
            return Some(self.genesis());
        }
        let index = level.checked_sub(self.first().level)?;
        self.blocks.get(usize::try_from(index).ok()?)
    }

    /// A block that a client may trust: level and hash of one `back` blocks
    /// before the head, at most the first.
    pub fn checkpoint(&self, back: usize) -> (i32, BlockHash) {
        let at = (self.blocks.len() - 1).saturating_sub(back);
        (self.blocks[at].level, self.blocks[at].hash)
    }

    /// What everything was made from.
    pub fn seed(&self) -> u64 {
        self.plan.seed
    }

    /// The chain's id.
    pub fn chain_id(&self) -> ChainId {
        self.plan.chain_id
    }

    /// The protocol of all blocks.
    pub fn protocol(&self) -> ProtocolHash {
        self.plan.protocol
    }

    /// The constants that the chain depends on.
    pub fn numbers(&self) -> &Numbers {
        &self.plan.numbers
    }

    /// All bakers.
    pub fn bakers(&self) -> &[Baker] {
        &self.plan.bakers
    }

    /// All accounts that are not bakers.
    pub fn accounts(&self) -> &[Account] {
        &self.plan.accounts
    }

    /// The account of a name, `alice` or `account-17`.
    ///
    /// # Panics
    ///
    /// For a name that no account has.
    pub fn account(&self, name: &str) -> &Account {
        let found = self.accounts().iter().find(|one| one.name == name);
        found.unwrap_or_else(|| panic!("there is no account {name}"))
    }

    /// An address that is nowhere in the state.
    pub fn stranger(&self) -> ContractId {
        let secret = super::Secret::derive(
            heliostat_tezos_verifier::KeyKind::Ed25519,
            self.plan.seed,
            "stranger",
            0,
        );
        super::accounts::implicit(&secret.public().hash().encode())
    }

    /// All contracts.
    pub fn contracts(&self) -> &[Contract] {
        &self.plan.contracts
    }

    /// What the big map holds in the first block.
    pub fn holders(&self) -> &[Entry] {
        &self.plan.holders
    }

    /// The contract `counter`, `ledger` or `registry`.
    ///
    /// # Panics
    ///
    /// For a name that no contract has.
    pub fn contract(&self, name: &str) -> &Contract {
        let found = self.contracts().iter().find(|one| one.name == name);
        found.unwrap_or_else(|| panic!("there is no contract {name}"))
    }

    /// What an account owns after a block, in mutez.
    pub fn balance(&self, block: &Block, account: &ContractId) -> u64 {
        read_n(&block.state, &balance_key(account)).unwrap_or(0)
    }

    /// Who may attest a level.
    pub fn rights(&self, level: i32) -> Rights {
        rights(&self.plan, level)
    }

    /// The commit of the state after a block: what the next header names.
    pub fn commit(&self, block: &Block) -> ContextHash {
        bake::commit(block)
    }
}

/// Who may attest a level.
fn rights(plan: &Plan, level: i32) -> Rights {
    let (cycle, position) = plan.numbers.cycle(level);
    let sampler = Sampler::decode(&sampler(&plan.bakers, cycle), true)
        .expect("a sampler, because it is written here");
    let parameters = Parameters {
        committee_size: plan.numbers.committee_size,
        threshold_size: plan.numbers.threshold_size,
    };
    let seed = state::seed_of_cycle(plan, cycle);
    Rights::drawn(&sampler, &seed, position, &parameters)
}
