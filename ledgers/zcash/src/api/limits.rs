//! What the transport refuses before a method sees it.

use axum::response::Response;
use http::HeaderValue;
use tonic::{Code, Status};

/// How the transport library begins its refusal of a message that is too
/// large, percent-encoded as gRPC sends it.
const TOO_LARGE: &str = "Error, decoded message length too large";

/// Gives a message that is too large the code that lightwalletd's transport
/// gives it: RESOURCE_EXHAUSTED, where ours says OUT_OF_RANGE, which in this
/// protocol means a block that does not exist yet.
pub(super) async fn too_large_is_exhausted(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let is_out_of_range = headers
        .get(Status::GRPC_STATUS)
        .is_some_and(|code| code.as_bytes() == b"11");
    let about_size = headers
        .get(Status::GRPC_MESSAGE)
        .and_then(|text| text.to_str().ok())
        .is_some_and(|text| {
            text.replace("%20", " ")
                .replace("%2C", ",")
                .starts_with(TOO_LARGE)
        });
    if is_out_of_range && about_size {
        let code = HeaderValue::from(Code::ResourceExhausted as i32);
        headers.insert(Status::GRPC_STATUS, code);
    }
    response
}
