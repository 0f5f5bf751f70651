//! The seam towards the core: `check` alone, `extend` in context.

use bytes::Bytes;
use heliostat_core::{Assurance, Id, Link, Point, Reject, Verifier};

use crate::{
    Network, RawBlock, Scanned, Tip, TreeSizes, compact,
    described::{DescribedTx, Failure, examine},
    difficulty,
    evidence::Scene,
    rules,
};

/// Zcash's rules for a light node, on one network.
#[derive(Clone, Copy, Debug)]
pub struct ZcashVerifier {
    network: Network,
    checkpoint: Option<Point>,
}

/// A block that passed every rule it can be held to alone.
#[derive(Debug)]
pub struct Checked {
    /// Kept as evidence until the block is placed.
    raw: RawBlock,
    scanned: Scanned,
}

impl Checked {
    /// What was read of the block.
    pub fn scanned(&self) -> &Scanned {
        &self.scanned
    }
}

/// A verified block, as the replica stores it.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its place in the chain.
    pub link: Link,
    /// The serialized header, solution included.
    pub header: Bytes,
    /// The ids of all its transactions in block order, internal byte order.
    pub txids: Vec<[u8; 32]>,
    /// A complete `CompactBlock` message with all pools, `chainMetadata`
    /// included, without the gRPC prefix.
    pub full: Bytes,
    /// The same for Sapling, Orchard and Ironwood; transactions with nothing
    /// left are dropped.
    pub shielded: Bytes,
    /// Tree sizes after the block.
    pub sizes: TreeSizes,
    /// Work from the first block, or from where the chain was joined.
    pub work: u128,
    /// The best grade the block can have: `Relayed` when a field only a node
    /// supplied went into it, or its difficulty could not be checked. On a
    /// network without proof-of-work the grade is what upstreams agree on,
    /// up to this.
    pub cap: Assurance,
}

impl ZcashVerifier {
    /// The rules of one network.
    pub fn new(network: Network) -> Self {
        Self {
            network,
            checkpoint: None,
        }
    }

    /// Holds the chain to a block that the operator trusts: another one at its
    /// height is [refused](Reject::Refused).
    pub fn held_to(mut self, checkpoint: Point) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// The network whose rules these are.
    pub fn network(&self) -> Network {
        self.network
    }
}

impl Verifier for ZcashVerifier {
    type Raw = RawBlock;
    type Checked = Checked;
    type Tip = Tip;
    type Item = Verified;

    fn check(&self, height: u64, raw: RawBlock) -> Result<Checked, Reject> {
        match examine(self.network, height, &raw.bytes, described(&raw)) {
            Ok(scanned) => Ok(Checked { raw, scanned }),
            Err(Failure::Opaque(why)) => Err(Reject::Opaque(why)),
            Err(Failure::Broken(broken)) => {
                let scene = Scene {
                    network: self.network,
                    asked: height,
                    block: &raw.bytes,
                    described: described(&raw),
                    previous: Vec::new(),
                };
                Err(Reject::Wrong(scene.evidence(broken)))
            }
        }
    }

    fn extend(&self, tip: &mut Tip, checked: Checked) -> Result<Verified, Reject> {
        let Checked { raw, scanned } = checked;
        let parent = Id(scanned.prev);
        if parent != tip.parent() || scanned.height != tip.next_height() {
            return Err(Reject::Unlinked { parent });
        }
        if let Some(Point { height, id }) = self.checkpoint
            && scanned.height == height
            && scanned.hash != id.0
        {
            return Err(Reject::Refused(format!(
                "its block at height {height} is {}, but the checkpoint says {}; check the setting, or the node",
                rules::shown(&scanned.hash),
                rules::shown(&id.0),
            )));
        }
        let (sizes, sizes_counted) = sizes_after(tip, &raw, &scanned)?;
        // Its own allocation: a slice would keep the whole block in memory.
        let header = Bytes::copy_from_slice(&raw.bytes[..scanned.header_len]);
        let in_context = in_context(tip, &raw, &scanned, &header)?;

        let link = Link {
            height: scanned.height,
            id: Id(scanned.hash),
            parent,
            time: u64::from(scanned.time),
        };
        if !(sizes_counted && in_context) {
            tip.cap = Assurance::Relayed;
        }
        tip.sizes = sizes;
        tip.advance(link, header.clone(), scanned.bits);

        let finished = |mut message: Vec<u8>| {
            compact::finish(&mut message, &sizes);
            Bytes::from(message)
        };
        Ok(Verified {
            link,
            header,
            txids: scanned.txids,
            full: finished(scanned.full),
            shielded: finished(scanned.shielded),
            sizes,
            work: tip.work,
            cap: tip.cap,
        })
    }

    fn size(raw: &RawBlock) -> usize {
        let described = raw.described.as_ref();
        let txs = described.map_or(0, |described| {
            described.txs.iter().map(|tx| tx.raw.len()).sum()
        });
        raw.bytes.len() + txs
    }

    fn link(tip: &Tip) -> Option<Link> {
        tip.link()
    }

    fn next_height(tip: &Tip) -> u64 {
        tip.next_height()
    }

    fn weight(tip: &Tip) -> Option<u128> {
        tip.network().has_proof_of_work().then_some(tip.work())
    }
}

fn described(raw: &RawBlock) -> Option<&[DescribedTx]> {
    raw.described.as_ref().map(|described| &described.txs[..])
}

/// Tree sizes after a block, and whether they were counted here. A node's
/// word is taken only for a block that could not be read in full.
fn sizes_after(tip: &Tip, raw: &RawBlock, scanned: &Scanned) -> Result<(TreeSizes, bool), Reject> {
    let counted = tip.sizes.plus(scanned.added);
    match &raw.described {
        Some(described) if scanned.opaque => {
            if described.sizes.holds(counted) {
                Ok((described.sizes, false))
            } else {
                Err(Reject::Opaque(format!(
                    "block {} is described with tree sizes {:?}, fewer than the {counted:?} counted; ask another node",
                    scanned.height, described.sizes
                )))
            }
        }
        _ => Ok((counted, true)),
    }
}

/// Holds a block to the rules about the headers before it; false when too few
/// of those are known.
fn in_context(
    tip: &Tip,
    raw: &RawBlock,
    scanned: &Scanned,
    header: &Bytes,
) -> Result<bool, Reject> {
    let scene = |broken| {
        let needed = tip.network.context(scanned.height);
        let skip = tip.headers.len().saturating_sub(needed);
        let scene = Scene {
            network: tip.network,
            asked: scanned.height,
            block: &raw.bytes,
            described: described(raw),
            previous: tip
                .headers
                .iter()
                .skip(skip)
                .map(|bytes| &bytes[..])
                .collect(),
        };
        Reject::Wrong(scene.evidence(broken))
    };
    let parsed = crate::Header::parse(header)
        .map_err(|error| scene(rules::Broken::new(rules::rule::LAYOUT, error.to_string())))?;
    difficulty::check(tip.network, scanned.height, &parsed, &tip.past()).map_err(scene)
}
