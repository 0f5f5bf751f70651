//! A light node as its clients see it: served over HTTP, over simulated nodes
//! of one generated network, that lie, fail, or are only slow.

mod chain;
mod faults;
mod grid;
mod liars;
mod rows;
mod sending;
mod unsent;

use std::time::Duration;

use heliostat_core::Assurance;
use heliostat_node::Findings;
use heliostat_sim::tezos::{
    Network, Node, World,
    world::{Block, Settings as Made},
};
use heliostat_tezos::{Checkpoint, Light, Settings, endpoint::Limits, evidence};
use heliostat_tezos_protocol::ContractId;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// How long a test waits for something that happens by itself: far longer than
/// it takes, so that only a hang is caught.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Clone, Debug)]
struct Got {
    status: u16,
    grade: Option<Assurance>,
    reason: Option<String>,
    body: Vec<u8>,
}

impl Got {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON answer")
    }

    /// The id in a node's array of errors.
    fn error(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json[0]["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether it claims more than that it was passed on.
    fn is_vouched(&self) -> bool {
        self.grade.is_some_and(|grade| grade > Assurance::Relayed)
    }
}

/// A GET over HTTP.
async fn get(url: &str, path: &str) -> Got {
    get_as(url, path, "application/json").await
}

async fn get_as(url: &str, path: &str, accept: &str) -> Got {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client without settings");
    let asked = client.get(format!("{url}{path}")).header("accept", accept);
    got(asked.send().await.expect("the daemon answers")).await
}

async fn got(response: reqwest::Response) -> Got {
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let (grade, reason) = (header(Assurance::FIELD), header("heliostat-reason"));
    Got {
        status: response.status().as_u16(),
        grade: grade.map(|text| text.parse().expect("a grade")),
        reason,
        body: response.bytes().await.expect("a whole body").to_vec(),
    }
}

/// Nodes of one network.
async fn network(made: Made, count: usize) -> (Network, Vec<Node>) {
    let network = Network::new(World::new(7, made));
    let nodes = Node::start_all(&network, count).await;
    (network, nodes.expect("loopback has ports"))
}

/// Settings for some nodes: what an operator of that network would set.
fn settings(nodes: &[Node]) -> Settings {
    let world = nodes[0].network().world();
    Settings {
        proof_of_work: Some(world.numbers().proof_of_work_threshold),
        limits: Limits {
            call: Duration::from_secs(2),
            ..Limits::default()
        },
        ..Settings::new(nodes.iter().map(|node| node.url()).collect())
    }
}

/// Trusts a block so many before the head, and verifies attestations.
fn trusting(settings: Settings, world: &World, back: usize) -> Settings {
    let (level, hash) = world.checkpoint(back);
    Settings {
        checkpoint: Some(Checkpoint::Block {
            level: level.try_into().expect("levels are positive"),
            hash,
        }),
        finality: true,
        ..settings
    }
}

/// A light node that is served over HTTP until it is dropped.
struct Daemon {
    light: Light,
    url: String,
    stop: CancellationToken,
    _serving: AbortOnDropHandle<()>,
    running: Option<AbortOnDropHandle<()>>,
}

impl Daemon {
    /// Serves, and follows nothing.
    async fn serve(settings: Settings) -> Self {
        Self::with(settings, Findings::in_memory()).await
    }

    async fn with(settings: Settings, findings: Findings) -> Self {
        let light = Light::start(settings, findings).expect("the settings are sound");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has ports");
        let address = listener.local_addr().expect("a bound socket");
        let router = light.router();
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self {
            light,
            url: format!("http://{address}"),
            stop: CancellationToken::new(),
            _serving: AbortOnDropHandle::new(serving),
            running: None,
        }
    }

    /// Serves and follows the heads, as the daemon does.
    async fn run(settings: Settings) -> Self {
        let mut daemon = Self::serve(settings).await;
        daemon.follow();
        daemon
    }

    fn follow(&mut self) {
        let (light, stop) = (self.light.clone(), self.stop.clone());
        let running = tokio::spawn(async move { light.run(stop).await });
        self.running = Some(AbortOnDropHandle::new(running));
    }

    /// Stops following, as at the end of the process.
    async fn end(mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.expect("following ends");
        }
    }

    async fn get(&self, path: &str) -> Got {
        get(&self.url, path).await
    }

    /// What lies below a block.
    async fn at(&self, block: &str, tail: &str) -> Got {
        self.get(&format!("/chains/main/blocks/{block}/{tail}"))
            .await
    }

    async fn balance(&self, block: &str, account: &ContractId) -> Got {
        let tail = format!("context/contracts/{account}/balance");
        self.at(block, &tail).await
    }

    /// Asks until the answer is as expected.
    async fn until(&self, path: &str, is_right: impl Fn(&Got) -> bool) -> Got {
        let wait = async {
            loop {
                let got = self.get(path).await;
                if is_right(&got) {
                    return got;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("{path}: {:#?}", self.light.status()))
    }

    /// Every lie that was found holds when it is checked again, and was told by
    /// one of these.
    fn only_convicts(&self, liars: &[&Node]) {
        for finding in self.light.upstreams().findings() {
            assert!(
                liars.iter().any(|liar| liar.url() == finding.upstream),
                "an honest node was convicted: {finding:?}"
            );
            assert_eq!(evidence::recheck(&finding.evidence), Ok(()), "{finding:?}");
        }
    }
}

/// A text in JSON.
fn quoted(text: impl std::fmt::Display) -> String {
    format!("\"{text}\"")
}

fn agreed(k: usize, n: usize) -> Option<Assurance> {
    Some(Assurance::agreed(k, n))
}

/// An account's true balance in JSON.
fn true_balance(world: &World, block: &Block, account: &ContractId) -> String {
    quoted(world.balance(block, account))
}
