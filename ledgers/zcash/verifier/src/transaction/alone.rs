//! One transaction without its block, read by the code that reads blocks.

use super::Parts;
use crate::{ScanError, compact, cursor::Cursor, defaults::MAX_BLOCK_BYTES, txid};

/// One serialized transaction and its id.
#[derive(Clone, Copy, Debug)]
pub struct Transaction<'a> {
    parts: Parts<'a>,
    txid: [u8; 32],
}

impl Transaction<'_> {
    /// The id, internal byte order.
    pub fn txid(&self) -> [u8; 32] {
        self.txid
    }

    /// Whether the id covers every byte: up to version 4. From version 5 on
    /// (ZIP 244, ZIP 229) it leaves out the authorizing data.
    pub fn is_covered_by_txid(&self) -> bool {
        self.parts.format < super::Format::V5
    }

    /// A `CompactTx` message with all pools, as it stands in a compact block
    /// at position `index`; the input of a coinbase is left out.
    pub fn compact(&self, index: u64) -> Vec<u8> {
        compact::full(index, &self.txid, &self.parts)
    }

    /// The same with Sapling, Orchard and Ironwood parts alone; `None` when
    /// there are none: a compact block of those pools leaves it out.
    pub fn shielded(&self, index: u64) -> Option<Vec<u8>> {
        compact::shielded_only(index, &self.txid, &self.parts)
    }
}

/// Reads bytes that are one transaction and nothing else, up to 2,000,000
/// bytes, the size of a block. As [`scan`](crate::scan()) it checks no rule
/// beyond the layout.
///
/// # Errors
///
/// [`ScanError::UnknownFormat`] for a version newer than this release; every
/// other error says that the bytes are no transaction. An `index` in an error
/// is 0.
pub fn read(bytes: &[u8]) -> Result<Transaction<'_>, ScanError> {
    if bytes.len() > MAX_BLOCK_BYTES {
        return Err(ScanError::TooLong {
            len: bytes.len(),
            most: MAX_BLOCK_BYTES,
        });
    }
    let mut cursor = Cursor::new(bytes);
    let parts = Parts::read(&mut cursor, 0)?;
    match cursor.rest().len() {
        0 => Ok(Transaction {
            parts,
            txid: txid::txid(&parts),
        }),
        count => Err(ScanError::Trailing { count }),
    }
}

/// The id of one serialized transaction, internal byte order.
///
/// # Errors
///
/// As [`read`].
///
/// ```
/// let bytes = &zebra_test::vectors::DUMMY_TX1[..];
/// let id = heliostat_zcash_verifier::transaction::txid(bytes)?;
/// assert_eq!(id, heliostat_zcash_verifier::transaction::read(bytes)?.txid());
/// # Ok::<(), heliostat_zcash_verifier::ScanError>(())
/// ```
pub fn txid(bytes: &[u8]) -> Result<[u8; 32], ScanError> {
    read(bytes).map(|transaction| transaction.txid())
}
