//! Micheline's binary form: a tag byte, then
//! 0 integer · 1 string · 2 sequence · 3–8 a primitive with none, one or two
//! arguments, without (3, 5, 7) or with (4, 6, 8) annotations · 9 a primitive
//! with any number of arguments · 10 bytes. Lengths are four bytes, and
//! annotations one string with spaces between them.

use super::{Budget, Node, Prim};
use crate::cursor::{Cursor, whole};
use crate::defaults::MICHELINE_BYTES;
use crate::error::ProtocolError;
use crate::zarith::{read_z, write_z};

/// Reads an expression that fills the bytes.
pub fn read(bytes: &[u8]) -> Result<Node, ProtocolError> {
    if bytes.len() > MICHELINE_BYTES {
        return Err(ProtocolError::TooLarge {
            what: "a Micheline expression, in bytes,",
            limit: MICHELINE_BYTES,
        });
    }
    let mut budget = Budget::new();
    whole("micheline", bytes, |cursor| node(cursor, &mut budget))
}

/// Reads an expression with a four-byte length before it, the form of a
/// contract's code and storage in the context.
pub fn read_sized(bytes: &[u8]) -> Result<Node, ProtocolError> {
    read(whole("micheline", bytes, Cursor::sized)?)
}

/// Writes an expression; what [`read`] gave comes out as the same bytes if
/// they were in the shortest form.
pub fn write(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    write_node(node, &mut out);
    out
}

/// Writes an expression with its length before it.
pub fn write_sized(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    write_counted(&mut out, |out| write_node(node, out));
    out
}

/// A node whose parts are still being read.
struct Open {
    shape: Shape,
    items: Vec<Node>,
}

/// What an open node becomes, and when it is complete.
enum Shape {
    /// A sequence, complete when this many bytes are left.
    Seq { end: usize },
    /// A primitive with this many arguments to come, then its annotations.
    Few {
        prim: Prim,
        missing: u8,
        annotated: bool,
    },
    /// A primitive whose arguments end when this many bytes are left.
    Many { prim: Prim, end: usize },
}

/// Reads one expression without recursion: the bytes come from anywhere, and
/// the stack that a level of nesting takes is the reader's largest.
fn node(cursor: &mut Cursor<'_>, budget: &mut Budget) -> Result<Node, ProtocolError> {
    let mut open: Vec<Open> = Vec::new();
    loop {
        budget.enter()?;
        let mut complete = begin(cursor, &mut open)?;
        // A complete node may be the last part of the one around it.
        loop {
            if let Some(node) = complete.take() {
                budget.leave();
                match open.last_mut() {
                    None => return Ok(node),
                    Some(around) => around.add(node),
                }
            }
            match open.pop() {
                Some(around) if around.is_complete(cursor)? => {
                    complete = Some(around.finish(cursor)?);
                }
                Some(around) => {
                    open.push(around);
                    break;
                }
                None => break,
            }
        }
    }
}

/// Reads the head of a node: all of it if it has no parts, else it is opened.
fn begin(cursor: &mut Cursor<'_>, open: &mut Vec<Open>) -> Result<Option<Node>, ProtocolError> {
    let shape = match cursor.u8()? {
        0 => return Ok(Some(Node::Int(read_z(cursor)?))),
        1 => return Ok(Some(Node::String(text(cursor)?))),
        10 => return Ok(Some(Node::Bytes(cursor.sized()?.to_vec()))),
        2 => Shape::Seq { end: end(cursor)? },
        tag @ 3..=8 => Shape::Few {
            prim: Prim::from_number(cursor.u8()?)?,
            missing: (tag - 3) / 2,
            annotated: tag % 2 == 0,
        },
        9 => Shape::Many {
            prim: Prim::from_number(cursor.u8()?)?,
            end: end(cursor)?,
        },
        other => return Err(cursor.error(format!("unknown tag {other}"))),
    };
    open.push(Open {
        shape,
        items: Vec::new(),
    });
    Ok(None)
}

/// How many bytes are left when the part behind a four-byte length ends.
fn end(cursor: &mut Cursor<'_>) -> Result<usize, ProtocolError> {
    let length = cursor.u32()? as usize;
    cursor
        .left()
        .checked_sub(length)
        .ok_or_else(|| cursor.error("a sequence is longer than what is around it"))
}

impl Open {
    fn add(&mut self, item: Node) {
        self.items.push(item);
        if let Shape::Few { missing, .. } = &mut self.shape {
            *missing = missing.saturating_sub(1);
        }
    }

    fn is_complete(&self, cursor: &Cursor<'_>) -> Result<bool, ProtocolError> {
        match self.shape {
            Shape::Few { missing, .. } => Ok(missing == 0),
            Shape::Seq { end } | Shape::Many { end, .. } if cursor.left() < end => {
                Err(cursor.error("a part is longer than its sequence"))
            }
            Shape::Seq { end } | Shape::Many { end, .. } => Ok(cursor.left() == end),
        }
    }

    fn finish(self, cursor: &mut Cursor<'_>) -> Result<Node, ProtocolError> {
        Ok(match self.shape {
            Shape::Seq { .. } => Node::Seq(self.items),
            Shape::Few {
                prim,
                annotated: false,
                ..
            } => Node::Prim(prim, self.items, Vec::new()),
            Shape::Few { prim, .. } | Shape::Many { prim, .. } => {
                Node::Prim(prim, self.items, annotations(cursor)?)
            }
        })
    }
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, ProtocolError> {
    let bytes = cursor.sized()?;
    String::from_utf8(bytes.to_vec()).map_err(|_| cursor.error("a string is not UTF-8"))
}

fn annotations(cursor: &mut Cursor<'_>) -> Result<Vec<String>, ProtocolError> {
    let text = text(cursor)?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    Ok(text.split(' ').map(str::to_owned).collect())
}

fn write_node(node: &Node, out: &mut Vec<u8>) {
    match node {
        Node::Int(value) => {
            out.push(0);
            write_z(value, out);
        }
        Node::String(text) => {
            out.push(1);
            write_counted(out, |out| out.extend_from_slice(text.as_bytes()));
        }
        Node::Seq(items) => {
            out.push(2);
            write_counted(out, |out| {
                items.iter().for_each(|item| write_node(item, out))
            });
        }
        Node::Bytes(bytes) => {
            out.push(10);
            write_counted(out, |out| out.extend_from_slice(bytes));
        }
        Node::Prim(prim, args, annotations) => write_prim(*prim, args, annotations, out),
    }
}

fn write_prim(prim: Prim, args: &[Node], annotations: &[String], out: &mut Vec<u8>) {
    let annotated = u8::from(!annotations.is_empty());
    let tag = match args.len() {
        0 => 3 + annotated,
        1 => 5 + annotated,
        2 => 7 + annotated,
        _ => 9,
    };
    out.extend_from_slice(&[tag, prim.number()]);
    let write_args = |out: &mut Vec<u8>| args.iter().for_each(|arg| write_node(arg, out));
    if tag == 9 {
        write_counted(out, write_args);
    } else {
        write_args(out);
    }
    if tag == 9 || annotated == 1 {
        write_counted(out, |out| {
            out.extend_from_slice(annotations.join(" ").as_bytes());
        });
    }
}

/// Writes something behind its length in four bytes. Expressions come from
/// [`read`] or are put together from such, far below four gigabytes.
fn write_counted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;
    use crate::defaults::MICHELINE_DEPTH;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    /// Any expression; annotations have no spaces, as in Michelson.
    pub(crate) fn any_node() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Node::int),
            any::<Vec<u8>>().prop_map(|bytes| Node::Int(BigInt::from_signed_bytes_le(&bytes))),
            "[ -~]{0,12}".prop_map(Node::String),
            any::<Vec<u8>>().prop_map(Node::Bytes),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            let items = proptest::collection::vec(inner, 0..5);
            let annotations = proptest::collection::vec("[:@%][a-z]{0,5}", 0..3);
            let prim = (0u8..161).prop_map(|number| Prim::from_number(number).unwrap());
            prop_oneof![
                items.clone().prop_map(Node::Seq),
                (prim, items, annotations).prop_map(|(p, a, n)| Node::Prim(p, a, n)),
            ]
        })
    }

    #[test]
    fn the_types_and_values_of_octez_big_map_samples_read() {
        // tezt/tests/expected/encoding.ml, lazy_storage_diff of protocol 025.
        assert_eq!(read(&hex("036c")), Ok(Node::prim(Prim::T_UNIT, vec![])));
        assert_eq!(read(&hex("0362")), Ok(Node::prim(Prim::T_NAT, vec![])));
        assert_eq!(
            read(&hex("034f")),
            Ok(Node::prim(Prim::from_name("UNIT").unwrap(), vec![]))
        );
    }

    #[test]
    fn a_length_in_front_has_to_be_right() {
        let node = Node::Seq(vec![Node::int(5)]);
        let mut bytes = write_sized(&node);
        assert_eq!(bytes, hex("0000000702000000020005"));
        assert_eq!(read_sized(&bytes), Ok(node));
        bytes[3] += 1;
        assert!(read_sized(&bytes).is_err());
    }

    #[test]
    fn nesting_beyond_the_limit_is_refused_and_up_to_it_is_read() {
        let nested = |depth: usize| {
            let mut node = Node::int(1);
            for _ in 1..depth {
                node = Node::prim(Prim::D_SOME, vec![node]);
            }
            write(&node)
        };
        assert!(read(&nested(MICHELINE_DEPTH)).is_ok());
        assert!(matches!(
            read(&nested(MICHELINE_DEPTH + 1)),
            Err(ProtocolError::TooLarge { .. })
        ));
        // A megabyte of opening bytes is no deeper than that.
        assert!(read(&[5u8, 9].repeat(500_000)).is_err());
    }

    #[test]
    fn a_flood_of_small_nodes_is_refused() {
        let mut bytes = vec![2];
        let items = [3u8, 11].repeat(1_100_000);
        bytes.extend_from_slice(&u32::try_from(items.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&items);
        assert!(matches!(read(&bytes), Err(ProtocolError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn an_expression_survives_the_binary_form(node in any_node()) {
            prop_assert_eq!(read(&write(&node)), Ok(node));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(node) = read(&bytes) {
                prop_assert_eq!(read(&write(&node)), Ok(node));
            }
        }

        #[test]
        fn a_changed_byte_never_panics(node in any_node(), at in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = write(&node);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = read(&bytes);
        }
    }
}
