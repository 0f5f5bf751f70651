//! The entrypoints of a contract: the branches of its parameter's `or` that
//! carry a field annotation.
//!
//! Source: `script_ir_translator.ml` (`list_entrypoints_uncarbonated`,
//! `find_entrypoint`) and `contract_services.ml` of 024 and 025.

use std::collections::BTreeMap;

use crate::defaults::ENTRYPOINT_BYTES;
use crate::error::ProtocolError;
use crate::json;
use crate::micheline::{Node, Prim, json as micheline_json};
use crate::types::normalized;

/// Longest annotation, in bytes (the protocol's limit).
const ANNOTATION_BYTES: usize = 255;

/// A parameter type taken apart into its branches.
#[derive(Clone, Debug)]
pub struct Parameter {
    whole: Node,
    root: Branch,
}

/// One branch: its name if it has one, its type without the annotation that
/// names it, and the branches of an `or`.
#[derive(Clone, Debug)]
struct Branch {
    name: Option<String>,
    ty: Node,
    either: Option<Box<(Branch, Branch)>>,
}

/// All entrypoints and what cannot be called by a name.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Types by name.
    pub entrypoints: BTreeMap<String, Node>,
    /// Paths of `Left` and `Right` to branches that no entrypoint reaches, in
    /// the order in which nodes print them.
    pub unreachable: Vec<Vec<Prim>>,
}

impl Parameter {
    /// Takes a contract's parameter type apart. An error if it names a global
    /// constant, which nodes do not expand here.
    pub fn parse(node: &Node) -> Result<Self, ProtocolError> {
        if node.contains(Prim::H_CONSTANT) {
            return Err(ProtocolError::unsupported(
                "a parameter type with global constants",
            ));
        }
        Ok(Self {
            whole: node.clone(),
            root: Branch::parse(node)?,
        })
    }

    /// The type of an entrypoint; a parameter without entrypoint `default` is
    /// its own default.
    pub fn find(&self, name: &str) -> Option<&Node> {
        match self.root.find(name) {
            None if name == "default" => Some(&self.whole),
            found => found,
        }
    }

    /// All entrypoints.
    pub fn list(&self) -> Listing {
        let mut listing = Listing::default();
        if let Some(name) = &self.root.name {
            listing
                .entrypoints
                .insert(name.clone(), self.root.ty.clone());
        }
        let reachable = self.root.name.is_some();
        self.root.fold(&mut Vec::new(), reachable, &mut listing);
        listing
    }
}

impl Branch {
    fn parse(node: &Node) -> Result<Self, ProtocolError> {
        let (name, ty) = named(node)?;
        let either = match &ty {
            Node::Prim(Prim::T_OR, args, _) => match args.as_slice() {
                [left, right] => Some(Box::new((Self::parse(left)?, Self::parse(right)?))),
                _ => return Err(ProtocolError::malformed("type", "or has not two arguments")),
            },
            _ => None,
        };
        Ok(Self { name, ty, either })
    }

    fn find(&self, name: &str) -> Option<&Node> {
        if self.name.as_deref() == Some(name) {
            return Some(&self.ty);
        }
        let (left, right) = self.either.as_deref()?;
        left.find(name).or_else(|| right.find(name))
    }

    /// Both branches are entered before either is descended into: that decides
    /// which of two equal names counts, and the order of what is unreachable.
    fn fold(&self, path: &mut Vec<Prim>, reachable: bool, listing: &mut Listing) {
        let Some((left, right)) = self.either.as_deref() else {
            return;
        };
        let sides = [(Prim::D_LEFT, left), (Prim::D_RIGHT, right)];
        let reached = sides.map(|(side, branch)| {
            path.push(side);
            let reached = branch.merge(path, reachable, listing);
            path.pop();
            reached
        });
        for ((side, branch), reached) in sides.into_iter().zip(reached) {
            path.push(side);
            branch.fold(path, reached, listing);
            path.pop();
        }
    }

    fn merge(&self, path: &[Prim], reachable: bool, listing: &mut Listing) -> bool {
        match &self.name {
            None => {
                if !reachable && self.either.is_none() {
                    listing.unreachable.insert(0, path.to_vec());
                }
                reachable
            }
            Some(name) => {
                if listing.entrypoints.contains_key(name) {
                    listing.unreachable.insert(0, path.to_vec());
                } else {
                    listing.entrypoints.insert(name.clone(), self.ty.clone());
                }
                true
            }
        }
    }
}

/// The name that a type's first field annotation gives it, and the type
/// without that annotation. A name that is too long names nothing.
fn named(node: &Node) -> Result<(Option<String>, Node), ProtocolError> {
    let Node::Prim(prim, args, annotations) = node else {
        return Err(ProtocolError::malformed("type", "not a primitive"));
    };
    for (at, annotation) in annotations.iter().enumerate() {
        let Some(name) = annotation.strip_prefix('%') else {
            continue;
        };
        // A lone `%` is no name, and what follows may still be one.
        if name.is_empty() {
            continue;
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.%@".contains(&byte);
        let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
        if !begins || !name.bytes().all(allowed) || annotation.len() > ANNOTATION_BYTES {
            return Err(ProtocolError::malformed(
                "type",
                "a field annotation is not allowed",
            ));
        }
        let mut rest = annotations.clone();
        rest.remove(at);
        let name = (name.len() <= ENTRYPOINT_BYTES).then(|| name.to_owned());
        return Ok((name, Node::Prim(*prim, args.clone(), rest)));
    }
    Ok((None, node.clone()))
}

impl Listing {
    /// The JSON of the RPC `entrypoints`: what is unreachable if anything is,
    /// and the types, last name first, as nodes print them.
    pub fn to_json(&self, normalize: bool) -> String {
        let mut types = json::Object::new();
        for (name, ty) in self.entrypoints.iter().rev() {
            types.field(name, &type_json(ty, normalize));
        }
        let mut object = json::Object::new();
        if !self.unreachable.is_empty() {
            let paths: Vec<String> = self
                .unreachable
                .iter()
                .map(|path| path_json(path))
                .collect();
            object.field("unreachable", &format!("[{}]", paths.join(",")));
        }
        object.field("entrypoints", &types.finish()).finish()
    }
}

/// A type's JSON, in the form that `normalize_types` asks for.
pub fn type_json(ty: &Node, normalize: bool) -> String {
    if normalize {
        micheline_json::write(&normalized(ty))
    } else {
        micheline_json::write(ty)
    }
}

fn path_json(path: &[Prim]) -> String {
    let steps: Vec<String> = path.iter().map(|step| json::quoted(step.name())).collect();
    json::Object::new()
        .field("path", &format!("[{}]", steps.join(",")))
        .finish()
}
