//! A running light node, and a client that asks it.

use std::time::{Duration, Instant};

use heliostat_core::{Assurance, Evidence};
use heliostat_observe::{ChainStatus, Finding};
use serde_json::Value;

use super::{Cast, TRUSTED};
use crate::{
    cli::exit::Failure,
    config::Config,
    demo::{STEP_LIMIT, ticker},
    node::{self, RunningNode},
    status::client_for,
};

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// An answer of the RPC.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The grade; empty where there is none.
    pub grade: String,
    body: String,
}

impl Answer {
    /// Whether it was checked all the way.
    pub fn is_proven(&self) -> bool {
        self.status == 200 && self.grade == Assurance::Proven.to_string()
    }

    /// The body.
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_str(&self.body)
            .map_err(|error| Failure::failed(format!("{:?} is not JSON: {error}", self.body)))
    }
}

/// Asks a node, or what stands in for one.
pub async fn ask(url: &str, path: &str) -> Result<Answer, Failure> {
    let client = client_for(url).build().map_err(anyhow::Error::from)?;
    let asked = client.get(format!("{url}{path}")).send().await;
    let reply = asked.map_err(anyhow::Error::from)?;
    let status = reply.status().as_u16();
    let grade = reply.headers().get(Assurance::FIELD);
    let grade = grade.and_then(|grade| grade.to_str().ok());
    let grade = grade.unwrap_or_default().to_owned();
    let body = reply.text().await.map_err(anyhow::Error::from)?;
    Ok(Answer {
        status,
        grade,
        body,
    })
}

/// A light node in front of the cast.
pub struct Stage {
    node: RunningNode,
}

impl Stage {
    /// One that trusts a block and counts attestations from there. What nothing
    /// commits to, such as a header's protocol, two of three have to agree on.
    pub async fn open(cast: &Cast, listen: &str, observe: &str) -> Result<Self, Failure> {
        let (level, hash) = cast.network.world().checkpoint(TRUSTED);
        let trust = format!(
            "checkpoint = '{level}:{hash}'\nfinality = true\nhead = 'proven'\nmin-agreement = 0.66\n"
        );
        Self::start(cast, listen, observe, &trust).await
    }

    /// One that trusts what all nodes agree on.
    pub async fn agreeing(cast: &Cast) -> Result<Self, Failure> {
        let anywhere = "127.0.0.1:0";
        Self::start(cast, anywhere, anywhere, "min-agreement = 1.0\n").await
    }

    async fn start(cast: &Cast, listen: &str, observe: &str, trust: &str) -> Result<Self, Failure> {
        let stamp = cast.network.world().numbers().proof_of_work_threshold;
        let text = format!(
            "[store]\naddress = 'memory:'\n[observe]\nlisten = '{observe}'\n\
             [chain.tezos]\nledger = 'tezos'\nlisten = '{listen}'\n\
             endpoints = {:?}\nproof-of-work-threshold = {stamp}\n{trust}",
            cast.urls()
        );
        let node = node::start(Config::parse(&text, "the demo's configuration")?).await?;
        Ok(Self { node })
    }

    /// Where wallets connect.
    pub fn rpc(&self) -> String {
        let address = self.node.addr_of("tezos");
        address.map_or_else(String::new, |address| format!("http://{address}"))
    }

    /// Where people look.
    pub fn observe(&self) -> String {
        format!("http://{}", self.node.observe_addr())
    }

    /// Asks the served RPC.
    pub async fn get(&self, path: &str) -> Result<Answer, Failure> {
        ask(&self.rpc(), path).await
    }

    /// The answer once it is as wanted.
    pub async fn until(
        &self,
        what: &str,
        path: &str,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, Failure> {
        let started = Instant::now();
        loop {
            let answer = self.get(path).await?;
            if wanted(&answer) {
                ticker("");
                return Ok(answer);
            }
            if started.elapsed() > STEP_LIMIT {
                ticker("");
                let status = self.status().await?;
                return Err(Failure::failed(format!(
                    "{what} took longer than {} s; the answer is {answer:?}, and the chain says: {} {:?}",
                    STEP_LIMIT.as_secs(),
                    status.state,
                    status.not_ready
                )));
            }
            ticker(&format!("waiting for {what}"));
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What `heliostat status` would say of the chain.
    pub async fn status(&self) -> Result<ChainStatus, Failure> {
        let chain = self.node.status().await.chains.remove("tezos");
        chain.ok_or_else(|| Failure::failed("the chain is in the status"))
    }

    /// The only lie, once it is found.
    pub async fn finding(&self) -> Result<Finding, Failure> {
        let started = Instant::now();
        while started.elapsed() < STEP_LIMIT {
            let found = self.status().await?.findings;
            match found.len() {
                0 => tokio::time::sleep(LOOK).await,
                1 => return Ok(found[0].clone()),
                many => {
                    return Err(Failure::failed(format!(
                        "one lie is one finding, not {many}"
                    )));
                }
            }
        }
        Err(Failure::failed("nobody was caught lying"))
    }

    /// Every proof of a lie, as `/evidence` sends it.
    pub async fn evidence(&self) -> Result<Vec<Evidence>, Failure> {
        let sent = ask(&self.observe(), "/evidence").await?.json()?;
        let all = sent.as_array().cloned().unwrap_or_default();
        let read = |mut finding: Value| serde_json::from_value(finding["evidence"].take());
        let read: Result<Vec<_>, _> = all.into_iter().map(read).collect();
        let read = read.map_err(anyhow::Error::from)?;
        match read.is_empty() {
            true => Err(Failure::failed("/evidence has the lie")),
            false => Ok(read),
        }
    }

    /// Ends it gracefully.
    pub async fn shutdown(self) -> Result<(), Failure> {
        self.node.shutdown().await
    }
}
