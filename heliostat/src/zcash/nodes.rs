//! The configured upstreams: credentials, sources, and which network they
//! say they are on.

use std::{fs, path::Path};

use heliostat_core::Fault;
use heliostat_node::{Asked, Role, State, access::Access};
use heliostat_observe::UpstreamStatus;
use heliostat_zcash::{
    credentials::{self, Endpoint, Given},
    rpc::{Limits, Rpc},
    source::ZcashSource,
};
use heliostat_zcash_verifier::Network;

use crate::{
    cli::exit::Failure,
    config::{
        ConfigError, ZcashConfig,
        zcash::{Credentials, NetworkName, RoleName, UpstreamConfig},
    },
};

/// One configured upstream.
pub struct Node {
    name: String,
    role: Role,
    rpc: Rpc,
}

impl Node {
    /// Its address without credentials.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where it is asked.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// It as a source that accepts `network` only, or any.
    pub fn source(&self, network: Option<Network>) -> ZcashSource {
        ZcashSource::new(self.rpc.clone(), network)
    }
}

/// The configured upstreams, in their order.
pub struct Nodes {
    all: Vec<Node>,
}

impl Nodes {
    /// Reads the credentials; asks nobody.
    ///
    /// # Errors
    /// A credentials file that cannot be read, or an address that is none.
    pub fn new(chain: &str, config: &ZcashConfig) -> Result<Self, ConfigError> {
        Self::telling(chain, config, &Asked::default())
    }

    /// The same, with somebody told of every question.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn telling(chain: &str, config: &ZcashConfig, asked: &Asked) -> Result<Self, ConfigError> {
        let node = |(index, upstream): (usize, &UpstreamConfig)| {
            let here = format!("chain.{chain}.upstream[{index}]");
            let own = &upstream.credentials;
            let endpoint = match own.is_empty() {
                true => resolve(upstream, &config.credentials)
                    .map_err(|words| ConfigError::value(format!("chain.{chain}"), words)),
                false => {
                    resolve(upstream, own).map_err(|words| ConfigError::value(here.as_str(), words))
                }
            };
            open(upstream, endpoint?, asked).map_err(|words| ConfigError::value(here, words))
        };
        let all = config.upstream.iter().enumerate().map(node);
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
        })
    }

    /// All of them.
    pub fn all(&self) -> &[Node] {
        &self.all
    }

    /// Those that blocks are fetched from.
    pub fn followed(&self) -> impl Iterator<Item = &Node> {
        self.all.iter().filter(|node| node.role == Role::Follow)
    }

    /// Sources for the upstream set.
    pub fn sources(&self, network: Network) -> Vec<(String, Role, ZcashSource)> {
        let source = |node: &Node| (node.name.clone(), node.role, node.source(Some(network)));
        self.all.iter().map(source).collect()
    }

    /// The network the first followed node that answers is on, and its name.
    ///
    /// # Errors
    /// Why none of them said, in words.
    pub async fn ask_network(&self) -> Result<(Network, String), String> {
        let mut told = Vec::new();
        for node in self.followed() {
            match node.source(None).network().await {
                Ok(network) => return Ok((network, node.name.clone())),
                // Its words name the node.
                Err(fault) => told.push(fault.to_string()),
            }
        }
        Err(told.join("; "))
    }

    /// What is said of the upstreams before there is an upstream set.
    pub fn unasked(&self, state: &State) -> Vec<UpstreamStatus> {
        let why = match state {
            State::Waiting(why) => why.as_str(),
            _ => "",
        };
        let status = |node: &Node| UpstreamStatus {
            name: node.name.clone(),
            role: match node.role {
                Role::Follow => "follow".to_owned(),
                Role::Witness => "witness".to_owned(),
            },
            state: "unknown".to_owned(),
            why: why.to_owned(),
            height: None,
        };
        self.all.iter().map(status).collect()
    }
}

/// Where an upstream is, and who we are there.
fn resolve(upstream: &UpstreamConfig, credentials: &Credentials) -> Result<Endpoint, String> {
    if let Some(file) = &credentials.rpc_password_file {
        // It is read again when it is refused; now only to say what is wrong.
        first_line(file)?;
    }
    let given = Given {
        url: Some(upstream.url.clone()),
        user: credentials.rpc_user.clone(),
        password: credentials.rpc_password.clone(),
        password_file: credentials.rpc_password_file.clone(),
        cookie: credentials.rpc_cookie_file.clone(),
        conf: credentials.zcash_conf.clone(),
        ..Given::default()
    };
    let endpoint = given.resolve(environment);
    endpoint.map_err(|error| error.to_string())
}

fn open(upstream: &UpstreamConfig, endpoint: Endpoint, asked: &Asked) -> Result<Node, String> {
    let limits = Limits {
        asked: asked.clone(),
        ..Limits::default()
    };
    let access = Access::open(&upstream.access.options()).map_err(|error| error.to_string())?;
    let rpc = Rpc::secured(&endpoint.url, endpoint.auth, limits, access);
    let rpc = rpc.map_err(|error| error.to_string())?;
    Ok(Node {
        name: rpc.address().to_owned(),
        role: match upstream.role {
            RoleName::Follow => Role::Follow,
            RoleName::Witness => Role::Witness,
        },
        rpc,
    })
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn first_line(file: &Path) -> Result<String, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("cannot read rpc-password-file {}: {error}", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    match line.is_empty() {
        true => Err(format!(
            "the first line of rpc-password-file {} is empty; it must be the password",
            file.display()
        )),
        false => Ok(line.to_owned()),
    }
}

/// Where the node of a `zcash.conf` or `zebrad.toml` listens.
///
/// # Errors
/// The file cannot be read, or does not say it.
pub fn conf_url(file: &Path) -> Result<String, Failure> {
    let endpoint = credentials::from_file(file, environment);
    let endpoint = endpoint.map_err(|error| Failure::usage(format!("--zcash-conf: {error}")))?;
    Ok(endpoint.url)
}

/// The verifier's name for a network.
pub fn network(name: NetworkName) -> Network {
    match name {
        NetworkName::Main => Network::Main,
        NetworkName::Test => Network::Test,
        NetworkName::Regtest => Network::Regtest,
    }
}

/// A fault of `node` in words, with what an operator can do about it. For
/// where the node was named already.
pub(crate) fn explained(node: &str, fault: &Fault) -> String {
    let words = fault.to_string().replacen(&format!("{node}: "), "", 1);
    // Most faults end in better advice, because they know more.
    match words.contains("; ") {
        true => words,
        false => format!("{words}; {}", advice(fault)),
    }
}

fn advice(fault: &Fault) -> &'static str {
    match fault {
        Fault::Unreachable(_) => "start the node, or correct its address",
        Fault::Behind(_) => "wait until the node has caught up",
        Fault::Unsupported(_) => "correct the address, the credentials or the network",
        Fault::Wrong(_) => "do not use this node",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_node_once_and_has_one_piece_of_advice() {
        let explained = |words: &str| explained("http://n:1", &Fault::Unreachable(words.into()));
        assert_eq!(
            explained("http://n:1: cannot connect; is it running?"),
            "unreachable: cannot connect; is it running?"
        );
        assert_eq!(
            explained("no answer within 15 s"),
            "unreachable: no answer within 15 s; start the node, or correct its address"
        );
    }
}
