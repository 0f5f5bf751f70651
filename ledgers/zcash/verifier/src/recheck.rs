//! Proving a stored chain again, from what the store keeps of each block.

use bytes::Bytes;
use heliostat_core::{Assurance, Id, Link};

use crate::{
    Broken, Header, Tip, TreeSizes, difficulty, merkle,
    rules::{self, rule},
};

/// A stored block that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rechecked {
    /// Its link, recomputed.
    pub link: Link,
    /// Tree sizes after it, counted on from the block before.
    pub sizes: TreeSizes,
    /// Cumulative work.
    pub work: u128,
}

/// Checks a stored block again as the next one after `tip`, and moves the
/// tip: header hash, link, Merkle root over the txids, proof-of-work, time
/// and `nBits`. What the node said (`Relayed` blocks) cannot be checked this
/// way: the tip's cap only ever falls.
///
/// `header` is one serialized header, `txids` all of the block's in order,
/// `added` the leaves its stored compact form adds to each tree.
///
/// The caller compares the result with what is stored beside the header.
///
/// # Errors
///
/// The first rule that does not hold; the tip is then unchanged.
pub fn recheck(
    tip: &mut Tip,
    header: &Bytes,
    txids: &[[u8; 32]],
    added: TreeSizes,
) -> Result<Rechecked, Broken> {
    let height = tip.next_height();
    let parsed = Header::parse(header)
        .map_err(|error| Broken::new(rule::LAYOUT, format!("stored header: {error}")))?;
    let hash = parsed.hash();
    let parent = Id(parsed.prev());
    if parent != tip.parent() {
        let words = format!(
            "block {} names the parent {}, but {} stands before it",
            rules::shown(&hash),
            rules::shown(&parent.0),
            rules::shown(&tip.parent().0)
        );
        return Err(Broken::new(rule::LINK, words));
    }
    rules::genesis(tip.network, height, &hash)?;
    let root = merkle::root(txids);
    rules::merkle(&parsed, &root.root, root.repeated)?;
    rules::proof_of_work(tip.network, &parsed, &hash)?;
    if !difficulty::check(tip.network, height, &parsed, &tip.past())? {
        tip.cap = Assurance::Relayed;
    }
    let link = Link {
        height,
        id: Id(hash),
        parent,
        time: u64::from(parsed.time()),
    };
    tip.sizes = tip.sizes.plus(added);
    tip.advance(link, header.clone(), parsed.bits());
    Ok(Rechecked {
        link,
        sizes: tip.sizes,
        work: tip.work,
    })
}
