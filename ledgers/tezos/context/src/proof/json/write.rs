//! Writing the JSON form.

use crate::{
    ContextHash, Kind, Proof,
    defaults::{BRANCHING, DENSE_FROM},
    proof::{KindedHash, segment},
    tree::{Branch, Entry, Inode, Part, Tree},
};

/// The text a node answers with; without spaces.
pub fn write(proof: &Proof) -> String {
    let mut text = String::with_capacity(1 << 13);
    text.push_str(&format!("{{\"version\":{},\"before\":", proof.version));
    kinded_hash(&mut text, &proof.before);
    text.push_str(",\"after\":");
    kinded_hash(&mut text, &proof.after);
    text.push_str(",\"state\":");
    tree(&mut text, &proof.tree);
    text.push('}');
    text
}

fn kinded_hash(text: &mut String, root: &KindedHash) {
    let kind = match root.kind {
        Kind::Directory => "node",
        Kind::Contents => "value",
    };
    text.push_str(&format!("{{\"{kind}\":\"{}\"}}", root.hash));
}

/// A node inside two wrappers: a tag and a string.
fn leaf(text: &mut String, wrapper: &str, tag: &str, inside: &str) {
    text.push_str(&format!(
        "{{\"{wrapper}\":{{\"{wrapper}\":{{\"{tag}\":\"{inside}\"}}}}}}"
    ));
}

fn hash(text: &mut String, wrapper: &str, tag: &str, hash: &ContextHash) {
    leaf(text, wrapper, tag, &hash.to_string());
}

fn tree(text: &mut String, tree: &Tree) {
    const WRAPPER: &str = "other_trees";
    match &tree.0 {
        Part::Contents(contents) => {
            leaf(
                text,
                WRAPPER,
                "value",
                &faster_hex::hex_string(&contents.bytes),
            );
        }
        Part::Blinded(Kind::Contents, blinded) => hash(text, WRAPPER, "blinded_value", blinded),
        Part::Blinded(Kind::Directory, blinded) => hash(text, WRAPPER, "blinded_node", blinded),
        Part::Flat(bucket) => {
            text.push_str("{\"other_trees\":{\"node\":");
            entries(text, &bucket.entries);
            text.push_str("}}");
        }
        Part::Wide(branch) => match branch.chain() {
            None => {
                text.push_str("{\"inode\":");
                proofs(text, branch);
                text.push('}');
            }
            Some((indices, end)) => {
                text.push_str("{\"other_trees\":{\"other_trees\":{\"extender\":");
                extender(text, branch.total, &indices, end);
                text.push_str("}}}");
            }
        },
    }
}

fn inode(text: &mut String, inode: &Inode) {
    const WRAPPER: &str = "other_inode_trees";
    match inode {
        Inode::Blinded(blinded) => hash(text, WRAPPER, "blinded_inode", blinded),
        Inode::Values(bucket) => {
            text.push_str("{\"other_inode_trees\":{\"inode_values\":");
            entries(text, &bucket.entries);
            text.push_str("}}");
        }
        Inode::Branch(branch) => match branch.chain() {
            None => {
                text.push_str("{\"inode_tree\":");
                proofs(text, branch);
                text.push('}');
            }
            Some((indices, end)) => {
                text.push_str("{\"other_inode_trees\":{\"other_inode_trees\":{\"inode_extender\":");
                extender(text, branch.total, &indices, end);
                text.push_str("}}}");
            }
        },
    }
}

fn entries(text: &mut String, entries: &[Entry]) {
    text.push('[');
    for (at, entry) in entries.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        text.push_str(&format!(
            "{comma}[\"{}\",",
            faster_hex::hex_string(&entry.name)
        ));
        tree(text, &entry.tree);
        text.push(']');
    }
    text.push(']');
}

fn extender(text: &mut String, total: u64, indices: &[u8], end: &Inode) {
    let segment = faster_hex::hex_string(&segment::write(indices));
    text.push_str(&format!(
        "{{\"length\":\"{total}\",\"segment\":\"{segment}\",\"proof\":"
    ));
    inode(text, end);
    text.push('}');
}

fn proofs(text: &mut String, branch: &Branch) {
    text.push_str(&format!("{{\"length\":\"{}\",\"proofs\":{{", branch.total));
    if branch.children.len() < DENSE_FROM {
        text.push_str("\"sparse_proof\":[");
        for (at, (index, child)) in branch.children.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            text.push_str(&format!("{comma}[{index},"));
            inode(text, child);
            text.push(']');
        }
    } else {
        text.push_str("\"dense_proof\":[");
        for place in 0..BRANCHING {
            if place > 0 {
                text.push(',');
            }
            match branch.at(place as u8) {
                Some(child) => inode(text, child),
                None => {
                    text.push_str("{\"other_inode_trees\":{\"other_inode_trees\":{\"none\":{}}}}")
                }
            }
        }
    }
    text.push_str("]}}");
}
