//! Accounts of the generated chain.

use heliostat_tezos_protocol::{ContractId, PublicKeyHash};
use heliostat_tezos_verifier::KeyKind;

use super::{derive, keys::Secret};

/// Names of the first accounts; the others are called `account-<number>`.
pub const NAMES: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

/// Accounts with a secret key; of the others only the address is known, as of
/// most accounts of a real chain.
pub const WITH_KEYS: usize = 16;

/// The kinds that accounts have in turn.
const KINDS: [KeyKind; 4] = [
    KeyKind::Ed25519,
    KeyKind::Secp256k1,
    KeyKind::P256,
    KeyKind::Bls,
];

/// What the accounts own at first lies between these, in mutez.
const LEAST: u64 = 1_000_000;
const MOST: u64 = 5_000_000_000;

/// An implicit account.
#[derive(Clone)]
pub struct Account {
    /// `alice`, …, `account-6`, …
    pub name: String,
    /// Its address.
    pub id: ContractId,
    /// Signs its operations; the first 16 accounts have one.
    pub secret: Option<Secret>,
    /// Whether its public key is in the state.
    pub is_revealed: bool,
    /// What it owns in the first block, in mutez.
    pub balance: u64,
    /// Its counter in the first block.
    pub counter: i64,
    /// Whether it has a delegate in the first block.
    pub delegates: bool,
}

impl Account {
    /// The account of this number.
    pub(super) fn new(seed: u64, number: usize) -> Self {
        let at = number as u64;
        let bytes = derive(seed, "account", at);
        let (id, secret) = if number < WITH_KEYS {
            let secret = Secret::derive(KINDS[number % KINDS.len()], seed, "account key", at);
            (implicit(&secret.public().hash().encode()), Some(secret))
        } else {
            let mut hash = [0; 21];
            hash[0] = KINDS[bytes[31] as usize % KINDS.len()].tag();
            hash[1..].copy_from_slice(&bytes[..20]);
            (implicit(&hash), None)
        };
        let chance = u64::from_be_bytes([0, 0, 0, bytes[20], bytes[21], bytes[22], bytes[23], 0]);
        Self {
            name: match NAMES.get(number) {
                Some(name) => (*name).to_owned(),
                None => format!("account-{number}"),
            },
            id,
            // The first accounts can send at once; some of the others have
            // never sent anything.
            is_revealed: secret.is_some() && number % 5 != 4,
            balance: LEAST + chance % (MOST - LEAST),
            counter: 1_000 + i64::from(bytes[24]),
            delegates: number.is_multiple_of(3),
            secret,
        }
    }

    /// Its address as text.
    pub fn address(&self) -> String {
        self.id.to_string()
    }
}

/// The account of a tagged public key hash.
pub(super) fn implicit(hash: &[u8; 21]) -> ContractId {
    let hash = PublicKeyHash::from_bytes(hash).expect("a hash of a known kind");
    ContractId::Implicit(hash)
}
