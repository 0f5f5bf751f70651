//! Commands and daemons as child processes, and the nodes they ask.

use std::process::Command;

use heliostat_sim::tezos::{Network, Node, World, world::Settings};

pub use crate::child::Daemon;

/// What a command said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a command to its end.
pub fn heliostat(args: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(args)
        .env("XDG_STATE_HOME", folder.path())
        .output()
        .unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The same, while the nodes in this process go on answering.
pub async fn ask(args: &[&str]) -> Said {
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let asked = tokio::task::spawn_blocking(move || {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        heliostat(&args)
    });
    asked.await.unwrap()
}

/// Nodes of one chain.
pub struct Nodes {
    pub network: Network,
    pub nodes: Vec<Node>,
    sources: tempfile::NamedTempFile,
}

impl Nodes {
    pub async fn start(count: usize) -> Self {
        let network = Network::new(World::new(11, Settings::small()));
        let nodes = Node::start_all(&network, count).await.unwrap();
        let uris: Vec<_> = nodes.iter().map(|node| node.url()).collect();
        let sources = tempfile::NamedTempFile::new().unwrap();
        let text = serde_json::json!({ "min_agreement": 1.0, "uris": uris });
        std::fs::write(&sources, text.to_string()).unwrap();
        Self {
            network,
            nodes,
            sources,
        }
    }

    /// Octez's sources file, with all nodes and an agreement of 1.0.
    pub fn sources(&self) -> &str {
        self.sources.path().to_str().unwrap()
    }

    /// The flags that name the nodes and the chain's stamp.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = vec!["tezos".to_owned()];
        flags.extend(["--sources".to_owned(), self.sources().to_owned()]);
        flags.extend(["--endpoint".to_owned(), self.nodes[0].url()]);
        flags.extend(["--proof-of-work-threshold".to_owned(), self.stamp()]);
        flags
    }

    pub fn stamp(&self) -> String {
        let world = self.network.world();
        world.numbers().proof_of_work_threshold.to_string()
    }

    /// `LEVEL:HASH` of a block this far below the head.
    pub fn checkpoint(&self, back: usize) -> String {
        let (level, hash) = self.network.world().checkpoint(back);
        format!("{level}:{hash}")
    }

    /// `heliostat tezos` with these arguments behind the flags.
    pub async fn tezos(&self, args: &[&str]) -> Said {
        let flags = self.flags();
        let flags = flags.iter().map(String::as_str);
        let all: Vec<_> = flags.chain(args.iter().copied()).collect();
        ask(&all).await
    }

    pub fn address(&self, name: &str) -> String {
        self.network.world().account(name).address().to_string()
    }

    /// A true balance at the head, in mutez.
    pub fn balance(&self, name: &str) -> u64 {
        let world = self.network.world();
        world.balance(world.head(), &world.account(name).id)
    }
}

impl Daemon {
    /// Starts it with these arguments, and waits until it listens.
    pub async fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
        command.args(args);
        Self::beside(command).await
    }

    /// Starts a command, and waits until it listens, while the nodes in this
    /// process go on answering.
    pub async fn beside(command: Command) -> Self {
        let started = tokio::task::spawn_blocking(move || Self::of(command));
        started.await.unwrap()
    }

    /// The quick start over these nodes.
    pub async fn over(nodes: &Nodes, more: &[&str]) -> Self {
        let flags = nodes.flags();
        let mut args: Vec<_> = flags.iter().map(String::as_str).collect();
        args.extend(["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"]);
        args.extend(["--log-format", "json"]);
        args.extend(more);
        Self::start(&args).await
    }

    /// Status, grade and body of an answer of the served RPC.
    pub async fn get(&self, path: &str) -> (u16, String, String) {
        let reply = reqwest::get(format!("{}{path}", self.url("rpc")));
        let reply = reply.await.unwrap();
        let grade = reply.headers().get("heliostat-assurance");
        let grade = grade.map_or("", |grade| grade.to_str().unwrap()).to_owned();
        (reply.status().as_u16(), grade, reply.text().await.unwrap())
    }
}

/// The path of a balance at the head.
pub fn balance_path(address: &str) -> String {
    format!("/chains/main/blocks/head/context/contracts/{address}/balance")
}
