//! `GetBlock` and `GetBlockNullifiers` as raw HTTP/2 bodies.
//!
//! A block is so little work that the call itself is nearly all of the cost.
//! Through the generated service its stored bytes would be decoded and encoded
//! again for nothing; here they leave as they are stored, or as the field
//! skipper leaves them, with the grade in the initial metadata and the status
//! in the trailers, as that service would send them.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::post,
};
use bytes::Bytes;
use heliostat_core::Assurance;
use heliostat_zcash_proto::BlockId;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use http_body::Frame;
use tonic::Status;

use super::{SERVICE, Service, defaults::MAX_REQUEST_BYTES, grade};
use crate::{
    frames::Projection,
    range::{GRPC, request},
};

/// The routes of both calls, to be merged with those of the other methods.
pub(super) fn routes(service: Arc<Service>) -> Router {
    let call = |method: &'static str, projection: Projection| {
        post(
            move |State(service): State<Arc<Service>>, request: Request| async move {
                answer(&service, method, projection, request).await
            },
        )
    };
    let nullifiers = Projection::block_nullifiers();
    Router::new()
        .route(
            &format!("/{SERVICE}/GetBlock"),
            call("GetBlock", Projection::Full),
        )
        .route(
            &format!("/{SERVICE}/GetBlockNullifiers"),
            call("GetBlockNullifiers", nullifiers),
        )
        .with_state(service)
}

async fn answer(
    service: &Service,
    method: &str,
    projection: Projection,
    request: Request,
) -> Response {
    if let Some(refusal) = request::not_grpc(request.headers()) {
        return refusal;
    }
    match block(service, method, projection, request.into_body()).await {
        Ok((frame, grade)) => {
            let mut response = Response::new(Body::new(Single::new(frame)));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
            headers.insert(Assurance::FIELD, grade::header(grade));
            response
        }
        Err(status) => status.into_http(),
    }
}

async fn block(
    service: &Service,
    method: &str,
    projection: Projection,
    body: Body,
) -> Result<(Bytes, Assurance), Status> {
    let wanted: BlockId = request::read(body, MAX_REQUEST_BYTES).await?;
    let (frame, grade) = service.block(method, wanted, projection).await?;
    Ok((frame, service.admit(method, grade)?))
}

/// One frame, then the trailers of a good end.
struct Single {
    frame: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Single {
    fn new(frame: Bytes) -> Self {
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
        Self {
            frame: Some(frame),
            trailers: Some(trailers),
        }
    }
}

impl http_body::Body for Single {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.frame.take().map(Frame::data);
        let next = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(next.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.trailers.is_none()
    }
}
