//! `heliostat check`: validates the configuration, and says of every
//! upstream, store, port and certificate what a person can act on.

mod door;
mod machine;

use heliostat_core::{Fault, Source as _};
use heliostat_node::Role;
use heliostat_zcash::{rpc::RpcError, source::ZcashSource};
use heliostat_zcash_verifier::Network;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use machine::{log_file, port, store};

use crate::{
    cli::exit::Failure,
    config::{ChainConfig, Config, ConfigError, ZcashConfig, door::observed},
    defaults,
    run::runtime,
    status, tezos,
    zcash::{
        self,
        nodes::{Node, Nodes, explained},
    },
};

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// In order.
    Ok,
    /// In order, but not ready: a node that is down or syncing.
    NotReady,
    /// Somebody has to do something.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    subject: String,
    verdict: Verdict,
    words: String,
}

impl Found {
    /// What was found of `subject`.
    pub fn new(subject: impl Into<String>, verdict: Verdict, words: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            verdict,
            words: words.into(),
        }
    }

    /// What is wrong with a setting.
    pub fn broken(error: ConfigError) -> Self {
        match error {
            ConfigError::Value { setting, reason } => Self::new(setting, Verdict::Failed, reason),
            other => Self::new("configuration", Verdict::Failed, other.to_string()),
        }
    }
}

/// Checks everything, and prints what was found.
///
/// # Errors
/// Something has to be mended (1), or is not ready (3).
pub fn run(config: Config, json: bool) -> Result<(), Failure> {
    let found = runtime()?.block_on(look(&config))?;
    let worst = found.iter().map(|found| found.verdict).max();
    let worst = worst.unwrap_or(Verdict::Ok);
    if json {
        println!("{}", json!({ "verdict": worst, "found": found }));
    } else {
        for found in &found {
            let mark = match found.verdict {
                Verdict::Ok => "ok       ",
                Verdict::NotReady => "not ready",
                Verdict::Failed => "FAILED   ",
            };
            println!("{mark}  {}: {}", found.subject, found.words);
        }
    }
    let count = found.iter().filter(|found| found.verdict == worst).count();
    match worst {
        Verdict::Ok => Ok(()),
        Verdict::NotReady => Err(Failure::NotReady(format!("{count} of the above"))),
        Verdict::Failed => Err(Failure::failed(format!(
            "{count} of the above must be mended"
        ))),
    }
}

async fn look(config: &Config) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    let running = is_running(config).await;
    let options = door::look(&config.door, &mut found).await?;
    let observed = observed(&options, &config.observe);
    found.push(port("observe.listen", &config.observe.listen, observed, running).await);
    found.extend(config.observe.log_file.as_deref().map(log_file));
    for (name, chain) in &config.chain {
        let setting = format!("chain.{name}.listen");
        found.push(port(&setting, chain.listen(), options.clone(), running).await);
        match chain {
            ChainConfig::Zcash(chain) => {
                found.push(store(config, name, &zcash::tables()).await?);
                upstreams(name, chain, &mut found).await?;
            }
            ChainConfig::Tezos(chain) => {
                found.push(store(config, name, &tezos::tables()).await?);
                tezos::check::endpoints(name, chain, &mut found).await?;
            }
        }
    }
    Ok(found)
}

/// Whether this very configuration runs already, so that its ports may be
/// taken.
async fn is_running(config: &Config) -> bool {
    let answer = status::ask(&format!("http://{}", config.observe.listen)).await;
    answer.is_ok_and(|text| serde_json::from_str::<heliostat_observe::Status>(&text).is_ok())
}

/// What is known of a node that answers.
struct Answering<'a> {
    node: &'a Node,
    source: ZcashSource,
    height: u64,
}

async fn upstreams(
    name: &str,
    config: &ZcashConfig,
    found: &mut Vec<Found>,
) -> Result<(), Failure> {
    let nodes = match Nodes::new(name, config) {
        Ok(nodes) => nodes,
        Err(error) => {
            found.push(Found::broken(error));
            return Ok(());
        }
    };
    let mut network = config.network.map(zcash::nodes::network);
    if network.is_none() {
        network = nodes.ask_network().await.ok().map(|(network, _)| network);
    }
    let mut answering = Vec::new();
    for node in nodes.all() {
        let source = node.source(network);
        let look = timeout(defaults::CHECK_TIMEOUT, node_words(node, &source));
        let late = || {
            let seconds = defaults::CHECK_TIMEOUT.as_secs();
            Err(Fault::Unreachable(format!("no answer within {seconds} s")))
        };
        let (verdict, words) = match look.await.unwrap_or_else(|_| late()) {
            Ok((height, words)) => {
                let standing = match source.syncing() {
                    None => (Verdict::Ok, words),
                    Some(syncing) => (Verdict::NotReady, format!("{words}; {syncing}")),
                };
                answering.push(Answering {
                    node,
                    source,
                    height,
                });
                standing
            }
            Err(fault) => {
                let verdict = match fault {
                    Fault::Unreachable(_) | Fault::Behind(_) => Verdict::NotReady,
                    Fault::Unsupported(_) | Fault::Wrong(_) => Verdict::Failed,
                };
                (verdict, explained(node.name(), &fault))
            }
        };
        let role = match node.role() {
            Role::Follow => "upstream",
            Role::Witness => "witness",
        };
        found.push(Found {
            subject: format!("{role} {}", node.name()),
            verdict,
            words,
        });
    }
    found.extend(same_chain(&answering).await);
    found.extend(alone(&nodes, network));
    Ok(())
}

/// The calls the service passes on to a followed node, with parameters that
/// ask for little.
const CALLS: [(&str, &str); 5] = [
    ("getrawmempool", "GetMempoolTx and GetMempoolStream"),
    ("z_gettreestate", "GetTreeState"),
    ("z_getsubtreesbyindex", "GetSubtreeRoots"),
    ("getaddressbalance", "the transparent address methods"),
    ("getrawtransaction", "GetTransaction"),
];

/// The code of a JSON-RPC server that does not know a method.
const METHOD_NOT_FOUND: i64 = -32601;

/// A node that can be used, in words, with its height.
async fn node_words(node: &Node, source: &ZcashSource) -> Result<(u64, String), Fault> {
    let network = source.network().await?;
    let head = source.head().await?;
    source.fetch(head.height).await?;
    let mut words = format!("{} at height {}", network.name(), head.height);
    if let Some(info) = source.info() {
        words = format!("{} {words}", info.software.subversion);
    }
    if node.role() == Role::Witness {
        return Ok((head.height, words));
    }
    let mut missing = Vec::new();
    for (method, used_for) in CALLS {
        let params = match method {
            "z_gettreestate" => json!([head.height.to_string()]),
            "z_getsubtreesbyindex" => json!(["sapling", 0, 1]),
            "getaddressbalance" => json!([{ "addresses": [] }]),
            "getrawtransaction" => json!(["00".repeat(32), 0]),
            _ => json!([]),
        };
        match node.rpc().call(method, params).await {
            Err(RpcError::Node { code, .. }) if code == METHOD_NOT_FOUND => {
                missing.push(format!("{method} ({used_for})"));
            }
            Err(RpcError::Fault(Fault::Unsupported(_))) => {
                missing.push(format!("{method} ({used_for})"));
            }
            _ => {}
        }
    }
    if !missing.is_empty() {
        words.push_str(&format!("; without {}", missing.join(", ")));
    }
    Ok((head.height, words))
}

/// Whether all that answer are on one chain, at the height they all have.
async fn same_chain(answering: &[Answering<'_>]) -> Option<Found> {
    let (first, others) = answering
        .split_first()
        .filter(|(_, rest)| !rest.is_empty())?;
    let height = answering.iter().map(|one| one.height).min()?;
    let ours = first.source.id_at(height).await.ok().flatten()?;
    let mut different = Vec::new();
    for other in others {
        match other.source.id_at(height).await {
            Ok(Some(theirs)) if theirs != ours => different.push(other.node.name()),
            _ => {}
        }
    }
    let (verdict, words) = match different.is_empty() {
        true => (Verdict::Ok, format!("the same block at height {height}")),
        false => (
            Verdict::Failed,
            format!(
                "at height {height} {} has another block than {}; one of them is on a fork",
                different.join(", "),
                first.node.name()
            ),
        ),
    };
    Some(Found {
        subject: "upstreams together".to_owned(),
        verdict,
        words,
    })
}

/// A single source is visible as such.
fn alone(nodes: &Nodes, network: Option<Network>) -> Option<Found> {
    if nodes.all().len() > 1 {
        return None;
    }
    let words = match network.map(Network::has_proof_of_work) {
        Some(false) => {
            "there is no proof-of-work on regtest, so every answer is only relayed; name a witness"
        }
        _ => {
            "nobody else is asked: it can hide the newest blocks, and nobody would notice; name a --witness"
        }
    };
    Some(Found {
        subject: "a single upstream".to_owned(),
        verdict: Verdict::Ok,
        words: words.to_owned(),
    })
}
