//! The rules a block can break on its own, and their names.

use equihash::is_valid_solution;
use heliostat_core::Exhibit;

use crate::{Header, Network, Scanned, target::Target};

/// The names of the rules, as [`Evidence`](heliostat_core::Evidence) carries
/// them. They do not change between releases.
pub mod rule {
    /// The bytes are no block.
    pub const LAYOUT: &str = "zcash.layout";
    /// The block stands at another height than the one asked for.
    pub const HEIGHT: &str = "zcash.height";
    /// The first block is not the network's.
    pub const GENESIS: &str = "zcash.genesis";
    /// The txids do not give the header's Merkle root.
    pub const MERKLE_ROOT: &str = "zcash.merkle-root";
    /// A transaction is in the block twice, hidden from the Merkle root.
    pub const REPEATED: &str = "zcash.repeated-transaction";
    /// A transaction version that consensus had already retired.
    pub const VERSION: &str = "zcash.transaction-version";
    /// `nBits` is no target, or an easier one than the network allows.
    pub const BITS: &str = "zcash.bits";
    /// The block hash exceeds its target.
    pub const TARGET: &str = "zcash.target";
    /// The Equihash solution does not solve the puzzle.
    pub const EQUIHASH: &str = "zcash.equihash";
    /// The time is not after the median of eleven blocks, or too far after.
    pub const TIME: &str = "zcash.time";
    /// `nBits` is not what the blocks before require.
    pub const DIFFICULTY: &str = "zcash.difficulty";
    /// A stored block does not name the one stored before it as its parent.
    pub const LINK: &str = "zcash.link";
    /// What the node says of a block contradicts the block.
    pub const DESCRIPTION: &str = "zcash.description";
    /// The bytes sent are another transaction than the one asked for.
    pub const TXID: &str = "zcash.txid";
    /// The tree state sent is that of another block than the one asked for.
    pub const TREE_STATE: &str = "zcash.tree-state-of-another-block";
}

/// The Equihash parameters of both public networks.
const EQUIHASH: (u32, u32) = (200, 9);

/// A rule that does not hold.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Its name, one of [`rule`].
    pub rule: &'static str,
    /// How, in one sentence.
    pub words: String,
    /// What was computed here, where that is more than words.
    pub computed: Option<Exhibit>,
}

impl Broken {
    pub(crate) fn new(rule: &'static str, words: String) -> Self {
        Self {
            rule,
            words,
            computed: None,
        }
    }

    pub(crate) fn with(mut self, name: &str, bytes: &[u8]) -> Self {
        self.computed = Some(Exhibit::new(name, bytes));
        self
    }
}

/// A hash the way the Zcash community writes it.
pub(crate) fn shown(hash: &[u8; 32]) -> String {
    hash.iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Everything a scanned block can be held to without another block.
pub(crate) fn alone(
    network: Network,
    asked: u64,
    header: &Header<'_>,
    block: &Scanned,
) -> Result<(), Broken> {
    if block.height != asked {
        let words = format!(
            "block {asked} was asked for, and block {} came",
            block.height
        );
        return Err(Broken::new(rule::HEIGHT, words));
    }
    genesis(network, block.height, &block.hash)?;
    merkle(header, &block.merkle_root, block.repeats)?;
    let least = network.least_version(block.height);
    if block.least_version < least {
        let words = format!(
            "a transaction of version {} stands at height {}, where consensus allows none below {least}",
            block.least_version, block.height
        );
        return Err(Broken::new(rule::VERSION, words));
    }
    proof_of_work(network, header, &block.hash)
}

/// The first block of a public network is known.
pub(crate) fn genesis(network: Network, height: u64, hash: &[u8; 32]) -> Result<(), Broken> {
    let known = network.genesis().0;
    if height == 0 && network.has_proof_of_work() && *hash != known {
        let words = format!(
            "the first block is {}, but that of the {} network is {}",
            shown(hash),
            network.name(),
            shown(&known)
        );
        return Err(Broken::new(rule::GENESIS, words).with("block hash computed", hash));
    }
    Ok(())
}

/// The header's Merkle root is the one over the txids, and no txid repeats
/// where the root would not show it.
pub(crate) fn merkle(
    header: &Header<'_>,
    computed: &[u8; 32],
    repeats: bool,
) -> Result<(), Broken> {
    if header.merkle_root() != *computed {
        let words = format!(
            "the header's Merkle root is {}, but the transactions give {}",
            shown(&header.merkle_root()),
            shown(computed)
        );
        return Err(Broken::new(rule::MERKLE_ROOT, words).with("Merkle root computed", computed));
    }
    if repeats {
        let words = "a transaction stands in the block twice".to_owned();
        return Err(Broken::new(rule::REPEATED, words));
    }
    Ok(())
}

/// `nBits` is a target the network allows, the hash does not exceed it, and
/// the Equihash solution is right. The costly check comes last.
pub(crate) fn proof_of_work(
    network: Network,
    header: &Header<'_>,
    hash: &[u8; 32],
) -> Result<(), Broken> {
    if !network.has_proof_of_work() {
        return Ok(());
    }
    let target = Target::from_compact(header.bits())
        .filter(|target| *target <= network.limit())
        .ok_or_else(|| {
            let words = format!(
                "nBits {:#010x} is no target the {} network allows",
                header.bits(),
                network.name()
            );
            Broken::new(rule::BITS, words)
        })?;
    if Target::from_le_bytes(hash) > target {
        let words = format!(
            "block hash {} exceeds the target of nBits {:#010x}",
            shown(hash),
            header.bits()
        );
        return Err(Broken::new(rule::TARGET, words).with("block hash computed", hash));
    }
    let (n, k) = EQUIHASH;
    is_valid_solution(n, k, header.puzzle(), header.nonce(), header.solution()).map_err(|why| {
        let words = format!(
            "the {}-byte Equihash solution of block {} is wrong: {why}",
            header.solution().len(),
            shown(hash)
        );
        Broken::new(rule::EQUIHASH, words)
    })
}

/// The work a block's `nBits` stands for; 0 when they are no target.
pub(crate) fn work(bits: u32) -> u128 {
    Target::from_compact(bits).map_or(0, Target::work)
}
