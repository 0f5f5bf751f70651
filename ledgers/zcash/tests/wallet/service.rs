//! Heliostat's Zcash parts, assembled in one process in front of a simulated
//! node.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use heliostat_node::{
    Follower, Role, Settings as FollowSettings, Upstreams,
    outbox::{self, Policy},
};
use heliostat_sim::zcash::{Chain, Node};
use heliostat_store::Options as StoreOptions;
use heliostat_zcash::{
    api::{Context, Settings, router},
    chunk::TABLES,
    credentials::Auth,
    replica::{Options, ZcashReplica},
    rpc::{Limits, Rpc},
    source::ZcashSource,
};
use heliostat_zcash_verifier::{Network, ZcashVerifier};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::transport::Channel;

/// How long the replica may take to follow: for hosts under load, so that a
/// hang fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks for news at the node.
const POLL: Duration = Duration::from_millis(20);

/// Node, follower, replica and service. They end when this is dropped.
pub struct Service {
    node: Node,
    replica: Arc<ZcashReplica>,
    address: SocketAddr,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Service {
    /// Serves a chain, once it is followed to its tip.
    pub async fn start(chain: Chain) -> Self {
        let node = Node::start(chain.clone())
            .await
            .expect("loopback has ports");
        let rpc = Rpc::new(&node.url(), Auth::None, Limits::default()).expect("a URL of ours");
        let source = ZcashSource::new(rpc, Some(Network::Regtest)).polling_every(POLL);
        let upstreams = vec![("sim".to_owned(), Role::Follow, source)];
        let upstreams = Arc::new(Upstreams::new(upstreams));
        let mut tables = TABLES.to_vec();
        tables.push(outbox::TABLE);
        let store = heliostat_store::open("memory:", "regtest", &tables, StoreOptions::default());
        let store = store.await.expect("memory is always there");
        let replica =
            ZcashReplica::open(Arc::clone(&store), Network::Regtest, Options::default()).await;
        let replica = Arc::new(replica.expect("the store is new"));
        let follower = Follower::new(
            Arc::clone(&upstreams),
            Arc::new(ZcashVerifier::new(Network::Regtest)),
            Arc::clone(&replica),
            FollowSettings {
                poll: POLL,
                head_age: None,
                ..FollowSettings::default()
            },
        );
        let (nodes, blocks) = (Arc::clone(&upstreams), Arc::clone(&replica));
        let outbox =
            heliostat_zcash::api::outbox::open(store, nodes, blocks, Policy::One, false).await;
        let app = router(Context {
            outbox: outbox.expect("the store is open"),
            replica: Arc::clone(&replica),
            upstreams,
            agreement: follower.agreement(),
            progress: follower.progress(),
            observer: None,
            settings: Settings::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let following = async move {
            let run = follower.run(CancellationToken::new()).await;
            run.expect("a follower only returns when it is stopped");
        };
        let serving = async move {
            axum::serve(listener, app).await.expect("it serves");
        };
        let service = Self {
            node,
            replica,
            address,
            _tasks: [
                AbortOnDropHandle::new(tokio::spawn(following)),
                AbortOnDropHandle::new(tokio::spawn(serving)),
            ],
        };
        service.follows_to(&chain).await;
        service
    }

    /// Makes a chain the node's best one, and waits until it is followed.
    pub async fn show(&self, chain: Chain) {
        self.node.set_chain(chain.clone());
        self.follows_to(&chain).await;
    }

    async fn follows_to(&self, chain: &Chain) {
        let tip = chain.tip().expect("a chain has a tip").hash;
        let mut tips = self.replica.tips();
        let there = tips.wait_for(|link| link.is_some_and(|link| link.id.0 == tip));
        let waited = tokio::time::timeout(PATIENCE, there).await;
        waited
            .expect("the replica follows")
            .expect("the replica lives");
    }

    /// A connection to the service.
    pub async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address));
        let endpoint = endpoint.expect("an address makes a URI");
        endpoint.connect().await.expect("the service listens")
    }
}
