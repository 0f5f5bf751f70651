//! Transparent coins: who holds which output of the chain, and the scripts
//! that lock and unlock them.

use std::collections::VecDeque;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};

use super::{
    filler::bytes,
    tx::{TxIn, TxOut},
};

/// Holders of transparent coins in a chain: few enough that every address
/// has a history.
const HOLDERS: usize = 16;
/// Blocks a coinbase rests before it is spent (protocol specification § 7.1.2).
const MATURITY: u64 = 100;
/// A coin below twice the fee stays where it is, in zatoshi.
const WORTH: u64 = 20_000;

/// The key behind a P2PKH and a P2SH address.
#[derive(Clone, Debug)]
struct Holder {
    /// A compressed public key in shape; nobody knows its secret.
    public: [u8; 33],
    /// The script of a 1-of-1 multisignature under that key.
    redeem: Vec<u8>,
}

/// An unspent or spent output.
#[derive(Clone, Debug)]
pub(super) struct Coin {
    txid: [u8; 32],
    index: u32,
    pub value: u64,
    lock: Lock,
    height: u64,
    coinbase: bool,
    spent: Option<u64>,
}

/// Which script holds a coin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lock {
    holder: usize,
    script_hash: bool,
}

/// Every coin of a branch.
#[derive(Clone, Debug)]
pub(super) struct Coins {
    holders: Vec<Holder>,
    all: Vec<Coin>,
    /// Indices of unspent coinbases worth spending, oldest first.
    mined: VecDeque<usize>,
    /// The same of other outputs.
    paid: VecDeque<usize>,
}

fn hash160(bytes: &[u8]) -> [u8; 20] {
    Ripemd160::digest(Sha256::digest(bytes)).into()
}

impl Holder {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut public: [u8; 33] = bytes(rng);
        public[0] = 2 + (public[0] & 1);
        // OP_1 <33 bytes> OP_1 OP_CHECKMULTISIG
        let redeem = [&[0x51, 33], &public[..], &[0x51, 0xae]].concat();
        Self { public, redeem }
    }
}

impl Coins {
    pub(super) fn new(rng: &mut ChaCha8Rng) -> Self {
        Self {
            holders: (0..HOLDERS).map(|_| Holder::new(rng)).collect(),
            all: Vec::new(),
            mined: VecDeque::new(),
            paid: VecDeque::new(),
        }
    }

    /// Any holder's P2PKH or P2SH script.
    pub(super) fn lock(&self, rng: &mut ChaCha8Rng) -> Lock {
        Lock {
            holder: rng.random_range(0..HOLDERS),
            script_hash: rng.random(),
        }
    }

    /// The output that pays to a lock.
    pub(super) fn output(&self, lock: Lock, value: u64) -> TxOut {
        let holder = &self.holders[lock.holder];
        let script = if lock.script_hash {
            // OP_HASH160 <20 bytes> OP_EQUAL
            [&[0xa9, 20], &hash160(&holder.redeem)[..], &[0x87]].concat()
        } else {
            // OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG
            let hash = hash160(&holder.public);
            [&[0x76, 0xa9, 20], &hash[..], &[0x88, 0xac]].concat()
        };
        TxOut { value, script }
    }

    /// The input that spends a coin; its signature is filler.
    pub(super) fn input(&self, rng: &mut ChaCha8Rng, coin: &Coin) -> TxIn {
        let holder = &self.holders[coin.lock.holder];
        let signature = signature(rng);
        let mut script = Vec::with_capacity(112);
        let mut push = |data: &[u8]| {
            script.push(u8::try_from(data.len()).expect("every push here is short"));
            script.extend_from_slice(data);
        };
        if coin.lock.script_hash {
            push(&[]); // the extra element OP_CHECKMULTISIG takes
            push(&signature);
            push(&holder.redeem);
        } else {
            push(&signature);
            push(&holder.public);
        }
        TxIn {
            prev: coin.txid,
            index: coin.index,
            script,
            sequence: u32::MAX,
        }
    }

    /// Takes the oldest coin that the block at `height` may spend; coinbases
    /// first, as they are worth most.
    pub(super) fn take(&mut self, height: u64) -> Option<Coin> {
        let ripe = |queue: &VecDeque<usize>, rest| {
            let index = *queue.front()?;
            (self.all[index].height + rest <= height).then_some(index)
        };
        let index = if let Some(index) = ripe(&self.mined, MATURITY) {
            self.mined.pop_front();
            index
        } else {
            let index = ripe(&self.paid, 1)?;
            self.paid.pop_front();
            index
        };
        let coin = &mut self.all[index];
        coin.spent = Some(height);
        Some(coin.clone())
    }

    /// Adds an output of a block.
    pub(super) fn add(
        &mut self,
        made: (u64, bool),
        point: ([u8; 32], u32),
        lock: Lock,
        value: u64,
    ) {
        let (height, coinbase) = made;
        self.queue(self.all.len(), coinbase, value);
        self.all.push(Coin {
            txid: point.0,
            index: point.1,
            value,
            lock,
            height,
            coinbase,
            spent: None,
        });
    }

    fn queue(&mut self, index: usize, coinbase: bool, value: u64) {
        if value < WORTH {
            return;
        }
        match coinbase {
            true => self.mined.push_back(index),
            false => self.paid.push_back(index),
        }
    }

    /// The coins as they stood after the block at `height`.
    pub(super) fn up_to(&self, height: u64) -> Self {
        let mut before = Self {
            holders: self.holders.clone(),
            all: Vec::new(),
            mined: VecDeque::new(),
            paid: VecDeque::new(),
        };
        for coin in self.all.iter().filter(|coin| coin.height <= height) {
            let spent = coin.spent.filter(|spent| *spent <= height);
            if spent.is_none() {
                before.queue(before.all.len(), coin.coinbase, coin.value);
            }
            before.all.push(Coin {
                spent,
                ..coin.clone()
            });
        }
        before
    }
}

/// A DER signature in shape, with its hash type.
fn signature(rng: &mut ChaCha8Rng) -> [u8; 71] {
    let mut signature: [u8; 71] = bytes(rng);
    signature[..4].copy_from_slice(&[0x30, 68, 0x02, 32]);
    signature[36..38].copy_from_slice(&[0x02, 32]);
    // Both numbers are positive and without a leading zero byte.
    for first in [4, 38] {
        signature[first] = signature[first] & 0x7f | 0x40;
    }
    signature[70] = 0x01;
    signature
}
