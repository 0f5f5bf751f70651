//! Evidence: how it is put together, and how a third party reaches the same
//! verdict from its exhibits alone.

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
    /// The block may be sound, only too new for this release.
    #[error("the block cannot be read by this release: {0}")]
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
    let exhibit = |name: &'static str| {
        let found = evidence
            .exhibits
            .iter()
            .find(|exhibit| exhibit.name == name);
        found.map(|exhibit| &exhibit.bytes[..])
    };
    let needed = |name: &'static str| exhibit(name).ok_or(NotConvicting::Exhibit(name));
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
            in_context(network, asked, block, previous)?
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

/// The contextual rule a sound block breaks after those headers.
fn in_context(
    network: Network,
    height: u64,
    block: &[u8],
    previous: &[u8],
) -> Result<Broken, NotConvicting> {
    let unreadable = |_| NotConvicting::Exhibit(PREVIOUS);
    let header = Header::at_front_of(block).map_err(|_| NotConvicting::Exhibit(BLOCK))?;
    let mut cursor = Cursor::new(previous);
    let mut headers = Vec::new();
    while !cursor.rest().is_empty() {
        headers.push(Header::read(&mut cursor).map_err(unreadable)?);
    }
    let children = headers.iter().skip(1).chain([&header]);
    let linked = headers
        .iter()
        .zip(children)
        .all(|(parent, child)| parent.hash() == child.prev());
    if !linked {
        return Err(NotConvicting::Context);
    }
    let past: Vec<Past> = headers.into_iter().rev().map(Past::from).collect();
    match difficulty::check(network, height, &header, &past) {
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
