//! The baseline: a server of the incumbents' shape. Per block it copies the
//! stored bytes, checks an FNV-1a checksum, decodes the protobuf, filters the
//! pools, hands the block through a channel, and encodes it again. It holds
//! every block in memory, so it is spared what a real server pays for disk.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use axum::{Router, body::Body, routing::post};
use futures::Stream;
use heliostat_zcash_proto::{
    BlockId, BlockRange, ChainMetadata, CompactBlock, CompactOrchardAction, PoolType,
    compact_tx_streamer_client::CompactTxStreamerClient,
};
use http::Request;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Response, Status,
    server::{Grpc, ServerStreamingService, UnaryService},
};
use tonic_prost::ProstCodec;

/// Blocks in flight between the two halves of a stream, as in the Go server's
/// unbuffered hop plus its transport buffer.
const CHANNEL: usize = 16;

/// One block as stored.
struct Stored {
    checksum: u64,
    message: Vec<u8>,
}

/// Copies `from..=to` out of any server with all four pools, then serves them
/// on `listen` until the process is ended.
pub async fn serve(source: &str, from: u64, to: u64, listen: SocketAddr) -> Result<()> {
    let blocks = Arc::new(Baseline {
        first: from,
        blocks: copy(source, from, to).await?,
    });
    let listener = tokio::net::TcpListener::bind(listen).await?;
    eprintln!(
        "baseline serves {} blocks at http://{}",
        blocks.blocks.len(),
        listener.local_addr()?
    );
    const SERVICE: &str = "/cash.z.wallet.sdk.rpc.CompactTxStreamer";
    let range = |keep| {
        let service = RangeService(Arc::clone(&blocks), keep);
        post(move |request: Request<Body>| stream(service, request))
    };
    let single = BlockService(Arc::clone(&blocks));
    let router = Router::new()
        .route(&format!("{SERVICE}/GetBlockRange"), range(Keep::Whole))
        .route(
            &format!("{SERVICE}/GetBlockRangeNullifiers"),
            range(Keep::Nullifiers),
        )
        .route(
            &format!("{SERVICE}/GetBlockNullifiers"),
            post(move |request: Request<Body>| unary(single, request)),
        );
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Best effort: without it only small replies get slower.
            let _ = stream.set_nodelay(true);
        }),
        router,
    )
    .await?;
    Ok(())
}

async fn copy(source: &str, from: u64, to: u64) -> Result<Vec<Stored>> {
    let mut client = CompactTxStreamerClient::connect(source.to_owned())
        .await
        .with_context(|| format!("cannot connect to {source}"))?
        .max_decoding_message_size(usize::MAX);
    let id = |height| {
        Some(BlockId {
            height,
            ..Default::default()
        })
    };
    let request = BlockRange {
        start: id(from),
        end: id(to),
        pool_types: (1..=4).collect(),
    };
    let mut stream = client.get_block_range(request).await?.into_inner();
    let mut blocks = Vec::new();
    while let Some(block) = stream.message().await? {
        let message = block.encode_to_vec();
        blocks.push(Stored {
            checksum: fnv1a(&message),
            message,
        });
    }
    Ok(blocks)
}

/// What is left of a block's parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Whole,
    Nullifiers,
}

async fn stream(
    service: RangeService,
    request: Request<Body>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let codec = ProstCodec::<CompactBlock, BlockRange>::default();
    Ok(Grpc::new(codec).server_streaming(service, request).await)
}

async fn unary(
    service: BlockService,
    request: Request<Body>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let codec = ProstCodec::<CompactBlock, BlockId>::default();
    Ok(Grpc::new(codec).unary(service, request).await)
}

struct Baseline {
    first: u64,
    blocks: Vec<Stored>,
}

/// Both range calls.
#[derive(Clone)]
struct RangeService(Arc<Baseline>, Keep);

/// GetBlockNullifiers, which keeps every transaction.
#[derive(Clone)]
struct BlockService(Arc<Baseline>);

impl UnaryService<BlockId> for BlockService {
    type Response = CompactBlock;
    type Future = Ready<Result<Response<CompactBlock>, Status>>;

    fn call(&mut self, request: tonic::Request<BlockId>) -> Self::Future {
        let block = self.0.stored(request.into_inner().height);
        ready(block.map(|block| Response::new(nullifiers(block))))
    }
}

type Blocks = Pin<Box<dyn Stream<Item = Result<CompactBlock, Status>> + Send>>;

impl ServerStreamingService<BlockRange> for RangeService {
    type Response = CompactBlock;
    type ResponseStream = Blocks;
    type Future =
        Pin<Box<dyn Future<Output = Result<Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<BlockRange>) -> Self::Future {
        let (store, keep) = (Arc::clone(&self.0), self.1);
        Box::pin(async move {
            let range = request.into_inner();
            let height = |id: Option<BlockId>| id.map_or(0, |id| id.height);
            let (start, end) = (height(range.start), height(range.end));
            let (send, receive) = mpsc::channel(CHANNEL);
            let pools = range.pool_types;
            tokio::spawn(async move {
                for height in start..=end {
                    let block = store.stored(height).map(|block| match keep {
                        Keep::Whole => filter(block, &pools),
                        Keep::Nullifiers => nullifiers(filter(block, &pools)),
                    });
                    if send.send(block).await.is_err() {
                        return;
                    }
                }
            });
            let stream: Blocks = Box::pin(ReceiverStream::new(receive));
            Ok(Response::new(stream))
        })
    }
}

impl Baseline {
    /// A block copied, checked and decoded.
    fn stored(&self, height: u64) -> Result<CompactBlock, Status> {
        let stored = height
            .checked_sub(self.first)
            .and_then(|index| self.blocks.get(usize::try_from(index).ok()?))
            .ok_or_else(|| Status::out_of_range("past the last block"))?;
        let copy = stored.message.clone();
        if fnv1a(&copy) != stored.checksum {
            return Err(Status::internal("checksum"));
        }
        CompactBlock::decode(&copy[..]).map_err(|error| Status::internal(error.to_string()))
    }
}

/// Keeps the pools asked for and drops transactions with nothing left.
fn filter(mut block: CompactBlock, pools: &[i32]) -> CompactBlock {
    let wants = |pool: PoolType| match pools {
        [] => pool != PoolType::Transparent,
        some => some.contains(&(pool as i32)),
    };
    block.vtx.retain_mut(|tx| {
        if !wants(PoolType::Transparent) {
            tx.vin.clear();
            tx.vout.clear();
        }
        if !wants(PoolType::Sapling) {
            tx.spends.clear();
            tx.outputs.clear();
        }
        if !wants(PoolType::Orchard) {
            tx.actions.clear();
        }
        if !wants(PoolType::Ironwood) {
            tx.ironwood_actions.clear();
        }
        !(tx.vin.is_empty()
            && tx.vout.is_empty()
            && tx.spends.is_empty()
            && tx.outputs.is_empty()
            && tx.actions.is_empty()
            && tx.ironwood_actions.is_empty())
    });
    block
}

/// Strips what stays to nullifiers.
fn nullifiers(mut block: CompactBlock) -> CompactBlock {
    for tx in &mut block.vtx {
        tx.vin.clear();
        tx.vout.clear();
        tx.outputs.clear();
        for action in tx.actions.iter_mut().chain(&mut tx.ironwood_actions) {
            *action = CompactOrchardAction {
                nullifier: std::mem::take(&mut action.nullifier),
                ..Default::default()
            };
        }
    }
    if let Some(metadata) = &mut block.chain_metadata {
        *metadata = ChainMetadata::default();
    }
    block
}

/// FNV-1a, 64 bits, byte by byte.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
