//! Stored data in its readable form: what a node's `storage` and `big_maps`
//! RPCs print.
//!
//! A contract's storage is kept in the protocol's optimized form, where an
//! address is 22 bytes and a long pair a sequence. Nodes print addresses,
//! keys, key hashes, signatures, chain ids and timestamps as text and every
//! right comb as one `Pair`. That depends on the type alone, and on the types
//! of `PUSH`ed constants within code. Either form is read, since data of a
//! genesis or of old protocols may be kept in the readable one.
//!
//! Source: `script_ir_translator.ml` (`parse_data`) and
//! `script_ir_unparser.ml` (`unparse_data`, mode `Readable`) of 024 and 025.

mod scalar;

use crate::error::ProtocolError;
use crate::micheline::{Node, Prim};
use crate::types::Type;

/// Data of a type in its readable form.
///
/// An error if the data does not fit the type, or if its printed form is not
/// certain; see [`Type::parse`] for the types that are left to a node.
pub fn data(ty: &Type, node: &Node) -> Result<Node, ProtocolError> {
    match ty {
        Type::Atom(atom) => scalar::convert(*atom, node),
        Type::Pair(types) => pair(types, node),
        Type::Or(left, right) => or(left, right, node),
        Type::Option(inner) => option(inner, node),
        Type::List(inner) | Type::Set(inner) => list(inner, node),
        Type::Map(key, value) => map(key, value, node),
        Type::BigMap => match node {
            Node::Int(_) => Ok(node.clone()),
            _ => Err(ProtocolError::unsupported(
                "a big map with entries of its own",
            )),
        },
        Type::Lambda => lambda(node),
        Type::Ticket(contents) => ticket(contents, node),
    }
}

/// Code in its readable form: the constants that it pushes are converted by
/// their types, everything else stays.
pub fn code(node: &Node) -> Result<Node, ProtocolError> {
    match node {
        Node::Int(_) | Node::String(_) | Node::Bytes(_) => Ok(node.clone()),
        Node::Seq(items) => Ok(Node::Seq(each(items, code)?)),
        Node::Prim(Prim::I_PUSH, args, annotations) if args.len() == 2 => {
            let value = data(&Type::parse(&args[0])?, &args[1])?;
            let args = vec![args[0].clone(), value];
            Ok(Node::Prim(Prim::I_PUSH, args, annotations.clone()))
        }
        Node::Prim(prim, args, annotations) => {
            Ok(Node::Prim(*prim, each(args, code)?, annotations.clone()))
        }
    }
}

/// All items converted. A loop of its own: what walks an expression recurses,
/// and iterator adapters take several frames a level.
fn each(
    items: &[Node],
    convert: impl Fn(&Node) -> Result<Node, ProtocolError>,
) -> Result<Vec<Node>, ProtocolError> {
    let mut converted = Vec::with_capacity(items.len());
    for item in items {
        converted.push(convert(item)?);
    }
    Ok(converted)
}

fn mismatch(expected: &str, node: &Node) -> ProtocolError {
    let reason = format!("{} where {expected} is called for", node.kind());
    ProtocolError::malformed("data", reason)
}

/// A right comb. It may be written `Pair a (Pair b c)`, `Pair a b c` or
/// `{a; b; c}`, and mixed; the last part of each stands for what is left.
fn pair(types: &[Type], node: &Node) -> Result<Node, ProtocolError> {
    let mut converted = Vec::with_capacity(types.len());
    let mut rest = types;
    let mut node = node;
    loop {
        let parts = match node {
            Node::Prim(Prim::D_PAIR, parts, _) | Node::Seq(parts) if parts.len() >= 2 => parts,
            _ => return Err(mismatch("a pair", node)),
        };
        let Some((last, firsts)) = parts.split_last() else {
            return Err(mismatch("a pair", node));
        };
        for part in firsts {
            let [ty, tail @ ..] = rest else {
                return Err(mismatch("a shorter pair", node));
            };
            // The last type is for the last part alone.
            if tail.is_empty() {
                return Err(mismatch("a shorter pair", node));
            }
            converted.push(data(ty, part)?);
            rest = tail;
        }
        match rest {
            [ty] => {
                converted.push(data(ty, last)?);
                return Ok(Node::prim(Prim::D_PAIR, converted));
            }
            _ => node = last,
        }
    }
}

fn or(left: &Type, right: &Type, node: &Node) -> Result<Node, ProtocolError> {
    match node {
        Node::Prim(Prim::D_LEFT, args, _) if args.len() == 1 => {
            Ok(Node::prim(Prim::D_LEFT, vec![data(left, &args[0])?]))
        }
        Node::Prim(Prim::D_RIGHT, args, _) if args.len() == 1 => {
            Ok(Node::prim(Prim::D_RIGHT, vec![data(right, &args[0])?]))
        }
        _ => Err(mismatch("Left or Right", node)),
    }
}

fn option(inner: &Type, node: &Node) -> Result<Node, ProtocolError> {
    match node {
        Node::Prim(Prim::D_NONE, args, _) if args.is_empty() => {
            Ok(Node::prim(Prim::D_NONE, vec![]))
        }
        Node::Prim(Prim::D_SOME, args, _) if args.len() == 1 => {
            Ok(Node::prim(Prim::D_SOME, vec![data(inner, &args[0])?]))
        }
        _ => Err(mismatch("Some or None", node)),
    }
}

/// A list, or a set, whose stored order is the printed one.
fn list(inner: &Type, node: &Node) -> Result<Node, ProtocolError> {
    let Node::Seq(items) = node else {
        return Err(mismatch("a sequence", node));
    };
    Ok(Node::Seq(each(items, |item| data(inner, item))?))
}

fn map(key: &Type, value: &Type, node: &Node) -> Result<Node, ProtocolError> {
    let Node::Seq(items) = node else {
        return Err(mismatch("a map", node));
    };
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Node::Prim(Prim::D_ELT, args, _) if args.len() == 2 => {
                let args = vec![data(key, &args[0])?, data(value, &args[1])?];
                entries.push(Node::prim(Prim::D_ELT, args));
            }
            _ => return Err(mismatch("Elt", item)),
        }
    }
    Ok(Node::Seq(entries))
}

fn lambda(node: &Node) -> Result<Node, ProtocolError> {
    match node {
        Node::Seq(_) => code(node),
        Node::Prim(Prim::D_LAMBDA_REC, args, annotations) if annotations.is_empty() => {
            match args.as_slice() {
                [body @ Node::Seq(_)] => Ok(Node::prim(Prim::D_LAMBDA_REC, vec![code(body)?])),
                _ => Err(mismatch("code", node)),
            }
        }
        _ => Err(mismatch("code", node)),
    }
}

/// A ticket prints as `Pair ticketer contents amount`; its ticketer has no
/// entrypoint.
fn ticket(contents: &Type, node: &Node) -> Result<Node, ProtocolError> {
    use crate::types::Atom;
    let opened = match node {
        Node::Prim(Prim::D_TICKET, args, _) => match args.as_slice() {
            [ticketer, _, contents, amount] => Node::prim(
                Prim::D_PAIR,
                vec![ticketer.clone(), contents.clone(), amount.clone()],
            ),
            _ => return Err(mismatch("a ticket", node)),
        },
        Node::Prim(Prim::D_PAIR, ..) => node.clone(),
        // Octez reads no other form of a ticket.
        _ => return Err(mismatch("a ticket", node)),
    };
    let types = [
        Type::Atom(Atom::Address),
        contents.clone(),
        Type::Atom(Atom::Nat),
    ];
    let Node::Prim(prim, mut args, annotations) = pair(&types, &opened)? else {
        return Err(mismatch("a ticket", node));
    };
    if let Some(Node::String(ticketer)) = args.first_mut()
        && let Some(at) = ticketer.find('%')
    {
        ticketer.truncate(at);
    }
    Ok(Node::Prim(prim, args, annotations))
}
