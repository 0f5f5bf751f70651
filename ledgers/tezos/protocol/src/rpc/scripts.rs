//! Contracts: code, storage, entrypoints, and values of big maps.

use bytes::Bytes;

use super::contracts::key;
use super::reads::{Reads, Stop};
use super::{Answer, Key};
use crate::contract::ContractId;
use crate::defaults::GLOBAL_CONSTANTS;
use crate::entrypoints::{Parameter, type_json};
use crate::json;
use crate::micheline::{Node, binary, json as micheline_json};
use crate::protocol::Protocol;
use crate::readable;
use crate::script::{GlobalConstants, Toplevel, expand, unknown_constants};
use crate::types::Type;

/// What a contract consists of.
enum Contract {
    /// There is no such contract.
    Absent,
    /// One that the protocol itself implements, since 025: its code is not in
    /// the context.
    Native,
    /// One with code, both with their length in front.
    Script { code: Bytes, storage: Bytes },
}

/// The keys that tell a contract's script.
pub(super) fn keys(protocol: Protocol, contract: &ContractId) -> Vec<Key> {
    let mut names = vec!["balance", "data/code", "data/storage"];
    if protocol >= Protocol::Ushuaia {
        names.push("data/native");
    }
    names.into_iter().map(|name| key(contract, name)).collect()
}

fn read(protocol: Protocol, contract: &ContractId, reads: &Reads<'_>) -> Result<Contract, Stop> {
    let values = reads.many(&keys(protocol, contract))?;
    let native = values.get(3).is_some_and(Option::is_some);
    let mut values = values.into_iter();
    let mut next = || values.next().flatten();
    match (next(), next(), next()) {
        (None, ..) | (_, None, None) => Ok(Contract::Absent),
        (_, Some(code), Some(storage)) => Ok(Contract::Script { code, storage }),
        (_, None, Some(_)) if native => Ok(Contract::Native),
        _ => Err(Stop::Delegate("the contract is not whole".into())),
    }
}

/// The script of a contract that has one; a native one is left to a node.
fn script_of(
    protocol: Protocol,
    contract: &ContractId,
    reads: &Reads<'_>,
) -> Result<Option<(Node, Node)>, Stop> {
    if !contract.is_originated() {
        return Ok(None);
    }
    match read(protocol, contract, reads)? {
        Contract::Absent => Ok(None),
        Contract::Native => Err(Stop::Delegate("the contract is native".into())),
        Contract::Script { code, storage } => Ok(Some((
            binary::read_sized(&code)?,
            binary::read_sized(&storage)?,
        ))),
    }
}

fn script_json(code: &Node, storage: &Node) -> String {
    json::Object::new()
        .field("code", &micheline_json::write(code))
        .field("storage", &micheline_json::write(storage))
        .finish()
}

/// The script as it is stored.
pub(super) fn script(
    protocol: Protocol,
    contract: &ContractId,
    reads: &Reads<'_>,
) -> Result<Answer, Stop> {
    Ok(match script_of(protocol, contract, reads)? {
        Some((code, storage)) => Answer::Json(script_json(&code, &storage)),
        None => Answer::NotFound,
    })
}

/// The storage in its readable form.
pub(super) fn storage(
    protocol: Protocol,
    contract: &ContractId,
    reads: &Reads<'_>,
) -> Result<Answer, Stop> {
    let Some((code, storage)) = script_of(protocol, contract, reads)? else {
        return Ok(Answer::NotFound);
    };
    let toplevel = Toplevel::parse(expanded(&code, reads)?)?;
    let storage = toplevel.readable_storage(&storage)?;
    Ok(Answer::Json(micheline_json::write(&storage)))
}

/// The JSON of a script with code and storage in their readable form, as part
/// of a contract's whole. A native contract has none there.
pub(super) fn readable(
    protocol: Protocol,
    contract: &ContractId,
    reads: &Reads<'_>,
) -> Result<Option<String>, Stop> {
    let Contract::Script { code, storage } = read(protocol, contract, reads)? else {
        return Ok(None);
    };
    let toplevel = Toplevel::parse(expanded(&binary::read_sized(&code)?, reads)?)?;
    let storage = toplevel.readable_storage(&binary::read_sized(&storage)?)?;
    Ok(Some(script_json(&toplevel.readable()?, &storage)))
}

/// Code with its global constants in place, read round by round.
fn expanded(code: &Node, reads: &Reads<'_>) -> Result<Node, Stop> {
    let mut known = GlobalConstants::new();
    loop {
        let unknown = unknown_constants(code, &known)?;
        if unknown.is_empty() {
            break;
        }
        if known.len() + unknown.len() > GLOBAL_CONSTANTS {
            return Err(Stop::Delegate("too many global constants".into()));
        }
        let keys: Vec<Key> = unknown
            .iter()
            .map(|hash| Key::new(format!("global_constant/{}/data", hex::encode(hash))))
            .collect();
        for (hash, value) in unknown.into_iter().zip(reads.many(&keys)?) {
            let value =
                value.ok_or_else(|| Stop::Delegate("a global constant is absent".into()))?;
            known.insert(hash, binary::read(&value)?);
        }
    }
    Ok(expand(code, &known)?)
}

fn parameter(
    protocol: Protocol,
    contract: &ContractId,
    reads: &Reads<'_>,
) -> Result<Option<Parameter>, Stop> {
    // Nodes read the code alone here, and do not ask for the balance.
    if !contract.is_originated() {
        return Ok(None);
    }
    let mut keys = vec![key(contract, "data/code")];
    if protocol >= Protocol::Ushuaia {
        keys.push(key(contract, "data/native"));
    }
    let values = reads.many(&keys)?;
    let code = match values.as_slice() {
        [Some(code), ..] => code,
        [None, Some(_)] => return Err(Stop::Delegate("the contract is native".into())),
        _ => return Ok(None),
    };
    let toplevel = Toplevel::parse(binary::read_sized(code)?)?;
    Ok(Some(Parameter::parse(&toplevel.parameter)?))
}

/// All entrypoints with their types.
pub(super) fn entrypoints(
    protocol: Protocol,
    contract: &ContractId,
    normalize: bool,
    reads: &Reads<'_>,
) -> Result<Answer, Stop> {
    Ok(match parameter(protocol, contract, reads)? {
        Some(parameter) => Answer::Json(parameter.list().to_json(normalize)),
        None => Answer::NotFound,
    })
}

/// The type of one entrypoint.
pub(super) fn entrypoint(
    protocol: Protocol,
    contract: &ContractId,
    name: &str,
    normalize: bool,
    reads: &Reads<'_>,
) -> Result<Answer, Stop> {
    let parameter = parameter(protocol, contract, reads)?;
    Ok(
        match parameter.as_ref().and_then(|found| found.find(name)) {
            Some(ty) => Answer::Json(type_json(ty, normalize)),
            None => Answer::NotFound,
        },
    )
}

/// A big map's value in its readable form.
pub(super) fn big_map_value(id: &str, hash: &[u8; 32], reads: &Reads<'_>) -> Result<Answer, Stop> {
    let at = |name: &str| Key::new(format!("big_maps/index/{id}/{name}"));
    let value = format!("contents/{}/data", hex::encode(hash));
    let [key_type, value_type, value] =
        reads.all([at("key_type"), at("value_type"), at(&value)])?;
    // A big map is there if its key's type is.
    let (Some(_), Some(value)) = (key_type, value) else {
        return Ok(Answer::NotFound);
    };
    let value_type = value_type.ok_or_else(|| Stop::Delegate("the big map is not whole".into()))?;
    let ty = Type::parse(&binary::read(&value_type)?)?;
    let value = readable::data(&ty, &binary::read(&value)?)?;
    Ok(Answer::Json(micheline_json::write(&value)))
}
