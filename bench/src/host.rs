//! The real range service over a generated chain, in a process of its own, behind
//! three entrances: the door in plaintext, the door with TLS, and a bare
//! HTTP server with the same settings and nothing of the door.

use std::{
    convert::Infallible,
    env,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    routing::{get, post},
};
use futures::{StreamExt as _, stream};
use heliostat_core::Assurance;
use heliostat_door::{
    Connections, Counts, Door, Limits, Options, Refused, Tls, defaults, networks,
};
use heliostat_node::{Follower, Role, Settings as FollowSettings, Upstreams};
use heliostat_sim::zcash::{Node, generator::Generator};
use heliostat_zcash::{
    chunk::TABLES,
    credentials::Auth,
    range::{RangeContext, range_routes},
    replica::{Options as ReplicaOptions, ZcashReplica},
    rpc::{Limits as RpcLimits, Rpc},
    source::ZcashSource,
};
use heliostat_zcash_verifier::{Network, ZcashVerifier};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tokio_util::sync::CancellationToken;

use crate::{replay, servers::end};

/// Where the entrances are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entrances {
    /// Without the door: `host:port`.
    pub bare: String,
    /// The door in plaintext.
    pub door: String,
    /// The door with TLS.
    pub tls: String,
    /// The door's certificate in DER.
    pub certificate: Vec<u8>,
    /// The newest height.
    pub tip: u64,
}

/// What the plaintext door has counted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// Connections cut, for whatever reason.
    pub cut: u64,
    /// Connections refused because of what others of the address did.
    pub refused: u64,
}

impl Tally {
    fn of(counts: &Counts) -> Self {
        Self {
            cut: counts.cut.values().sum(),
            refused: counts.refused[Refused::Penalty.as_str()],
        }
    }

    /// What was counted after `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            cut: self.cut - earlier.cut,
            refused: self.refused - earlier.refused,
        }
    }
}

/// Serves until standard input ends; the first line of standard output says
/// where.
pub async fn serve(seed: u64, blocks: u64, mix: &str) -> Result<()> {
    let config = replay::config(seed, blocks, mix);
    let generator = tokio::task::spawn_blocking(|| Generator::new(config)).await?;
    let node = Node::start(generator.chain().clone()).await?;
    let rpc = Rpc::new(&node.url(), Auth::None, RpcLimits::default())?;
    let source = ZcashSource::new(rpc, Some(Network::Regtest));
    let upstreams = vec![("replay".to_owned(), Role::Follow, source)];
    let upstreams = Arc::new(Upstreams::new(upstreams));
    let store = heliostat_store::open(
        "memory:",
        "bench",
        &TABLES,
        heliostat_store::Options::default(),
    );
    let replica =
        ZcashReplica::open(store.await?, Network::Regtest, ReplicaOptions::default()).await?;
    let replica = Arc::new(replica);
    let follower = Follower::new(
        Arc::clone(&upstreams),
        Arc::new(ZcashVerifier::new(Network::Regtest)),
        Arc::clone(&replica),
        FollowSettings {
            head_age: None,
            ..FollowSettings::default()
        },
    );
    // Who agrees is no matter here.
    let service = range_routes(RangeContext::new(
        &replica,
        Arc::new(|_| Assurance::Relayed),
    ));
    let stop = CancellationToken::new();
    let ended = stop.clone();
    let following = tokio::spawn(async move { follower.run(ended).await });
    let mut tips = replica.tips();
    tips.wait_for(|tip| tip.is_some_and(|tip| tip.height == blocks))
        .await?;
    drop(generator);

    let bare = TcpListener::bind("127.0.0.1:0").await?;
    // Every address but the one that measures without an attack is treated as
    // the whole internet is.
    let limits = Limits {
        exempt: vec![networks::network("127.0.0.1")?],
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let door = Door::bind("127.0.0.1:0", options.clone()).await?;
    let service = service.merge(prey(door.connections()));
    let tls = Tls::self_signed(&["localhost".to_owned()])?;
    let secure = Options {
        tls: Some(tls.clone()),
        ..options
    };
    let secure = Door::bind("127.0.0.1:0", secure).await?;
    let entrances = Entrances {
        bare: bare.local_addr()?.to_string(),
        door: door.local_addr().to_string(),
        tls: secure.local_addr().to_string(),
        certificate: tls.certificate(),
        tip: blocks,
    };
    let serving = [
        tokio::spawn(bare_server(bare, service.clone())),
        tokio::spawn(door.serve(service.clone(), stop.clone())),
        tokio::spawn(secure.serve(service, stop.clone())),
    ];
    println!("{}", serde_json::to_string(&entrances)?);
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    stop.cancel();
    serving[0].abort();
    following.await??;
    Ok(())
}

/// What attackers ask for: an answer without an end, one that never begins,
/// and somebody who takes a body; and what became of them at the door.
fn prey(connections: Connections) -> Router {
    const CHUNK: Bytes = Bytes::from_static(&[7; 16 << 10]);
    let endless = || async { Body::from_stream(stream::repeat(CHUNK).map(Ok::<_, Infallible>)) };
    let tally = move || {
        let tally = Tally::of(&connections.counts());
        async move { Json(tally) }
    };
    Router::new()
        .route("/tally", get(tally))
        .route("/endless", get(endless))
        .route("/never", get(std::future::pending::<()>))
        .route(
            "/take",
            post(|body: Bytes| async move { body.len().to_string() }),
        )
}

/// HTTP as the door sets it up, without anything of the door.
async fn bare_server(listener: TcpListener, service: Router) {
    let mut http = auto::Builder::new(TokioExecutor::new());
    let streams = Limits::default().streams;
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        .keep_alive_interval(defaults::KEEPALIVE_INTERVAL)
        .keep_alive_timeout(defaults::KEEPALIVE_TIMEOUT)
        .initial_stream_window_size(defaults::STREAM_WINDOW)
        .initial_connection_window_size(defaults::CONNECTION_WINDOW)
        .max_send_buf_size(defaults::SEND_BUFFER)
        .max_header_list_size(defaults::HTTP2_HEADERS);
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (http, service) = (http.clone(), service.clone());
        tokio::spawn(async move {
            let service = TowerToHyperService::new(service);
            // Clients vanish; that is no news here.
            let _ = http
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The host as a process; it ends when this is dropped.
pub struct Host {
    child: Child,
    _input: ChildStdin,
    /// Where it can be reached.
    pub entrances: Entrances,
}

impl Host {
    /// Starts `bench host` and waits until it serves.
    pub fn start(seed: u64, blocks: u64, mix: &str) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["host", "--mix", mix])
            .args(["--seed", &seed.to_string()])
            .args(["--blocks", &blocks.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("stdin is piped")?;
        let output = child.stdout.take().context("stdout is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure!(!line.is_empty(), "the host ended before it served");
        Ok(Self {
            child,
            _input: input,
            entrances: serde_json::from_str(&line)?,
        })
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
