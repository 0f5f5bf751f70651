//! Clients of the Tezos chain that hold every answer to what is true.

use std::time::Duration;

use heliostat_core::Assurance;
use heliostat_sim::tezos::Network;
use tokio::time::{sleep, timeout};

use crate::{octez::BUSY, tally::Tally};

/// Readers at a time.
const READERS: u64 = 2;
/// What can be asked.
const QUESTIONS: u64 = 5;
/// The pause between two questions of one of them.
const PAUSE: Duration = Duration::from_millis(40);
/// How long a reader waits for an answer.
const WAIT: Duration = Duration::from_secs(90);
/// Blocks below the newest one that are not final, or whose successor is not.
const UNPROVEN: u64 = 3;
/// How many blocks below those are asked about by their hashes.
const RECENT: u64 = 4;
/// How old the block that is called the head may be, in blocks.
const HEAD_AGE: usize = 64;

/// Clients of the chain, and where they ask.
#[derive(Clone)]
pub struct Readers {
    url: String,
    network: Network,
    http: reqwest::Client,
    tally: Tally,
}

impl Readers {
    pub fn new(url: String, network: Network, tally: Tally) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(WAIT);
        Self {
            url,
            network,
            http: http.build().unwrap(),
            tally,
        }
    }

    /// Waits until each question is answered and vouched for.
    pub async fn each(&self) {
        for turn in 0..QUESTIONS {
            let answered = async {
                while !self.ask(turn).await.unwrap() {
                    sleep(PAUSE).await;
                }
            };
            let waited = timeout(WAIT, answered).await;
            waited.unwrap_or_else(|_| panic!("question {turn} has no right answer"));
        }
    }

    /// Asks for ever.
    pub async fn all(self) {
        let readers = (0..READERS).map(|number| {
            let this = self.clone();
            async move {
                for turn in number.. {
                    this.once(turn).await;
                    sleep(PAUSE).await;
                }
            }
        });
        futures::future::join_all(readers).await;
    }

    async fn once(&self, turn: u64) {
        match self.ask(turn).await {
            Ok(true) => self.tally.good(),
            Ok(false) => self.tally.refused(),
            Err(words) => self.tally.wrong(words),
        }
    }

    /// One question: whether there is an answer that is vouched for. One that
    /// is wrong is an error.
    async fn ask(&self, turn: u64) -> Result<bool, String> {
        let world = self.network.world();
        let back = UNPROVEN + turn % RECENT;
        let block = world.blocks().iter().rev().nth(back as usize);
        let block = block.expect("there are so many blocks");
        let account = &world.account(BUSY).id;
        let balance = format!("context/contracts/{account}/balance");
        let (path, truth) = match turn % QUESTIONS {
            0 => {
                let truth = quoted(world.balance(block, account));
                (format!("{}/{balance}", block.hash), Some(truth))
            }
            1 => (format!("head/{balance}"), None),
            2 => {
                let truth = quoted(block.header.raw_hex());
                (format!("{}/header/raw", block.hash), Some(truth))
            }
            3 => {
                let truth = serde_json::json!(block.operation_hashes()).to_string();
                (format!("{}/operation_hashes", block.hash), Some(truth))
            }
            _ => (format!("{}/hash", block.level), Some(quoted(block.hash))),
        };
        let wrong = |words: String| format!("{path}: {words}");
        let asked = self
            .http
            .get(format!("{}/chains/main/blocks/{path}", self.url));
        let asked = asked.header("accept", "application/json").send().await;
        let reply = asked.map_err(|error| wrong(error.to_string()))?;
        let status = reply.status().as_u16();
        let grade = reply.headers().get(Assurance::FIELD);
        let grade = grade.and_then(|grade| grade.to_str().ok()?.parse::<Assurance>().ok());
        let said = reply
            .text()
            .await
            .map_err(|error| wrong(error.to_string()))?;
        let said = said.trim();
        let is_vouched = grade.is_some_and(|grade| grade > Assurance::Relayed);
        // Nobody can say just now, or one node says so; both are told.
        if status == 503 || (status == 200 && !is_vouched) {
            return Ok(false);
        }
        let is_true = match truth {
            Some(truth) => said == truth,
            None => {
                // Blocks may have been baked meanwhile.
                let world = self.network.world();
                let recent = world.blocks().iter().rev().take(HEAD_AGE);
                let mut truths = recent.map(|block| quoted(world.balance(block, account)));
                truths.any(|truth| said == truth)
            }
        };
        match status == 200 && is_true {
            true => Ok(true),
            false => Err(wrong(format!("{status} {grade:?} {said}"))),
        }
    }
}

fn quoted(text: impl std::fmt::Display) -> String {
    format!("\"{text}\"")
}
