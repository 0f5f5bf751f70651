//! Writing the binary form.

use super::{
    AFTER_NODE, BEFORE_NODE, BLINDED_INODE, BLINDED_NODE, BLINDED_VALUE, DENSE, EXTENDER,
    INODE_EXTENDER, NODE, NODE_COUNT, NONE, NOTHING, SOMETHING, VALUE,
};
use crate::{
    Kind, Proof,
    defaults::{BRANCHING, DENSE_FROM},
    proof::segment,
    tree::{Branch, Entry, Inode, Part, Tree},
};

/// The bytes of a proof.
pub fn write(proof: &Proof) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 << 12);
    let flag = |kind, flag| if kind == Kind::Directory { flag } else { 0 };
    bytes.push(flag(proof.before.kind, BEFORE_NODE) | flag(proof.after.kind, AFTER_NODE));
    bytes.extend(proof.version.to_be_bytes());
    bytes.extend(proof.before.hash.0);
    bytes.extend(proof.after.hash.0);
    tree(&mut bytes, &proof.tree);
    bytes
}

/// The bytes of a node's answer.
pub fn write_answer(proof: Option<&Proof>) -> Vec<u8> {
    let inside = match proof {
        None => vec![NOTHING],
        Some(proof) => [&[SOMETHING], &write(proof)[..]].concat(),
    };
    let length = (inside.len() as u32).to_be_bytes();
    [&length, &inside[..]].concat()
}

fn tree(bytes: &mut Vec<u8>, tree: &Tree) {
    match &tree.0 {
        Part::Contents(contents) => {
            let length = contents.bytes.len();
            match length {
                0..=0xff => bytes.extend([VALUE, length as u8]),
                0x100..=0xffff => {
                    bytes.push(VALUE | 0b01);
                    bytes.extend((length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(VALUE | 0b11);
                    bytes.extend((length as u32).to_be_bytes());
                }
            }
            bytes.extend_from_slice(&contents.bytes);
        }
        Part::Blinded(Kind::Contents, hash) => {
            bytes.push(BLINDED_VALUE);
            bytes.extend(hash.0);
        }
        Part::Blinded(Kind::Directory, hash) => {
            bytes.push(BLINDED_NODE);
            bytes.extend(hash.0);
        }
        Part::Flat(bucket) => entries(bytes, &bucket.entries),
        Part::Wide(inode) => branch(bytes, EXTENDER, inode),
    }
}

fn inode(bytes: &mut Vec<u8>, inode: &Inode) {
    match inode {
        Inode::Blinded(hash) => {
            bytes.push(BLINDED_INODE);
            bytes.extend(hash.0);
        }
        Inode::Values(bucket) => entries(bytes, &bucket.entries),
        Inode::Branch(below) => branch(bytes, INODE_EXTENDER, below),
    }
}

fn entries(bytes: &mut Vec<u8>, entries: &[Entry]) {
    let counted = entries.len() >= usize::from(NODE_COUNT);
    let start = if counted {
        bytes.push(NODE | NODE_COUNT);
        bytes.extend([0; 4]);
        bytes.len()
    } else {
        bytes.push(NODE | entries.len() as u8);
        0
    };
    for entry in entries {
        bytes.push(entry.name.len() as u8);
        bytes.extend_from_slice(&entry.name);
        tree(bytes, &entry.tree);
    }
    if counted {
        let length = (bytes.len() - start) as u32;
        bytes[start - 4..start].copy_from_slice(&length.to_be_bytes());
    }
}

fn branch(bytes: &mut Vec<u8>, extender: u8, branch: &Branch) {
    if let Some((indices, end)) = branch.chain() {
        tagged_length(bytes, extender, branch.total);
        let segment = segment::write(&indices);
        bytes.push(segment.len() as u8);
        bytes.extend(segment);
        inode(bytes, end);
    } else if branch.children.len() < DENSE_FROM {
        let count = (branch.children.len() as u8) << 2;
        tagged_length(bytes, count, branch.total);
        for (index, child) in &branch.children {
            bytes.push(*index);
            inode(bytes, child);
        }
    } else {
        tagged_length(bytes, DENSE, branch.total);
        for place in 0..BRANCHING as u8 {
            match branch.at(place) {
                Some(child) => inode(bytes, child),
                None => bytes.push(NONE),
            }
        }
    }
}

/// A tag and a length of 1, 2, 4 or 8 bytes.
fn tagged_length(bytes: &mut Vec<u8>, tag: u8, length: u64) {
    let width = match length {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xffff_ffff => 2,
        _ => 3,
    };
    bytes.push(tag | width);
    bytes.extend_from_slice(&length.to_be_bytes()[8 - (1 << width)..]);
}
