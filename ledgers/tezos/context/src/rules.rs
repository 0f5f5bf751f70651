//! How parts of the context are hashed (tezos.md 3.1).

use crate::{
    ContextHash, Kind,
    hash::blake2b,
    tree::{Entry, Inode},
};

/// How a directory's entry says what it is, in the flat form: eight bytes.
const FLAT_CONTENTS: [u8; 8] = [0xff, 0, 0, 0, 0, 0, 0, 0];
const FLAT_DIRECTORY: [u8; 8] = [0; 8];

/// Rule 1: contents.
pub(crate) fn contents(bytes: &[u8]) -> ContextHash {
    ContextHash(blake2b(&[&(bytes.len() as u64).to_be_bytes(), bytes]))
}

/// Rule 2: a directory of at most 256 entries, sorted by name.
pub(crate) fn flat(entries: &[Entry]) -> ContextHash {
    let mut bytes = Vec::with_capacity(8 + entries.len() * 80);
    bytes.extend((entries.len() as u64).to_be_bytes());
    for entry in entries {
        bytes.extend(match entry.tree.kind() {
            Kind::Contents => FLAT_CONTENTS,
            Kind::Directory => FLAT_DIRECTORY,
        });
        leb128(&mut bytes, entry.name.len() as u64);
        bytes.extend_from_slice(&entry.name);
        bytes.extend(32u64.to_be_bytes());
        bytes.extend(entry.tree.hash().0);
    }
    ContextHash(blake2b(&[&bytes]))
}

/// Rule 3: the lowest inode, entries sorted by name.
pub(crate) fn values(entries: &[Entry]) -> ContextHash {
    let mut bytes = Vec::with_capacity(4 + entries.len() * 72);
    bytes.push(0);
    leb128(&mut bytes, entries.len() as u64);
    for entry in entries {
        leb128(&mut bytes, entry.name.len() as u64);
        bytes.extend_from_slice(&entry.name);
        bytes.push(match entry.tree.kind() {
            Kind::Contents => 1,
            Kind::Directory => 0,
        });
        bytes.extend(entry.tree.hash().0);
    }
    ContextHash(blake2b(&[&bytes]))
}

/// Rule 3: a branching inode, children in the order of their index.
pub(crate) fn branch(depth: u8, total: u64, children: &[(u8, Inode)]) -> ContextHash {
    let mut bytes = Vec::with_capacity(16 + children.len() * 33);
    bytes.push(1);
    leb128(&mut bytes, u64::from(depth));
    leb128(&mut bytes, total);
    leb128(&mut bytes, children.len() as u64);
    for (index, child) in children {
        leb128(&mut bytes, u64::from(*index));
        bytes.extend(child.hash().0);
    }
    ContextHash(blake2b(&[&bytes]))
}

/// Which child of an inode at this depth a name belongs to: OCaml's string
/// hash, seeded with the depth, modulo 32.
pub(crate) fn index(depth: u8, name: &[u8]) -> u8 {
    (ocaml_hash(u32::from(depth), name) % 32) as u8
}

/// OCaml's `seeded_hash` of a string (MurmurHash3, cut to 30 bits).
fn ocaml_hash(seed: u32, bytes: &[u8]) -> u32 {
    let mut hash = seed;
    let mut mix = |word: u32| {
        let word = word
            .wrapping_mul(0xcc9e_2d51)
            .rotate_left(15)
            .wrapping_mul(0x1b87_3593);
        hash = (hash ^ word)
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    };
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        mix(u32::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; 4];
        word[..rest.len()].copy_from_slice(rest);
        mix(u32::from_le_bytes(word));
    }
    hash ^= bytes.len() as u32;
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^= hash >> 16;
    hash & 0x3fff_ffff
}

fn leb128(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_hash_as_in_the_light_mode_document() {
        assert_eq!(
            contents(b"alpha_current").to_string(),
            "CoWVK1YzoDnMGrNioKL9Mze6s4XX8Uw9Vp9hPHYXqHfaFpwnmXmA"
        );
    }

    #[test]
    fn numbers_are_written_seven_bits_a_byte_lowest_first() {
        let mut bytes = Vec::new();
        leb128(&mut bytes, 1349);
        assert_eq!(bytes, [0xc5, 0x0a]);
    }
}
