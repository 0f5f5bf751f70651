//! The JSON-RPC frame: reading a call, writing a reply.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{Value, json};

use super::methods::{Answer, Failure};

#[derive(Deserialize)]
pub(super) struct Call<'a> {
    #[serde(borrow)]
    pub jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    #[serde(default)]
    pub params: Vec<Value>,
    #[serde(default)]
    pub id: Value,
}

/// The bytes of a reply, in the framing of the version the caller named.
pub(super) fn frame(call: &Call<'_>, answer: Result<Answer, Failure>) -> Bytes {
    let two = call.jsonrpc.as_deref() == Some("2.0");
    let framed = match answer {
        Ok(Answer::Hex(raw)) if !two => return hex_reply(call, &raw),
        Ok(Answer::Hex(raw)) => Ok(json!(faster_hex::hex_string(&raw))),
        Ok(Answer::Value(value)) => Ok(value),
        Err(failure) => {
            let mut error = json!({ "code": failure.code, "message": failure.message });
            if let Some(data) = failure.data {
                error["data"] = json!(data);
            }
            Err(error)
        }
    };
    let mut reply = json!({ "id": call.id });
    if let Some(version) = &call.jsonrpc {
        reply["jsonrpc"] = json!(version);
    }
    match (framed, two) {
        (Ok(result), true) => reply["result"] = result,
        (Err(error), true) => reply["error"] = error,
        (Ok(result), false) => {
            reply["result"] = result;
            reply["error"] = Value::Null;
        }
        (Err(error), false) => {
            reply["result"] = Value::Null;
            reply["error"] = error;
        }
    }
    reply.to_string().into()
}

/// The reply whose result is a hex string, built without a JSON value: this is
/// what a syncing client asks for again and again.
fn hex_reply(call: &Call<'_>, raw: &[u8]) -> Bytes {
    let mut reply = BytesMut::with_capacity(raw.len() * 2 + 64);
    reply.put_slice(b"{");
    if let Some(version) = &call.jsonrpc {
        reply.put_slice(b"\"jsonrpc\":");
        reply.put_slice(json!(version).to_string().as_bytes());
        reply.put_slice(b",");
    }
    reply.put_slice(b"\"id\":");
    reply.put_slice(call.id.to_string().as_bytes());
    reply.put_slice(b",\"result\":\"");
    let start = reply.len();
    reply.resize(start + raw.len() * 2, 0);
    let encoded = faster_hex::hex_encode(raw, &mut reply[start..]);
    encoded.expect("the buffer is twice as long as the bytes because it was made so");
    reply.put_slice(b"\",\"error\":null}");
    reply.freeze()
}
