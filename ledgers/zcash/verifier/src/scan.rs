//! The one pass over a raw block.

use crate::{
    Header, ScanError, TreeSizes,
    compact::{Heading, Projections},
    cursor::Cursor,
    defaults::{MAX_BLOCK_BYTES, MIN_TRANSACTION_BYTES},
    merkle,
    transaction::Parts,
    txid::txid,
};

/// The script number that stands in the coinbase of every network's first
/// block where later ones have their height.
const GENESIS_NUMBER: u64 = 520_617_983;

/// What one pass over a block gives. Nothing here is checked against any
/// rule yet. Hashes are in internal byte order.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// Length of the header, solution included, at the front of the block.
    pub header_len: usize,
    /// The block's id.
    pub hash: [u8; 32],
    /// The parent's id.
    pub prev: [u8; 32],
    /// Header time, seconds since the Unix epoch.
    pub time: u32,
    /// The target in compact form.
    pub bits: u32,
    /// The height the coinbase says.
    pub height: u64,
    /// The ids of all transactions, in block order.
    pub txids: Vec<[u8; 32]>,
    /// The Merkle root over them; the header holds the one claimed.
    pub merkle_root: [u8; 32],
    /// The txids repeat in the one way that leaves the Merkle root as it is.
    pub repeats: bool,
    /// Leaves the block adds to each note commitment tree.
    pub added: TreeSizes,
    /// The lowest transaction version in the block; 2 stands for 1 as well.
    pub least_version: u32,
    /// Some transactions are known by their id alone (never after [`scan()`]).
    pub(crate) opaque: bool,
    /// The compact block of all pools, still without `chainMetadata`.
    pub full: Vec<u8>,
    /// The same for Sapling, Orchard and Ironwood alone, without the
    /// transactions that have no such part.
    pub shielded: Vec<u8>,
}

/// Reads a serialized block: header hash, height, txids, Merkle root, leaves
/// added to the trees, both compact forms.
///
/// It accepts what lightwalletd's parser accepts, up to 2,000,000 bytes, and
/// checks no rule beyond the layout.
///
/// # Errors
///
/// [`ScanError::UnknownFormat`] for transactions newer than this release;
/// every other error says that the bytes are no block.
///
/// ```
/// let bytes = zebra_test::vectors::MAINNET_BLOCKS[&1];
/// let block = heliostat_zcash_verifier::scan(bytes)?;
/// assert_eq!((block.height, block.txids.len()), (1, 1));
/// # Ok::<(), heliostat_zcash_verifier::ScanError>(())
/// ```
pub fn scan(bytes: &[u8]) -> Result<Scanned, ScanError> {
    if bytes.len() > MAX_BLOCK_BYTES {
        return Err(ScanError::TooLong {
            len: bytes.len(),
            most: MAX_BLOCK_BYTES,
        });
    }
    let mut cursor = Cursor::new(bytes);
    let header = Header::read(&mut cursor)?;
    let count = cursor.count("transaction count", MIN_TRANSACTION_BYTES)?;
    if count == 0 {
        return Err(ScanError::NoHeight);
    }
    let coinbase = Parts::read(&mut cursor, 0)?;
    let height = coinbase_height(&coinbase).ok_or(ScanError::NoHeight)?;
    let mut assembly = Assembly::new(&header, height, bytes.len(), count);
    assembly.push(&coinbase);
    for index in 1..count {
        assembly.push(&Parts::read(&mut cursor, index)?);
    }
    match cursor.rest().len() {
        0 => Ok(assembly.finish(&header, height)),
        count => Err(ScanError::Trailing { count }),
    }
}

/// The height in a coinbase's input script: a small-number opcode, or a
/// length and that many bytes, least significant first, as lightwalletd reads
/// it: only the first eight count, and more than 32 bits is no height.
pub(crate) fn coinbase_height(coinbase: &Parts<'_>) -> Option<u64> {
    let script = coinbase.inputs().next()?.script;
    let (first, rest) = script.split_first()?;
    let number = match first {
        0x4f => return None,
        0x51..=0x60 => u64::from(first - 0x50),
        length => {
            let number = rest.get(..usize::from(*length))?;
            let mut low = [0; 8];
            let len = number.len().min(8);
            low[..len].copy_from_slice(&number[..len]);
            u64::from_le_bytes(low)
        }
    };
    match number {
        GENESIS_NUMBER => Some(0),
        small if small <= u64::from(u32::MAX) => Some(small),
        _ => None,
    }
}

/// A block while its transactions are gathered.
pub(crate) struct Assembly {
    hash: [u8; 32],
    projections: Projections,
    txids: Vec<[u8; 32]>,
    added: TreeSizes,
    least_version: u32,
    opaque: bool,
}

impl Assembly {
    /// `count` is a number of transactions known to fit the bytes given.
    pub(crate) fn new(header: &Header<'_>, height: u64, raw_len: usize, count: usize) -> Self {
        let heading = Heading {
            height,
            hash: header.hash(),
            prev: header.prev(),
            time: header.time(),
        };
        Self {
            hash: heading.hash,
            projections: Projections::new(&heading, raw_len),
            txids: Vec::with_capacity(count),
            added: TreeSizes::default(),
            least_version: u32::MAX,
            opaque: false,
        }
    }

    /// Appends a transaction and returns its id.
    pub(crate) fn push(&mut self, parts: &Parts<'_>) -> [u8; 32] {
        let id = txid(parts);
        self.projections.push(self.txids.len(), &id, parts);
        self.txids.push(id);
        self.least_version = self.least_version.min(parts.format.version());
        // A block of 2,000,000 bytes holds fewer than 2,650 of each.
        let added = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        self.added = self.added.plus(TreeSizes {
            sapling: added(parts.sapling_outputs.len()),
            orchard: added(parts.orchard.actions.len()),
            ironwood: added(parts.ironwood.actions.len()),
        });
        id
    }

    /// Appends a transaction of which only the id is known.
    pub(crate) fn push_opaque(&mut self, txid: [u8; 32]) {
        self.projections.push_opaque(self.txids.len(), &txid);
        self.txids.push(txid);
        self.opaque = true;
    }

    pub(crate) fn finish(self, header: &Header<'_>, height: u64) -> Scanned {
        let merkle = merkle::root(&self.txids);
        Scanned {
            header_len: header.bytes().len(),
            hash: self.hash,
            prev: header.prev(),
            time: header.time(),
            bits: header.bits(),
            height,
            txids: self.txids,
            merkle_root: merkle.root,
            repeats: merkle.repeated,
            added: self.added,
            least_version: self.least_version,
            opaque: self.opaque,
            full: self.projections.full,
            shielded: self.projections.shielded,
        }
    }
}
