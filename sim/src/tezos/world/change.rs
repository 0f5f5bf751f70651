//! What happens to a state, and where its values stand.

use bytes::Bytes;
use heliostat_tezos_context::{Key, Lookup, Tree};
use heliostat_tezos_protocol::{
    ContractId,
    cursor::Cursor,
    micheline::{binary, json},
    zarith,
};

use crate::tezos::{contracts, n, z};

/// What happens to the state in a block.
#[derive(Clone, Debug)]
pub enum Change {
    /// An account owns this much from now on, in mutez.
    Balance(ContractId, u64),
    /// An account's counter.
    Counter(ContractId, i64),
    /// A value of the big map.
    BigMap(ContractId, u64),
    /// A value at a key below `data`.
    Set(Key, Bytes),
    /// Nothing at a key below `data`.
    Remove(Key),
    /// An operation of the account `from`, which needs a secret key.
    Transfer {
        /// Number of the sender.
        from: usize,
        /// Who gets it.
        to: ContractId,
        /// In mutez.
        amount: u64,
    },
}

/// A key below `data`.
///
/// # Panics
///
/// For a text that is no key.
pub(in crate::tezos) fn key(text: &str) -> Key {
    text.parse()
        .unwrap_or_else(|error| panic!("{text} is no key: {error}"))
}

/// Where an account's balance stands.
pub fn balance_key(account: &ContractId) -> Key {
    key(&format!("contracts/index/{}/balance", account.index()))
}

/// Where an account's counter stands.
pub fn counter_key(account: &ContractId) -> Key {
    key(&format!("contracts/index/{}/counter", account.index()))
}

/// The state with a value set, or removed.
pub(in crate::tezos) fn edited(tree: &Tree, key: &Key, value: Option<Bytes>) -> Tree {
    let path = key.from_root();
    let edited = match value {
        Some(value) => tree.insert(&path, value),
        None => tree.remove(&path),
    };
    edited.unwrap_or_else(|error| panic!("{key} cannot be set: {error}"))
}

/// An amount in the state.
pub(in crate::tezos) fn read_n(tree: &Tree, key: &Key) -> Option<u64> {
    let Lookup::Contents(bytes) = tree.find_key(key) else {
        return None;
    };
    let mut cursor = Cursor::new("amount", &bytes);
    zarith::read_n(&mut cursor).ok()?.try_into().ok()
}

/// A counter in the state.
pub(in crate::tezos) fn read_z(tree: &Tree, key: &Key) -> Option<i64> {
    let Lookup::Contents(bytes) = tree.find_key(key) else {
        return None;
    };
    let mut cursor = Cursor::new("counter", &bytes);
    zarith::read_z(&mut cursor).ok()?.try_into().ok()
}

impl Change {
    /// The state after a change that is no operation.
    pub(in crate::tezos) fn apply(&self, tree: &Tree) -> Tree {
        let (key, value) = match self {
            Self::Balance(account, mutez) => (balance_key(account), Some(n(*mutez).into())),
            Self::Counter(account, counter) => (counter_key(account), Some(z(*counter).into())),
            Self::BigMap(holder, value) => {
                let text = format!(r#"{{"int":"{value}"}}"#);
                let node = json::read_text(&text).expect("Micheline, because it is written here");
                let bytes = binary::write(&node);
                (key(&contracts::value_key(holder)), Some(bytes.into()))
            }
            Self::Set(key, value) => (key.clone(), Some(value.clone())),
            Self::Remove(key) => (key.clone(), None),
            Self::Transfer { .. } => return tree.clone(),
        };
        edited(tree, &key, value)
    }
}
