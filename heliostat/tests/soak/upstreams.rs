//! Liars that are followed first, a node that changes its manners, an honest
//! one, and reorgs under all of them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use heliostat_sim::zcash::{Block, Chain, Handle, Node};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    cases::{Due, cases},
    stage::{branch, chain, grown},
};

/// How long a manner lasts.
const MANNER: Duration = Duration::from_secs(2);
/// Where the branches part: below the heights that single lies are about, so
/// that these are fetched again and again.
const FORK: u64 = 80;
/// Blocks of the other branch.
const BRANCH: u64 = 75;

/// What can be served: by block hash, the block.
pub type Known = Arc<HashMap<[u8; 32], Arc<Block>>>;

pub struct Upstreams {
    liars: Vec<Node>,
    moody: Node,
    honest: Node,
}

impl Upstreams {
    pub async fn start() -> Self {
        let mut liars = Vec::new();
        for case in cases() {
            if matches!(case.due, Due::Conviction(_)) {
                liars.push(case.node().await);
            }
        }
        Self {
            liars,
            moody: Node::start(chain()).await.unwrap(),
            honest: Node::start(chain()).await.unwrap(),
        }
    }

    /// The liars are preferred, then the moody one.
    pub fn urls(&self) -> Vec<String> {
        let all = self.liars.iter().chain([&self.moody, &self.honest]);
        all.map(|node| node.url()).collect()
    }

    /// Every block that may be served.
    pub fn known(&self) -> Known {
        let mut chains = vec![grown(), branch(FORK, BRANCH)];
        chains.extend(cases().into_iter().filter_map(|case| case.other));
        // A node that lies with another valid branch is as good as any on a
        // network without proof-of-work.
        for case in cases() {
            if let heliostat_sim::zcash::Misbehaviour::Forked(other) = case.what {
                chains.push(other);
            }
        }
        let blocks = chains.iter().flat_map(|chain| &chain.blocks);
        Arc::new(
            blocks
                .map(|block| (block.hash, Arc::clone(block)))
                .collect(),
        )
    }

    /// Goes through the catalogue for ever, with a reorg after each manner.
    pub fn misbehaving(&self) -> AbortOnDropHandle<()> {
        let moody = self.moody.handle();
        let others: Vec<Handle> = self.liars.iter().map(Node::handle).collect();
        let honest = self.honest.handle();
        AbortOnDropHandle::new(tokio::spawn(async move {
            let chains: [Chain; 2] = [branch(FORK, BRANCH), grown()];
            let manners: Vec<_> = cases()
                .into_iter()
                .filter(|case| !matches!(case.due, Due::Conviction(_)))
                .collect();
            let kinds: HashSet<_> = manners.iter().map(|case| case.words).collect();
            assert_eq!(kinds.len(), manners.len());
            for (turn, case) in manners.iter().cycle().enumerate() {
                moody.misbehave(case.what.clone(), case.filter.clone());
                sleep(MANNER / 2).await;
                for node in others.iter().chain([&moody, &honest]) {
                    node.set_chain(chains[turn % 2].clone());
                }
                sleep(MANNER / 2).await;
                case.mend(&moody).await;
            }
        }))
    }

    /// From now on only what was convicted is still dishonest.
    pub async fn behave(&self) {
        self.moody.behave();
        self.moody.restart(Duration::from_millis(10)).await;
        for node in self.liars.iter().chain([&self.moody, &self.honest]) {
            node.set_chain(grown());
        }
    }
}
