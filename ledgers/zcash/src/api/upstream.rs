//! Calls to the upstream node, and what to say when none answers.

use std::{fmt, sync::Arc};

use heliostat_core::{Evidence, Fault};
use heliostat_node::{Role, Upstreams};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::{Code, Status};

use super::{Node, defaults::READ_ATTEMPTS};
use crate::{
    node_info::NodeInfo,
    rpc::{Exchange, RpcError},
    source::ZcashSource,
};

/// The upstreams, asked best first.
#[derive(Clone)]
pub(super) struct Nodes {
    upstreams: Arc<Upstreams<ZcashSource>>,
}

/// A reply and who gave it.
pub(super) struct Answer {
    /// The `result` of the JSON-RPC reply.
    pub(super) value: Value,
    /// The exact bytes of both sides, in case it proves wrong.
    pub(super) exchange: Exchange,
    /// Who gave it, to be reported when it proves wrong.
    pub(super) from: Arc<Node>,
}

impl Answer {
    /// The reply as a type; the error is in words.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        serde_json::from_value(self.value)
    }
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The node answered with an error.
    Node {
        /// JSON-RPC error code.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// No upstream answered; in words, with the upstream's name.
    Down(String),
}

impl Refusal {
    /// As a status: `code` and `prefix` with the node's words when the node
    /// refused, UNAVAILABLE when there was none to ask.
    pub(super) fn status(&self, code: Code, prefix: &str) -> Status {
        let code = match self {
            Self::Node { .. } => code,
            Self::Down(_) => Code::Unavailable,
        };
        Status::new(code, format!("{prefix}{self}"))
    }
}

/// Node errors read `CODE: message`, the form lightwalletd's clients know.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { code, message } => write!(f, "{code}: {message}"),
            Self::Down(words) => f.write_str(words),
        }
    }
}

/// What to say when no upstream can be asked at all.
pub(super) const NO_UPSTREAM: &str =
    "no upstream can be used just now; `heliostat check` tells why";

impl Nodes {
    pub(super) fn new(upstreams: Arc<Upstreams<ZcashSource>>) -> Self {
        Self { upstreams }
    }

    /// The upstream to ask now.
    pub(super) fn best(&self) -> Option<Arc<Node>> {
        self.upstreams.best()
    }

    /// How many were convicted of a lie so far. What is kept of answers is
    /// kept under this number: a liar's answers go with the liar.
    pub(super) fn convicted(&self) -> usize {
        let all = self.upstreams.all().iter();
        all.filter(|node| node.is_quarantined()).count()
    }

    /// All of them, also those that cannot be asked now.
    pub(super) fn all(&self) -> &[Arc<Node>] {
        self.upstreams.all()
    }

    /// What a node last said of itself: the one that is followed, or the first
    /// that said anything.
    pub(super) fn info(&self) -> Option<Arc<NodeInfo>> {
        let honest = self
            .upstreams
            .all()
            .iter()
            .filter(|node| !node.is_quarantined());
        let first = self.upstreams.serving().into_iter().chain(honest);
        first.filter_map(|node| node.source().info()).next()
    }

    /// Asks a question that changes nothing, of one upstream after the other
    /// until one answers.
    ///
    /// One that does not answer is not reported: the follower asks them all
    /// the time and knows better, and a question that takes a node long, which
    /// a client chooses, must not stop the chain from being followed.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Result<Answer, Refusal> {
        self.ask_besides(&[], method, params).await
    }

    /// The same, of none of these.
    pub(super) async fn ask_besides(
        &self,
        these: &[Arc<Node>],
        method: &str,
        params: Value,
    ) -> Result<Answer, Refusal> {
        let mut asked = these.to_vec();
        let mut down = None;
        while asked.len() < these.len() + READ_ATTEMPTS {
            let Some(from) = self.next(&asked) else { break };
            match from.source().rpc().exchange(method, &params).await {
                Ok((value, exchange)) => {
                    return Ok(Answer {
                        value,
                        exchange,
                        from,
                    });
                }
                Err(RpcError::Node { code, message }) => {
                    return Err(Refusal::Node { code, message });
                }
                Err(RpcError::Fault(fault) | RpcError::NotSent(fault)) => {
                    // The best one's trouble is the one to hear of.
                    down.get_or_insert_with(|| words(&from, &fault));
                }
            }
            asked.push(from);
        }
        Err(Refusal::Down(down.unwrap_or_else(|| NO_UPSTREAM.into())))
    }

    /// The best upstream, or another usable one when that was asked already.
    fn next(&self, asked: &[Arc<Node>]) -> Option<Arc<Node>> {
        let fresh = |node: &Arc<Node>| !asked.iter().any(|other| Arc::ptr_eq(other, node));
        let others = self.upstreams.all().iter();
        let usable = others.filter(|node| node.role() == Role::Follow && node.is_usable());
        self.best().into_iter().chain(usable.cloned()).find(fresh)
    }

    /// Holds a proven lie against an upstream, and says so to the client.
    pub(super) fn convict(&self, method: &str, liar: &Node, evidence: Evidence) -> Status {
        let status = Status::unavailable(format!(
            "{method}: upstream {} gave a false answer, which is kept as evidence ({}); try again",
            liar.name(),
            evidence.rule
        ));
        self.upstreams.report(liar, &Fault::Wrong(evidence));
        status
    }
}

/// Which upstream did not answer, and why.
pub(super) fn words(upstream: &Node, fault: &Fault) -> String {
    format!("upstream {} is {fault}", upstream.name())
}
