//! Reading the request of a raw call, and judging that of a range call.

use std::time::Duration;

use axum::{body::Body, response::Response};
use bytes::{Buf, Bytes, BytesMut};
use heliostat_zcash_proto::BlockRange;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt as _;
use prost::Message;
use tonic::Status;

use super::{GRPC, Method};
use crate::{
    filter::{PREFIX, Pools},
    frames::Projection,
    replica::defaults::REQUEST_TIME,
};

/// What is asked for, once it is known to be sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The first height sent.
    pub start: u64,
    /// The last height sent; below `start` the order is descending.
    pub end: u64,
    /// What of each block.
    pub projection: Projection,
}

impl Asked {
    /// Judges a request with lightwalletd's codes and words.
    pub fn new(method: Method, range: &BlockRange) -> Result<Self, Status> {
        let (Some(start), Some(end)) = (&range.start, &range.end) else {
            return Err(Status::invalid_argument(format!(
                "{}: must specify start and end heights",
                method.name()
            )));
        };
        if range.pool_types.contains(&0) {
            // One check for both methods, so it names this one.
            return Err(Status::unknown(
                "GetBlockRange: invalid pool type requested",
            ));
        }
        let projection = match method {
            Method::Blocks => Projection::pools(Pools::requested(&range.pool_types)),
            Method::Nullifiers => Projection::range_nullifiers(&range.pool_types),
        };
        Ok(Self {
            start: start.height,
            end: end.height,
            projection,
        })
    }
}

/// The refusal of a request that is not gRPC; `None` for one that is.
pub fn not_grpc(headers: &HeaderMap) -> Option<Response> {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    let rest = kind.and_then(|kind| kind.strip_prefix(GRPC.as_bytes()));
    // Not `application/grpc-web`, whose clients never see HTTP trailers.
    if rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';'))) {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Some(response)
}

/// Reads the one message of a request, which may have `most` bytes, bounded in
/// time too.
pub async fn read<M: Message + Default>(body: Body, most: usize) -> Result<M, Status> {
    let body = tokio::time::timeout(REQUEST_TIME, collect(body, most + PREFIX))
        .await
        .map_err(|_| Status::deadline_exceeded("the request message did not arrive in time"))?;
    decode(body?.ok_or_else(|| too_large(most))?, most)
}

/// The whole of a body; `None` when it has more than `most` bytes. Most come
/// in one piece, which is then not copied.
async fn collect(mut body: Body, most: usize) -> Result<Option<Bytes>, Status> {
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Status::cancelled(format!("the request could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > most {
            return Ok(None);
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(Some(first));
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(Some(whole.freeze()))
}

fn too_large(most: usize) -> Status {
    Status::resource_exhausted(format!("the request message is larger than {most} bytes"))
}

/// Decodes a request body: one frame with a message.
fn decode<M: Message + Default>(mut body: Bytes, most: usize) -> Result<M, Status> {
    let missing = |_| Status::internal("the request holds no message");
    let compressed = body.try_get_u8().map_err(missing)?;
    let length = body.try_get_u32().map_err(missing)? as usize;
    if compressed != 0 {
        return Err(Status::unimplemented(
            "the request message is compressed; this server takes it plain",
        ));
    }
    if length > most {
        return Err(too_large(most));
    }
    if length != body.len() {
        return Err(Status::internal(format!(
            "the request is not one message: {length} bytes announced, {} sent",
            body.len()
        )));
    }
    M::decode(body)
        .map_err(|error| Status::internal(format!("the request cannot be decoded: {error}")))
}

/// The time a client gives the call, from its `grpc-timeout` header: up to
/// eight digits and a unit.
pub fn deadline(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    let parse = || {
        let text = value.to_str().ok()?;
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let plain = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let count: u64 = digits.parse().ok().filter(|_| plain)?;
        Some(match unit {
            "H" => Duration::from_secs(count * 3600),
            "M" => Duration::from_secs(count * 60),
            "S" => Duration::from_secs(count),
            "m" => Duration::from_millis(count),
            "u" => Duration::from_micros(count),
            "n" => Duration::from_nanos(count),
            _ => return None,
        })
    };
    parse()
        .map(Some)
        .ok_or_else(|| Status::internal("malformed grpc-timeout"))
}

#[cfg(test)]
mod tests {
    use heliostat_zcash_proto::BlockId;
    use tonic::Code;

    use super::*;
    use crate::replica::defaults::REQUEST_BYTES;

    fn frame(message: &[u8]) -> Bytes {
        let mut frame = vec![0];
        frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
        frame.extend_from_slice(message);
        frame.into()
    }

    fn at(height: u64) -> Option<BlockId> {
        Some(BlockId {
            height,
            ..Default::default()
        })
    }

    #[test]
    fn requests_are_refused_with_lightwalletds_codes() {
        let range = BlockRange {
            start: at(1),
            end: None,
            pool_types: vec![0],
        };
        for (method, name) in [
            (Method::Blocks, "GetBlockRange"),
            (Method::Nullifiers, "GetBlockRangeNullifiers"),
        ] {
            let status = Asked::new(method, &range).expect_err("the end is missing");
            assert_eq!(status.code(), Code::InvalidArgument);
            let words = format!("{name}: must specify start and end heights");
            assert_eq!(status.message(), words);
            let invalid = BlockRange {
                end: at(0),
                ..range.clone()
            };
            let status = Asked::new(method, &invalid).expect_err("pool 0 is invalid");
            assert_eq!(status.code(), Code::Unknown);
        }
    }

    #[test]
    fn a_request_is_exactly_one_plain_bounded_message() {
        let range = BlockRange {
            start: at(7),
            end: at(9),
            pool_types: vec![1, 4],
        };
        let good = frame(&range.encode_to_vec());
        let decode = |bytes: &[u8]| {
            super::decode::<BlockRange>(Bytes::copy_from_slice(bytes), REQUEST_BYTES)
        };
        assert_eq!(decode(&good).expect("well formed"), range);
        let code = |bytes: &[u8]| decode(bytes).expect_err("must be refused").code();
        assert_eq!(code(&[]), Code::Internal);
        assert_eq!(code(&good[..4]), Code::Internal);
        assert_eq!(code(&good[..good.len() - 1]), Code::Internal);
        assert_eq!(code(&[&good[..], &good[..]].concat()), Code::Internal);
        assert_eq!(code(&frame(&[0xff])), Code::Internal);
        let mut compressed = good.to_vec();
        compressed[0] = 1;
        assert_eq!(code(&compressed), Code::Unimplemented);
        assert_eq!(code(&[0, 0xff, 0xff, 0xff, 0xff]), Code::ResourceExhausted);
    }

    #[test]
    fn only_grpc_itself_is_taken_for_grpc() {
        let refused = |kind: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
            }
            not_grpc(&headers).map(|response| response.status().as_u16())
        };
        for kind in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;x",
        ] {
            assert_eq!(refused(Some(kind)), None, "{kind}");
        }
        for kind in [
            "application/grpc-web",
            "application/grpc-web+proto",
            "text/html",
        ] {
            assert_eq!(refused(Some(kind)), Some(415), "{kind}");
        }
        assert_eq!(refused(None), Some(415));
    }

    #[test]
    fn time_outs_read_as_grpc_writes_them() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", http::HeaderValue::from_static(text));
            deadline(&headers).ok().flatten()
        };
        assert_eq!(read("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(read("99999999u"), Some(Duration::from_micros(99_999_999)));
        assert_eq!(read("5m"), Some(Duration::from_millis(5)));
        for wrong in ["", "S", "5", "+5S", "123456789S", "5x", "-1S"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(deadline(&HeaderMap::new()).ok(), Some(None));
    }
}
