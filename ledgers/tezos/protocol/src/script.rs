//! The parts of a contract's code, global constants, and a whole script in
//! its readable form.

use std::collections::BTreeMap;

use heliostat_tezos_context::base58::{self, Prefix};

use crate::error::ProtocolError;
use crate::micheline::{Node, Prim, check_size};
use crate::readable;
use crate::types::Type;

/// The parts of a contract's code, in whatever order they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toplevel {
    /// The type of the parameter, with the annotations that name entrypoints.
    pub parameter: Node,
    /// The type of the storage.
    pub storage: Node,
    /// The code.
    pub code: Node,
    /// The views by their names: input type, output type, code.
    pub views: BTreeMap<String, [Node; 3]>,
}

impl Toplevel {
    /// Takes a contract's code apart.
    pub fn parse(node: Node) -> Result<Self, ProtocolError> {
        let malformed = |reason: &str| ProtocolError::malformed("script", reason);
        let Node::Seq(fields) = node else {
            return Err(malformed("not a sequence"));
        };
        let (mut parameter, mut storage, mut code) = (None, None, None);
        let mut views = BTreeMap::new();
        for field in fields {
            let Node::Prim(prim, args, annotations) = field else {
                return Err(malformed("a field is no primitive"));
            };
            let slot = match prim {
                Prim::K_PARAMETER => &mut parameter,
                Prim::K_STORAGE => &mut storage,
                Prim::K_CODE => &mut code,
                Prim::K_VIEW => {
                    let [Node::String(name), input, output, body] = <[Node; 4]>::try_from(args)
                        .map_err(|_| malformed("a view has not four parts"))?
                    else {
                        return Err(malformed("a view has no name"));
                    };
                    if views.insert(name, [input, output, body]).is_some() {
                        return Err(malformed("two views have one name"));
                    }
                    continue;
                }
                _ => return Err(malformed("an unknown field")),
            };
            let [part] = <[Node; 1]>::try_from(args)
                .map_err(|_| malformed("a field has not one argument"))?;
            if slot.replace(part).is_some() || !annotations.is_empty() {
                return Err(malformed("a field occurs twice or has an annotation"));
            }
        }
        match (parameter, storage, code) {
            (Some(parameter), Some(storage), Some(code)) => Ok(Self {
                parameter,
                storage,
                code,
                views,
            }),
            _ => Err(malformed("parameter, storage or code is missing")),
        }
    }

    /// The code in its readable form: parameter, storage, code, then the
    /// views by name. Types keep their annotations.
    pub fn readable(&self) -> Result<Node, ProtocolError> {
        let mut fields = vec![
            Node::prim(Prim::K_PARAMETER, vec![self.parameter.clone()]),
            Node::prim(Prim::K_STORAGE, vec![self.storage.clone()]),
            Node::prim(Prim::K_CODE, vec![readable::code(&self.code)?]),
        ];
        for (name, [input, output, body]) in &self.views {
            let args = vec![
                Node::string(name),
                input.clone(),
                output.clone(),
                readable::code(body)?,
            ];
            fields.push(Node::prim(Prim::K_VIEW, args));
        }
        Ok(Node::Seq(fields))
    }

    /// Storage of this contract in its readable form.
    pub fn readable_storage(&self, storage: &Node) -> Result<Node, ProtocolError> {
        readable::data(&Type::parse(&self.storage)?, storage)
    }
}

/// The hash of a global constant or of a big map's key, from its `expr…` text.
pub fn expression_hash(text: &str) -> Result<[u8; 32], ProtocolError> {
    base58::decode(Prefix::SCRIPT_EXPR, text)
        .ok()
        .and_then(|hash| hash.try_into().ok())
        .ok_or_else(|| ProtocolError::malformed("expression hash", "not an expr… text"))
}

/// Global constants that have been read, by their hash.
pub type GlobalConstants = BTreeMap<[u8; 32], Node>;

/// The global constants that an expression names and that are not yet known,
/// also those named by known ones.
pub fn unknown_constants(
    node: &Node,
    known: &GlobalConstants,
) -> Result<Vec<[u8; 32]>, ProtocolError> {
    let mut unknown = Vec::new();
    named_constants(node, known, &mut unknown)?;
    for constant in known.values() {
        named_constants(constant, known, &mut unknown)?;
    }
    unknown.sort_unstable();
    unknown.dedup();
    Ok(unknown)
}

fn named_constants(
    node: &Node,
    known: &GlobalConstants,
    unknown: &mut Vec<[u8; 32]>,
) -> Result<(), ProtocolError> {
    if let Some(hash) = constant_hash(node)? {
        if !known.contains_key(&hash) {
            unknown.push(hash);
        }
    } else if let Node::Seq(items) | Node::Prim(_, items, _) = node {
        for item in items {
            named_constants(item, known, unknown)?;
        }
    }
    Ok(())
}

/// The expression with every global constant in place of its name. All that
/// it names have to be known.
pub fn expand(node: &Node, known: &GlobalConstants) -> Result<Node, ProtocolError> {
    let mut left = crate::defaults::MICHELINE_NODES;
    let expanded = expand_within(node, known, &mut left, 0)?;
    check_size(&expanded)?;
    Ok(expanded)
}

fn expand_within(
    node: &Node,
    known: &GlobalConstants,
    left: &mut usize,
    depth: usize,
) -> Result<Node, ProtocolError> {
    *left = left.saturating_sub(1);
    if *left == 0 || depth > crate::defaults::MICHELINE_DEPTH {
        return Err(ProtocolError::unsupported(
            "a script with so many global constants",
        ));
    }
    if let Some(hash) = constant_hash(node)? {
        let constant = known
            .get(&hash)
            .ok_or_else(|| ProtocolError::unsupported("a global constant that is absent"))?;
        return expand_within(constant, known, left, depth + 1);
    }
    let items = match node {
        Node::Seq(items) | Node::Prim(_, items, _) => items,
        _ => return Ok(node.clone()),
    };
    let mut expanded = Vec::with_capacity(items.len());
    for item in items {
        expanded.push(expand_within(item, known, left, depth + 1)?);
    }
    Ok(match node {
        Node::Prim(prim, _, annotations) => Node::Prim(*prim, expanded, annotations.clone()),
        _ => Node::Seq(expanded),
    })
}

/// The hash if the node names a global constant: `constant "expr…"`.
fn constant_hash(node: &Node) -> Result<Option<[u8; 32]>, ProtocolError> {
    match node {
        Node::Prim(Prim::H_CONSTANT, args, annotations) => match args.as_slice() {
            [Node::String(text)] if annotations.is_empty() => expression_hash(text).map(Some),
            _ => Err(ProtocolError::malformed(
                "global constant",
                "not one expr… text",
            )),
        },
        _ => Ok(None),
    }
}
