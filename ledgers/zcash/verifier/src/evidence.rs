//! Evidence: how it is put together, and how a third party reaches the same
//! verdict from its exhibits alone. About blocks here, about single answers in
//! `answers`.

mod answers;

use bytes::Bytes;
use heliostat_core::{Evidence, Exhibit};

use crate::{
    DescribedTx, Header, Network,
    cursor::Cursor,
    defaults::MAX_BLOCK_BYTES,
    described::{Failure, examine},
    difficulty::{self, Past},
    rules::Broken,
};

pub use answers::{another_transaction, another_tree_state};

/// Name of the network, as text.
const NETWORK: &str = "network";
/// Eight bytes, most significant first.
const ASKED: &str = "height asked for";
/// The serialized block.
const BLOCK: &str = "block as sent";
/// Per transaction: txid (32), length (4, least significant first), bytes.
const DESCRIPTION: &str = "description as sent";
/// Serialized headers, oldest first, the last being the block's parent.
const PREVIOUS: &str = "headers before the block";

/// Where a broken rule was found.
pub(crate) struct Scene<'a> {
    pub(crate) network: Network,
    pub(crate) asked: u64,
    pub(crate) block: &'a [u8],
    pub(crate) described: Option<&'a [DescribedTx]>,
    /// Headers before the block, oldest first, when the rule is about them.
    pub(crate) previous: Vec<&'a [u8]>,
}

impl Scene<'_> {
    pub(crate) fn evidence(&self, broken: Broken) -> Evidence {
        let mut exhibits = vec![
            Exhibit::new(NETWORK, self.network.name()),
            Exhibit::new(ASKED, self.asked.to_be_bytes()),
            // No more is needed to see that a block is too long.
            Exhibit::new(
                BLOCK,
                &self.block[..self.block.len().min(MAX_BLOCK_BYTES + 1)],
            ),
        ];
        if let Some(txs) = self.described {
            let mut bytes = Vec::new();
            for tx in txs {
                // A longer transaction than u32 can say is no part of any
                // block; its bytes then contradict the length given here.
                let len = u32::try_from(tx.raw.len()).unwrap_or(u32::MAX);
                bytes.extend_from_slice(&tx.txid);
                bytes.extend_from_slice(&len.to_le_bytes());
                bytes.extend_from_slice(&tx.raw);
            }
            exhibits.push(Exhibit::new(DESCRIPTION, bytes));
        }
        if !self.previous.is_empty() {
            exhibits.push(Exhibit::new(PREVIOUS, self.previous.concat()));
        }
        exhibits.extend(broken.computed);
        Evidence {
            rule: broken.rule.to_owned(),
            words: broken.words,
            height: Some(self.asked),
            exhibits,
        }
    }
}

/// Why evidence does not convict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConvicting {
    /// An exhibit the verdict needs is not there, or not readable.
    #[error("exhibit {0:?} is missing or cannot be read")]
    Exhibit(&'static str),
    /// The headers do not lead up to the block.
    #[error("the headers before the block are not its ancestors, or too few")]
    Context,
    /// What was sent may be sound, only too new for this release.
    #[error("the exhibits cannot be read by this release: {0}")]
    Opaque(String),
    /// Another rule is broken than the one named.
    #[error("the evidence names {named}, but the exhibits break {found}")]
    OtherRule {
        /// The rule named.
        named: String,
        /// The rule found broken.
        found: &'static str,
    },
    /// No rule is broken.
    #[error("the exhibits break no rule")]
    Holds,
}

/// Reaches the verdict again from the exhibits alone: `Ok` when they break the
/// very rule the evidence names. Nothing is taken from its words.
///
/// # Errors
///
/// [`NotConvicting`] says what is missing.
pub fn convict(evidence: &Evidence) -> Result<(), NotConvicting> {
    if let Some(verdict) = answers::convict(evidence) {
        return verdict;
    }
    let exhibit = |name| exhibit(evidence, name);
    let needed = |name| needed(evidence, name);
    let network = std::str::from_utf8(needed(NETWORK)?)
        .ok()
        .and_then(Network::by_name)
        .ok_or(NotConvicting::Exhibit(NETWORK))?;
    let asked = needed(ASKED)?
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| NotConvicting::Exhibit(ASKED))?;
    let block = needed(BLOCK)?;
    let described = exhibit(DESCRIPTION)
        .map(|bytes| read_description(bytes).ok_or(NotConvicting::Exhibit(DESCRIPTION)))
        .transpose()?;

    let found = match examine(network, asked, block, described.as_deref()) {
        Err(Failure::Opaque(why)) => return Err(NotConvicting::Opaque(why)),
        Err(Failure::Broken(broken)) => broken,
        Ok(_) => {
            let previous = exhibit(PREVIOUS).ok_or(NotConvicting::Holds)?;
            let header = Header::at_front_of(block).map_err(|_| NotConvicting::Exhibit(BLOCK))?;
            let ancestors = ancestors(network, asked, &header, previous)?;
            in_context(network, asked, &header, ancestors)?
        }
    };
    if found.rule != evidence.rule {
        return Err(NotConvicting::OtherRule {
            named: evidence.rule.clone(),
            found: found.rule,
        });
    }
    Ok(())
}

/// The bytes of an exhibit.
fn exhibit<'a>(evidence: &'a Evidence, name: &'static str) -> Option<&'a [u8]> {
    let mut all = evidence.exhibits.iter();
    let found = all.find(|exhibit| exhibit.name == name);
    found.map(|exhibit| &exhibit.bytes[..])
}

fn needed<'a>(evidence: &'a Evidence, name: &'static str) -> Result<&'a [u8], NotConvicting> {
    exhibit(evidence, name).ok_or(NotConvicting::Exhibit(name))
}

/// The headers before a block, oldest first, if each is the parent of the
/// next, the last is the block's, and a first block is the network's.
fn ancestors<'a>(
    network: Network,
    height: u64,
    block: &Header<'_>,
    bytes: &'a [u8],
) -> Result<Vec<Header<'a>>, NotConvicting> {
    let mut cursor = Cursor::new(bytes);
    let mut headers = Vec::new();
    while !cursor.rest().is_empty() {
        let header = Header::read(&mut cursor);
        headers.push(header.map_err(|_| NotConvicting::Exhibit(PREVIOUS))?);
    }
    let children = headers.iter().skip(1).chain([block]);
    let linked = headers
        .iter()
        .zip(children)
        .all(|(parent, child)| parent.hash() == child.prev());
    let first = headers.first().ok_or(NotConvicting::Context)?;
    let rooted = headers.len() as u64 != height || first.hash() == network.genesis().0;
    if linked && rooted {
        Ok(headers)
    } else {
        Err(NotConvicting::Context)
    }
}

/// The contextual rule a block breaks after those headers.
fn in_context(
    network: Network,
    height: u64,
    block: &Header<'_>,
    ancestors: Vec<Header<'_>>,
) -> Result<Broken, NotConvicting> {
    let past: Vec<Past> = ancestors.into_iter().rev().map(Past::from).collect();
    match difficulty::check(network, height, block, &past) {
        Err(broken) => Ok(broken),
        Ok(true) => Err(NotConvicting::Holds),
        Ok(false) => Err(NotConvicting::Context),
    }
}

fn read_description(bytes: &[u8]) -> Option<Vec<DescribedTx>> {
    let mut cursor = Cursor::new(bytes);
    let mut txs = Vec::new();
    while !cursor.rest().is_empty() {
        let txid = *cursor.array("txid").ok()?;
        let len = usize::try_from(cursor.u32("length").ok()?).ok()?;
        let raw = Bytes::copy_from_slice(cursor.take(len, "transaction").ok()?);
        txs.push(DescribedTx { txid, raw });
    }
    Some(txs)
}

#[cfg(test)]
mod tests {
    use heliostat_core::{Assurance, Id, Link, Reject, Verifier as _};

    use super::*;
    use crate::{RawBlock, Tip, TreeSizes, ZcashVerifier, rule};

    /// Nobody can make a block with real proof-of-work and wrong `nBits` for a
    /// test. Mainnet's first blocks, held to the test network's rules, are
    /// such blocks in all but their first ancestor.
    #[test]
    fn wrong_nbits_are_found_in_context_and_the_exhibits_suffice_to_find_them_again() {
        let blocks = &zebra_test::vectors::MAINNET_BLOCKS;
        let header = |height| Header::at_front_of(blocks[&height]).expect("a header");
        let mut tip = Tip {
            network: Network::Test,
            link: Some(Link {
                height: 9,
                id: Id(header(9).hash()),
                parent: Id(header(8).hash()),
                time: u64::from(header(9).time()),
            }),
            headers: (0..10).map(|h| Bytes::from(header(h).bytes())).collect(),
            sizes: TreeSizes::default(),
            work: 0,
            cap: Assurance::Proven,
        };
        let verifier = ZcashVerifier::new(Network::Test);
        let bytes = Bytes::from(blocks[&10]);
        let described = None;
        let checked = verifier.check(10, RawBlock { bytes, described });
        let placed = verifier.extend(&mut tip, checked.expect("sound alone"));
        let Err(Reject::Wrong(evidence)) = placed else {
            panic!("mainnet's limit passed on the test network");
        };
        assert_eq!(evidence.rule, rule::DIFFICULTY);
        assert_eq!(tip.next_height(), 10, "the tip did not move");

        let exhibit = |name| evidence.exhibits.iter().find(|e| e.name == name);
        let previous = &exhibit(PREVIOUS).expect("headers").bytes;
        let mut cursor = Cursor::new(previous);
        let mut ancestors = Vec::new();
        while !cursor.rest().is_empty() {
            ancestors.push(Header::read(&mut cursor).expect("a header"));
        }
        let found = in_context(Network::Test, 10, &header(10), ancestors);
        assert_eq!(found.expect("convicts").rule, rule::DIFFICULTY);
        // The one thing wrong with this accusation is noticed.
        assert_eq!(convict(&evidence), Err(NotConvicting::Context));
    }
}
