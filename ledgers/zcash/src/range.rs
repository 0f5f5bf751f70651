//! GetBlockRange and GetBlockRangeNullifiers as raw HTTP/2 bodies.
//!
//! These two carry nearly all bytes of a light-node server, and what they
//! carry is stored as complete gRPC frames. So they bypass the generated
//! service: the request is decoded and judged here, and the response body
//! hands slices of stored chunks to HTTP/2 as DATA, with the status and the
//! grade in the trailers. Nothing is done per block; the next chunk loads
//! while one is sent; HTTP/2 flow control is the back-pressure; there is no
//! limit on time while bytes move, except the client's own `grpc-timeout`.
//!
//! One response is one chain: it is pinned to a view when the request comes
//! in, and a rewind that touches any height of the range ends it with
//! ABORTED and lightwalletd's words.
//!
//! | ends with | when |
//! |---|---|
//! | OK, `heliostat-assurance` | all blocks were sent; the lowest of their grades |
//! | OUT_OF_RANGE | a height is above the tip (everything up to it was sent), or below the first stored block |
//! | ABORTED | the chain was rewound under the range |
//! | FAILED_PRECONDITION | a block's grade is below what the operator asks for |
//! | INVALID_ARGUMENT, UNKNOWN | an end is missing; pool 0 is named (both as lightwalletd) |
//! | UNAVAILABLE | nothing is stored yet, or the store cannot be reached |
//! | DEADLINE_EXCEEDED | the client's `grpc-timeout` is over |

mod body;
pub(crate) mod request;

pub use body::RangeBody;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::post,
};
use heliostat_core::{Assurance, Id};
use heliostat_node::Minimum;
use heliostat_store::StoreError;
use http::{HeaderValue, header::CONTENT_TYPE};
use tonic::{Code, Status};

use crate::{
    frames::{self, Projection, Slab},
    replica::{ZcashReplica, defaults::REQUEST_BYTES},
    view::{ReadError, Shared, View},
};
use request::Asked;

/// Which of the two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GetBlockRange.
    Blocks,
    /// GetBlockRangeNullifiers.
    Nullifiers,
}

impl Method {
    /// The name in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocks => "GetBlockRange",
            Self::Nullifiers => "GetBlockRangeNullifiers",
        }
    }
}

/// The grade of the chain at a height, which limits that of its blocks. It
/// must not rise with the height: what vouches for a block vouches for all
/// before it.
pub type ChainGrade = Arc<dyn Fn(u64) -> Assurance + Send + Sync>;

/// How a stream ended, for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeEnd {
    /// The method's name.
    pub method: &'static str,
    /// The status; `Cancelled` when the client went away.
    pub code: Code,
    /// Blocks handed to the connection.
    pub blocks: u64,
    /// Bytes of frames handed to the connection.
    pub bytes: u64,
    /// The lowest grade among them.
    pub grade: Option<Assurance>,
}

/// Told of each stream that ends.
pub type RangeObserver = Arc<dyn Fn(&RangeEnd) + Send + Sync>;

/// What the range calls answer from, and under which rules.
#[derive(Clone)]
pub struct RangeContext {
    /// What the replica's readers share.
    pub shared: Arc<Shared>,
    /// The grade of the chain.
    pub chain_grade: ChainGrade,
    /// The lowest grades the calls answer with.
    pub minimum: Minimum,
    /// Told of each stream that ends.
    pub observer: Option<RangeObserver>,
}

impl RangeContext {
    /// Answers from a replica, whatever the grade.
    pub fn new(replica: &ZcashReplica, chain_grade: ChainGrade) -> Self {
        Self {
            shared: replica.shared().clone(),
            chain_grade,
            minimum: Minimum::default(),
            observer: None,
        }
    }
}

/// The part of the context a response needs.
#[derive(Clone)]
struct Policy(Arc<RangeContext>);

impl Policy {
    fn least(&self, method: Method) -> Assurance {
        let least = self.0.minimum.of(method.name());
        least.unwrap_or(Assurance::Relayed)
    }

    fn grade(&self, cap: Assurance, height: u64) -> Assurance {
        cap.min((self.0.chain_grade)(height))
    }

    fn admit(&self, method: Method, grade: Assurance) -> Result<(), Status> {
        let least = self.least(method);
        if grade >= least {
            return Ok(());
        }
        Err(Status::failed_precondition(format!(
            "{}: the answer is {grade}, and this server is set to give {least} or better",
            method.name()
        )))
    }

    fn report(&self, end: &RangeEnd) {
        if let Some(observer) = &self.0.observer {
            observer(end);
        }
    }
}

/// The routes of both calls, to be merged with those of the other methods.
pub fn range_routes(context: impl Into<RangeContext>) -> Router {
    const SERVICE: &str = "/cash.z.wallet.sdk.rpc.CompactTxStreamer";
    let policy = Policy(Arc::new(context.into()));
    let call = |method| {
        post(
            move |State(policy): State<Policy>, request: Request| async move {
                answer(method, policy, request).await
            },
        )
    };
    Router::new()
        .route(&format!("{SERVICE}/GetBlockRange"), call(Method::Blocks))
        .route(
            &format!("{SERVICE}/GetBlockRangeNullifiers"),
            call(Method::Nullifiers),
        )
        .with_state(policy)
}

pub(crate) const GRPC: &str = "application/grpc";

async fn answer(method: Method, policy: Policy, request: Request) -> Response {
    if let Some(refusal) = request::not_grpc(request.headers()) {
        return refusal;
    }
    match begin(method, policy.clone(), request).await {
        Ok(body) => {
            let mut response = Response::new(Body::new(body));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
            response
        }
        Err(status) => {
            policy.report(&RangeEnd {
                method: method.name(),
                code: status.code(),
                blocks: 0,
                bytes: 0,
                grade: None,
            });
            status.into_http()
        }
    }
}

async fn begin(method: Method, policy: Policy, request: Request) -> Result<RangeBody, Status> {
    let timeout = request::deadline(request.headers())?;
    let range = request::read(request.into_body(), REQUEST_BYTES).await?;
    let asked = Asked::new(method, &range)?;
    let view = View::newest(&policy.0.shared);
    let Some(tip) = view.tip() else {
        return Err(Status::unavailable(format!(
            "{}: no block is verified yet; the server is syncing, try again later",
            method.name()
        )));
    };
    if policy.least(method) > Assurance::Relayed {
        let low = asked.start.min(asked.end).max(view.floor().unwrap_or(0));
        let high = asked.start.max(asked.end).min(tip.height);
        let cap = view.lowest_cap(low..=high).await;
        let cap = cap.map_err(|error| failure(error, &view))?;
        policy.admit(method, policy.grade(cap, high))?;
    }
    let stream = view.frames(asked.start, asked.end, asked.projection);
    Ok(RangeBody::new(method, policy, stream, timeout))
}

/// The status for a read that failed.
pub fn failure(error: ReadError, view: &View) -> Status {
    match error {
        ReadError::Reorged => {
            Status::aborted("GetBlockRange: chain discontinuity during reorg repair")
        }
        ReadError::Missing(height) => match view.floor() {
            Some(floor) if height < floor => Status::out_of_range(format!(
                "GetBlock: block {height} is older than the first block kept here, {floor}"
            )),
            _ => Status::out_of_range(format!(
                "GetBlock: block {height} is newer than the latest block"
            )),
        },
        ReadError::Store(StoreError::Unavailable { .. }) => {
            Status::unavailable("the store cannot be reached; try again later")
        }
        // The words may hold paths; they are for the log.
        ReadError::Store(error) => {
            tracing::error!(%error, "store_read_failed");
            Status::internal("a stored block cannot be read")
        }
    }
}

/// Which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// By height.
    Height(u64),
    /// By id, in internal byte order.
    Id(Id),
}

/// One block as the frame that is sent, with its height and its cap. The
/// status is lightwalletd's: OUT_OF_RANGE above the tip; an id that is not on
/// the chain, which lightwalletd cannot be asked for, is NOT_FOUND.
pub async fn block(view: &View, which: Which, projection: Projection) -> Result<Slab, Status> {
    let failed = |error| failure(error, view);
    let height = match which {
        Which::Height(height) => height,
        // Boxed for the sake of the calls that name a height.
        Which::Id(id) => Box::pin(view.height_of(&id))
            .await
            .map_err(failed)?
            .ok_or_else(|| Status::not_found("GetBlock: no block of this hash is on the chain"))?,
    };
    frames::single(view, height, projection)
        .await
        .map_err(failed)
}
