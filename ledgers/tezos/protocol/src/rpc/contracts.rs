//! Accounts: balance, counter, key, delegate.

use bytes::Bytes;
use num_bigint::BigUint;

use super::reads::{Reads, Stop};
use super::{Answer, Key, scripts};
use crate::contract::{ContractId, PublicKeyHash};
use crate::cursor::whole;
use crate::error::ProtocolError;
use crate::json;
use crate::keys::PublicKey;
use crate::protocol::Protocol;
use crate::zarith::{read_n, read_z};

/// The key of one of a contract's values.
pub(super) fn key(contract: &ContractId, name: &str) -> Key {
    Key::new(format!("contracts/index/{}/{name}", contract.index()))
}

fn global_counter() -> Key {
    Key::new("contracts/global_counter")
}

/// An amount of mutez, or of anything else that is not negative.
pub(super) fn amount(bytes: &[u8]) -> Result<BigUint, ProtocolError> {
    whole("amount", bytes, read_n)
}

fn signed(bytes: &[u8]) -> Result<String, ProtocolError> {
    Ok(whole("counter", bytes, read_z)?.to_string())
}

pub(super) fn quoted(value: impl ToString) -> Answer {
    Answer::Json(json::quoted(&value.to_string()))
}

/// An account's balance; accounts that do not exist have nothing, contracts
/// that do not exist are not found.
pub(super) fn balance(contract: &ContractId, reads: &Reads<'_>) -> Result<Answer, Stop> {
    match reads.one(key(contract, "balance"))? {
        Some(bytes) => Ok(quoted(amount(&bytes)?)),
        None if contract.is_originated() => Ok(Answer::NotFound),
        None => Ok(quoted(0)),
    }
}

/// An account without counter of its own starts from the chain's.
pub(super) fn counter(contract: &ContractId, reads: &Reads<'_>) -> Result<Answer, Stop> {
    if contract.is_originated() {
        return Ok(Answer::NotFound);
    }
    let own = reads.one(key(contract, "counter"))?;
    Ok(quoted(counter_of(own, reads)?))
}

fn counter_of(own: Option<Bytes>, reads: &Reads<'_>) -> Result<String, Stop> {
    let bytes = match own {
        Some(own) => own,
        None => reads.needed(global_counter())?,
    };
    Ok(signed(&bytes)?)
}

/// The revealed public key, if there is one. Tag 0 is the mere hash; 1 a key
/// revealed before protocol 023, which does not count for BLS; 2 a later one.
fn revealed(bytes: Option<&Bytes>) -> Result<Option<PublicKey>, ProtocolError> {
    let Some(bytes) = bytes else { return Ok(None) };
    match bytes.split_first() {
        Some((0, hash)) => PublicKeyHash::from_bytes(hash).map(|_| None),
        Some((1, key)) => {
            let key = PublicKey::from_bytes(key)?;
            Ok((!key.is_bls()).then_some(key))
        }
        Some((2, key)) => PublicKey::from_bytes(key).map(Some),
        _ => Err(ProtocolError::malformed("manager", "unknown tag")),
    }
}

pub(super) fn manager_key(contract: &ContractId, reads: &Reads<'_>) -> Result<Answer, Stop> {
    if contract.is_originated() {
        return Ok(Answer::NotFound);
    }
    let manager = reads.one(key(contract, "manager"))?;
    Ok(match revealed(manager.as_ref())? {
        Some(key) => quoted(key.to_text()),
        None => Answer::Json("null".into()),
    })
}

/// Contracts that do not exist are told by their missing balance.
pub(super) fn delegate(contract: &ContractId, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let [balance, delegate] = reads.all([key(contract, "balance"), key(contract, "delegate")])?;
    if contract.is_originated() && balance.is_none() {
        return Ok(Answer::NotFound);
    }
    match delegate {
        Some(bytes) => Ok(quoted(PublicKeyHash::from_bytes(&bytes)?)),
        None => Ok(Answer::NotFound),
    }
}

pub(super) fn frozen_bonds(contract: &ContractId, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let [balance, bonds] = reads.all([
        key(contract, "balance"),
        key(contract, "total_frozen_bonds"),
    ])?;
    match (balance, bonds) {
        (None, _) if contract.is_originated() => Ok(Answer::NotFound),
        (_, Some(bytes)) => Ok(quoted(amount(&bytes)?)),
        (_, None) => Ok(quoted(0)),
    }
}

pub(super) fn with_bonds(contract: &ContractId, reads: &Reads<'_>) -> Result<Answer, Stop> {
    let [balance, bonds] = reads.all([
        key(contract, "balance"),
        key(contract, "total_frozen_bonds"),
    ])?;
    match (balance, bonds) {
        (None, _) if contract.is_originated() => Ok(Answer::NotFound),
        // Nodes answer with an error here, whose text is theirs to give.
        (None, _) => Err(Stop::Delegate("the account has no balance".into())),
        (Some(balance), None) => Ok(quoted(amount(&balance)?)),
        (Some(balance), Some(bonds)) => {
            let sum = amount(&balance)? + amount(&bonds)?;
            if sum > BigUint::from(i64::MAX.unsigned_abs()) {
                return Err(Stop::Delegate("the sum is beyond 64 bits".into()));
            }
            Ok(quoted(sum))
        }
    }
}

/// The bytes that a contract's storage takes up; `null` for accounts.
pub(super) fn space(contract: &ContractId, name: &str, reads: &Reads<'_>) -> Result<Answer, Stop> {
    if !contract.is_originated() {
        return Ok(Answer::Json("null".into()));
    }
    match reads.one(key(contract, name))? {
        Some(bytes) => Ok(quoted(signed(&bytes)?)),
        None => Ok(quoted(0)),
    }
}

/// An account as a whole.
pub(super) fn info(
    protocol: Protocol,
    contract: &ContractId,
    reads: &Reads<'_>,
) -> Result<Answer, Stop> {
    if contract.is_originated() {
        return contract_info(protocol, contract, reads);
    }
    let [balance, delegate, counter, manager] = reads.all([
        key(contract, "balance"),
        key(contract, "delegate"),
        key(contract, "counter"),
        key(contract, "manager"),
    ])?;
    let mut object = json::Object::new();
    let balance = balance.map_or_else(|| Ok(BigUint::ZERO), |bytes| amount(&bytes))?;
    object.text("balance", &balance.to_string());
    add_delegate(&mut object, delegate)?;
    object.text("counter", &counter_of(counter, reads)?);
    let revealed = revealed(manager.as_ref())?.is_some();
    object.field("revealed", &revealed.to_string());
    Ok(Answer::Json(object.finish()))
}

fn add_delegate(object: &mut json::Object, delegate: Option<Bytes>) -> Result<(), ProtocolError> {
    if let Some(bytes) = delegate {
        object.text("delegate", &PublicKeyHash::from_bytes(&bytes)?.to_string());
    }
    Ok(())
}

fn contract_info(
    protocol: Protocol,
    contract: &ContractId,
    reads: &Reads<'_>,
) -> Result<Answer, Stop> {
    let mut keys = vec![key(contract, "balance"), key(contract, "delegate")];
    keys.extend(scripts::keys(protocol, contract));
    reads.many(&keys)?;
    let [balance, delegate] = reads.all([key(contract, "balance"), key(contract, "delegate")])?;
    let Some(balance) = balance else {
        return Ok(Answer::NotFound);
    };
    let mut object = json::Object::new();
    object.text("balance", &amount(&balance)?.to_string());
    add_delegate(&mut object, delegate)?;
    if let Some(script) = scripts::readable(protocol, contract, reads)? {
        object.field("script", &script);
    }
    Ok(Answer::Json(object.finish()))
}
