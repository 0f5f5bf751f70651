//! A node, a replica that follows it, the service in front, and a client.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use heliostat_node::{
    Follower, Role, Settings as FollowSettings, Upstreams,
    outbox::{self, Policy},
};
use heliostat_sim::zcash::{Block, Chain, Generator, GeneratorConfig, Mix, Node, Profile};
use heliostat_store::Options as StoreOptions;
use heliostat_zcash::{
    api::{Context, Outbox, Settings, router},
    chunk::TABLES,
    credentials::Auth,
    replica::{Options, ZcashReplica},
    rpc::{Limits, Rpc},
    source::ZcashSource,
};
use heliostat_zcash_proto::{BlockId, compact_tx_streamer_client::CompactTxStreamerClient};
use heliostat_zcash_verifier::{Network, ZcashVerifier};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Status, transport::Channel};

/// Blocks the node has at first; the chain generated is longer.
///
/// Coinbases can be spent after 100 blocks; only then are there transparent
/// inputs.
pub const BLOCKS: u64 = 120;
/// Blocks beyond, whose transactions stand in for unmined ones.
pub const SPARE: u64 = 12;

fn source(url: &str) -> ZcashSource {
    let rpc = Rpc::new(url, Auth::None, Limits::default()).expect("the address is well-formed");
    ZcashSource::new(rpc, Some(Network::Regtest)).polling_every(Duration::from_millis(20))
}

/// The height the node says an upgrade is still to come at.
pub const PENDING: u64 = 500;

/// Everything a test needs. It all ends when this is dropped.
pub struct Rig {
    pub generator: &'static Generator,
    pub node: Node,
    pub outbox: Arc<Outbox>,
    pub upstreams: Arc<Upstreams<ZcashSource>>,
    pub replica: Arc<ZcashReplica>,
    pub address: SocketAddr,
    tasks: Vec<AbortOnDropHandle<()>>,
}

pub type Client = CompactTxStreamerClient<Channel>;

/// The chain every test starts from.
pub fn generator() -> &'static Generator {
    static GENERATOR: LazyLock<Generator> = LazyLock::new(|| {
        let mut config = GeneratorConfig::new(11, BLOCKS + SPARE);
        config.plant_every = 8;
        config.mix = Mix::TRANSPARENT_HEAVY;
        Generator::new(config)
    });
    &GENERATOR
}

/// How a rig is made.
#[derive(Default)]
pub struct Plan {
    pub settings: Settings,
    /// More nodes over the same chain, asked after the first.
    pub others: Vec<(Role, String)>,
    /// Where the first one is asked, if not at the node itself.
    pub through: Option<String>,
    /// To how many nodes a transaction goes.
    pub policy: Policy,
    /// Where the store is, if not in memory.
    pub store: Option<String>,
}

impl Rig {
    /// One node, default settings, synced.
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let plan = Plan {
            settings,
            ..Plan::default()
        };
        Self::planned(first_node().await, plan).await
    }

    pub async fn planned(node: Node, plan: Plan) -> Self {
        let rig = Self::unsynced(node, plan).await;
        rig.caught_up().await;
        rig
    }

    /// The same before it has any block.
    pub async fn unsynced(node: Node, plan: Plan) -> Self {
        let url = plan.through.unwrap_or_else(|| node.url());
        let mut upstreams = vec![("node".to_owned(), Role::Follow, source(&url))];
        for (index, (role, url)) in plan.others.into_iter().enumerate() {
            upstreams.push((format!("other{index}"), role, source(&url)));
        }
        let upstreams = Arc::new(Upstreams::new(upstreams));
        let options = StoreOptions::default();
        let mut tables = TABLES.to_vec();
        tables.push(outbox::TABLE);
        let address = plan.store.as_deref().unwrap_or("memory:");
        let store = heliostat_store::open(address, "regtest", &tables, options).await;
        let store = store.expect("memory is always there");
        let replica =
            ZcashReplica::open(Arc::clone(&store), Network::Regtest, Options::default()).await;
        let replica = Arc::new(replica.expect("the store is new"));
        let follower = Follower::new(
            Arc::clone(&upstreams),
            Arc::new(ZcashVerifier::new(Network::Regtest)),
            Arc::clone(&replica),
            FollowSettings {
                poll: Duration::from_millis(50),
                head_age: None,
                ..FollowSettings::default()
            },
        );
        let plain = plan.settings.compat.plain_txid;
        let (nodes, blocks) = (Arc::clone(&upstreams), Arc::clone(&replica));
        let outbox = heliostat_zcash::api::outbox::open(store, nodes, blocks, plan.policy, plain);
        let outbox = outbox.await.expect("the store is open");
        let app = router(Context {
            outbox: Arc::clone(&outbox),
            replica: Arc::clone(&replica),
            upstreams: Arc::clone(&upstreams),
            agreement: follower.agreement(),
            progress: follower.progress(),
            observer: None,
            settings: plan.settings,
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let serving = tonic::transport::Server::builder()
            .add_routes(app.into())
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
        let following = async move {
            let run = follower.run(CancellationToken::new()).await;
            run.expect("a follower only returns when it is stopped");
        };
        let tasks = vec![
            AbortOnDropHandle::new(tokio::spawn(following)),
            AbortOnDropHandle::new(tokio::spawn(async { serving.await.expect("it serves") })),
        ];
        Self {
            generator: generator(),
            outbox,
            node,
            upstreams,
            replica,
            address,
            tasks,
        }
    }

    /// Keeps a task of a test alive.
    pub fn keep(&mut self, task: AbortOnDropHandle<()>) {
        self.tasks.push(task);
    }

    /// Waits until the replica ends where the node's chain does.
    pub async fn caught_up(&self) {
        let tip = self.node.chain().tip().expect("a chain has a tip").hash;
        let mut tips = self.replica.tips();
        let there = tips.wait_for(|link| link.is_some_and(|link| link.id.0 == tip));
        let waited = tokio::time::timeout(PATIENCE, there).await;
        waited
            .expect("the replica catches up")
            .expect("the replica lives");
    }

    pub async fn client(&self) -> Client {
        Client::new(self.channel().await)
    }

    pub async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address));
        let endpoint = endpoint.expect("an address makes a URI");
        endpoint.connect().await.expect("the service listens")
    }

    pub fn chain(&self) -> &Chain {
        self.generator.chain()
    }

    /// A block of the chain.
    pub fn block(&self, height: u64) -> &Arc<Block> {
        self.chain().at(height).expect("the chain has it")
    }

    /// Transactions the node does not have yet, with their ids.
    pub fn unmined(&self) -> Vec<([u8; 32], Bytes)> {
        let blocks = (BLOCKS + 1..=BLOCKS + SPARE).map(|height| self.block(height));
        blocks
            .flat_map(|block| {
                let ids = block.txids.iter().zip(&block.txs).skip(1);
                ids.map(|(txid, range)| (*txid, block.raw.slice(range.clone())))
            })
            .collect()
    }

    /// Lets the node find the next block of the chain.
    pub fn mine(&self) {
        let next = self.node.chain().tip().expect("a chain has a tip").height + 1;
        self.node.extend([Arc::clone(self.block(next))]);
    }
}

/// How long something may take that takes milliseconds: for hosts under load,
/// so that a hang fails instead of hanging.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A node with the first [`BLOCKS`] of a chain.
pub async fn first_node() -> Node {
    let profile = Profile::regtest(2, PENDING);
    let node = Node::start_as(profile, generator().chain().up_to(BLOCKS)).await;
    node.expect("loopback has ports")
}

/// Tries again until a check holds.
pub async fn until<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let tries = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, tries).await;
    assert!(waited.is_ok(), "never happened: {what}");
}

/// A question of the test's own to the node.
pub async fn ask(node: &Node, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "1.0", "id": 1, "method": method, "params": params });
    let sent = reqwest::Client::new()
        .post(node.url())
        .json(&body)
        .send()
        .await;
    let reply: Value = sent.expect("it answers").json().await.expect("in JSON");
    reply["result"].clone()
}

/// A transparent address with outputs on the node's chain.
pub async fn address(node: &Node) -> String {
    for block in node.chain().blocks.iter().skip(1) {
        for txid in &block.txids {
            let reply = ask(node, "getrawtransaction", json!([display(txid), 1])).await;
            let outputs = reply["vout"].as_array().cloned().unwrap_or_default();
            let named = outputs.iter().find_map(|output| {
                output["scriptPubKey"]["addresses"][0]
                    .as_str()
                    .map(str::to_owned)
            });
            if let Some(address) = named {
                return address;
            }
        }
    }
    panic!("no block has a transparent output");
}

/// A hash as people write it.
pub fn display(hash: &[u8; 32]) -> String {
    let mut reversed = *hash;
    reversed.reverse();
    hex::encode(reversed)
}

pub fn at(height: u64) -> BlockId {
    BlockId {
        height,
        ..BlockId::default()
    }
}

pub fn by_hash(hash: &[u8]) -> BlockId {
    BlockId {
        hash: Bytes::copy_from_slice(hash),
        ..BlockId::default()
    }
}

/// A refusal, word for word, and without a grade.
#[track_caller]
pub fn refused<T>(reply: Result<T, Status>, code: Code, text: &str) {
    let Err(status) = reply else {
        panic!("expected {code:?}: {text}");
    };
    assert_eq!((status.code(), status.message()), (code, text));
    assert!(status.metadata().get("heliostat-assurance").is_none());
}

/// A refusal that says this among other things.
#[track_caller]
pub fn refused_with<T>(reply: Result<T, Status>, code: Code, texts: &[&str]) {
    let Err(status) = reply else {
        panic!("expected {code:?}: {texts:?}");
    };
    assert_eq!(status.code(), code, "{}", status.message());
    for text in texts {
        assert!(
            status.message().contains(text),
            "{text:?} in {:?}",
            status.message()
        );
    }
}
