//! Transactions of versions 1 to 6, taken apart but not interpreted: where
//! each part lies, in fixed strides, without arithmetic on curves.
//!
//! Layouts: protocol specification, "transaction encoding"; ZIP 225 (v5);
//! ZIP 229 (v6: a second bundle of Orchard's shape, Ironwood).
//!
//! What others use is [`read`] and [`txid`](txid()): one transaction without
//! its block.

mod alone;

pub use alone::{Transaction, read, txid};

use crate::{
    ScanError,
    cursor::Cursor,
    defaults::{MIN_INPUT_BYTES, MIN_OUTPUT_BYTES, SHIELDED_PARTS_LIMIT},
    protobuf,
};

const OVERWINTER_GROUP: u32 = 0x03c4_8270;
const SAPLING_GROUP: u32 = 0x892f_2085;
const V5_GROUP: u32 = 0x26a7_270a;
const V6_GROUP: u32 = 0xd884_b698;

/// The bit of the first field that says a version group follows.
const OVERWINTERED: u32 = 1 << 31;

/// Bytes of a Sapling spend up to version 4, and from 5 on.
const SPEND_V4: usize = 384;
const SPEND_V5: usize = 96;
/// Bytes of a Sapling output up to version 4, and from 5 on.
const OUTPUT_V4: usize = 948;
const OUTPUT_V5: usize = 756;
/// Bytes of an Orchard or Ironwood action.
pub(crate) const ACTION: usize = 820;
/// Bytes of a JoinSplit with a BCTV14 proof, and with a Groth16 one.
const JOIN_SPLIT_BCTV14: usize = 1_802;
const JOIN_SPLIT_GROTH16: usize = 1_698;
const PROOF: usize = 192;
const SIGNATURE: usize = 64;

/// The layouts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Format {
    /// Without a version group: version 1, or 2 and above with JoinSplits.
    Sprout,
    Overwinter,
    Sapling,
    V5,
    V6,
}

impl Format {
    /// The version number; 2 stands for everything without a group.
    pub(crate) fn version(self) -> u32 {
        match self {
            Self::Sprout => 2,
            Self::Overwinter => 3,
            Self::Sapling => 4,
            Self::V5 => 5,
            Self::V6 => 6,
        }
    }
}

/// Equal-sized elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strided<'a> {
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> Strided<'a> {
    const EMPTY: Self = Self {
        bytes: &[],
        stride: 1,
    };

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.stride
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks_exact(self.stride)
    }
}

/// Transparent inputs or outputs: their bytes without the count before them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transparent<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) count: usize,
    /// Bytes they take in a compact transaction.
    pub(crate) compact: usize,
}

/// A bundle of Orchard's shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bundle<'a> {
    pub(crate) actions: Strided<'a>,
    /// Flags (1), value balance (8), anchor (32); empty without actions.
    pub(crate) tail: &'a [u8],
}

impl Bundle<'_> {
    const EMPTY: Self = Self {
        actions: Strided::EMPTY,
        tail: &[],
    };
}

/// Where everything lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) format: Format,
    pub(crate) inputs: Transparent<'a>,
    pub(crate) outputs: Transparent<'a>,
    pub(crate) spends: Strided<'a>,
    pub(crate) sapling_outputs: Strided<'a>,
    /// Value balance (8) and anchor (32) of a version 5 or 6 Sapling bundle;
    /// empty where the layout leaves them out.
    pub(crate) sapling_balance: &'a [u8],
    pub(crate) sapling_anchor: &'a [u8],
    pub(crate) orchard: Bundle<'a>,
    pub(crate) ironwood: Bundle<'a>,
}

impl<'a> Parts<'a> {
    /// Reads one transaction. `index` is only for the words of an error.
    pub(crate) fn read(cursor: &mut Cursor<'a>, index: usize) -> Result<Self, ScanError> {
        let start = *cursor;
        let header = cursor.u32("transaction header")?;
        let format = if header & OVERWINTERED == 0 {
            Format::Sprout
        } else {
            let group = cursor.u32("version group id")?;
            match (header & !OVERWINTERED, group) {
                (3, OVERWINTER_GROUP) => Format::Overwinter,
                (4, SAPLING_GROUP) => Format::Sapling,
                (5, V5_GROUP) => Format::V5,
                (6, V6_GROUP) => Format::V6,
                _ => {
                    return Err(ScanError::UnknownFormat {
                        index,
                        header,
                        group,
                    });
                }
            }
        };
        let mut parts = match format {
            Format::V5 | Format::V6 => Self::read_v5(cursor, format)?,
            _ => Self::read_v4(cursor, format, header)?,
        };
        parts.raw = cursor.since(&start);
        Ok(parts)
    }

    fn read_v4(cursor: &mut Cursor<'a>, format: Format, version: u32) -> Result<Self, ScanError> {
        let mut parts = Self::transparent(cursor, format)?;
        cursor.take(4, "lock time")?;
        if format == Format::Sprout && version < 2 {
            return Ok(parts);
        }
        if format >= Format::Overwinter {
            cursor.take(4, "expiry height")?;
        }
        if format == Format::Sapling {
            cursor.take(8, "Sapling value balance")?;
            parts.spends = shielded(cursor, SPEND_V4, "Sapling spend count")?;
            parts.sapling_outputs = shielded(cursor, OUTPUT_V4, "Sapling output count")?;
        }
        let stride = if format == Format::Sapling {
            JOIN_SPLIT_GROTH16
        } else {
            JOIN_SPLIT_BCTV14
        };
        let join_splits = cursor.count("JoinSplit count", stride)?;
        cursor.take(join_splits * stride, "JoinSplits")?;
        if join_splits > 0 {
            cursor.take(32 + SIGNATURE, "JoinSplit key and signature")?;
        }
        if !(parts.spends.is_empty() && parts.sapling_outputs.is_empty()) {
            cursor.take(SIGNATURE, "Sapling binding signature")?;
        }
        Ok(parts)
    }

    fn read_v5(cursor: &mut Cursor<'a>, format: Format) -> Result<Self, ScanError> {
        cursor.take(12, "branch id, lock time and expiry height")?;
        let mut parts = Self::transparent(cursor, format)?;
        parts.spends = shielded(cursor, SPEND_V5, "Sapling spend count")?;
        parts.sapling_outputs = shielded(cursor, OUTPUT_V5, "Sapling output count")?;
        let (spends, outputs) = (parts.spends.len(), parts.sapling_outputs.len());
        if spends + outputs > 0 {
            parts.sapling_balance = cursor.take(8, "Sapling value balance")?;
        }
        if spends > 0 {
            parts.sapling_anchor = cursor.take(32, "Sapling anchor")?;
        }
        cursor.take((PROOF + SIGNATURE) * spends, "Sapling spend proofs")?;
        cursor.take(PROOF * outputs, "Sapling output proofs")?;
        if spends + outputs > 0 {
            cursor.take(SIGNATURE, "Sapling binding signature")?;
        }
        parts.orchard = Self::bundle(cursor, "Orchard action count")?;
        if format == Format::V6 {
            parts.ironwood = Self::bundle(cursor, "Ironwood action count")?;
        }
        Ok(parts)
    }

    fn bundle(cursor: &mut Cursor<'a>, what: &'static str) -> Result<Bundle<'a>, ScanError> {
        let actions = shielded(cursor, ACTION, what)?;
        if actions.is_empty() {
            return Ok(Bundle::EMPTY);
        }
        let tail = cursor.take(41, "flags, value balance and anchor")?;
        let proof = cursor.compact_size("proof length")?;
        cursor.take(proof, "proof")?;
        cursor.take(SIGNATURE * (actions.len() + 1), "signatures")?;
        Ok(Bundle { actions, tail })
    }

    fn transparent(cursor: &mut Cursor<'a>, format: Format) -> Result<Self, ScanError> {
        let inputs = list(cursor, MIN_INPUT_BYTES, "input count", |cursor| {
            let index = Input::read(cursor)?.index;
            Ok(protobuf::input_len(index))
        })?;
        let outputs = list(cursor, MIN_OUTPUT_BYTES, "output count", |cursor| {
            let output = Output::read(cursor)?;
            Ok(protobuf::output_len(output.value, output.script.len()))
        })?;
        Ok(Self {
            raw: &[],
            format,
            inputs,
            outputs,
            spends: Strided::EMPTY,
            sapling_outputs: Strided::EMPTY,
            sapling_balance: &[],
            sapling_anchor: &[],
            orchard: Bundle::EMPTY,
            ironwood: Bundle::EMPTY,
        })
    }

    /// The inputs again; they were read once, so this cannot fail.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = Input<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.inputs.bytes);
        std::iter::from_fn(move || Input::read(&mut cursor).ok()).take(self.inputs.count)
    }

    /// The outputs again.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = Output<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.outputs.bytes);
        std::iter::from_fn(move || Output::read(&mut cursor).ok()).take(self.outputs.count)
    }

    /// Whether this is a coinbase: its one input spends nothing (protocol
    /// specification, "coinbase transactions": a null outpoint).
    pub(crate) fn is_coinbase(&self) -> bool {
        const NULL: [u8; 36] = {
            let mut outpoint = [0; 36];
            (outpoint[32], outpoint[33]) = (0xff, 0xff);
            (outpoint[34], outpoint[35]) = (0xff, 0xff);
            outpoint
        };
        self.inputs.count == 1 && self.inputs().all(|input| *input.outpoint == NULL)
    }

    /// Where a nullifier begins within a Sapling spend of this version.
    pub(crate) fn nullifier_at(&self) -> usize {
        if self.format <= Format::Sapling {
            64
        } else {
            32
        }
    }
}

/// A transparent input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// Txid (32) and index (4) of the output spent, as serialized.
    pub(crate) outpoint: &'a [u8; 36],
    /// The same index.
    pub(crate) index: u32,
    pub(crate) script: &'a [u8],
    pub(crate) sequence: &'a [u8; 4],
}

impl<'a> Input<'a> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ScanError> {
        let outpoint: &[u8; 36] = cursor.array("outpoint")?;
        let [.., a, b, c, d] = *outpoint;
        let length = cursor.compact_size("input script length")?;
        Ok(Self {
            outpoint,
            index: u32::from_le_bytes([a, b, c, d]),
            script: cursor.take(length, "input script")?,
            sequence: cursor.array("sequence number")?,
        })
    }
}

/// A transparent output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output<'a> {
    /// Zatoshi.
    pub(crate) value: u64,
    pub(crate) script: &'a [u8],
}

impl<'a> Output<'a> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ScanError> {
        let value = u64::from_le_bytes(*cursor.array("output value")?);
        let length = cursor.compact_size("output script length")?;
        Ok(Self {
            value,
            script: cursor.take(length, "output script")?,
        })
    }
}

/// A counted list of variable-length elements; `read` reads one and says how
/// long it is in a compact transaction.
fn list<'a>(
    cursor: &mut Cursor<'a>,
    least: usize,
    what: &'static str,
    read: impl Fn(&mut Cursor<'a>) -> Result<usize, ScanError>,
) -> Result<Transparent<'a>, ScanError> {
    let count = cursor.count(what, least)?;
    let start = *cursor;
    let mut compact = 0;
    for _ in 0..count {
        compact += read(cursor)?;
    }
    Ok(Transparent {
        bytes: cursor.since(&start),
        count,
        compact,
    })
}

/// A counted list of shielded parts.
fn shielded<'a>(
    cursor: &mut Cursor<'a>,
    stride: usize,
    what: &'static str,
) -> Result<Strided<'a>, ScanError> {
    let count = cursor.count(what, stride)?;
    if count >= SHIELDED_PARTS_LIMIT {
        return Err(ScanError::TooMany { what, count });
    }
    Ok(Strided {
        bytes: cursor.take(count * stride, what)?,
        stride,
    })
}
