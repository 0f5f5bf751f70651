//! Contracts of the generated chain: code, storage, and a big map.
//!
//! | name | storage | for |
//! |---|---|---|
//! | `counter` | `int` | the simplest there is |
//! | `ledger` | big map of balances, administrator, time, total | values whose text depends on their type |
//! | `registry` | a map and an option | entrypoints |

use heliostat_tezos_context::{
    base58::{self, Prefix},
    hash::blake2b,
};
use heliostat_tezos_protocol::{
    ContractId,
    micheline::{binary, json},
};

use super::{accounts::Account, derive, n, z};

/// The number of the one big map.
pub const BIG_MAP: i64 = 4;

/// A contract.
#[derive(Clone, Debug)]
pub struct Contract {
    /// `counter`, `ledger` or `registry`.
    pub name: &'static str,
    /// Its address.
    pub id: ContractId,
    code: String,
    storage: String,
}

/// An entry of the big map.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose balance it is.
    pub holder: ContractId,
    /// Its balance.
    pub value: u64,
}

impl Contract {
    /// Its address as text.
    pub fn address(&self) -> String {
        self.id.to_string()
    }

    /// What the context holds of it: keys below `data`, values.
    pub(super) fn pairs(&self) -> Vec<(String, Vec<u8>)> {
        let (code, storage) = (sized(&self.code), sized(&self.storage));
        let (code_size, storage_size) = (code.len() as i64 - 4, storage.len() as i64 - 4);
        let values = [
            ("balance", n(1_500_000)),
            ("data/code", code),
            ("data/storage", storage),
            ("len/code", (code_size as i32).to_be_bytes().to_vec()),
            ("len/storage", (storage_size as i32).to_be_bytes().to_vec()),
            ("used_bytes", z(code_size + storage_size)),
            ("paid_bytes", z(code_size + storage_size)),
        ];
        let at = format!("contracts/index/{}", self.id.index());
        let below = |(name, value)| (format!("{at}/{name}"), value);
        values.into_iter().map(below).collect()
    }
}

/// All contracts.
pub(super) fn all(seed: u64, accounts: &[Account]) -> Vec<Contract> {
    let id = |number| {
        let bytes = derive(seed, "contract", number);
        let mut hash = [0; 20];
        hash.copy_from_slice(&bytes[..20]);
        ContractId::Originated(hash)
    };
    let admin = hex::encode(accounts[0].id.to_bytes());
    let ledger = format!(
        r#"{{"prim":"Pair","args":[{{"int":"{BIG_MAP}"}},{{"bytes":"{admin}"}},{{"int":"1767225600"}},{{"int":"1000000"}}]}}"#
    );
    vec![
        Contract {
            name: "counter",
            id: id(0),
            code: COUNTER.to_owned(),
            storage: r#"{"int":"42"}"#.to_owned(),
        },
        Contract {
            name: "ledger",
            id: id(1),
            code: LEDGER.to_owned(),
            storage: ledger,
        },
        Contract {
            name: "registry",
            id: id(2),
            code: REGISTRY.to_owned(),
            storage: r#"{"prim":"Pair","args":[[{"prim":"Elt","args":[{"string":"one"},{"int":"1"}]},{"prim":"Elt","args":[{"string":"two"},{"int":"2"}]}],{"prim":"None"}]}"#.to_owned(),
        },
    ]
}

/// The big map's entries: those of the first accounts.
pub(super) fn entries(accounts: &[Account], holders: usize) -> Vec<Entry> {
    let holders = accounts.iter().take(holders).zip(1..);
    holders
        .map(|(account, number)| Entry {
            holder: account.id,
            value: number * 1_000,
        })
        .collect()
}

/// The hash that an address has as a key of the big map: of its packed form.
pub fn key_hash(holder: &ContractId) -> [u8; 32] {
    let packed = format!(r#"{{"bytes":"{}"}}"#, hex::encode(holder.to_bytes()));
    blake2b(&[&[0x05], &expression(&packed)])
}

/// The `expr…` text of that hash.
pub fn key_text(holder: &ContractId) -> String {
    base58::encode(Prefix::SCRIPT_EXPR, &key_hash(holder))
}

/// The key below `data` of a big map's value.
pub fn value_key(holder: &ContractId) -> String {
    let hash = hex::encode(key_hash(holder));
    format!("big_maps/index/{BIG_MAP}/contents/{hash}/data")
}

/// What the context holds of the big map.
pub(super) fn big_map(entries: &[Entry]) -> Vec<(String, Vec<u8>)> {
    let at = format!("big_maps/index/{BIG_MAP}");
    let mut pairs = vec![
        ("big_maps/next".to_owned(), z(BIG_MAP + 1)),
        (
            format!("{at}/key_type"),
            expression(r#"{"prim":"address"}"#),
        ),
        (format!("{at}/value_type"), expression(r#"{"prim":"nat"}"#)),
        (format!("{at}/total_bytes"), z(500)),
    ];
    for entry in entries {
        let value = expression(&format!(r#"{{"int":"{}"}}"#, entry.value));
        let key = value_key(&entry.holder);
        let length = key.replace("/data", "/len");
        pairs.push((length, (value.len() as i32).to_be_bytes().to_vec()));
        pairs.push((key, value));
    }
    pairs
}

/// Whether a contract's code is that of `counter`.
pub(super) fn is_counter(code: &[u8]) -> bool {
    code == sized(COUNTER)
}

/// Micheline, as the context holds it.
fn expression(text: &str) -> Vec<u8> {
    binary::write(&json::read_text(text).expect("Micheline, because it is written here"))
}

/// The same behind its length.
fn sized(text: &str) -> Vec<u8> {
    binary::write_sized(&json::read_text(text).expect("Micheline, because it is written here"))
}

const COUNTER: &str = r#"[{"prim":"parameter","args":[{"prim":"or","args":[{"prim":"int","annots":["%decrement"]},{"prim":"int","annots":["%increment"]}]}]},{"prim":"storage","args":[{"prim":"int"}]},{"prim":"code","args":[[{"prim":"UNPAIR"},{"prim":"IF_LEFT","args":[[{"prim":"SWAP"},{"prim":"SUB"}],[{"prim":"ADD"}]]},{"prim":"NIL","args":[{"prim":"operation"}]},{"prim":"PAIR"}]]}]"#;

const LEDGER: &str = r#"[{"prim":"parameter","args":[{"prim":"pair","args":[{"prim":"address","annots":[":to"]},{"prim":"nat","annots":[":value"]}],"annots":["%transfer"]}]},{"prim":"storage","args":[{"prim":"pair","args":[{"prim":"big_map","args":[{"prim":"address"},{"prim":"nat"}],"annots":["%ledger"]},{"prim":"address","annots":["%admin"]},{"prim":"timestamp","annots":["%since"]},{"prim":"nat","annots":["%total"]}]}]},{"prim":"code","args":[[{"prim":"CDR"},{"prim":"NIL","args":[{"prim":"operation"}]},{"prim":"PAIR"}]]}]"#;

const REGISTRY: &str = r#"[{"prim":"parameter","args":[{"prim":"or","args":[{"prim":"pair","args":[{"prim":"string"},{"prim":"nat"}],"annots":["%put"]},{"prim":"or","args":[{"prim":"string","annots":["%drop"]},{"prim":"unit","annots":["%default"]}]}]}]},{"prim":"storage","args":[{"prim":"pair","args":[{"prim":"map","args":[{"prim":"string"},{"prim":"nat"}]},{"prim":"option","args":[{"prim":"key_hash"}]}]}]},{"prim":"code","args":[[{"prim":"CDR"},{"prim":"NIL","args":[{"prim":"operation"}]},{"prim":"PAIR"}]]}]"#;
