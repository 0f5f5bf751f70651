//! Reading a reply: the frame, errors, and hex without a JSON value.

use bytes::Bytes;
use heliostat_core::Fault;
use serde::{Deserialize, de::DeserializeOwned};

use super::transport::Reply;
use crate::error::{RpcError, shorten};

/// The frame of a reply. zebrad and zcashd write its members in different
/// orders; version 2.0 leaves the absent one out.
#[derive(Deserialize)]
struct Frame<T> {
    #[serde(default = "none")]
    result: Option<T>,
    #[serde(default)]
    error: Option<NodeError>,
}

fn none<T>() -> Option<T> {
    None
}

#[derive(Deserialize)]
struct NodeError {
    code: i64,
    #[serde(default)]
    message: String,
}

/// What a node's error object means for the caller.
fn node_error(address: &str, method: &str, error: NodeError) -> RpcError {
    let NodeError { code, message } = error;
    match code {
        // zcashd's index is loading, or it syncs for the first time.
        -28 | -10 => {
            let words = format!("{address}: not ready yet: {}", shorten(&message));
            Fault::Behind(words).into()
        }
        -32601 => {
            let words = format!(
                "{address} does not know the method {method}; this needs a zebrad 7 or a zcashd \
                 with its index options on"
            );
            Fault::Unsupported(words).into()
        }
        _ => RpcError::Node { code, message },
    }
}

fn malformed(address: &str, method: &str, why: impl std::fmt::Display) -> RpcError {
    // It may repeat what was sent, however long.
    let why = shorten(&why.to_string());
    let words = format!("{address}: the answer to {method} is not JSON-RPC ({why})");
    Fault::Unreachable(words).into()
}

/// What an HTTP status says when the body is no reply of the protocol.
fn bare_status(address: &str, method: &str, reply: &Reply) -> RpcError {
    let status = reply.status;
    let words = format!("{address} answered HTTP {status} to {method}");
    if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
        return Fault::Unreachable(words).into();
    }
    let hint = "; is this the address of a node's JSON-RPC?";
    Fault::Unsupported(words + hint).into()
}

fn open<T: DeserializeOwned>(
    address: &str,
    method: &str,
    reply: &Reply,
    body: &[u8],
) -> Result<Option<T>, RpcError> {
    match serde_json::from_slice::<Frame<T>>(body) {
        Ok(Frame {
            error: Some(error), ..
        }) => Err(node_error(address, method, error)),
        Ok(frame) if reply.status.is_success() => Ok(frame.result),
        Err(error) if reply.status.is_success() => Err(malformed(address, method, error)),
        _ => Err(bare_status(address, method, reply)),
    }
}

/// The result of a reply. `null` reads as the type's reading of `null`.
pub(super) fn result<T: DeserializeOwned>(
    address: &str,
    method: &str,
    reply: &Reply,
) -> Result<T, RpcError> {
    let result: Option<T> = open(address, method, reply, &reply.body)?;
    match result {
        Some(result) => Ok(result),
        None => serde_json::from_value(serde_json::Value::Null)
            .map_err(|_| malformed(address, method, "it has no result")),
    }
}

/// How far into a reply its result is looked for without parsing: both nodes
/// begin with it, or with two short members.
const RESULT_WITHIN: usize = 256;

/// The bytes of a result that is a hex string. The string is cut out of the
/// reply and decoded where it stands; what is left is a small frame that is
/// parsed as usual, so nothing is accepted that a JSON parser would not.
pub(super) fn hex_result(address: &str, method: &str, reply: &Reply) -> Result<Bytes, RpcError> {
    let Some((start, end)) = result_string(&reply.body) else {
        // An error, or a frame of an unusual shape.
        let text: String = result(address, method, reply)?;
        return decode(text.as_bytes()).map_err(|why| malformed(address, method, why));
    };
    let (before, after) = (&reply.body[..start], &reply.body[end..]);
    let frame = [before, after].concat();
    match open::<String>(address, method, reply, &frame)? {
        Some(left) if left.is_empty() => (),
        _ => return Err(malformed(address, method, "its result is not hex")),
    }
    decode(&reply.body[start..end]).map_err(|why| malformed(address, method, why))
}

/// Where the characters of the string named `result` begin and end.
fn result_string(body: &[u8]) -> Option<(usize, usize)> {
    const NAME: &[u8] = b"\"result\"";
    let head = &body[..body.len().min(RESULT_WITHIN)];
    let name = memchr::memmem::find(head, NAME)? + NAME.len();
    let mut at = name;
    for expected in [b':', b'"'] {
        while body.get(at)?.is_ascii_whitespace() {
            at += 1;
        }
        if body[at] != expected {
            return None;
        }
        at += 1;
    }
    let length = memchr::memchr(b'"', &body[at..])?;
    Some((at, at + length))
}

fn decode(hex: &[u8]) -> Result<Bytes, &'static str> {
    let mut bytes = vec![0; hex.len() / 2];
    match faster_hex::hex_decode(hex, &mut bytes) {
        Ok(()) if hex.len().is_multiple_of(2) => Ok(bytes.into()),
        _ => Err("its result is not hex"),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn hex(status: u16, body: &str) -> Result<Bytes, RpcError> {
        hex_result("http://node:1", "getblock", &reply(status, body))
    }

    #[test]
    fn hex_is_read_from_the_frames_of_both_nodes() {
        for body in [
            r#"{"jsonrpc":"1.0","id":1,"result":"00ffA1","error":null}"#,
            r#"{"result":"00ffa1","error":null,"id":1}"#,
            r#"{ "id" : 1, "error": null, "result" : "00ffa1" }"#,
            r#"{"jsonrpc":"2.0","id":1,"result":"00ffa1"}"#,
        ] {
            assert_eq!(&hex(200, body).unwrap()[..], [0, 255, 0xa1], "{body}");
        }
        let far = format!(
            r#"{{"id":"{}","result":"00ff"}}"#,
            "x".repeat(RESULT_WITHIN)
        );
        assert_eq!(&hex(200, &far).unwrap()[..], [0, 255]);
    }

    #[test]
    fn what_is_not_hex_is_not_taken_for_it() {
        for body in [
            r#"{"result":"00f","error":null}"#,
            r#"{"result":"00fg","error":null}"#,
            r#"{"result":"0\u0030","error":null}"#,
            r#"{"result":"00ff","error":null"#,
            r#"{"result":"00ff"#,
            r#"{"result":7}"#,
            r#"{"result":null,"error":null}"#,
            r#"{"id":{"result":"00ff"},"error":null}"#,
            "<html>",
            "",
        ] {
            let error = hex(200, body).unwrap_err();
            assert!(
                matches!(error, RpcError::Fault(Fault::Unreachable(_))),
                "{body}: {error}"
            );
        }
    }

    #[test]
    fn an_error_object_counts_whatever_the_http_status() {
        let body =
            r#"{"result":null,"error":{"code":-8,"message":"no \"result\":\"00\" here"},"id":1}"#;
        for status in [200, 500] {
            let error = hex(status, body).unwrap_err();
            assert_eq!(error.code(), Some(-8));
            assert_eq!(error.to_string(), "-8: no \"result\":\"00\" here");
        }
        let both = r#"{"result":"00","error":{"code":-1,"message":"both"}}"#;
        assert_eq!(hex(200, both).unwrap_err().code(), Some(-1));
    }

    #[test]
    fn what_keeps_a_node_from_answering_is_told_apart() {
        let kind = |status, body: &str| match hex(status, body).unwrap_err() {
            RpcError::Fault(fault) => fault.kind(),
            RpcError::Node { .. } => "node",
            RpcError::NotSent(_) => "not sent",
        };
        let error =
            |code: i64| format!(r#"{{"result":null,"error":{{"code":{code},"message":"m"}}}}"#);
        assert_eq!(kind(500, &error(-28)), "behind");
        assert_eq!(kind(404, &error(-32601)), "unsupported");
        assert_eq!(kind(500, "oops"), "unreachable");
        assert_eq!(kind(503, ""), "unreachable");
        assert_eq!(kind(429, ""), "unreachable");
        assert_eq!(kind(404, "nothing here"), "unsupported");
        assert_eq!(kind(301, ""), "unsupported");
    }

    proptest::proptest! {
        #[test]
        fn bytes_survive_the_frame(bytes: Vec<u8>) {
            let body = format!(r#"{{"result":"{}","error":null}}"#, hex::encode(&bytes));
            proptest::prop_assert_eq!(&hex(200, &body).unwrap()[..], &bytes[..]);
        }

        #[test]
        fn no_reply_can_panic_the_reader(body: Vec<u8>, status in 100u16..600) {
            let body = Bytes::from(body);
            let status = StatusCode::from_u16(status).unwrap();
            let _ = hex_result("a", "m", &Reply { status, body });
        }
    }
}
