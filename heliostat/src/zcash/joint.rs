//! A checkpoint: the headers and tree sizes a chain is joined with in the
//! middle.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use heliostat_core::Id;
use heliostat_zcash::rpc::Rpc;
use heliostat_zcash_verifier::{
    Header, Joined, Network, Tip, TreeSizes, defaults::CONTEXT_HEADERS,
};
use serde_json::json;

use super::nodes::{Node, Nodes};
use crate::{config::zcash::Checkpoint, defaults};

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
    let headers = headers(node.rpc(), network, checkpoint).await?;
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

/// The headers up to the checkpoint, oldest first: as many as any rule looks
/// back, because what a block above the next upgrade needs cannot be asked for
/// later. Each is held to the id that the one above it names.
async fn headers(
    rpc: &Rpc,
    network: Network,
    checkpoint: &Checkpoint,
) -> Result<Vec<Bytes>, String> {
    let count = match network.has_proof_of_work() {
        true => (CONTEXT_HEADERS as u64).min(checkpoint.height + 1),
        // No rule looks back at all; the checkpoint itself is the joint.
        false => 1,
    };
    let lowest = checkpoint.height + 1 - count;
    let fetched = stream::iter((lowest..=checkpoint.height).rev())
        .map(|height| async move { (height, header(rpc, height).await) })
        .buffered(defaults::HEADER_FETCHES);
    let mut fetched = std::pin::pin!(fetched);
    let mut expected = checkpoint.id;
    let mut headers = Vec::new();
    while let Some((height, header)) = fetched.next().await {
        let bytes = header?;
        let parsed = Header::parse(&bytes).map_err(|error| error.to_string())?;
        if parsed.hash() != expected.0 {
            return Err(other_block(height, checkpoint.height));
        }
        expected = Id(parsed.prev());
        headers.push(bytes);
    }
    headers.reverse();
    Ok(headers)
}

fn other_block(height: u64, checkpoint: u64) -> String {
    match height == checkpoint {
        true => format!(
            "it has another block at height {height} than the checkpoint; check the setting, or the node"
        ),
        false => format!(
            "its block at height {height} is not the one below the checkpoint at {checkpoint}; try another node"
        ),
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
