//! One block: the coinbase, the header, and the tie to what came before.

use std::{ops::Range, sync::Arc};

use super::{
    digest,
    tx::{Actions, Sapling, Tx, TxIn, TxOut, compact},
};
use crate::zcash::chain::{Block, Trees};

/// The genesis block every regtest chain starts from, as zebrad 7 gives it.
const GENESIS: &str = include_str!("../../../data/regtest-genesis.hex");
/// Bytes of a header before its solution.
const HEADER: usize = 140;
/// The target every regtest header names.
pub(super) const REGTEST_BITS: u32 = 0x200f_0f0f;
/// The all-zero solution of zebrad 7's regtest blocks: regtest has no
/// proof-of-work.
const SOLUTION: [u8; 1344] = [0; 1344];

/// What a header says that its transactions do not.
pub(super) struct Header {
    pub height: u64,
    pub prev: [u8; 32],
    pub commitment: [u8; 32],
    pub time: u32,
}

/// The script of a coinbase: the height as BIP 34 has it, then 32 bytes that
/// make the block unlike any other at this height.
pub(super) fn coinbase_script(height: u64, unique: &[u8; 32]) -> Vec<u8> {
    let mut script = Vec::with_capacity(38);
    match height {
        0 => script.push(0x00),
        1..=16 => script.push(0x50 + height as u8),
        _ => {
            // A little-endian number whose top bit is its sign.
            let bytes = height.to_le_bytes();
            let mut length = 8 - height.leading_zeros() as usize / 8;
            length += usize::from(bytes[length - 1] & 0x80 != 0);
            script.push(length as u8);
            script.extend((0..length).map(|at| bytes.get(at).copied().unwrap_or(0)));
        }
    }
    script.push(unique.len() as u8);
    script.extend_from_slice(unique);
    script
}

/// A transaction that only mines: `frame` gives it version, branch and expiry.
pub(super) fn coinbase(frame: Tx, script: Vec<u8>, output: TxOut) -> Tx {
    Tx {
        vin: vec![TxIn {
            prev: [0; 32],
            index: u32::MAX,
            script,
            sequence: u32::MAX,
        }],
        vout: vec![output],
        sapling: Sapling::default(),
        orchard: Actions::default(),
        ironwood: Actions::default(),
        ..frame
    }
}

/// The body of a block: its serialized transactions and their ids.
#[derive(Default)]
pub(super) struct Body {
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
    pub txids: Vec<[u8; 32]>,
    pub auths: Vec<[u8; 32]>,
}

impl Body {
    /// Appends a transaction and returns its id.
    pub(super) fn push(&mut self, tx: &Tx) -> [u8; 32] {
        let start = self.bytes.len();
        tx.write(&mut self.bytes);
        let range = start..self.bytes.len();
        let txid = digest::txid(tx, &self.bytes[range.clone()]);
        self.ranges.push(range);
        self.txids.push(txid);
        self.auths.push(digest::auth(tx));
        txid
    }

    /// Puts the header before the transactions.
    pub(super) fn seal(self, header: Header, trees: Trees) -> Arc<Block> {
        let mut raw = Vec::with_capacity(HEADER + 3 + SOLUTION.len() + 3 + self.bytes.len());
        raw.extend_from_slice(&4u32.to_le_bytes());
        raw.extend_from_slice(&header.prev);
        raw.extend_from_slice(&digest::merkle_root(&self.txids));
        raw.extend_from_slice(&header.commitment);
        raw.extend_from_slice(&header.time.to_le_bytes());
        raw.extend_from_slice(&REGTEST_BITS.to_le_bytes());
        raw.extend_from_slice(&[0; 32]); // nonce
        compact(&mut raw, SOLUTION.len());
        raw.extend_from_slice(&SOLUTION);
        let hash = digest::sha256d(&raw);
        compact(&mut raw, self.txids.len());
        let offset = raw.len();
        raw.extend_from_slice(&self.bytes);
        let shift = |range: Range<usize>| range.start + offset..range.end + offset;
        Arc::new(Block {
            height: header.height,
            hash,
            prev: header.prev,
            time: header.time,
            raw: raw.into(),
            txids: self.txids,
            txs: self.ranges.into_iter().map(shift).collect(),
            trees: Some(trees),
        })
    }
}

/// The regtest genesis block, whose pools are not active yet.
pub(super) fn genesis() -> Arc<Block> {
    let raw = hex::decode(GENESIS.trim()).expect("the file holds hex");
    // Header, a 36-byte solution with its length, the number 1, the coinbase.
    const COINBASE: usize = 140 + 1 + 36 + 1;
    let whole = COINBASE..raw.len();
    Arc::new(Block {
        height: 0,
        hash: digest::sha256d(&raw[..COINBASE - 1]),
        prev: [0; 32],
        time: u32::from_le_bytes([raw[100], raw[101], raw[102], raw[103]]),
        txids: vec![digest::sha256d(&raw[COINBASE..])],
        txs: [whole].to_vec(),
        raw: raw.into(),
        trees: Some(Trees::default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_pushed_the_way_zebrad_pushes_them() {
        let push = |height| {
            let script = coinbase_script(height, &[7; 32]);
            hex::encode(&script[..script.len() - 33])
        };
        let expected = [
            (1, "51"),
            (16, "60"),
            (17, "0111"),
            (127, "017f"),
            (128, "028000"),
            (255, "02ff00"),
            (256, "020001"),
            (32_768, "03008000"),
            (8_388_608, "0400008000"),
        ];
        for (height, script) in expected {
            assert_eq!(push(height), script, "height {height}");
        }
    }
}
