//! A small node over HTTP, honest or not, that keeps a log of what it was
//! asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{Request, Response},
};
use heliostat_tezos_context::{Key, Proof, Tree, proof, v1};
use heliostat_tezos_verifier::{BlockHash, OperationHash};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::world::{Block, World, with_balance};

/// How a node behaves. The default is honest.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// It has a state of its own in which this account has this balance.
    pub forged: Option<(u32, u64)>,
    /// It forges the newest block's state only.
    pub only_newest: bool,
    /// Its proofs show that balance under the true root.
    pub clumsy: Option<(u32, u64)>,
    /// It refuses the new proof call with this status.
    pub no_v2: Option<u16>,
    /// It refuses the old proof call with this status.
    pub no_v1: Option<u16>,
    /// It answers proofs with these bytes.
    pub instead: Option<&'static str>,
    /// It sends proofs without end.
    pub endless: bool,
    /// It waits before it answers.
    pub delay: Duration,
    /// It never answers.
    pub mute: bool,
    /// It is so many blocks behind.
    pub behind: usize,
    /// It speaks JSON only.
    pub json_only: bool,
    /// Its bytes have something before them that nobody knows.
    pub odd_bytes: bool,
    /// Its headers are those of the block before.
    pub wrong_headers: bool,
    /// Its stream says of a head what its header does not.
    pub odd_lines: bool,
    /// It has no stream of heads.
    pub no_stream: bool,
    /// It answers an injection with this hash.
    pub injected: Option<OperationHash>,
    /// It leaves an operation out.
    pub drops_operations: bool,
    /// Its lists of operation hashes have the true root.
    pub listing: Listing,
    /// Its answers to the old proof call are for another key.
    pub other_key: bool,
    /// It answers paths with this in them once it is let go on.
    pub held: Option<(&'static str, watch::Receiver<bool>)>,
    /// The status of its answers to paths with this in them.
    pub status: Option<(&'static str, u16)>,
}

/// How operation hashes are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listing {
    /// As they are.
    #[default]
    True,
    /// The last one twice.
    Repeated,
    /// Without the last pass.
    Fewer,
    /// In objects, with more in them.
    Wrapped,
}

pub struct Shared {
    pub world: watch::Sender<World>,
    pub ways: Mutex<Ways>,
    log: Mutex<Vec<String>>,
}

/// A running node.
pub struct Node {
    pub shared: Arc<Shared>,
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    pub async fn start(world: &World, ways: Ways) -> Self {
        let shared = Arc::new(Shared {
            world: watch::Sender::new(world.clone()),
            ways: Mutex::new(ways),
            log: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has ports");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("serving does not end");
        });
        Self {
            shared,
            address,
            task,
        }
    }

    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far, and forgets it.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(
            &mut self
                .shared
                .log
                .lock()
                .expect("no test panics while holding it"),
        )
    }

    pub fn set(&self, change: impl FnOnce(&mut Ways)) {
        change(
            &mut self
                .shared
                .ways
                .lock()
                .expect("no test panics while holding it"),
        );
    }
}

fn reply(status: u16, kind: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(body.into())
        .expect("the parts are sound")
}

fn json(value: impl serde::Serialize) -> Response<Body> {
    let text = serde_json::to_string(&value).expect("plain data serializes");
    reply(200, "application/json", text)
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let ways = shared
        .ways
        .lock()
        .expect("no test panics while holding it")
        .clone();
    let (parts, body) = request.into_parts();
    let path = parts
        .uri
        .path_and_query()
        .map_or("", |path| path.as_str())
        .to_owned();
    shared
        .log
        .lock()
        .expect("no test panics while holding it")
        .push(format!("{} {path}", parts.method));
    if ways.mute {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(ways.delay).await;
    if let Some((part, go_on)) = &ways.held
        && path.contains(part)
    {
        let mut go_on = go_on.clone();
        let _ = go_on.wait_for(|go_on| *go_on).await;
    }
    if let Some((_, status)) = ways.status.filter(|(part, _)| path.contains(part)) {
        return reply(status, "text/plain", "");
    }
    let world = shared.world.borrow().clone();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let bare = parts.uri.path();
    let segments: Vec<&str> = bare
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let accept = parts.headers.get("accept");
    let binary = accept.is_some_and(|value| {
        value
            .to_str()
            .is_ok_and(|text| text.starts_with("application/octet-stream"))
    });
    match segments.as_slice() {
        ["chains", "main", "chain_id"] => json(world.chain),
        ["monitor", "heads", "main"] if !ways.no_stream => heads(&shared),
        ["monitor", ..] => reply(404, "text/plain", ""),
        ["injection", "operation"] => {
            let text: String = serde_json::from_slice(&body).expect("a hex text");
            let bytes = hex::decode(text).expect("hex digits");
            let hash = heliostat_tezos_context::hash::blake2b(&[&bytes]);
            json(ways.injected.unwrap_or(OperationHash(hash)))
        }
        ["chains", "main", "blocks", id, tail @ ..] => {
            let usable = world.blocks.len().saturating_sub(ways.behind);
            let Some(block) = find(&world.blocks[..usable], id) else {
                return reply(404, "text/plain", "");
            };
            let holey = path.contains("holey=yes");
            let mut ways = ways;
            if ways.only_newest && block.hash != world.head().hash {
                ways.forged = None;
            }
            below(&ways, &world, block, tail, holey, binary && !ways.json_only)
        }
        _ => json(serde_json::json!({ "relayed": path })),
    }
}

fn find<'a>(blocks: &'a [Block], id: &str) -> Option<&'a Block> {
    match id {
        "head" => blocks.last(),
        level if level.parse::<i32>().is_ok() => {
            let level = level.parse::<i32>().ok()?;
            blocks.iter().find(|block| block.header.level == level)
        }
        hash => {
            let hash: BlockHash = hash.parse().ok()?;
            blocks.iter().find(|block| block.hash == hash)
        }
    }
}

fn heads(shared: &Arc<Shared>) -> Response<Body> {
    let worlds = shared.world.subscribe();
    let shared = Arc::clone(shared);
    let lines = futures::stream::unfold((worlds, true), move |(mut worlds, is_first)| {
        let shared = Arc::clone(&shared);
        async move {
            if !is_first {
                worlds.changed().await.ok()?;
            }
            let ways = shared
                .ways
                .lock()
                .expect("no test panics while holding it")
                .clone();
            let line = {
                let world = worlds.borrow_and_update();
                let at = world.blocks.len().saturating_sub(1 + ways.behind);
                let mut line = world.blocks[at].header.heads_json();
                if ways.wrong_headers || ways.odd_lines {
                    line["timestamp"] = "2001-01-01T00:00:00Z".into();
                }
                format!("{line}\n")
            };
            Some((Ok::<_, std::convert::Infallible>(line), (worlds, false)))
        }
    });
    reply(200, "application/json", Body::from_stream(lines))
}

fn below(
    ways: &Ways,
    world: &World,
    block: &Block,
    tail: &[&str],
    holey: bool,
    binary: bool,
) -> Response<Body> {
    let protocol = world.protocol;
    match tail {
        ["hash"] => json(block.hash),
        ["header", "raw"] if ways.wrong_headers => json(world.blocks[0].header.raw_hex()),
        ["header", "raw"] => json(block.header.raw_hex()),
        ["protocols"] => json(serde_json::json!({
            "protocol": protocol, "next_protocol": protocol,
        })),
        ["operation_hashes"] => {
            let mut operations = block.operations.clone();
            if ways.drops_operations {
                operations[3].clear();
            }
            let last = operations[3].last().copied();
            match ways.listing {
                Listing::True => json(operations),
                Listing::Repeated => {
                    operations[3].extend(last);
                    json(operations)
                }
                Listing::Fewer => {
                    operations.pop();
                    json(operations)
                }
                Listing::Wrapped => {
                    let wrapped = |hash| serde_json::json!({"hash": hash, "amount": "7"});
                    let passes = operations.into_iter();
                    json(
                        passes
                            .map(|pass| pass.into_iter().map(wrapped).collect())
                            .collect::<Vec<Vec<_>>>(),
                    )
                }
            }
        }
        ["operations", "0"] => json(&block.attestations),
        [
            "context",
            call @ ("merkle_tree_v2" | "merkle_tree"),
            key @ ..,
        ] => {
            let call = *call;
            let mut key = Key::new(key).expect("a key");
            if ways.other_key && call == "merkle_tree" {
                key = Key::new(["version"]).expect("a key");
            }
            proof_of(ways, block, call, &key, holey, binary)
        }
        _ => json(serde_json::json!({ "relayed": tail.join("/"), "block": block.hash })),
    }
}

fn proof_of(
    ways: &Ways,
    block: &Block,
    call: &str,
    key: &Key,
    holey: bool,
    binary: bool,
) -> Response<Body> {
    if let Some(text) = ways.instead {
        return reply(200, "application/json", text);
    }
    if ways.endless {
        let pieces =
            futures::stream::repeat_with(|| Ok::<_, std::convert::Infallible>(vec![b'7'; 1 << 16]));
        return reply(200, "application/json", Body::from_stream(pieces));
    }
    let mut tree: Tree = block.tree.clone();
    if let Some((account, mutez)) = ways.forged.or(ways.clumsy) {
        tree = with_balance(&tree, account, mutez);
    }
    if call == "merkle_tree" {
        if let Some(status) = ways.no_v1 {
            return reply(status, "text/plain", "");
        }
        let made = v1::produce(&tree, key, holey).expect("our trees are whole");
        let text = v1::write(&made).expect("our trees are whole");
        return reply(200, "application/json", text);
    }
    if let Some(status) = ways.no_v2 {
        return reply(status, "text/plain", "");
    }
    let mut made = Proof::produce(&tree, key, holey).expect("our trees are whole");
    if ways.clumsy.is_some() {
        let honest = Proof::produce(&block.tree, key, true).expect("our trees are whole");
        (made.before, made.after) = (honest.before, honest.after);
    }
    match binary {
        true => {
            let mut bytes = proof::binary::write_answer(Some(&made));
            if ways.odd_bytes {
                bytes.splice(0..0, [7; 3]);
            }
            reply(200, "application/octet-stream", bytes)
        }
        false => reply(200, "application/json", proof::json::write(&made)),
    }
}
