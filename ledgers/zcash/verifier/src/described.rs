//! Blocks as the source hands them over, and those with transactions that
//! only the node can read.

use bytes::Bytes;

use crate::{
    Header, Network, ScanError, Scanned, TreeSizes,
    cursor::Cursor,
    defaults::{MAX_BLOCK_BYTES, MIN_TRANSACTION_BYTES},
    rules::{self, Broken, rule},
    scan::{Assembly, coinbase_height, scan},
    transaction::Parts,
};

/// A block as a source hands it over.
#[derive(Clone, Debug)]
pub struct RawBlock {
    /// The serialized block.
    pub bytes: Bytes,
    /// The node's own reading of it, fetched only after the verifier said
    /// that it cannot read the block itself.
    pub described: Option<Described>,
}

/// A node's reading of a block, as verbose JSON-RPC gives it.
#[derive(Clone, Debug)]
pub struct Described {
    /// Every transaction in block order.
    pub txs: Vec<DescribedTx>,
    /// Sizes of the note commitment trees after the block.
    pub sizes: TreeSizes,
}

/// A node's reading of one transaction.
#[derive(Clone, Debug)]
pub struct DescribedTx {
    /// Its id, internal byte order.
    pub txid: [u8; 32],
    /// Its bytes.
    pub raw: Bytes,
}

/// Why a block is not accepted on its own.
pub(crate) enum Failure {
    /// This release cannot read it.
    Opaque(String),
    /// It breaks a rule.
    Broken(Broken),
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        if error.is_opaque() {
            Self::Opaque(error.to_string())
        } else {
            Self::Broken(Broken::new(rule::LAYOUT, error.to_string()))
        }
    }
}

/// Reads a block and holds it to every rule it can be held to alone.
pub(crate) fn examine(
    network: Network,
    asked: u64,
    bytes: &[u8],
    described: Option<&[DescribedTx]>,
) -> Result<Scanned, Failure> {
    let scanned = match scan(bytes) {
        // Bytes that can be read are read, whatever else was said of them.
        Err(error) if error.is_opaque() => match described {
            Some(txs) => scan_described(bytes, asked, txs)?,
            None => return Err(error.into()),
        },
        other => other?,
    };
    let header = Header::at_front_of(bytes)?;
    rules::alone(network, asked, &header, &scanned)?;
    Ok(scanned)
}

/// Builds a block from its header and the transactions a node describes. The
/// known ones are read from their bytes, of the others only the txid is taken.
/// All txids still have to give the header's Merkle root.
fn scan_described(bytes: &[u8], asked: u64, txs: &[DescribedTx]) -> Result<Scanned, Failure> {
    if bytes.len() > MAX_BLOCK_BYTES {
        let (len, most) = (bytes.len(), MAX_BLOCK_BYTES);
        return Err(ScanError::TooLong { len, most }.into());
    }
    let mut cursor = Cursor::new(bytes);
    let header = Header::read(&mut cursor)?;
    let count = cursor.count("transaction count", MIN_TRANSACTION_BYTES)?;
    let same_bytes = cursor.rest().len() == txs.iter().map(|tx| tx.raw.len()).sum::<usize>()
        && txs.iter().all(|tx| {
            cursor
                .take(tx.raw.len(), "transaction")
                .is_ok_and(|raw| raw == tx.raw)
        });
    if txs.len() != count || !same_bytes {
        let words = format!(
            "the {} transactions described are not the block's {count}",
            txs.len()
        );
        return Err(Broken::new(rule::DESCRIPTION, words).into());
    }
    let parts = txs.iter().enumerate().map(|(index, tx)| {
        let mut cursor = Cursor::new(&tx.raw);
        match Parts::read(&mut cursor, index) {
            Ok(parts) if cursor.rest().is_empty() => Ok(Some(parts)),
            Ok(_) => Err(ScanError::Trailing {
                count: cursor.rest().len(),
            }),
            Err(error) if error.is_opaque() => Ok(None),
            Err(error) => Err(error),
        }
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let height = match parts.first() {
        None => return Err(ScanError::NoHeight.into()),
        Some(Some(coinbase)) => coinbase_height(coinbase).ok_or(ScanError::NoHeight)?,
        // Even the coinbase is unreadable, so the height is hearsay, too.
        Some(None) => asked,
    };
    let mut assembly = Assembly::new(&header, height, bytes.len(), count);
    for (tx, parts) in txs.iter().zip(&parts) {
        let Some(parts) = parts else {
            assembly.push_opaque(tx.txid);
            continue;
        };
        let txid = assembly.push(parts);
        if txid != tx.txid {
            let words = format!(
                "a transaction is described as {}, but its bytes give {}",
                rules::shown(&tx.txid),
                rules::shown(&txid)
            );
            return Err(Broken::new(rule::DESCRIPTION, words)
                .with("txid computed", &txid)
                .into());
        }
    }
    Ok(assembly.finish(&header, height))
}
