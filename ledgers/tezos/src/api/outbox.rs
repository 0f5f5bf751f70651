//! What Tezos brings to the outbox: handing an operation to an endpoint, and
//! looking whether the chain has it.

use std::sync::{Arc, Weak};

use axum::http::{HeaderMap, HeaderValue, Method, header};
use bytes::Bytes;
use heliostat_node::{
    Served,
    outbox::{self, Seen, Sent, Write},
};
use heliostat_tezos_context::hash::blake2b;
use heliostat_tezos_verifier::OperationHash;
use serde::{Deserialize, Serialize};

use super::{
    injection::{framed, operation},
    request::Asked,
    {Served as Answered, route},
};
use crate::{defaults, endpoint, endpoint::CallError, evidence, light::Core};

/// The outbox of a Tezos chain.
pub type Outbox = outbox::Outbox<Carrier>;

/// Operations on their way to the endpoints.
pub struct Carrier {
    /// Weak, because the core holds the outbox.
    core: Weak<Core>,
}

/// A request as the outbox keeps it until it is sent. Equal requests are one
/// write; the answer depends on all of it.
#[derive(Serialize, Deserialize)]
struct Request {
    path: String,
    accept: Option<String>,
    content_type: Option<String>,
    body: String,
}

/// An endpoint's answer as the outbox keeps it, before its body.
#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    content_type: Option<String>,
}

impl Carrier {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self {
            core: Arc::downgrade(core),
        }
    }
}

/// A request as a write; its id is the hash of the operation, and whether the
/// answer is wanted in bytes.
pub(super) fn write(asked: &Asked, hash: &OperationHash) -> Write {
    let text = |name| {
        let value: Option<&HeaderValue> = asked.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let request = Request {
        path: asked.path.clone(),
        accept: text(header::ACCEPT),
        content_type: text(header::CONTENT_TYPE),
        body: hex::encode(&asked.body),
    };
    let payload = serde_json::to_vec(&request);
    let payload = payload.expect("a request serializes because it has no maps");
    let id = [&hash.0[..], &[u8::from(asked.wants_binary())]].concat();
    Write {
        payload: payload.into(),
        id: Some(id.into()),
    }
}

/// What [`write`] wrote.
fn read(payload: &Bytes) -> Option<Asked> {
    let request: Request = serde_json::from_slice(payload).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::ACCEPT, request.accept),
        (header::CONTENT_TYPE, request.content_type),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    let body = hex::decode(request.body).ok()?;
    Asked::new(Method::POST, &request.path, headers, body.into()).ok()
}

/// An answer as bytes: its head in one line, then its body.
fn kept(reply: &endpoint::Reply) -> Bytes {
    let content_type = reply.content_type.as_ref();
    let head = Head {
        status: reply.status,
        content_type: content_type
            .and_then(|kind| kind.to_str().ok())
            .map(str::to_owned),
    };
    let head = serde_json::to_vec(&head);
    let head = head.expect("a head serializes because it has no maps");
    [&head[..], b"\n", &reply.body].concat().into()
}

/// What [`kept`] wrote.
pub(super) fn answer(bytes: &Bytes) -> Option<endpoint::Reply> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
    let content_type = head.content_type;
    Some(endpoint::Reply {
        status: head.status,
        content_type: content_type.and_then(|kind| HeaderValue::try_from(kind).ok()),
        body: bytes.slice(end + 1..),
    })
}

/// The answer to an operation that is known: its hash.
fn success(hash: &OperationHash, binary: bool) -> Bytes {
    let (kind, body) = match binary {
        // Behind its length, as a node puts it.
        true => (
            "application/octet-stream",
            [&32_u32.to_be_bytes(), &hash.0[..]].concat().into(),
        ),
        false => ("application/json", Bytes::from(format!("\"{hash}\"\n"))),
    };
    kept(&endpoint::Reply {
        status: 200,
        content_type: Some(HeaderValue::from_static(kind)),
        body,
    })
}

impl outbox::Carrier for Carrier {
    fn ways(&self) -> Vec<String> {
        let Some(core) = self.core.upgrade() else {
            return Vec::new();
        };
        let all = core.upstreams.all();
        let relays = core.relays().into_iter();
        relays.map(|at| all[at].name().to_owned()).collect()
    }

    async fn submit(&self, way: &str, write: &Write) -> Sent {
        let stopping = || Sent::NotSent("the server is stopping".to_owned());
        let Some(core) = self.core.upgrade() else {
            return stopping();
        };
        let all = core.upstreams.all();
        let at = all.iter().position(|upstream| upstream.name() == way);
        let (Some(at), Some(asked)) = (at, read(&write.payload)) else {
            return Sent::NotSent(format!("endpoint {way} is not configured"));
        };
        send(&core, at, &asked).await
    }

    async fn seen(&self, id: &[u8]) -> Seen {
        let (Some(core), Some((hash, rest))) = (self.core.upgrade(), id.split_first_chunk::<32>())
        else {
            return Seen::No;
        };
        let hash = OperationHash(*hash);
        let look = find(&core, &hash, rest == [1]);
        let found = tokio::time::timeout(defaults::LOOK_CALL, look).await;
        found.unwrap_or(Seen::No)
    }
}

/// Sends an operation to one endpoint, once.
pub(super) async fn send(core: &Arc<Core>, at: usize, asked: &Asked) -> Sent {
    let Ok(operation) = operation(asked) else {
        return Sent::NotSent("the operation cannot be read".to_owned());
    };
    let hash = OperationHash(blake2b(&[&operation]));
    let upstream = &core.upstreams.all()[at];
    let name = upstream.name();
    let sent = upstream.source();
    let sent = sent.relay(
        asked.verb.clone(),
        &asked.path,
        &asked.headers,
        asked.body.clone(),
    );
    let reply = match sent.await {
        Ok(reply) => reply,
        Err(CallError::TooLarge(cap)) => {
            return Sent::Unknown(format!("the answer of {name} exceeds {cap} bytes"));
        }
        Err(CallError::NotSent(fault)) => {
            core.upstreams.report(upstream, &fault);
            return Sent::NotSent(format!("{name} is {fault}"));
        }
        Err(CallError::Fault(fault)) => {
            core.upstreams.report(upstream, &fault);
            return Sent::Unknown(format!("{name} is {fault}"));
        }
    };
    match reply.status {
        200 => {}
        // Its list of allowed calls, or a gateway, turned it away unread.
        status @ (401 | 403 | 429) => {
            return Sent::NotSent(format!(
                "{name} turned it away (HTTP {status}); its operator has to allow POST /injection/operation"
            ));
        }
        // What stands between us and the node says so, not the node.
        502..=504 => return Sent::Unknown(format!("{name} answers HTTP {}", reply.status)),
        _ => return Sent::Refused(kept(&reply)),
    }
    let answered: Option<String> = serde_json::from_slice(&reply.body).ok();
    match answered {
        Some(answered) if answered != hash.to_string() => {
            let lie = evidence::injection_hash(&operation, &reply.body, &hash);
            core.convict(at, lie);
            Sent::Unknown(format!("{name} answered {answered:.60}"))
        }
        None if framed(&reply.body).as_ref().unwrap_or(&reply.body) != &hash.0[..] => {
            Sent::Unknown(format!("the answer of {name} is not of the protocol"))
        }
        _ => {
            core.upstreams.report_ok(upstream, Served::Data);
            Sent::Taken(kept(&reply))
        }
    }
}

/// Looks for an operation in an endpoint's mempool, then in the newest blocks,
/// whose lists of operations are checked against their headers: what is baked
/// meanwhile has left the one and is in the other. `head` may be an older block
/// by policy, so the newest are asked for by their hashes.
async fn find(core: &Arc<Core>, hash: &OperationHash, binary: bool) -> Seen {
    let text = hash.to_string();
    let chain = &core.settings.chain;
    let path = format!("/chains/{chain}/mempool/pending_operations");
    let waits = ask(core, &path).await;
    let waits = waits.is_some_and(|body| accepts(&body, &text));
    if let Ok(newest) = core.newest_head().await {
        for back in 0..defaults::LOOK_BLOCKS {
            let path = format!(
                "/chains/{chain}/blocks/{}~{back}/operation_hashes",
                newest.hash
            );
            match ask(core, &path).await {
                Some(body) if names(&body, &text) => {
                    return Seen::Included(success(hash, binary));
                }
                Some(_) => {}
                None => break,
            }
        }
    }
    match waits {
        true => Seen::Waiting(success(hash, binary)),
        false => Seen::No,
    }
}

/// A question as a client would put it to us.
async fn ask(core: &Arc<Core>, path: &str) -> Option<Bytes> {
    let asked = Asked::new(Method::GET, path, HeaderMap::new(), Bytes::new()).ok()?;
    match Box::pin(route(core, &asked)).await {
        Ok(Answered::Whole(reply)) if reply.status.is_success() => Some(reply.body),
        _ => None,
    }
}

/// Whether a memory pool in JSON lists this operation among those that are
/// good: in Octez's words `validated`, or `applied` before version 2 of the
/// call. Those it refuses are listed beside them, and what it has not looked
/// at yet may still be refused.
fn accepts(pool: &[u8], hash: &str) -> bool {
    #[derive(Deserialize)]
    struct Pool {
        #[serde(default)]
        validated: Vec<Named>,
        #[serde(default)]
        applied: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        hash: String,
    }
    let pool: Option<Pool> = serde_json::from_slice(pool).ok();
    pool.is_some_and(|pool| {
        let mut good = pool.validated.iter().chain(&pool.applied);
        good.any(|one| one.hash == hash)
    })
}

/// Whether a JSON text has this string in it.
fn names(body: &[u8], text: &str) -> bool {
    let quoted = format!("\"{text}\"");
    body.windows(quoted.len())
        .any(|piece| piece == quoted.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_pool_has_found_good_waits() {
        let pool = |key: &str, entry: &str| format!("{{\"{key}\": [{entry}]}}");
        let object = "{\"hash\": \"oo1\", \"contents\": []}";
        let pair = "[\"oo1\", {\"contents\": []}]";
        for (key, entry, is_good) in [
            ("validated", object, true),
            ("applied", object, true),
            ("refused", object, false),
            ("refused", pair, false),
            ("outdated", object, false),
            ("branch_refused", object, false),
            ("branch_delayed", object, false),
            ("unprocessed", object, false),
        ] {
            let pool = pool(key, entry);
            assert_eq!(accepts(pool.as_bytes(), "oo1"), is_good, "{pool}");
            assert!(!accepts(pool.as_bytes(), "oo2"), "{pool}");
        }
        assert!(!accepts(b"null", "oo1") && !accepts(b"<html>", "oo1"));
    }
}
