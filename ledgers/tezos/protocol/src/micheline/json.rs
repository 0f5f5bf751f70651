//! Micheline's JSON form, as nodes print it: `{"int":"…"}`, `{"string":"…"}`,
//! `{"bytes":"…"}`, `[…]` and `{"prim":"…","args":[…],"annots":[…]}`, where
//! empty arguments and annotations are left out.

use num_bigint::BigInt;
use serde_json::Value;

use super::{Budget, Node, Prim};
use crate::defaults::INTEGER_BYTES;
use crate::error::ProtocolError;
use crate::json;

/// The compact JSON text of an expression.
pub fn write(node: &Node) -> String {
    let mut out = String::new();
    write_node(node, &mut out);
    out
}

/// Appends the compact JSON text of an expression.
pub fn write_node(node: &Node, out: &mut String) {
    match node {
        Node::Int(value) => {
            out.push_str("{\"int\":\"");
            out.push_str(&value.to_string());
            out.push_str("\"}");
        }
        Node::String(text) => {
            out.push_str("{\"string\":");
            json::string(out, text);
            out.push('}');
        }
        Node::Bytes(bytes) => {
            out.push_str("{\"bytes\":\"");
            out.push_str(&hex::encode(bytes));
            out.push_str("\"}");
        }
        Node::Seq(items) => list(items, out, write_node),
        Node::Prim(prim, args, annotations) => {
            out.push_str("{\"prim\":");
            json::string(out, prim.name());
            if !args.is_empty() {
                out.push_str(",\"args\":");
                list(args, out, write_node);
            }
            if !annotations.is_empty() {
                out.push_str(",\"annots\":");
                list(annotations, out, |text, out| json::string(out, text));
            }
            out.push('}');
        }
    }
}

fn list<T>(items: &[T], out: &mut String, write: impl Fn(&T, &mut String)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

/// Reads the JSON text of an expression. JSON nested deeper than 128 levels is
/// refused by the JSON reader.
pub fn read_text(text: &str) -> Result<Node, ProtocolError> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| malformed(format!("not JSON: {error}")))?;
    read(&value)
}

/// Reads an expression from JSON.
pub fn read(value: &Value) -> Result<Node, ProtocolError> {
    node(value, &mut Budget::new())
}

fn malformed(reason: impl Into<String>) -> ProtocolError {
    ProtocolError::malformed("micheline JSON", reason)
}

fn node(value: &Value, budget: &mut Budget) -> Result<Node, ProtocolError> {
    budget.enter()?;
    let node = match value {
        Value::Array(items) => Node::Seq(nodes(items, budget)?),
        Value::Object(fields) if fields.contains_key("prim") => prim(fields, budget)?,
        Value::Object(fields) => {
            let mut fields = fields.iter();
            match (fields.next(), fields.next()) {
                (Some((name, Value::String(text))), None) => leaf(name, text)?,
                _ => return Err(malformed("an object is none of int, string, bytes, prim")),
            }
        }
        _ => return Err(malformed("neither an object nor a list")),
    };
    budget.leave();
    Ok(node)
}

fn leaf(name: &str, text: &str) -> Result<Node, ProtocolError> {
    match name {
        "int" => {
            // Three decimal digits are at most ten bits.
            if text.len() > 2 * INTEGER_BYTES {
                return Err(malformed("an integer is too long"));
            }
            let digits = text.strip_prefix('-').unwrap_or(text);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(malformed("an integer is not decimal"));
            }
            BigInt::parse_bytes(text.as_bytes(), 10)
                .map(Node::Int)
                .ok_or_else(|| malformed("an integer is not decimal"))
        }
        "string" => Ok(Node::String(text.to_owned())),
        "bytes" => hex::decode(text)
            .map(Node::Bytes)
            .map_err(|error| malformed(format!("bytes are not hex: {error}"))),
        _ => Err(malformed("an object is none of int, string, bytes, prim")),
    }
}

fn prim(
    fields: &serde_json::Map<String, Value>,
    budget: &mut Budget,
) -> Result<Node, ProtocolError> {
    let mut name = None;
    let mut args = Vec::new();
    let mut annotations = Vec::new();
    for (field, value) in fields {
        match (field.as_str(), value) {
            ("prim", Value::String(text)) => name = Some(Prim::from_name(text)?),
            ("args", Value::Array(items)) => args = nodes(items, budget)?,
            ("annots", Value::Array(items)) => {
                for item in items {
                    let text = item.as_str().filter(|text| !text.contains(' '));
                    let text = text.ok_or_else(|| malformed("an annotation is no word"))?;
                    annotations.push(text.to_owned());
                }
            }
            _ => return Err(malformed("a primitive has an unknown field")),
        }
    }
    let name = name.ok_or_else(|| malformed("a primitive without name"))?;
    Ok(Node::Prim(name, args, annotations))
}

fn nodes(items: &[Value], budget: &mut Budget) -> Result<Vec<Node>, ProtocolError> {
    items.iter().map(|item| node(item, budget)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::micheline::binary;

    #[test]
    fn an_expression_prints_as_a_node_prints_it() {
        let node = Node::Prim(
            Prim::D_PAIR,
            vec![
                Node::int(-5),
                Node::string("a \"quote\" and\nmore"),
                Node::Bytes(vec![0xca, 0xfe]),
                Node::Seq(vec![Node::prim(Prim::D_UNIT, vec![])]),
            ],
            vec!["%x".into()],
        );
        let text = "{\"prim\":\"Pair\",\"args\":[{\"int\":\"-5\"},\
            {\"string\":\"a \\\"quote\\\" and\\nmore\"},{\"bytes\":\"cafe\"},\
            [{\"prim\":\"Unit\"}]],\"annots\":[\"%x\"]}";
        assert_eq!(write(&node), text);
        assert_eq!(read_text(text), Ok(node));
    }

    #[test]
    fn what_is_not_micheline_is_refused() {
        for text in [
            "5",
            "{}",
            "{\"int\":5}",
            "{\"int\":\"5x\"}",
            "{\"int\":\"\"}",
            "{\"int\":\"+5\"}",
            "{\"int\":\"5\",\"string\":\"5\"}",
            "{\"bytes\":\"abc\"}",
            "{\"prim\":\"Pairs\"}",
            "{\"prim\":\"Pair\",\"extra\":[]}",
            "{\"args\":[]}",
        ] {
            assert!(read_text(text).is_err(), "{text}");
        }
        assert!(read_text(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn both_forms_tell_the_same_expression(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(node) = binary::read(&bytes) {
                // A space in an annotation cannot be told from two of them.
                prop_assert_eq!(read_text(&write(&node)), Ok(node));
            }
        }
    }
}
