//! How fast stored frames leave the replica, in one process: the stream alone,
//! the HTTP/2 body, and decode-filter-encode on the same blocks as the
//! measure. Prints blocks per second and the ratio; the load over a socket is
//! measured by `bench`.
//!
//! Run with `cargo bench -p heliostat-zcash --bench range`.

use std::{hint::black_box, sync::Arc, time::Instant};

use bytes::Bytes;
use heliostat_core::{Assurance, Id, Link};
use heliostat_node::Minimum;
use heliostat_store::Options;
use heliostat_zcash::{
    chunk::TABLES,
    filter::{PREFIX, Pools, split_frame},
    frames::Projection,
    range::{RangeContext, range_routes},
    replica::{BlockLog, NewBlock},
};
use heliostat_zcash_proto::{
    BlockId, BlockRange, ChainMetadata, CompactBlock, CompactOrchardAction, CompactTx, TxOut,
};
use http_body_util::BodyExt as _;
use prost::Message as _;

const BLOCKS: u64 = 100_000;

fn id(height: u64) -> Id {
    let mut id = [0x5a; 32];
    id[..8].copy_from_slice(&height.to_le_bytes());
    Id(id)
}

/// A block with a coinbase and so many Orchard actions.
fn block(height: u64, actions: usize) -> NewBlock {
    let fill = |n: usize| Bytes::from(vec![height as u8; n]);
    let coinbase = CompactTx {
        txid: fill(32),
        vout: vec![TxOut {
            value: 1,
            script_pub_key: fill(25),
        }],
        ..Default::default()
    };
    let shielded = CompactTx {
        index: 1,
        txid: fill(32),
        actions: vec![
            CompactOrchardAction {
                nullifier: fill(32),
                cmx: fill(32),
                ephemeral_key: fill(32),
                ciphertext: fill(52),
            };
            actions
        ],
        ..Default::default()
    };
    let mut compact = CompactBlock {
        height,
        hash: Bytes::copy_from_slice(&id(height).0),
        prev_hash: Bytes::copy_from_slice(&id(height.wrapping_sub(1)).0),
        time: 1_700_000_000,
        vtx: vec![coinbase],
        chain_metadata: Some(ChainMetadata::default()),
        ..Default::default()
    };
    if actions > 0 {
        compact.vtx.push(shielded);
    }
    let full = compact.encode_to_vec().into();
    compact.vtx.remove(0);
    NewBlock {
        link: Link {
            height,
            id: id(height),
            parent: id(height.wrapping_sub(1)),
            time: 1_700_000_000,
        },
        header: fill(1487),
        txids: vec![[1; 32]; 2],
        full,
        shielded: compact.encode_to_vec().into(),
        sizes: [0; 3],
        work: 0,
        cap: Assurance::Proven,
    }
}

async fn stored(address: &str, actions: usize) -> BlockLog {
    let store = heliostat_store::open(address, "bench", &TABLES, Options::default())
        .await
        .expect("the store opens");
    let log = BlockLog::open(store, "regtest", 32 << 20, false)
        .await
        .expect("the store is new");
    let start = Instant::now();
    for first in (0..BLOCKS).step_by(1000) {
        let blocks = (first..first + 1000).map(|height| block(height, actions));
        log.commit(None, blocks.collect(), false)
            .await
            .expect("the disk has room");
    }
    let rate = BLOCKS as f64 / start.elapsed().as_secs_f64();
    let chunks = log.view().index().chunks.forward().count();
    println!("  commit: {rate:>12.0} blocks/s, {chunks} chunks");
    log
}

async fn stream(log: &BlockLog, start: u64, end: u64, projection: Projection) -> usize {
    let mut stream = log.view().frames(start, end, projection);
    let mut bytes = 0;
    while let Some(slab) = stream.next().await.expect("the store is sound") {
        bytes += black_box(slab.bytes).len();
    }
    bytes
}

/// The whole answer of the route, without a socket.
async fn body(routes: &mut axum::Router, pools: &[i32]) {
    let at = |height| {
        Some(BlockId {
            height,
            ..Default::default()
        })
    };
    let range = BlockRange {
        start: at(0),
        end: at(BLOCKS - 1),
        pool_types: pools.to_vec(),
    };
    let message = range.encode_to_vec();
    let mut frame = vec![0, 0, 0, 0, message.len() as u8];
    frame.extend_from_slice(&message);
    let request = http::Request::post("/cash.z.wallet.sdk.rpc.CompactTxStreamer/GetBlockRange")
        .header("content-type", "application/grpc")
        .body(axum::body::Body::from(frame))
        .expect("the parts are valid");
    let response = tower::Service::call(routes, request).await;
    let mut body = response.expect("routes never fail").into_body();
    while let Some(frame) = body.frame().await {
        let _ = black_box(frame.expect("the body never fails"));
    }
}

/// The same answer by decoding, filtering and encoding each block.
async fn baseline(log: &BlockLog) {
    let mut stream = log.view().frames(0, BLOCKS - 1, Projection::Full);
    while let Some(slab) = stream.next().await.expect("the store is sound") {
        let mut frames = &slab.bytes[..];
        while let Some((message, rest)) = split_frame(frames) {
            let message = slab.bytes.slice_ref(message);
            let mut block = CompactBlock::decode(message).expect("encoded by prost");
            for tx in &mut block.vtx {
                tx.vin.clear();
                tx.vout.clear();
            }
            block.vtx.retain(|tx| !tx.actions.is_empty());
            let mut out = Vec::with_capacity(PREFIX + block.encoded_len());
            out.extend_from_slice(&[0; PREFIX]);
            block.encode(&mut out).expect("a vector grows");
            black_box(out);
            frames = rest;
        }
    }
}

async fn rate<F: Future>(name: &str, base: Option<f64>, mut pass: impl FnMut() -> F) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        black_box(pass().await);
        best = best.min(start.elapsed().as_secs_f64());
    }
    let rate = BLOCKS as f64 / best;
    let nanos = best * 1e9 / BLOCKS as f64;
    match base {
        Some(base) => {
            let ratio = rate / base;
            println!("  {name:<34} {rate:>12.0} blocks/s {nanos:>7.0} ns each, {ratio:>6.1}x");
        }
        None => println!("  {name:<34} {rate:>12.0} blocks/s {nanos:>7.0} ns each"),
    }
    rate
}

async fn measure(address: &str, actions: usize) {
    let size = block(0, actions).full.len();
    println!("{address} with blocks of {size} bytes");
    let log = stored(address, actions).await;
    let base = rate("decode, filter, encode", None, || baseline(&log)).await;
    let base = Some(base);
    let end = BLOCKS - 1;
    for (name, projection) in [
        ("shielded", Projection::Shielded),
        ("all pools", Projection::pools(Pools::ALL)),
        ("transparent", Projection::pools(Pools::TRANSPARENT)),
        ("nullifiers", Projection::range_nullifiers(&[])),
    ] {
        rate(name, base, || stream(&log, 0, end, projection)).await;
        rate(&format!("{name}, descending"), base, || {
            stream(&log, end, 0, projection)
        })
        .await;
    }
    let mut routes = range_routes(RangeContext {
        shared: log.shared().clone(),
        chain_grade: Arc::new(|_| Assurance::Proven),
        minimum: Minimum::default(),
        observer: None,
    });
    for (name, pools) in [
        ("body, shielded", &[][..]),
        ("body, all pools", &[1, 2, 3, 4]),
    ] {
        let mut best = f64::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            body(&mut routes, pools).await;
            best = best.min(start.elapsed().as_secs_f64());
        }
        let rate = BLOCKS as f64 / best;
        println!("  {name:<34} {rate:>12.0} blocks/s");
    }
}

fn main() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average: {}", load.trim());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    for actions in [0, 3] {
        let path = directory.path().join(format!("{actions}.sqlite"));
        runtime.block_on(measure(&format!("sqlite:{}", path.display()), actions));
    }
}
