//! A wallet's view of the served chain.

use heliostat_core::Assurance;
use heliostat_sim::zcash::generator::PlantedNote;
use heliostat_zcash_proto::{
    BlockId, BlockRange, CompactBlock, compact_tx_streamer_client::CompactTxStreamerClient,
};

use super::must;
use crate::cli::exit::Failure;

/// The blocks `from..=to` of the default set, and the grade in the trailer.
pub async fn range(
    server: &str,
    from: u64,
    to: u64,
) -> Result<(Vec<CompactBlock>, String), Failure> {
    let failed = |status: tonic::Status| Failure::failed(format!("GetBlockRange: {status}"));
    let mut client = CompactTxStreamerClient::connect(server.to_owned())
        .await
        .map_err(anyhow::Error::from)?;
    let at = |height| {
        Some(BlockId {
            height,
            ..BlockId::default()
        })
    };
    let request = BlockRange {
        start: at(from),
        end: at(to),
        pool_types: Vec::new(),
    };
    let mut stream = client
        .get_block_range(request)
        .await
        .map_err(failed)?
        .into_inner();
    let mut blocks = Vec::new();
    while let Some(block) = stream.message().await.map_err(failed)? {
        blocks.push(block);
    }
    let trailers = stream.trailers().await.map_err(failed)?;
    let grade = trailers
        .as_ref()
        .and_then(|trailers| trailers.get(Assurance::FIELD)?.to_str().ok())
        .unwrap_or("")
        .to_owned();
    Ok((blocks, grade))
}

/// Every block names the one before it as its parent.
pub fn must_link(blocks: &[CompactBlock]) -> Result<(), Failure> {
    for pair in blocks.windows(2) {
        must(pair[1].prev_hash == pair[0].hash, || {
            format!("block {} links to the one before it", pair[1].height)
        })?;
    }
    Ok(())
}

/// Whether the transaction that carries a planted note is among the blocks,
/// at its height.
pub fn holds(blocks: &[CompactBlock], note: &PlantedNote) -> bool {
    let first = blocks.first().map_or(0, |block| block.height);
    let block = note
        .height
        .checked_sub(first)
        .and_then(|index| blocks.get(usize::try_from(index).ok()?));
    block.is_some_and(|block| block.vtx.iter().any(|tx| tx.txid[..] == note.txid[..]))
}
