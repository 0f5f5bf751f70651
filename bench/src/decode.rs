//! One stream through the generated tonic client, which decodes every
//! `CompactBlock`: what a wallet written with it can take in, whatever the
//! server could send. Windows and message handling are the client library's
//! own defaults.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use heliostat_zcash_proto::{BlockId, BlockRange, CompactBlock};

use crate::{
    load::{self, Plan},
    machine, unary,
};

/// Runs `plan` over one connection; its `span` and `connections` are not
/// used. Heights and links are checked.
pub async fn run(plan: &Plan) -> Result<load::Report> {
    let mut client = unary::connect(&plan.server)
        .await?
        .max_decoding_message_size(usize::MAX);
    let id = |height| {
        Some(BlockId {
            height,
            ..Default::default()
        })
    };
    let cpu_before = plan.pid.map(machine::cpu_time).transpose()?;
    let start = Instant::now();
    let (mut blocks, mut bytes, mut times) = (0, 0, Vec::new());
    while times.is_empty() || start.elapsed() < plan.least {
        let asked = Instant::now();
        let request = BlockRange {
            start: id(plan.from),
            end: id(plan.to),
            pool_types: plan.pools.clone(),
        };
        let mut stream = client.get_block_range(request).await?.into_inner();
        let mut last: Option<CompactBlock> = None;
        let mut expected = plan.from;
        while let Some(block) = stream.message().await? {
            ensure!(block.height == expected, "block {} came", block.height);
            let linked = last.is_none_or(|last| last.hash == block.prev_hash);
            ensure!(linked, "block {expected} does not link to the one before");
            bytes += prost::Message::encoded_len(&block) as u64;
            (blocks, expected) = (blocks + 1, expected + 1);
            last = Some(block);
        }
        ensure!(expected == plan.to + 1, "the stream ended at {expected}");
        times.push(asked.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = match (plan.pid, cpu_before) {
        (Some(pid), Some(before)) => Some(machine::cpu_time(pid)?.saturating_sub(before)),
        _ => None,
    };
    times.sort();
    load::report(blocks, bytes, seconds, cpu, &times).context("nothing was asked for")
}
