//! One transaction through the verifier's block scanner: it is put behind a
//! stand-in coinbase in a block of no chain, so that there is one reader of
//! transactions in the product and not two.

use heliostat_zcash_proto::{CompactBlock, CompactTx};
use heliostat_zcash_verifier::{ScanError, scan};
use prost::Message as _;

/// What the scanner says of a transaction.
pub(super) struct Carried {
    /// Its id, internal byte order.
    pub(super) txid: [u8; 32],
    /// Its compact form with all pools and index 0.
    pub(super) compact: CompactTx,
}

/// A header without a solution (140 bytes and the length 0).
const HEADER: [u8; 141] = [0; 141];

/// A version 1 coinbase for height 1: one input, no output.
const COINBASE: [u8; 52] = {
    let mut bytes = [0; 52];
    bytes[0] = 1; // version
    bytes[4] = 1; // inputs, then 36 bytes of outpoint
    bytes[41] = 1; // script length
    bytes[42] = 0x51; // the number 1, then sequence, output count, lock time
    bytes
};

/// Reads one transaction.
///
/// # Errors
/// [`ScanError::is_opaque`] tells a version this release cannot read from
/// bytes that are no transaction.
pub(super) fn carry(transaction: &[u8]) -> Result<Carried, ScanError> {
    let mut block = Vec::with_capacity(HEADER.len() + COINBASE.len() + 1 + transaction.len());
    block.extend_from_slice(&HEADER);
    block.push(2);
    block.extend_from_slice(&COINBASE);
    block.extend_from_slice(transaction);
    let scanned = scan(&block)?;
    let nothing = ScanError::NoHeight;
    let txid = *scanned.txids.get(1).ok_or(nothing)?;
    let compact = CompactBlock::decode(scanned.full.as_slice())
        .ok()
        .and_then(|mut block| block.vtx.pop())
        .ok_or(nothing)?;
    Ok(Carried {
        txid,
        compact: CompactTx {
            index: 0,
            ..compact
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_read_with_its_inputs_and_nothing_may_follow_it() {
        // Version 1: one input, one output of 5 zatoshi with the script `ac`.
        let mut transaction = vec![1, 0, 0, 0, 1];
        transaction.extend([7; 32]);
        transaction.extend([3, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        transaction.extend([1, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0xac, 0, 0, 0, 0]);
        let carried = carry(&transaction).expect("it is well-formed");
        assert_eq!(carried.compact.index, 0);
        assert_eq!(carried.compact.txid.as_ref(), carried.txid);
        assert_eq!(carried.compact.vin.len(), 1);
        assert_eq!(carried.compact.vin[0].prevout_index, 3);
        assert_eq!(carried.compact.vout[0].value, 5);
        transaction.push(0);
        assert!(carry(&transaction).is_err());
        let newer = [[9, 0, 0, 0x80], [1, 2, 3, 4]].concat();
        let padded = [newer, vec![0; 60]].concat();
        assert!(carry(&padded).is_err_and(|error| error.is_opaque()));
    }
}
