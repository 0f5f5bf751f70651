//! Compact blocks, written as protobuf bytes straight from the raw parts.

use std::ops::Range;

use crate::{
    TreeSizes,
    protobuf::{bytes, input_body, message, message_len, number, number_len, output_body},
    transaction::{Parts, Strided},
};

/// Keys of `CompactBlock`'s fields.
mod block {
    pub(super) const HEIGHT: u8 = 0x10;
    pub(super) const HASH: u8 = 0x1a;
    pub(super) const PREV: u8 = 0x22;
    pub(super) const TIME: u8 = 0x28;
    pub(super) const TX: u8 = 0x3a;
    pub(super) const METADATA: u8 = 0x42;
}

/// Keys of `CompactTx`'s fields.
mod tx {
    pub(super) const INDEX: u8 = 0x08;
    pub(super) const TXID: u8 = 0x12;
    pub(super) const SPEND: u8 = 0x22;
    pub(super) const OUTPUT: u8 = 0x2a;
    pub(super) const ACTION: u8 = 0x32;
    pub(super) const INPUT: u8 = 0x3a;
    pub(super) const TXOUT: u8 = 0x42;
    pub(super) const IRONWOOD: u8 = 0x4a;
}

/// A 32-byte field: key, length, bytes.
const HASH_FIELD: usize = 34;
/// The 52-byte start of a ciphertext: key, length, bytes.
const CIPHERTEXT_FIELD: usize = 54;
const SPEND: usize = 2 + HASH_FIELD;
const OUTPUT: usize = 2 + 2 * HASH_FIELD + CIPHERTEXT_FIELD;
/// The body is longer than 127 bytes, so its length takes two.
const ACTION: usize = 3 + 3 * HASH_FIELD + CIPHERTEXT_FIELD;

/// The two compact forms of one block while they are written.
pub(crate) struct Projections {
    /// Every pool, every transaction.
    pub(crate) full: Vec<u8>,
    /// Sapling, Orchard and Ironwood; transactions without such parts dropped.
    pub(crate) shielded: Vec<u8>,
}

/// The fields before the transactions.
pub(crate) struct Heading {
    pub(crate) height: u64,
    pub(crate) hash: [u8; 32],
    pub(crate) prev: [u8; 32],
    pub(crate) time: u32,
}

impl Projections {
    /// `raw_len` is the length of the raw block, to guess capacities from.
    pub(crate) fn new(heading: &Heading, raw_len: usize) -> Self {
        let mut full = Vec::with_capacity(256 + raw_len / 2);
        number(&mut full, block::HEIGHT, heading.height);
        bytes(&mut full, block::HASH, &heading.hash);
        bytes(&mut full, block::PREV, &heading.prev);
        number(&mut full, block::TIME, u64::from(heading.time));
        let mut shielded = Vec::with_capacity(256 + raw_len / 4);
        shielded.extend_from_slice(&full);
        Self { full, shielded }
    }

    /// Appends a transaction. The inputs of the first one, the coinbase, are
    /// left out.
    pub(crate) fn push(&mut self, index: usize, txid: &[u8; 32], parts: &Parts<'_>) {
        let lengths = Lengths::of(index as u64, index > 0, parts);
        let full = &mut self.full;
        message(full, block::TX, lengths.full());
        let (middle, ironwood) = lengths.write(full, txid, parts);

        if lengths.is_shielded() {
            let out = &mut self.shielded;
            message(out, block::TX, lengths.shielded());
            number(out, tx::INDEX, index as u64);
            bytes(out, tx::TXID, txid);
            out.extend_from_slice(&full[middle]);
            out.extend_from_slice(&full[ironwood]);
        }
    }

    /// Appends a transaction of which only the id is known.
    pub(crate) fn push_opaque(&mut self, index: usize, txid: &[u8; 32]) {
        let full = &mut self.full;
        message(full, block::TX, number_len(index as u64) + HASH_FIELD);
        number(full, tx::INDEX, index as u64);
        bytes(full, tx::TXID, txid);
    }
}

/// One transaction in compact form, all pools.
pub(crate) fn full(index: u64, txid: &[u8; 32], parts: &Parts<'_>) -> Vec<u8> {
    let lengths = Lengths::of(index, !parts.is_coinbase(), parts);
    let mut out = Vec::with_capacity(lengths.full());
    lengths.write(&mut out, txid, parts);
    out
}

/// The same with the shielded pools alone; `None` when there are no such parts.
pub(crate) fn shielded_only(index: u64, txid: &[u8; 32], parts: &Parts<'_>) -> Option<Vec<u8>> {
    let lengths = Lengths::of(index, false, parts);
    if !lengths.is_shielded() {
        return None;
    }
    let mut out = Vec::with_capacity(lengths.shielded());
    number(&mut out, tx::INDEX, index);
    bytes(&mut out, tx::TXID, txid);
    shielded(&mut out, parts);
    actions(&mut out, tx::IRONWOOD, parts.ironwood.actions);
    Some(out)
}

/// How many bytes each part of a compact transaction takes.
struct Lengths {
    index: u64,
    /// Position and id.
    head: usize,
    /// Sapling and Orchard.
    middle: usize,
    /// Transparent inputs; `None` when they are left out.
    inputs: Option<usize>,
    outputs: usize,
    ironwood: usize,
}

impl Lengths {
    fn of(index: u64, inputs: bool, parts: &Parts<'_>) -> Self {
        Self {
            index,
            head: number_len(index) + HASH_FIELD,
            middle: parts.spends.len() * SPEND
                + parts.sapling_outputs.len() * OUTPUT
                + parts.orchard.actions.len() * ACTION,
            inputs: inputs.then_some(parts.inputs.compact),
            outputs: parts.outputs.compact,
            ironwood: parts.ironwood.actions.len() * ACTION,
        }
    }

    fn full(&self) -> usize {
        self.shielded() + self.inputs.unwrap_or(0) + self.outputs
    }

    fn shielded(&self) -> usize {
        self.head + self.middle + self.ironwood
    }

    fn is_shielded(&self) -> bool {
        self.middle + self.ironwood > 0
    }

    /// Appends the fields of all pools in ascending number, and says where in
    /// `out` the shielded ones stand: Sapling and Orchard, then Ironwood.
    #[inline]
    fn write(
        &self,
        out: &mut Vec<u8>,
        txid: &[u8; 32],
        parts: &Parts<'_>,
    ) -> (Range<usize>, Range<usize>) {
        number(out, tx::INDEX, self.index);
        bytes(out, tx::TXID, txid);
        let middle = out.len();
        shielded(out, parts);
        let middle = middle..out.len();
        if self.inputs.is_some() {
            transparent_inputs(out, parts);
        }
        transparent_outputs(out, parts);
        let ironwood = out.len();
        actions(out, tx::IRONWOOD, parts.ironwood.actions);
        (middle, ironwood..out.len())
    }
}

/// Lays a byte-string field into an element of fixed layout, at `at`.
fn lay(element: &mut [u8], at: usize, tag: u8, bytes: &[u8]) {
    element[at] = tag;
    // 32 and 52 fit one byte of varint.
    element[at + 1] = bytes.len() as u8;
    element[at + 2..at + 2 + bytes.len()].copy_from_slice(bytes);
}

// Elements are put together on the stack and appended at once: a block can
// hold thousands, and growing a vector field by field costs more than the
// fields.

fn shielded(out: &mut Vec<u8>, parts: &Parts<'_>) {
    let nullifier = parts.nullifier_at();
    let mut element = [0; SPEND];
    (element[0], element[1]) = (tx::SPEND, (SPEND - 2) as u8);
    for spend in parts.spends.iter() {
        lay(&mut element, 2, 0x0a, &spend[nullifier..nullifier + 32]);
        out.extend_from_slice(&element);
    }
    let mut element = [0; OUTPUT];
    (element[0], element[1]) = (tx::OUTPUT, (OUTPUT - 2) as u8);
    for output in parts.sapling_outputs.iter() {
        lay(&mut element, 2, 0x0a, &output[32..64]);
        lay(&mut element, 36, 0x12, &output[64..96]);
        lay(&mut element, 70, 0x1a, &output[96..148]);
        out.extend_from_slice(&element);
    }
    actions(out, tx::ACTION, parts.orchard.actions);
}

fn actions(out: &mut Vec<u8>, tag: u8, actions: Strided<'_>) {
    let body = ACTION - 3;
    let mut element = [0; ACTION];
    element[0] = tag;
    (element[1], element[2]) = (body as u8 | 0x80, (body >> 7) as u8);
    for action in actions.iter() {
        lay(&mut element, 3, 0x0a, &action[32..64]);
        lay(&mut element, 37, 0x12, &action[96..128]);
        lay(&mut element, 71, 0x1a, &action[128..160]);
        lay(&mut element, 105, 0x22, &action[160..212]);
        out.extend_from_slice(&element);
    }
}

fn transparent_inputs(out: &mut Vec<u8>, parts: &Parts<'_>) {
    let mut element = [0; 2 + HASH_FIELD];
    element[0] = tx::INPUT;
    for input in parts.inputs() {
        // At most 40 bytes.
        element[1] = input_body(input.index) as u8;
        lay(&mut element, 2, 0x0a, &input.outpoint[..32]);
        out.extend_from_slice(&element);
        number(out, 0x10, u64::from(input.index));
    }
}

fn transparent_outputs(out: &mut Vec<u8>, parts: &Parts<'_>) {
    for output in parts.outputs() {
        message(
            out,
            tx::TXOUT,
            output_body(output.value, output.script.len()),
        );
        number(out, 0x08, output.value);
        bytes(out, 0x12, output.script);
    }
}

/// Appends `chainMetadata`, which is written even when all sizes are zero.
pub(crate) fn finish(out: &mut Vec<u8>, sizes: &TreeSizes) {
    let body = number_len(u64::from(sizes.sapling))
        + number_len(u64::from(sizes.orchard))
        + number_len(u64::from(sizes.ironwood));
    out.reserve(message_len(body));
    message(out, block::METADATA, body);
    number(out, 0x08, u64::from(sizes.sapling));
    number(out, 0x10, u64::from(sizes.orchard));
    number(out, 0x18, u64::from(sizes.ironwood));
}
