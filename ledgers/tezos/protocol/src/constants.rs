//! The protocol's constants: fixed ones, those of the record `v1/constants`,
//! and those derived from it, in the order in which a node prints them.
//!
//! The record is a sequence of fields without names; [`tables`] has the order
//! and the kinds of each protocol. Source: `constants_repr.ml` and
//! `constants_parametric_repr.ml` of 024 and 025.

mod tables;

use heliostat_tezos_context::base58::{self, Prefix};

use crate::contract::{PUBLIC_KEY_HASH_BYTES, PublicKeyHash, encode_with};
use crate::cursor::{Cursor, whole};
use crate::error::ProtocolError;
use crate::json;
use crate::protocol::Protocol;
use crate::zarith::{read_n, read_z};

/// `rng…`, the seed that a network may start from.
const STATE_HASH: [u8; 3] = [76, 64, 204];

/// One field of a record.
#[derive(Debug)]
struct Field {
    name: &'static str,
    kind: Kind,
}

/// How a field is stored and printed.
#[derive(Debug)]
enum Kind {
    /// `00` or `ff`.
    Bool,
    /// One byte, a number.
    U8,
    /// One signed byte, a number.
    I8,
    /// Two bytes, a number.
    U16,
    /// Two signed bytes, a number.
    I16,
    /// Four signed bytes, a number.
    I32,
    /// Four signed bytes of at most 30 bits, a number.
    I31,
    /// Eight signed bytes, a string.
    I64,
    /// An unsigned integer of any size, a string.
    N,
    /// A signed integer of any size, a string.
    Z,
    /// Two numbers of two bytes.
    Ratio,
    /// Two signed integers of any size, as strings.
    Rational,
    /// A list of single bytes behind a four-byte length.
    Bytes,
    /// A record of its own.
    Record(&'static [Field]),
    /// A public key hash that may be missing, left out then.
    OptionalKeyHash,
    /// A smart rollup's address that may be missing.
    OptionalRollup,
    /// A seed that may be missing.
    OptionalSeed,
}

/// A field that may be missing is stored as this byte if it is there.
const PRESENT: u8 = 0xff;

/// The decoded constants of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constants {
    protocol: Protocol,
    /// The parametric fields' JSON by name, in their order.
    parametric: Vec<(&'static str, String)>,
}

impl Constants {
    /// Decodes the record at `v1/constants`.
    pub fn parse(protocol: Protocol, bytes: &[u8]) -> Result<Self, ProtocolError> {
        let parametric = whole("constants", bytes, |cursor| {
            record(cursor, tables::parametric(protocol))
        })?;
        Ok(Self {
            protocol,
            parametric,
        })
    }

    /// The JSON of `context/constants`.
    pub fn to_json(&self) -> Result<String, ProtocolError> {
        let mut object = json::Object::new();
        for (name, json) in tables::fixed(self.protocol) {
            object.field(name, json);
        }
        for (name, json) in &self.parametric {
            object.field(name, json);
        }
        let delay = self.number("consensus_rights_delay")?;
        // Slashing takes effect one cycle after the misbehaviour.
        for (name, value) in [
            ("issuance_modification_delay", delay),
            ("consensus_key_activation_delay", delay),
            ("unstake_finalization_delay", delay + 1),
        ] {
            object.field(name, &value.to_string());
        }
        Ok(object.finish())
    }

    /// The JSON of `context/constants/parametric`.
    pub fn parametric_json(&self) -> String {
        let mut object = json::Object::new();
        for (name, json) in &self.parametric {
            object.field(name, json);
        }
        object.finish()
    }

    /// A parametric constant that prints as a number.
    pub fn number(&self, name: &str) -> Result<i64, ProtocolError> {
        self.parametric
            .iter()
            .find(|(known, _)| *known == name)
            .and_then(|(_, json)| json.parse().ok())
            .ok_or_else(|| ProtocolError::malformed("constants", format!("no number {name}")))
    }
}

fn record(
    cursor: &mut Cursor<'_>,
    fields: &'static [Field],
) -> Result<Vec<(&'static str, String)>, ProtocolError> {
    let mut values = Vec::with_capacity(fields.len());
    for field in fields {
        if let Some(json) = value(cursor, &field.kind)? {
            values.push((field.name, json));
        }
    }
    Ok(values)
}

/// A field's JSON, or `None` if it is missing.
fn value(cursor: &mut Cursor<'_>, kind: &Kind) -> Result<Option<String>, ProtocolError> {
    let text = |value: String| json::quoted(&value);
    Ok(Some(match kind {
        Kind::Bool => cursor.bool()?.to_string(),
        Kind::U8 => cursor.u8()?.to_string(),
        Kind::I8 => i8::from_be_bytes(cursor.array()?).to_string(),
        Kind::U16 => cursor.u16()?.to_string(),
        Kind::I16 => i16::from_be_bytes(cursor.array()?).to_string(),
        Kind::I32 => cursor.i32()?.to_string(),
        Kind::I31 => match cursor.i32()? {
            number @ -0x4000_0000..=0x3fff_ffff => number.to_string(),
            _ => return Err(cursor.error("a number has more than 30 bits")),
        },
        Kind::I64 => text(cursor.i64()?.to_string()),
        Kind::N => text(read_n(cursor)?.to_string()),
        Kind::Z => text(read_z(cursor)?.to_string()),
        Kind::Ratio => fraction(&cursor.u16()?.to_string(), &cursor.u16()?.to_string()),
        Kind::Rational => {
            let numerator = text(read_z(cursor)?.to_string());
            fraction(&numerator, &text(read_z(cursor)?.to_string()))
        }
        Kind::Bytes => {
            let numbers: Vec<String> = cursor.sized()?.iter().map(u8::to_string).collect();
            format!("[{}]", numbers.join(","))
        }
        Kind::Record(fields) => {
            let mut object = json::Object::new();
            for (name, json) in record(cursor, fields)? {
                object.field(name, &json);
            }
            object.finish()
        }
        Kind::OptionalKeyHash => {
            return optional(cursor, PUBLIC_KEY_HASH_BYTES, |bytes| {
                Ok(PublicKeyHash::from_bytes(bytes)?.to_string())
            });
        }
        Kind::OptionalRollup => {
            return optional(cursor, 20, |hash| Ok(base58::encode(Prefix::SR1, hash)));
        }
        Kind::OptionalSeed => {
            return optional(cursor, 32, |hash| Ok(encode_with(&STATE_HASH, hash)));
        }
    }))
}

fn fraction(numerator: &str, denominator: &str) -> String {
    json::Object::new()
        .field("numerator", numerator)
        .field("denominator", denominator)
        .finish()
}

fn optional(
    cursor: &mut Cursor<'_>,
    length: usize,
    text: impl Fn(&[u8]) -> Result<String, ProtocolError>,
) -> Result<Option<String>, ProtocolError> {
    match cursor.u8()? {
        0 => Ok(None),
        PRESENT => Ok(Some(json::quoted(&text(cursor.take(length)?)?))),
        other => Err(cursor.error(format!("{other:#04x} where a field is there or not"))),
    }
}
