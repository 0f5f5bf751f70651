//! A checkpoint: the headers and tree sizes a chain is joined with in the
//! middle, and what a stored chain says to it.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use heliostat_core::{Id, Source as _};
use heliostat_node::Replica as _;
use heliostat_zcash::{replica::ZcashReplica, rpc::Rpc, source::ZcashSource};
use heliostat_zcash_verifier::{
    Header, Joined, Network, Tip, TreeSizes, defaults::CONTEXT_HEADERS,
};
use serde_json::json;

use super::nodes::{Node, Nodes};
use crate::{
    cli::exit::{Failure, store_failure},
    config::zcash::Checkpoint,
    defaults,
};

/// Compares the checkpoint with a chain that is stored already, and says in
/// the log what comes of it. A checkpoint above the newest block is left to
/// the verifier.
///
/// # Errors
/// The stored chain has another block there, or other tree sizes.
pub async fn confirm(
    chain: &str,
    replica: &ZcashReplica,
    checkpoint: &Checkpoint,
) -> Result<(), Failure> {
    let height = checkpoint.height;
    let floor = replica.floor().await.map_err(store_failure)?;
    let stored = replica.id_at(height).await.map_err(store_failure)?;
    let Some(stored) = stored else {
        match floor.filter(|floor| *floor > height) {
            Some(begins) => tracing::warn!(
                chain,
                checkpoint = height,
                begins,
                "the checkpoint lies below the stored chain and is not compared with it; \
                 --redownload begins at the checkpoint"
            ),
            None => tracing::info!(
                chain,
                checkpoint = height,
                stored = replica.view().tip().map(|tip| tip.height),
                "the checkpoint lies above the stored chain, which is held to it when it gets there"
            ),
        }
        return Ok(());
    };
    // The joint itself is nothing that could be read again.
    let again = match floor == Some(height) {
        true => "begin anew with --redownload".to_owned(),
        false => format!("read the blocks from there on again with --sync-from-height {height}"),
    };
    if stored != checkpoint.id {
        return Err(Failure::failed(format!(
            "{chain}: the stored chain has block {} at height {height}, but the checkpoint says \
             {}; if the checkpoint is right, {again} or name another store; if not, mend the \
             checkpoint",
            ZcashSource::show(&stored),
            ZcashSource::show(&checkpoint.id),
        )));
    }
    let counted = sizes_at(replica, height).await?;
    if let Some((wanted, (counted, vouched))) = checkpoint.sizes.zip(counted) {
        if wanted != counted {
            return Err(Failure::failed(format!(
                "{chain}: the trees of the stored chain have {counted:?} leaves at height \
                 {height}, but the checkpoint says {wanted:?} (Sapling, Orchard, Ironwood); if \
                 the checkpoint is right, begin anew with --redownload or another store; if not, \
                 mend the checkpoint"
            )));
        }
        if !vouched {
            tracing::warn!(
                chain,
                checkpoint = height,
                "the chain was joined with tree sizes on a node's word, and its blocks stay \
                 relayed; --redownload begins with those of the checkpoint"
            );
        }
    }
    tracing::info!(
        chain,
        checkpoint = height,
        "the stored chain has the checkpoint"
    );
    Ok(())
}

/// Leaves of the trees after a stored block or the joint, and whether they
/// are more than a node's word.
async fn sizes_at(
    replica: &ZcashReplica,
    height: u64,
) -> Result<Option<([u32; 3], bool)>, Failure> {
    if let Some(joined) = replica.joined().filter(|joined| joined.height == height) {
        let TreeSizes {
            sapling,
            orchard,
            ironwood,
        } = joined.sizes;
        return Ok(Some(([sapling, orchard, ironwood], joined.sizes_vouched)));
    }
    let record = replica.view().record(height).await;
    let record = record.map_err(|error| Failure::failed(error.to_string()))?;
    Ok(record.map(|(record, _)| (record.sizes, true)))
}

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
