//! The `CompactTxStreamer` service, protocol v0.5.0, with reflection and
//! health.
//!
//! Blocks come from the replica, everything else from an upstream, checked
//! where it can be; [`method_table`] says which is which. Every answer carries
//! its grade under [`Assurance::FIELD`]: unary ones in the initial metadata,
//! streams in the trailer. Where the service differs from lightwalletd is
//! listed in [`compat_table`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`settings`] | what an operator can set |
//! | [`compat`], [`methods`] | the tables the documentation is generated from |
//! | `service` | the methods: each admits, answers and grades |
//! | `blocks`, `raw` | GetLatestBlock, GetBlock, GetBlockNullifiers; the last two as stored frames |
//! | `info` | GetLightdInfo |
//! | `transaction`, `send` | GetTransaction; SendTransaction |
//! | [`outbox`] | handing transactions to nodes, and looking for them |
//! | `agree` | who else has a transaction in the same bytes |
//! | `trees`, `subtrees` | tree states; subtree roots |
//! | `transparent` | address histories, balances, unspent outputs |
//! | `mempool`, `exclude`, `pools` | the shared copy of the memory pool, and what of it is sent |
//! | `ping` | Ping |
//! | `health` | `grpc.health.v1` |
//! | `upstream` | calls to the node |
//! | `grade`, `limits` | metadata of replies; transport refusals |
//!
//! GetBlockRange and GetBlockRangeNullifiers are not here but in
//! [`range`](crate::range): their paths are routed past the generated service,
//! because they send stored wire frames as they are. So are GetBlock and
//! GetBlockNullifiers, in `raw`.

pub mod compat;
pub mod defaults;
pub mod methods;
pub mod outbox;
pub mod settings;

mod agree;
mod blocks;
mod exclude;
mod grade;
mod health;
mod info;
mod limits;
mod lru;
mod mempool;
mod ping;
mod pools;
mod raw;
mod send;
mod service;
mod subtrees;
mod transaction;
mod transparent;
mod trees;
mod upstream;

pub use compat::{Difference, compat_table};
pub use health::is_serving;
pub use methods::{Method, method_table};
pub use outbox::Outbox;
pub use send::{HANDED_TO, RECEIPT};
pub use settings::{Compat, Settings};

use std::sync::Arc;

use heliostat_core::{Assurance, Link};
use heliostat_node::{Agreement, Progress, Upstream, Upstreams};
use heliostat_store::StoreError;
use heliostat_zcash_proto::{DESCRIPTORS, compact_tx_streamer_server::CompactTxStreamerServer};
use tokio::sync::watch;
use tonic::{Status, service::Routes};
use tonic_health::pb::health_server::HealthServer;

use crate::{
    range::{self, ChainGrade, RangeContext, RangeEnd},
    replica::ZcashReplica,
    source::ZcashSource,
    view::{ReadError, View},
};

/// The service's full name, as health checks ask for it.
pub const SERVICE: &str = "cash.z.wallet.sdk.rpc.CompactTxStreamer";

/// Everything the service answers from.
pub struct Context {
    /// The local copy of the chain.
    pub replica: Arc<ZcashReplica>,
    /// The nodes.
    pub upstreams: Arc<Upstreams<ZcashSource>>,
    /// Transactions on their way out.
    pub outbox: Arc<Outbox>,
    /// What the upstreams say of our chain, for networks without
    /// proof-of-work.
    pub agreement: Arc<Agreement>,
    /// Told of each range stream that ends, for metrics.
    pub observer: Option<RangeObserver>,
    /// How far the replica is, for health checks.
    pub progress: watch::Receiver<Progress>,
    /// What the operator set.
    pub settings: Settings,
}

/// Told how a range stream ended.
pub type RangeObserver = Arc<dyn Fn(&RangeEnd) + Send + Sync>;

type Node = Upstream<ZcashSource>;

/// What the methods share.
struct Service {
    replica: Arc<ZcashReplica>,
    chain_grade: ChainGrade,
    settings: Settings,
    nodes: upstream::Nodes,
    outbox: Arc<Outbox>,
    tree_states: trees::TreeStates,
    subtrees: subtrees::SubtreeLists,
    mempool: mempool::Mempool,
    pings: ping::Pings,
}

impl Service {
    /// The newest state of the replica; a request takes it once.
    fn view(&self) -> Arc<View> {
        self.replica.view()
    }

    /// Our newest block.
    fn tip(&self, method: &str) -> Result<Link, Status> {
        self.view().tip().ok_or_else(|| empty(method))
    }

    /// Passes a grade on, unless the operator wants a better one.
    fn admit(&self, method: &str, grade: Assurance) -> Result<Assurance, Status> {
        match self.settings.minimum.of(method) {
            Some(least) if grade < least => Err(Status::failed_precondition(format!(
                "{method}: the answer is {grade}, and this server is set to give {least} or better"
            ))),
            _ => Ok(grade),
        }
    }
}

/// What is said while there is no block yet.
fn empty(method: &str) -> Status {
    Status::unavailable(format!(
        "{method}: no block is verified yet; the server is syncing, try again later"
    ))
}

/// What is said when the replica cannot be read. A store's own words may hold
/// paths: they are for the log.
fn unreadable(method: &str, error: &ReadError) -> Status {
    match error {
        ReadError::Reorged => Status::aborted(format!("{method}: {error}")),
        ReadError::Missing(_) => Status::out_of_range(format!("{method}: {error}")),
        ReadError::Store(StoreError::Unavailable { .. }) => Status::unavailable(format!(
            "{method}: the store cannot be reached; try again later"
        )),
        ReadError::Store(_) => {
            tracing::error!(method, %error, "store_read_failed");
            Status::internal(format!(
                "{method}: the local copy of the chain cannot be read"
            ))
        }
    }
}

/// The whole service as routes of an HTTP server: `CompactTxStreamer`, gRPC
/// reflection v1 and v1alpha, and `grpc.health.v1`.
///
/// # Panics
/// Never: the descriptors it reads are compiled in.
pub fn router(context: Context) -> axum::Router {
    let ranges = range::range_routes(range_context(&context));
    let ready = context.settings.ready.clone();
    let service = Arc::new(Service {
        nodes: upstream::Nodes::new(context.upstreams),
        outbox: context.outbox,
        chain_grade: blocks::chain_grade(&context.replica, &context.agreement),
        replica: context.replica,
        settings: context.settings,
        tree_states: trees::TreeStates::default(),
        subtrees: subtrees::SubtreeLists::default(),
        mempool: mempool::Mempool::default(),
        pings: ping::Pings::default(),
    });
    let blocks = raw::routes(Arc::clone(&service));
    let methods = CompactTxStreamerServer::new(service::Methods(service))
        .max_decoding_message_size(defaults::MAX_REQUEST_BYTES);
    let health = HealthServer::from_arc(health::Readiness::new(context.progress, ready));
    let described = "the descriptors can be read because this build made them";
    let routes = Routes::new(methods)
        .add_service(health)
        .add_service(reflection().build_v1().expect(described))
        .add_service(reflection().build_v1alpha().expect(described));
    // An exact path wins over the generated service's wildcard.
    routes
        .into_axum_router()
        .layer(axum::middleware::map_response(
            limits::too_large_is_exhausted,
        ))
        .merge(ranges)
        .merge(blocks)
}

fn range_context(context: &Context) -> RangeContext {
    let chain_grade = blocks::chain_grade(&context.replica, &context.agreement);
    RangeContext {
        minimum: context.settings.minimum.clone(),
        observer: context.observer.clone(),
        ..RangeContext::new(&context.replica, chain_grade)
    }
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
