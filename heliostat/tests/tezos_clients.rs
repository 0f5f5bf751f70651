//! Unmodified clients, pytezos and taquito, over `heliostat tezos`, which
//! stands before three simulated nodes of which one forges balances: what they
//! read is what an honest node tells them, and what they send arrives.
//!
//! pytezos is used where `python3` (or what `HELIOSTAT_PYTHON` names) can
//! import it; taquito where `node` finds it in `HELIOSTAT_NODE_MODULES`:
//!
//! ```text
//! python3 -m venv clients && clients/bin/pip install pytezos==3.20.0
//! npm install --prefix clients @taquito/taquito@24.2.0 @taquito/signer@24.2.0
//! HELIOSTAT_PYTHON=clients/bin/python HELIOSTAT_NODE_MODULES=$PWD/clients/node_modules \
//!     cargo test -p heliostat --test tezos_clients -- --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "tezos_process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;

use std::{env, ffi::OsString, path::PathBuf, time::Duration};

use heliostat_sim::tezos::{Lie, Network, Node, World, world::Settings};
use heliostat_tezos_context::base58::{self, Prefix};
use running::Daemon;
use serde_json::{Value, json};
use tokio::process::Command;

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a block is baked while a client waits for one.
const BLOCKS: Duration = Duration::from_millis(500);

/// What is sent, in tez.
const SENT: u64 = 3;

/// A client of a node, as a program of ours over somebody else's library.
struct Client {
    name: &'static str,
    program: OsString,
    script: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Client {
    fn script(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/tezos_clients")
            .join(name)
    }

    /// pytezos, where there is one.
    async fn pytezos() -> Option<Self> {
        let program = env::var_os("HELIOSTAT_PYTHON").unwrap_or_else(|| "python3".into());
        let client = Self {
            name: "pytezos",
            program,
            script: Self::script("reads.py"),
            environment: Vec::new(),
        };
        client.works(&["-c", "import pytezos"]).await
    }

    /// taquito, where there is one.
    async fn taquito() -> Option<Self> {
        let modules = env::var_os("HELIOSTAT_NODE_MODULES");
        let client = Self {
            name: "taquito",
            program: "node".into(),
            script: Self::script("reads.cjs"),
            environment: modules
                .map(|path| ("NODE_PATH", path))
                .into_iter()
                .collect(),
        };
        let script = "require('@taquito/taquito'); require('@taquito/signer')";
        client.works(&["-e", script]).await
    }

    async fn works(self, arguments: &[&str]) -> Option<Self> {
        let run = self.command().args(arguments).output().await;
        if run.is_ok_and(|run| run.status.success()) {
            return Some(self);
        }
        eprintln!(
            "skipped: {} is not installed where this test looks for it; its first comment tells",
            self.name
        );
        None
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let environment = self.environment.iter();
        command
            .envs(environment.map(|(key, value)| (key, value)))
            .kill_on_drop(true);
        command
    }

    /// What the client tells of the node at `url`.
    async fn run(&self, url: &str, asked: &Asked, send: u64) -> Value {
        let running = self
            .command()
            .arg(&self.script)
            .args([url, &asked.secret, &asked.document(send).to_string()])
            .output();
        let run = tokio::time::timeout(PATIENCE, running).await;
        let run = run.expect("the client ends").unwrap();
        assert!(
            run.status.success(),
            "{} over {url}: {}",
            self.name,
            String::from_utf8_lossy(&run.stderr)
        );
        serde_json::from_slice(&run.stdout).unwrap()
    }
}

/// Whom and what a client is told to ask for.
struct Asked {
    secret: String,
    sender: String,
    receiver: String,
    contracts: Vec<(&'static str, String)>,
}

impl Asked {
    fn of(world: &World) -> Self {
        let alice = world.account("alice");
        let secret = alice.secret.as_ref().unwrap();
        let contract = |name| (name, world.contract(name).address());
        Self {
            secret: base58::encode(Prefix::EDSK_SEED, secret.as_bytes()),
            sender: alice.address(),
            receiver: world.account("bob").address(),
            contracts: ["counter", "ledger", "registry"].map(contract).to_vec(),
        }
    }

    fn document(&self, send: u64) -> Value {
        let mut document = json!({
            "sender": self.sender,
            "receiver": self.receiver,
            "holder": self.receiver,
            "send": send,
        });
        for (name, address) in &self.contracts {
            document[*name] = json!(address);
        }
        document
    }
}

/// The client's view of Heliostat before one liar is that of an honest node,
/// and a transfer is included.
async fn reads_and_sends(client: Client) {
    let network = Network::new(World::new(7, Settings::small()));
    let nodes = Node::start_all(&network, 3).await.unwrap();
    let asked = Asked::of(&network.world());
    let honest = client.run(&nodes[0].url(), &asked, 0).await;
    assert_eq!(
        honest["sender"]["manager_key"]
            .as_str()
            .map(|key| &key[..4]),
        Some("edpk")
    );

    nodes[2].lie(Lie::Root);
    let stamp = network.world().numbers().proof_of_work_threshold;
    let (stamp, urls) = (stamp.to_string(), nodes.iter().map(|node| node.url()));
    let urls: Vec<_> = urls.collect();
    let mut args = vec!["tezos", "--min-agreement", "0.6", "--store", "memory:"];
    args.extend(["--proof-of-work-threshold", &stamp, "--log-format", "json"]);
    args.extend(["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"]);
    args.extend(urls.iter().flat_map(|url| ["--endpoint", url]));
    let daemon = Daemon::start(&args).await;
    let url = daemon.url("rpc");
    let through = client.run(&url, &asked, 0).await;
    assert_eq!(through, honest);
    eprintln!(
        "{}: {} equal answers",
        client.name,
        honest.as_object().unwrap().len()
    );

    let baking = network.bake_every(BLOCKS);
    let sent = client.run(&url, &asked, SENT).await;
    drop(baking);
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let (before, after) = (number(&sent["receiver"]), number(&sent["sent"]["receiver"]));
    assert_eq!(after - before, SENT * 1_000_000);
    let counters = [&sent["sender"]["counter"], &sent["sent"]["counter"]].map(number);
    assert_eq!(counters[1], counters[0] + 1);
    assert!(network.pending().is_empty());
    eprintln!("{}: sent {}", client.name, sent["sent"]["hash"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pytezos_reads_what_a_node_tells_and_sends() {
    if let Some(client) = Client::pytezos().await {
        reads_and_sends(client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn taquito_reads_what_a_node_tells_and_sends() {
    if let Some(client) = Client::taquito().await {
        reads_and_sends(client).await;
    }
}
