//! The types of Michelson's data, as far as printing data needs them.
//! Annotations are of no account; right combs of pairs are flattened.

use crate::error::ProtocolError;
use crate::micheline::{Node, Prim};

/// A type of data that can be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A type without parts.
    Atom(Atom),
    /// A right comb: two types or more, of which the last is no pair.
    Pair(Vec<Type>),
    /// One or the other.
    Or(Box<Type>, Box<Type>),
    /// Something or nothing.
    Option(Box<Type>),
    /// A list.
    List(Box<Type>),
    /// A set of comparable values.
    Set(Box<Type>),
    /// A map from comparable keys.
    Map(Box<Type>, Box<Type>),
    /// A map that is stored apart, by its number.
    BigMap,
    /// Code.
    Lambda,
    /// A ticket over contents of a type.
    Ticket(Box<Type>),
}

/// A type without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atom {
    /// `unit`.
    Unit,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `nat`.
    Nat,
    /// `mutez`.
    Mutez,
    /// `string`.
    String,
    /// `bytes`, and types that print as their stored bytes: `chest`,
    /// `chest_key`, points of BLS12-381 and Sapling transactions.
    Bytes,
    /// `timestamp`.
    Timestamp,
    /// `key`.
    Key,
    /// `key_hash`.
    KeyHash,
    /// `signature`.
    Signature,
    /// `address`.
    Address,
    /// `chain_id`.
    ChainId,
    /// `bls12_381_fr`.
    Bls12381Fr,
    /// `sapling_state`, stored apart, by its number.
    SaplingState,
    /// `never`.
    Never,
}

impl Type {
    /// Reads a type. `contract` and `operation` are refused: data of the one
    /// prints in a way that depends on other contracts, of the other never
    /// is stored. Global constants have to be expanded before.
    pub fn parse(node: &Node) -> Result<Self, ProtocolError> {
        let Node::Prim(prim, args, _) = node else {
            let reason = format!("{} is no type", node.kind());
            return Err(ProtocolError::malformed("type", reason));
        };
        if let Some(atom) = atom(*prim) {
            return match (args.as_slice(), atom) {
                ([], _) => Ok(Self::Atom(atom)),
                // The size of the memos of a Sapling pool.
                ([Node::Int(_)], Atom::SaplingState | Atom::Bytes) => Ok(Self::Atom(atom)),
                _ => Err(arity(*prim, args.len())),
            };
        }
        let boxed = |node| Self::parse(node).map(Box::new);
        match (*prim, args.as_slice()) {
            (Prim::T_PAIR, [first, rest @ .., last]) => pair(first, rest, last),
            (Prim::T_OR, [left, right]) => Ok(Self::Or(boxed(left)?, boxed(right)?)),
            (Prim::T_OPTION, [inner]) => boxed(inner).map(Self::Option),
            (Prim::T_LIST, [inner]) => boxed(inner).map(Self::List),
            (Prim::T_SET, [inner]) => boxed(inner).map(Self::Set),
            (Prim::T_MAP, [key, value]) => Ok(Self::Map(boxed(key)?, boxed(value)?)),
            (Prim::T_BIG_MAP, [_, _]) => Ok(Self::BigMap),
            (Prim::T_LAMBDA, [_, _]) => Ok(Self::Lambda),
            (Prim::T_TICKET, [inner]) => boxed(inner).map(Self::Ticket),
            (
                Prim::T_PAIR
                | Prim::T_OR
                | Prim::T_OPTION
                | Prim::T_LIST
                | Prim::T_SET
                | Prim::T_MAP
                | Prim::T_BIG_MAP
                | Prim::T_LAMBDA
                | Prim::T_TICKET,
                _,
            ) => Err(arity(*prim, args.len())),
            (other, _) => Err(ProtocolError::unsupported(format!(
                "data of type {}",
                other.name()
            ))),
        }
    }
}

fn pair(first: &Node, rest: &[Node], last: &Node) -> Result<Type, ProtocolError> {
    let mut types = vec![Type::parse(first)?];
    for node in rest {
        types.push(Type::parse(node)?);
    }
    match Type::parse(last)? {
        Type::Pair(comb) => types.extend(comb),
        other => types.push(other),
    }
    Ok(Type::Pair(types))
}

fn arity(prim: Prim, count: usize) -> ProtocolError {
    let reason = format!("{} with {count} arguments", prim.name());
    ProtocolError::malformed("type", reason)
}

fn atom(prim: Prim) -> Option<Atom> {
    Some(match prim {
        Prim::T_UNIT => Atom::Unit,
        Prim::T_BOOL => Atom::Bool,
        Prim::T_INT => Atom::Int,
        Prim::T_NAT => Atom::Nat,
        Prim::T_MUTEZ => Atom::Mutez,
        Prim::T_STRING => Atom::String,
        Prim::T_BYTES
        | Prim::T_CHEST
        | Prim::T_CHEST_KEY
        | Prim::T_BLS12_381_G1
        | Prim::T_BLS12_381_G2
        | Prim::T_SAPLING_TRANSACTION
        | Prim::T_SAPLING_TRANSACTION_DEPRECATED => Atom::Bytes,
        Prim::T_TIMESTAMP => Atom::Timestamp,
        Prim::T_KEY => Atom::Key,
        Prim::T_KEY_HASH => Atom::KeyHash,
        Prim::T_SIGNATURE => Atom::Signature,
        Prim::T_ADDRESS => Atom::Address,
        Prim::T_CHAIN_ID => Atom::ChainId,
        Prim::T_BLS12_381_FR => Atom::Bls12381Fr,
        Prim::T_SAPLING_STATE => Atom::SaplingState,
        Prim::T_NEVER => Atom::Never,
        _ => return None,
    })
}

/// A type as `normalize_types` prints it: without annotations, and with the
/// pairs at the right end of a pair folded into it.
pub fn normalized(node: &Node) -> Node {
    let Node::Prim(prim, args, _) = node else {
        return node.clone();
    };
    let mut args: Vec<Node> = args.iter().map(normalized).collect();
    if *prim == Prim::T_PAIR {
        match args.pop() {
            Some(Node::Prim(Prim::T_PAIR, comb, _)) => args.extend(comb),
            Some(last) => args.push(last),
            None => {}
        }
    }
    Node::prim(*prim, args)
}
