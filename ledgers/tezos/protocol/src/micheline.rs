//! Micheline, the syntax of Michelson: integers, strings, bytes, primitives
//! with arguments and annotations, and sequences.
//!
//! [`binary`] is what the context stores, [`json`] what a node prints. Both
//! readers are bounded by `defaults.rs` in bytes, nodes and depth, so that
//! whatever walks a [`Node`] afterwards may recurse.

pub mod binary;
pub mod json;
mod prim;

use num_bigint::BigInt;

pub use prim::Prim;

use crate::defaults::{MICHELINE_DEPTH, MICHELINE_NODES};
use crate::error::ProtocolError;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An integer of any size.
    Int(BigInt),
    /// A text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A sequence.
    Seq(Vec<Node>),
    /// A primitive with its arguments and annotations.
    Prim(Prim, Vec<Node>, Vec<String>),
}

impl Node {
    /// A primitive without annotations.
    pub fn prim(prim: Prim, args: Vec<Self>) -> Self {
        Self::Prim(prim, args, Vec::new())
    }

    /// An integer.
    pub fn int(value: impl Into<BigInt>) -> Self {
        Self::Int(value.into())
    }

    /// A text.
    pub fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// What this is called in an error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "an integer",
            Self::String(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::Seq(_) => "a sequence",
            Self::Prim(prim, ..) => prim.name(),
        }
    }

    /// Whether the primitive occurs anywhere in the expression.
    pub fn contains(&self, wanted: Prim) -> bool {
        match self {
            Self::Int(_) | Self::String(_) | Self::Bytes(_) => false,
            Self::Seq(items) => items.iter().any(|item| item.contains(wanted)),
            Self::Prim(prim, args, _) => {
                *prim == wanted || args.iter().any(|arg| arg.contains(wanted))
            }
        }
    }
}

/// What a reader may still take in: nodes left, and how deep it is.
#[derive(Debug)]
struct Budget {
    nodes: usize,
    depth: usize,
}

impl Budget {
    fn new() -> Self {
        Self {
            nodes: MICHELINE_NODES,
            depth: 0,
        }
    }

    /// Counts a node and goes one level down.
    fn enter(&mut self) -> Result<(), ProtocolError> {
        if self.depth >= MICHELINE_DEPTH {
            return Err(ProtocolError::TooLarge {
                what: "a Micheline expression's depth",
                limit: MICHELINE_DEPTH,
            });
        }
        self.nodes = self.nodes.checked_sub(1).ok_or(ProtocolError::TooLarge {
            what: "a Micheline expression's number of nodes",
            limit: MICHELINE_NODES,
        })?;
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// Depth and nodes of an expression that was put together from others; an
/// error if a reader would have refused it.
pub(crate) fn check_size(node: &Node) -> Result<(), ProtocolError> {
    fn walk(node: &Node, budget: &mut Budget) -> Result<(), ProtocolError> {
        budget.enter()?;
        if let Node::Seq(items) | Node::Prim(_, items, _) = node {
            for item in items {
                walk(item, budget)?;
            }
        }
        budget.leave();
        Ok(())
    }
    walk(node, &mut Budget::new())
}
