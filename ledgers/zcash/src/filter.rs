//! The field skipper: turns stored frames of all pools into any other subset,
//! or into nullifiers, by copying the fields that stay.
//!
//! Nothing is decoded. A field that stays is copied byte for byte, neighbours
//! together; a length in front of something that shrank is written anew. The
//! result is what decoding, filtering and encoding again would give, because
//! the stored messages have their fields in ascending order with the shortest
//! lengths, and every kept part stays whole.
//!
//! What is dropped follows lightwalletd (`FilterTxPool` and
//! `pruneCompactBlockToNullifiers`):
//! - a transaction with no part left in the wanted pools is dropped, a block
//!   never is, and transactions keep their original index;
//! - nullifiers keep spends whole, of an action its nullifier alone, and
//!   neither outputs nor transparent parts; the tree sizes become zero, but
//!   the (empty) `chainMetadata` message stays;
//! - whether a transaction is dropped is decided *before* it is stripped to
//!   nullifiers, so one with nothing but outputs stays as index and txid.

use thiserror::Error;

/// A set of value pools, as the bits of [`Pools::TRANSPARENT`] and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pools(u8);

impl Pools {
    /// No pool: every transaction is dropped.
    pub const NONE: Self = Self(0);
    /// Transparent inputs and outputs.
    pub const TRANSPARENT: Self = Self(1);
    /// Sapling spends and outputs.
    pub const SAPLING: Self = Self(2);
    /// Orchard actions.
    pub const ORCHARD: Self = Self(4);
    /// Ironwood actions.
    pub const IRONWOOD: Self = Self(8);
    /// What a request that names no pool gets.
    pub const SHIELDED: Self = Self(2 | 4 | 8);
    /// All four.
    pub const ALL: Self = Self(15);

    /// The pools of a request's `poolTypes`: an empty list stands for all
    /// shielded pools, numbers that name no pool are ignored (a list of
    /// nothing else is the empty set). 0, the invalid pool, is the caller's to
    /// refuse.
    pub fn requested(types: &[i32]) -> Self {
        if types.is_empty() {
            return Self::SHIELDED;
        }
        let bit = |number: &i32| match number {
            1..=4 => 1 << (number - 1),
            _ => 0,
        };
        Self(types.iter().map(bit).fold(0, |all, one| all | one))
    }

    /// Whether every pool of `other` is in here.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The pools of either.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether field `number` of a `CompactTx` is a part of one of these
    /// pools.
    fn holds(self, number: u8) -> bool {
        let pool = match number {
            4 | 5 => Self::SAPLING,
            6 => Self::ORCHARD,
            7 | 8 => Self::TRANSPARENT,
            9 => Self::IRONWOOD,
            _ => return false,
        };
        self.contains(pool)
    }
}

/// What is made of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Parts of other pools are left out.
    pub pools: Pools,
    /// Only nullifiers are left of what stays.
    pub nullifiers: bool,
    /// Transactions with no part in `pools` stay, as index and txid.
    pub keep_empty: bool,
}

/// The bytes are not a run of gRPC frames holding compact blocks as this
/// release writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a compact block at byte {at} of a stored frame")]
pub struct Malformed {
    /// How many bytes were left when the walk stopped.
    pub at: usize,
}

/// Length of a gRPC message prefix: a flag byte and a 4-byte big-endian
/// length.
pub const PREFIX: usize = 5;

/// A field of a protobuf message.
struct Field<'a> {
    number: u8,
    /// Tag, length and content.
    whole: &'a [u8],
    /// The content of a length-delimited field; empty for a varint.
    content: &'a [u8],
}

/// Takes a varint off the front.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if byte & 0x80 == 0 {
            *bytes = &bytes[i + 1..];
            return Some(value);
        }
    }
    None
}

/// Takes a field off the front. The messages here have field numbers below 16
/// (one tag byte) and two wire types: varint and length-delimited.
fn field<'a>(bytes: &mut &'a [u8]) -> Result<Field<'a>, Malformed> {
    let start = *bytes;
    let lost = Malformed { at: start.len() };
    let (&tag, rest) = start.split_first().ok_or(lost)?;
    *bytes = rest;
    let mut content: &[u8] = &[];
    match tag {
        0x80.. => return Err(lost),
        _ if tag & 7 == 0 => {
            varint(bytes).ok_or(lost)?;
        }
        _ if tag & 7 == 2 => {
            let length = varint(bytes).ok_or(lost)?;
            let length = usize::try_from(length).map_err(|_| lost)?;
            (content, *bytes) = bytes.split_at_checked(length).ok_or(lost)?;
        }
        _ => return Err(lost),
    }
    Ok(Field {
        number: tag >> 3,
        whole: &start[..start.len() - bytes.len()],
        content,
    })
}

/// Copies neighbouring pieces of one buffer in one go.
struct Run<'a> {
    source: &'a [u8],
    /// Where the run began: so many bytes before the end of `source`.
    open: Option<usize>,
}

impl<'a> Run<'a> {
    fn new(source: &'a [u8]) -> Self {
        Self { source, open: None }
    }

    /// What is left to read is `rest`; the field before it, of length
    /// `length`, stays.
    fn keep(&mut self, rest: &[u8], length: usize) {
        self.open.get_or_insert(rest.len() + length);
    }

    /// Ends the run `before` bytes before the end of the source.
    fn end(&mut self, before: usize, out: &mut Vec<u8>) {
        if let Some(open) = self.open.take() {
            let length = self.source.len();
            out.extend_from_slice(&self.source[length - open..length - before]);
        }
    }
}

fn varint_length(value: usize) -> usize {
    ((usize::BITS - (value | 1).leading_zeros()) as usize).div_ceil(7)
}

fn write_varint(mut value: usize, out: &mut [u8]) {
    for slot in out.iter_mut() {
        *slot = (value & 0x7f) as u8 | 0x80;
        value >>= 7;
    }
    if let Some(last) = out.last_mut() {
        *last &= 0x7f;
    }
}

/// Appends `tag`, a length, and whatever `fill` appends. `most` is at least
/// that length: room for its varint is left in front, and when fewer bytes do,
/// the content moves down. `fill` returns whether it is wanted after all.
fn nested(
    tag: u8,
    most: usize,
    out: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<bool, Malformed>,
) -> Result<(), Malformed> {
    let start = out.len();
    let room = varint_length(most);
    out.push(tag);
    out.resize(start + 1 + room, 0);
    let begin = out.len();
    if !fill(out)? {
        out.truncate(start);
        return Ok(());
    }
    let length = out.len() - begin;
    let needed = varint_length(length);
    if needed < room {
        out.copy_within(begin.., start + 1 + needed);
        out.truncate(start + 1 + needed + length);
    }
    write_varint(length, &mut out[start + 1..start + 1 + needed]);
    Ok(())
}

impl Filter {
    /// The parts of `pools`, transactions with none of them dropped.
    pub fn pools(pools: Pools) -> Self {
        Self {
            pools,
            nullifiers: false,
            keep_empty: false,
        }
    }

    /// Appends to `out` the frames in `frames`, each filtered and with its own
    /// prefix. `frames` must hold whole frames.
    pub fn frames(&self, mut frames: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        while !frames.is_empty() {
            let lost = Malformed { at: frames.len() };
            let (message, rest) = split_frame(frames).ok_or(lost)?;
            let start = out.len();
            out.extend_from_slice(&[0; PREFIX]);
            self.message(message, out)?;
            let length = u32::try_from(out.len() - start - PREFIX).map_err(|_| lost)?;
            out[start + 1..start + PREFIX].copy_from_slice(&length.to_be_bytes());
            frames = rest;
        }
        Ok(())
    }

    /// Appends to `out` the `CompactBlock` in `message`, filtered.
    pub fn message(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut rest = message;
        let mut run = Run::new(message);
        while !rest.is_empty() {
            let field = field(&mut rest)?;
            let before = rest.len() + field.whole.len();
            match field.number {
                7 => {
                    run.end(before, out);
                    nested(field.whole[0], field.content.len(), out, |out| {
                        self.transaction(field.content, out)
                    })?;
                }
                8 if self.nullifiers => {
                    run.end(before, out);
                    out.extend_from_slice(&[field.whole[0], 0]);
                }
                _ => run.keep(rest, field.whole.len()),
            }
        }
        run.end(0, out);
        Ok(())
    }

    /// Appends what stays of a `CompactTx`; says whether it stays at all.
    fn transaction(&self, tx: &[u8], out: &mut Vec<u8>) -> Result<bool, Malformed> {
        let mut rest = tx;
        let mut run = Run::new(tx);
        let mut wanted = self.keep_empty;
        while !rest.is_empty() {
            let field = field(&mut rest)?;
            let before = rest.len() + field.whole.len();
            let part = self.pools.holds(field.number);
            wanted |= part;
            match field.number {
                6 | 9 if part && self.nullifiers => {
                    run.end(before, out);
                    nested(field.whole[0], field.content.len(), out, |out| {
                        nullifier(field.content, out)
                    })?;
                }
                5 | 7 | 8 if self.nullifiers => run.end(before, out),
                4..=9 if !part => run.end(before, out),
                _ => run.keep(rest, field.whole.len()),
            }
        }
        run.end(0, out);
        Ok(wanted)
    }
}

/// Appends field 1 of an action.
fn nullifier(mut action: &[u8], out: &mut Vec<u8>) -> Result<bool, Malformed> {
    while !action.is_empty() {
        let field = field(&mut action)?;
        if field.number == 1 {
            out.extend_from_slice(field.whole);
        }
    }
    Ok(true)
}

/// The message of the first frame, and what follows the frame.
pub fn split_frame(frames: &[u8]) -> Option<(&[u8], &[u8])> {
    let (prefix, rest) = frames.split_first_chunk::<PREFIX>()?;
    let [0, length @ ..] = *prefix else {
        return None;
    };
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(length)).ok()?)
}

/// Whether a compact block of all pools has a transaction with no part in any
/// of them (such as one that only moves value within Sprout). Where there is
/// none, the stored block is also the answer to a request for all four pools.
pub fn has_bare_transaction(mut message: &[u8]) -> Result<bool, Malformed> {
    while !message.is_empty() {
        let block = field(&mut message)?;
        if block.number != 7 {
            continue;
        }
        let mut tx = block.content;
        let mut bare = true;
        while bare && !tx.is_empty() {
            bare = !Pools::ALL.holds(field(&mut tx)?.number);
        }
        if bare {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
