//! What an account's operations do to a state.
//!
//! Balances, counters, keys and delegates follow the protocol. Of contracts
//! only `counter` has a body here; the others take what they are sent and
//! leave their storage as it is. Nothing is burned for storage, fees go to
//! nobody, and the proof that a BLS key is revealed with is not looked at.

use heliostat_tezos_context::{Key, Lookup, Tree};
use heliostat_tezos_protocol::{
    ContractId,
    micheline::{Node, binary},
};
use heliostat_tezos_verifier::{BlockHash, PublicKey, PublicKeyHash};

use super::{Call, Manager, Signed, What};
use crate::tezos::{
    contracts, n,
    world::{balance_key, counter_key, edited, key, read_n, read_z},
    z,
};

/// Watermark of everything that is not consensus.
const GENERIC: u8 = 0x03;

/// Why an operation is not taken: the error's kind, its name without the
/// protocol's, and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `temporary`, `branch` or `permanent`.
    pub kind: &'static str,
    /// Such as `contract.counter_in_the_past`.
    pub name: &'static str,
    /// For people.
    pub words: String,
}

fn refused(kind: &'static str, name: &'static str, words: impl Into<String>) -> Refused {
    Refused {
        kind,
        name,
        words: words.into(),
    }
}

/// What the state knows of an account's key.
enum Known {
    Nothing,
    Hash,
    Key(PublicKey),
}

impl Signed {
    /// The state after an operation, whose signature is verified first.
    pub fn apply(&self, state: &Tree, branch: &BlockHash, data: &[u8]) -> Result<Tree, Refused> {
        let first = &self.contents[0];
        let source = first.source;
        if self.contents.iter().any(|one| one.source != source) {
            let words = "all contents need the same source";
            return Err(refused(
                "permanent",
                "validate.operation.inconsistent_sources",
                words,
            ));
        }
        let signer = match (&first.what, known(state, &ContractId::Implicit(source))) {
            (_, Known::Key(key)) => key,
            (What::Reveal { key, .. }, Known::Hash) => key.clone(),
            (_, Known::Nothing) => {
                let words = format!("{source} owns nothing");
                return Err(refused("branch", "implicit.empty_implicit_contract", words));
            }
            (_, Known::Hash) => {
                let words = format!("the key of {source} is not revealed");
                return Err(refused("branch", "contract.unrevealed_key", words));
            }
        };
        let message = [
            &[GENERIC],
            &branch.as_bytes()[..],
            &data[..self.signed_len()],
        ];
        if signer.verify(&message.concat(), &self.signature).is_err() {
            let words = "the signature is not that of the source";
            return Err(refused("permanent", "operation.invalid_signature", words));
        }
        apply_all(&self.contents, state)
    }
}

/// The state after contents, whoever signed them.
pub fn apply_all(contents: &[Manager], state: &Tree) -> Result<Tree, Refused> {
    let mut state = state.clone();
    for content in contents {
        state = content.apply(&state)?;
    }
    Ok(state)
}

impl Manager {
    fn apply(&self, state: &Tree) -> Result<Tree, Refused> {
        let source = ContractId::Implicit(self.source);
        let counter = read_z(state, &counter_key(&source)).unwrap_or(0);
        let next = u64::try_from(counter + 1).unwrap_or(0);
        if self.counter != next {
            let (kind, name) = match self.counter < next {
                true => ("branch", "contract.counter_in_the_past"),
                false => ("temporary", "contract.counter_in_the_future"),
            };
            let words = format!("counter {} is not {next}", self.counter);
            return Err(refused(kind, name, words));
        }
        let state = spend(state, &source, self.fee)?;
        let state = edited(&state, &counter_key(&source), Some(z(counter + 1).into()));
        match &self.what {
            What::Reveal { key, .. } => reveal(&state, self.source, key),
            What::Transfer { amount, to, call } => {
                let state = spend(&state, &source, *amount)?;
                transfer(&state, to, *amount, call.as_ref())
            }
            What::Delegate(delegate) => {
                let at = below(&source, "delegate");
                let value = delegate.map(|delegate| delegate.as_bytes().to_vec().into());
                Ok(edited(&state, &at, value))
            }
        }
    }
}

fn below(contract: &ContractId, name: &str) -> Key {
    key(&format!("contracts/index/{}/{name}", contract.index()))
}

fn known(state: &Tree, account: &ContractId) -> Known {
    let Lookup::Contents(manager) = state.find_key(&below(account, "manager")) else {
        return Known::Nothing;
    };
    match manager.split_first() {
        Some((1 | 2, key)) => PublicKey::decode(key).map_or(Known::Hash, Known::Key),
        _ => Known::Hash,
    }
}

fn spend(state: &Tree, from: &ContractId, amount: u64) -> Result<Tree, Refused> {
    let has = read_n(state, &balance_key(from)).unwrap_or(0);
    let left = has.checked_sub(amount).ok_or_else(|| {
        let words = format!("{from} has {has} mutez, not {amount}");
        refused("temporary", "contract.balance_too_low", words)
    })?;
    Ok(edited(state, &balance_key(from), Some(n(left).into())))
}

fn reveal(
    state: &Tree,
    source: heliostat_tezos_protocol::PublicKeyHash,
    key: &PublicKey,
) -> Result<Tree, Refused> {
    let account = ContractId::Implicit(source);
    if matches!(known(state, &account), Known::Key(_)) {
        let words = format!("the key of {account} is known already");
        return Err(refused("branch", "contract.previously_revealed_key", words));
    }
    let hash: PublicKeyHash = key.hash();
    if hash.encode() != *source.as_bytes() {
        let words = format!("the key is not that of {account}");
        return Err(refused(
            "permanent",
            "contract.manager.inconsistent_hash",
            words,
        ));
    }
    let manager = [&[2], &key.encode()[..]].concat();
    let at = below(&account, "manager");
    Ok(edited(state, &at, Some(manager.into())))
}

fn transfer(
    state: &Tree,
    to: &ContractId,
    amount: u64,
    call: Option<&Call>,
) -> Result<Tree, Refused> {
    let owned = read_n(state, &balance_key(to));
    let sum = owned.unwrap_or(0).checked_add(amount);
    let sum = sum.ok_or_else(|| {
        let words = "more than there can be";
        refused("permanent", "tez.addition_overflow", words)
    })?;
    if to.is_originated() {
        if owned.is_none() {
            let words = format!("there is no contract {to}");
            return Err(refused(
                "temporary",
                "contract.non_existing_contract",
                words,
            ));
        }
        let state = edited(state, &balance_key(to), Some(n(sum).into()));
        return called(&state, to, call);
    }
    let mut state = edited(state, &balance_key(to), Some(n(sum).into()));
    if owned.is_none() {
        let counter = read_z(&state, &key("contracts/global_counter")).unwrap_or(0);
        let hash = [&[0], &to.to_bytes()[1..]].concat();
        state = edited(&state, &counter_key(to), Some(z(counter).into()));
        state = edited(&state, &below(to, "manager"), Some(hash.into()));
    }
    Ok(state)
}

/// The state after a call of a contract.
fn called(state: &Tree, contract: &ContractId, call: Option<&Call>) -> Result<Tree, Refused> {
    let Lookup::Contents(code) = state.find_key(&below(contract, "data/code")) else {
        return Ok(state.clone());
    };
    if !contracts::is_counter(&code) {
        return Ok(state.clone());
    }
    let badly = || {
        refused(
            "temporary",
            "michelson_v1.bad_contract_parameter",
            "no such parameter",
        )
    };
    let step = match call {
        Some(Call {
            entrypoint,
            value: Node::Int(step),
        }) if entrypoint == "increment" => step.clone(),
        Some(Call {
            entrypoint,
            value: Node::Int(step),
        }) if entrypoint == "decrement" => -step.clone(),
        _ => return Err(badly()),
    };
    let at = below(contract, "data/storage");
    let Lookup::Contents(storage) = state.find_key(&at) else {
        return Err(badly());
    };
    let Ok(Node::Int(count)) = binary::read_sized(&storage) else {
        return Err(badly());
    };
    let storage = binary::write_sized(&Node::Int(count + step));
    let length = (storage.len() as i32 - 4).to_be_bytes().to_vec();
    let state = edited(state, &at, Some(storage.into()));
    let at = below(contract, "len/storage");
    Ok(edited(&state, &at, Some(length.into())))
}
