//! The first act: real proof-of-work.

use bytes::Bytes;
use heliostat_core::{Reject, Verifier};
use heliostat_sim::zcash::{Block, Node, Profile, mainnet_sample, mainnet_scattered};
use heliostat_zcash_verifier::{Network, RawBlock, ZcashVerifier};

use super::{Stage, act, aside, client, fact, must};
use crate::cli::exit::Failure;

/// Follows mainnet's first blocks from genesis, then checks later ones alone.
pub async fn show() -> Result<(), Failure> {
    act("Mainnet blocks 0 to 10, from genesis");
    let chain = mainnet_sample();
    let last = chain.tip().map_or(0, |block| block.height);
    let upstream = Node::start_as(Profile::mainnet(), chain)
        .await
        .map_err(anyhow::Error::from)?;
    let stage = Stage::open(
        "main",
        "127.0.0.1:0",
        "127.0.0.1:0",
        &[upstream.handle().url()],
    )
    .await?;
    let synced = |chain: &heliostat_observe::ChainStatus| chain.local_height == Some(last);
    stage.until("mainnet", synced).await?;
    let (blocks, assurance) = client::range(&stage.grpc(), 0, last).await?;
    must(blocks.len() as u64 == last + 1, || {
        format!(
            "{} blocks were served instead of {}",
            blocks.len(),
            last + 1
        )
    })?;
    must(assurance == "proven", || {
        format!("mainnet blocks are graded {assurance:?}, not proven")
    })?;
    fact(format_args!(
        "{} blocks served by gRPC, graded `{assurance}`: hash links back to genesis, Equihash, \
         target, difficulty rule, Merkle roots",
        blocks.len()
    ));
    stage.node.shutdown().await?;
    alone()
}

/// Later blocks, each on its own.
fn alone() -> Result<(), Failure> {
    act("Later mainnet blocks, each verified alone");
    let verifier = ZcashVerifier::new(Network::Main);
    let blocks = mainnet_scattered();
    for block in &blocks {
        let verdict = verifier.check(block.height, raw(block, None));
        must(verdict.is_ok(), || {
            format!("mainnet block {} is sound", block.height)
        })?;
    }
    let heights: Vec<_> = blocks
        .iter()
        .map(|block| block.height.to_string())
        .collect();
    fact(format_args!("heights {}", heights.join(", ")));
    aside("checked: layout, height, Equihash, hash below its target, Merkle root of all txids");
    aside(
        "not to be checked of a block alone: its parent, whether its difficulty was due, tree sizes",
    );
    let forged = forge(&verifier, &blocks)?;
    fact(format_args!(
        "one bit of block {} flipped: {}",
        forged.0, forged.1
    ));
    Ok(())
}

/// Flips a bit of the last block's Merkle root: the solution no longer fits.
fn forge(verifier: &ZcashVerifier, blocks: &[Block]) -> Result<(u64, String), Failure> {
    let block = blocks
        .last()
        .ok_or_else(|| Failure::failed("the sample holds no later blocks"))?;
    match verifier.check(block.height, raw(block, Some(36))) {
        Err(Reject::Wrong(evidence)) => Ok((block.height, evidence.words)),
        _ => Err(Failure::failed("a forged block was accepted")),
    }
}

/// The block as an upstream would send it, perhaps with one bit flipped.
fn raw(block: &Block, flip: Option<usize>) -> RawBlock {
    let mut bytes = block.raw.to_vec();
    if let Some(byte) = flip.and_then(|at| bytes.get_mut(at)) {
        *byte ^= 1;
    }
    RawBlock {
        bytes: Bytes::from(bytes),
        described: None,
    }
}
