//! A chain as a node holds it.

use std::sync::Arc;

use bytes::Bytes;

/// One block, with everything a node can be asked about it. Hashes are in
/// internal byte order.
#[derive(Clone, Debug)]
pub struct Block {
    /// Distance from genesis.
    pub height: u64,
    /// Double SHA-256 of the header.
    pub hash: [u8; 32],
    /// The parent's hash; zero for genesis.
    pub prev: [u8; 32],
    /// Header time in seconds since the Unix epoch.
    pub time: u32,
    /// The serialized block.
    pub raw: Bytes,
    /// Transaction ids in block order.
    pub txids: Vec<[u8; 32]>,
    /// Byte range of each transaction within `raw`, in block order.
    pub txs: Vec<std::ops::Range<usize>>,
    /// The note commitment trees after the block; `None` for recorded blocks
    /// whose tree states are not known.
    pub trees: Option<Trees>,
}

/// The note commitment trees after a block.
#[derive(Clone, Debug, Default)]
pub struct Trees {
    /// Sapling.
    pub sapling: Pool,
    /// Orchard.
    pub orchard: Pool,
    /// Ironwood.
    pub ironwood: Pool,
}

/// One note commitment tree after a block.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Leaves.
    pub size: u32,
    /// The legacy `CommitmentTree` serialization, as `z_gettreestate` gives it
    /// (there in hex); shared between blocks that do not change it. Empty
    /// while the pool is not active, where a node names no state at all; the
    /// tree without leaves is `000000`.
    pub state: Arc<[u8]>,
    /// Roots of the 2^16-leaf subtrees that this block completed, as
    /// `z_getsubtreesbyindex` lists them; nearly always none.
    pub completed: Vec<[u8; 32]>,
}

/// A chain: consecutive blocks, cheap to clone and to fork.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// Blocks in ascending height; the first one's height need not be 0.
    pub blocks: Vec<Arc<Block>>,
}

impl Chain {
    /// The newest block.
    pub fn tip(&self) -> Option<&Arc<Block>> {
        self.blocks.last()
    }

    /// The block at a height.
    pub fn at(&self, height: u64) -> Option<&Arc<Block>> {
        let first = self.blocks.first()?.height;
        let index = usize::try_from(height.checked_sub(first)?).ok()?;
        self.blocks.get(index)
    }

    /// The part of the chain up to and including `height`, to be forked.
    pub fn up_to(&self, height: u64) -> Self {
        let keep = |block: &&Arc<Block>| block.height <= height;
        Self {
            blocks: self.blocks.iter().take_while(keep).cloned().collect(),
        }
    }
}
