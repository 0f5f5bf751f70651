//! A checkpoint: the headers and tree sizes a chain is joined with in the
//! middle.

use bytes::Bytes;
use heliostat_zcash::rpc::Rpc;
use heliostat_zcash_verifier::{Header, Joined, Network, Tip, TreeSizes};
use serde_json::json;

use super::nodes::{Node, Nodes};
use crate::config::zcash::Checkpoint;

/// Asks the followed nodes, in their order, for what the chain is joined
/// with. The checkpoint's hash decides what is accepted: headers are linked
/// by hash, so none of them can be another.
///
/// # Errors
/// Why none of them could give it, in words.
pub async fn fetch(
    nodes: &Nodes,
    network: Network,
    checkpoint: &Checkpoint,
) -> Result<Joined, String> {
    let mut told = Vec::new();
    for node in nodes.followed() {
        match from_node(node, network, checkpoint).await {
            Ok(joined) => return Ok(joined),
            Err(why) => told.push(format!("{}: {why}", node.name())),
        }
    }
    Err(format!(
        "for the blocks up to the checkpoint: {}",
        told.join("; ")
    ))
}

async fn from_node(
    node: &Node,
    network: Network,
    checkpoint: &Checkpoint,
) -> Result<Joined, String> {
    let count = network.context(checkpoint.height + 1).max(1) as u64;
    let first = (checkpoint.height + 1).saturating_sub(count);
    let mut headers = Vec::new();
    for height in first..=checkpoint.height {
        headers.push(header(node.rpc(), height).await?);
    }
    let last = headers.last().map(|header| Header::parse(header));
    let found = last.and_then(Result::ok).map(|header| header.hash());
    if found != Some(checkpoint.id.0) {
        return Err(format!(
            "it has another block at height {} than the checkpoint; check the setting, or the node",
            checkpoint.height
        ));
    }
    let sizes = match checkpoint.sizes {
        Some([sapling, orchard, ironwood]) => TreeSizes {
            sapling,
            orchard,
            ironwood,
        },
        None => node_sizes(node.rpc(), checkpoint.height).await?,
    };
    let joined = Joined {
        network,
        height: checkpoint.height,
        headers,
        sizes,
        rooted: true,
        sizes_vouched: checkpoint.sizes.is_some(),
    };
    match Tip::joined(joined.clone()) {
        Ok(_) => Ok(joined),
        Err(error) => Err(error.to_string()),
    }
}

/// A block's header; nodes give headers only within verbose replies, so the
/// block is asked for.
async fn header(rpc: &Rpc, height: u64) -> Result<Bytes, String> {
    let block = rpc
        .raw_block(height)
        .await
        .map_err(|error| error.to_string())?;
    let header = Header::at_front_of(&block).map_err(|error| error.to_string())?;
    Ok(Bytes::copy_from_slice(header.bytes()))
}

/// The sizes a node claims, for a checkpoint without any.
async fn node_sizes(rpc: &Rpc, height: u64) -> Result<TreeSizes, String> {
    let verbose = rpc.call("getblock", json!([height.to_string(), 1])).await;
    let verbose = verbose.map_err(|error| error.to_string())?;
    let size = |pool: &str| {
        let size = verbose["trees"][pool]["size"].as_u64().unwrap_or(0);
        u32::try_from(size).map_err(|_| format!("it claims a {pool} tree of {size} leaves"))
    };
    Ok(TreeSizes {
        sapling: size("sapling")?,
        orchard: size("orchard")?,
        ironwood: size("ironwood")?,
    })
}
