//! Looking at one block.

use heliostat_core::{Assurance, Id};
use heliostat_zcash_proto::{ChainMetadata, CompactBlock};
use heliostat_zcash_verifier::{Header, Tip, TreeSizes, recheck, scan};
use prost::Message as _;

use super::Problem;
use crate::{
    chunk::{Proof, Record, Stored},
    filter::{Filter, Pools, has_bare_transaction, split_frame},
    frames::{Projection, only_message},
    view::{ReadError, View},
};

/// What looking at a block gave.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) problems: Vec<Problem>,
    /// Its tree sizes are a node's word.
    pub(super) on_word: bool,
    /// The verifier's tip could not be moved on.
    pub(super) lost: bool,
}

/// Checks the block at `index` of a chunk. Without a tip, nothing is checked
/// against the block before it.
pub(super) fn look(
    stored: &Stored,
    index: usize,
    height: u64,
    proof: Option<&Proof>,
    tip: Option<&mut Tip>,
) -> Seen {
    let mut seen = Seen::default();
    let mut problem = |rule: &str, words: String| {
        seen.problems.push(Problem::at(height, rule, words));
    };
    let (Some(record), Some(full), Some(shielded)) = (
        stored.records.get(index),
        split_frame(stored.full.frame(index)).map(|(message, _)| message),
        split_frame(stored.shielded.frame(index)).map(|(message, _)| message),
    ) else {
        problem("store.frame", "its stored frames are not whole".into());
        seen.lost = true;
        return seen;
    };
    for (name, message, crc) in [
        ("full", full, record.full_crc),
        ("shielded", shielded, record.shielded_crc),
    ] {
        let found = crc32fast::hash(message);
        if found != crc {
            let words = format!("its {name} compact block sums to {found:08x}, not {crc:08x}");
            problem("store.checksum", words);
        }
    }
    let mut filtered = Vec::with_capacity(shielded.len());
    let filter = Filter::pools(Pools::SHIELDED);
    if filter.message(full, &mut filtered).is_err() || filtered != shielded {
        let words = "its two compact blocks differ in the shielded pools";
        problem("store.projection", words.into());
    }
    let Ok(compact) = CompactBlock::decode(full) else {
        problem("store.frame", "its compact block cannot be read".into());
        seen.lost = true;
        return seen;
    };
    if has_bare_transaction(full).unwrap_or(true) != record.bare {
        let words = "its record says another kind of transactions than there are";
        problem("store.record", words.into());
    }
    if let Err(words) = agrees(&compact, height, &record, stored.records.parent(index)) {
        problem("store.compact", words);
    }
    let Some(proof) = proof else {
        problem("store.proof", "its header and txids are missing".into());
        seen.lost = true;
        return seen;
    };
    if let Err(words) = txids_agree(&compact, proof) {
        problem("store.txids", words);
    }
    if let Some(tip) = tip {
        again(&mut seen, tip, &record, proof, added(&compact), height);
    }
    seen
}

/// The compact block's own fields against the record.
fn agrees(
    compact: &CompactBlock,
    height: u64,
    record: &Record,
    parent: Option<Id>,
) -> Result<(), String> {
    if compact.height != height {
        return Err(format!("its compact block says height {}", compact.height));
    }
    if compact.hash[..] != record.id.0 || u64::from(compact.time) != record.time {
        return Err("hash or time of its compact block is another one".into());
    }
    if parent.is_none_or(|parent| compact.prev_hash[..] != parent.0) {
        return Err("its compact block names another parent".into());
    }
    let sizes = compact.chain_metadata.as_ref().map(|sizes| {
        [
            sizes.sapling_commitment_tree_size,
            sizes.orchard_commitment_tree_size,
            sizes.ironwood_commitment_tree_size,
        ]
    });
    if sizes != Some(record.sizes) {
        return Err(format!(
            "its compact block gives tree sizes {sizes:?}, recorded are {:?}",
            record.sizes
        ));
    }
    Ok(())
}

/// Every transaction of the block is there, under its txid.
fn txids_agree(compact: &CompactBlock, proof: &Proof) -> Result<(), String> {
    let ids = proof.txids();
    if compact.vtx.len() != ids.len() {
        return Err(format!(
            "its compact block has {} transactions, the block {}",
            compact.vtx.len(),
            ids.len()
        ));
    }
    let wrong = compact.vtx.iter().find(|tx| {
        let id = usize::try_from(tx.index).ok().and_then(|at| ids.get(at));
        id.is_none_or(|id| tx.txid[..] != *id)
    });
    match wrong {
        Some(tx) => Err(format!("transaction {} has another txid", tx.index)),
        None => Ok(()),
    }
}

/// Leaves the block adds to each tree, by counting.
fn added(compact: &CompactBlock) -> TreeSizes {
    let mut added = TreeSizes::default();
    for tx in &compact.vtx {
        added = added.plus(TreeSizes {
            sapling: tx.outputs.len() as u32,
            orchard: tx.actions.len() as u32,
            ironwood: tx.ironwood_actions.len() as u32,
        });
    }
    added
}

/// The verifier's own checks again, and its results against the record.
fn again(
    seen: &mut Seen,
    tip: &mut Tip,
    record: &Record,
    proof: &Proof,
    counted: TreeSizes,
    height: u64,
) {
    let mut problem = |rule: &str, words: String| {
        seen.problems.push(Problem::at(height, rule, words));
    };
    let before = tip.sizes();
    let [sapling, orchard, ironwood] = record.sizes;
    let recorded = TreeSizes {
        sapling,
        orchard,
        ironwood,
    };
    let after = before.plus(counted);
    if after != recorded {
        // Sizes of a block that could not be read in full are a node's word.
        seen.on_word = record.cap == Assurance::Relayed;
        if !seen.on_word {
            let words = format!("its trees count {after:?}, recorded are {recorded:?}");
            problem("store.sizes", words);
        }
    }
    // The count goes on from what is recorded, so that one wrong size is one
    // problem.
    let added = TreeSizes {
        sapling: recorded.sapling.saturating_sub(before.sapling),
        orchard: recorded.orchard.saturating_sub(before.orchard),
        ironwood: recorded.ironwood.saturating_sub(before.ironwood),
    };
    match recheck(tip, &proof.header, proof.txids(), added) {
        Ok(found) => {
            if found.link.height != height || found.link.id != record.id || proof.id != record.id {
                problem("store.header", "its header is that of another block".into());
                seen.lost = true;
            } else if found.link.time != record.time || found.work != record.work {
                problem(
                    "store.record",
                    "time or work is not what its header says".into(),
                );
            } else if record.cap > tip.cap() {
                let (recorded, most) = (record.cap, tip.cap());
                let words = format!("it is recorded as {recorded}, but its chain gives {most}");
                problem("store.grade", words);
            }
        }
        Err(broken) => {
            problem(broken.rule, broken.words);
            seen.lost = true;
        }
    }
}

/// Compares a stored block with its raw bytes, read again from a node: the
/// compact block is made anew and must be the stored one. Empty when it is.
pub async fn deep(view: &View, height: u64, raw: &[u8]) -> Result<Vec<Problem>, ReadError> {
    let Some((record, _)) = view.record(height).await? else {
        return Err(ReadError::Missing(height));
    };
    let scanned = match scan(raw) {
        Ok(scanned) => scanned,
        // What it holds was a node's word in the first place.
        Err(error) if error.is_opaque() && record.cap == Assurance::Relayed => {
            return Ok(Vec::new());
        }
        Err(error) => {
            let words = format!("the node's block cannot be read: {error}");
            return Ok(vec![Problem::at(height, "deep.unreadable", words)]);
        }
    };
    if scanned.hash != record.id.0 {
        let words = "the node has another block at this height";
        return Ok(vec![Problem::at(height, "deep.hash", words)]);
    }
    let contradicts = match Header::at_front_of(raw) {
        Ok(header) => header.merkle_root() != scanned.merkle_root,
        Err(_) => true,
    };
    if contradicts {
        let words = "the node's block contradicts its own Merkle root: it proves nothing";
        return Ok(vec![Problem::at(height, "deep.merkle-root", words)]);
    }
    let mut problems = Vec::new();
    let header = view.proof(height).await?.map(|proof| proof.header);
    if header.as_deref() != raw.get(..scanned.header_len) {
        let words = "the stored header is not the node's";
        problems.push(Problem::at(height, "deep.header", words));
    }
    let metadata = metadata(record.sizes);
    for (name, projection, mut expected) in [
        ("full", Projection::Full, scanned.full),
        ("shielded", Projection::Shielded, scanned.shielded),
    ] {
        expected.extend_from_slice(&metadata);
        let slab = view.frames(height, height, projection).next().await?;
        let stored = slab.as_ref().and_then(only_message);
        if stored.as_deref() != Some(&expected[..]) {
            let words = format!("the stored {name} compact block is not what its raw block gives");
            problems.push(Problem::at(height, "deep.compact", words));
        }
    }
    Ok(problems)
}

/// Field 8 of a compact block, which is there even when all sizes are 0.
fn metadata([sapling, orchard, ironwood]: [u32; 3]) -> Vec<u8> {
    let block = CompactBlock {
        chain_metadata: Some(ChainMetadata {
            sapling_commitment_tree_size: sapling,
            orchard_commitment_tree_size: orchard,
            ironwood_commitment_tree_size: ironwood,
        }),
        ..Default::default()
    };
    block.encode_to_vec()
}
