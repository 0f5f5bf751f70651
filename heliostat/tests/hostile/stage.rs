//! A running Heliostat, and a wallet's and an operator's view of it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use heliostat::{
    config::Config,
    node::{self, RunningNode},
};
use heliostat_core::{Assurance, Evidence};
use heliostat_node::defaults::{ROOM, SMALL_ANSWER};
use heliostat_observe::{ChainStatus, UpstreamStatus};
use heliostat_sim::zcash::{Block, Chain, Generator, GeneratorConfig, Handle, Node};
use heliostat_zcash::defaults::{IN_FLIGHT, LARGE_REPLY, READ_BUFFER};
use heliostat_zcash_proto::{
    BlockId, BlockRange, CompactBlock, PoolType,
    compact_tx_streamer_client::CompactTxStreamerClient,
};
use heliostat_zcash_verifier::convict;
use tonic::transport::Channel;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(100);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);
/// Blocks of the chain that all tests share.
pub const BLOCKS: u64 = 150;
/// Where single blocks are lied about.
pub const LIE: u64 = 90;

/// The most that the answers of one node may take while they are read, in
/// bytes: their room, one that is larger, and the small ones, with what their
/// connections read and pass on at a time.
pub const ONE_NODE: u64 =
    (ROOM + LARGE_REPLY + IN_FLIGHT * (SMALL_ANSWER + 2 * READ_BUFFER)) as u64;

/// A wallet's connection.
pub type Client = CompactTxStreamerClient<Channel>;

/// Blocks that it grows by later.
const GROWTH: u64 = 6;

/// The chain that all tests share, grown.
pub fn generator() -> &'static Generator {
    static CHAIN: OnceLock<Generator> = OnceLock::new();
    CHAIN.get_or_init(|| Generator::new(GeneratorConfig::new(66, BLOCKS + GROWTH)))
}

/// The same as nodes hold it to begin with.
pub fn chain() -> Chain {
    generator().chain().up_to(BLOCKS)
}

/// The same as nodes hold it later.
pub fn grown() -> Chain {
    generator().chain().clone()
}

/// Another branch: the shared chain up to `height`, then `blocks` others.
pub fn branch(height: u64, blocks: u64) -> Chain {
    generator()
        .fork(height, blocks, height)
        .unwrap()
        .chain()
        .clone()
}

/// A node with the shared chain.
pub async fn honest() -> Node {
    Node::start(chain()).await.unwrap()
}

/// Its tip's height.
pub fn tip(chain: &Chain) -> u64 {
    chain.tip().unwrap().height
}

/// A running Heliostat.
pub struct Stage {
    node: RunningNode,
    client: Client,
}

impl Stage {
    /// On regtest, in memory, behind these nodes in this order.
    pub async fn before(nodes: &[&Handle]) -> Self {
        Self::with("network = 'regtest'", nodes).await
    }

    /// The same with other settings of the chain.
    pub async fn with(settings: &str, nodes: &[&Handle]) -> Self {
        Self::on("memory:", settings, nodes).await
    }

    /// The same with a store.
    pub async fn on(store: &str, settings: &str, nodes: &[&Handle]) -> Self {
        let mut text = format!(
            "[door]\n[store]\naddress = '{store}'\n[observe]\nlisten = '127.0.0.1:0'\n\
             [chain.zcash]\nledger = 'zcash'\nlisten = '127.0.0.1:0'\n{settings}\n"
        );
        for node in nodes {
            let url = node.url();
            text.push_str(&format!("[[chain.zcash.upstream]]\nurl = '{url}'\n"));
        }
        let config = Config::parse(&text, "the test's configuration").unwrap();
        let node = node::start(config).await.unwrap();
        let client = CompactTxStreamerClient::connect(format!("http://{}", node.grpc_addr()));
        let client = client.await.unwrap();
        Self { node, client }
    }

    /// A wallet's connection.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The chain's part of the status.
    pub async fn status(&self) -> ChainStatus {
        let mut status = self.node.status().await;
        status.chains.remove("zcash").unwrap()
    }

    /// Waits until the status is as wanted; `what` is what it then is.
    pub async fn until(&self, what: &str, wanted: impl Fn(&ChainStatus) -> bool) -> ChainStatus {
        let waiting = async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(status) => status,
            Err(_) => panic!("never {what}: {:#?}", self.status().await),
        }
    }

    /// What the status says of one node.
    pub async fn word_on(&self, node: &Handle) -> UpstreamStatus {
        of(&self.status().await, node).clone()
    }

    /// The blocks `0..=to` as they are served, and the trailer's grade.
    pub async fn blocks(
        &self,
        to: u64,
        pools: &[PoolType],
    ) -> Result<(Vec<CompactBlock>, String), tonic::Status> {
        self.range(0, to, pools).await
    }

    /// The same of the blocks `from..=to`.
    pub async fn range(
        &self,
        from: u64,
        to: u64,
        pools: &[PoolType],
    ) -> Result<(Vec<CompactBlock>, String), tonic::Status> {
        let at = |height| {
            let hash = Default::default();
            Some(BlockId { height, hash })
        };
        let request = BlockRange {
            start: at(from),
            end: at(to),
            pool_types: pools.iter().map(|pool| (*pool).into()).collect(),
        };
        let mut stream = self.client().get_block_range(request).await?.into_inner();
        let mut blocks = Vec::new();
        while let Some(block) = stream.message().await? {
            blocks.push(block);
        }
        let trailers = stream.trailers().await?.unwrap_or_default();
        let grade = trailers.get(Assurance::FIELD);
        let grade = grade.map_or("", |grade| grade.to_str().unwrap());
        Ok((blocks, grade.to_owned()))
    }

    /// Waits until the whole of `chain` is served; whatever is served until
    /// then must be a part of it from the first block on.
    pub async fn serves(&self, chain: &Chain) {
        self.serves_after(chain, &[]).await;
    }

    /// The same, where any of `before` may be served first, each unmixed.
    pub async fn serves_after(&self, chain: &Chain, before: &[&Chain]) {
        let waiting = async {
            loop {
                let served = self.looks_like(chain, before).await;
                let all = chain.blocks.len();
                if served == Some(all) {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("never served in full: {:#?}", self.status().await);
        }
        self.agrees_with(chain).await;
    }

    /// Looks once: what is served is a part of `chain`, and then how many
    /// blocks of it, or a part of one of `others`.
    pub async fn looks_like(&self, chain: &Chain, others: &[&Chain]) -> Option<usize> {
        let to = self.status().await.local_height?;
        // It may have been rewound since.
        let (blocks, _) = self.blocks(to, &[]).await.ok()?;
        let shared = |of: &Chain| {
            let pairs = blocks.iter().zip(&of.blocks);
            let same = pairs.take_while(|(served, own)| same_links(served, own));
            same.count()
        };
        let from = shared(chain);
        if from == blocks.len() {
            return Some(from);
        }
        let other = others.iter().any(|other| shared(other) == blocks.len());
        assert!(
            other,
            "what is served from {from} to {to} is nobody's chain"
        );
        None
    }

    /// Every block of `chain` is served, in every projection, with all that
    /// can be known of it.
    pub async fn agrees_with(&self, chain: &Chain) {
        let all = [
            PoolType::Transparent,
            PoolType::Sapling,
            PoolType::Orchard,
            PoolType::Ironwood,
        ];
        for pools in [&[][..], &all] {
            let (blocks, _) = self.blocks(tip(chain), pools).await.unwrap();
            assert_eq!(blocks.len(), chain.blocks.len());
            for (served, own) in blocks.iter().zip(&chain.blocks) {
                assert!(same_links(served, own), "block {}", own.height);
                same_sizes(served, own);
                let ids = served.vtx.iter().map(|tx| &tx.txid[..]);
                match pools.is_empty() {
                    // Transactions without a shielded part are left out.
                    true => ids.for_each(|id| assert!(own.txids.iter().any(|own| own == id))),
                    false => assert!(ids.eq(own.txids.iter().map(|id| &id[..]))),
                }
            }
        }
    }

    /// The grade in the trailer of the range `0..=to`.
    pub async fn grade(&self, to: u64) -> String {
        self.blocks(to, &[]).await.unwrap().1
    }

    /// Waits until the range `0..=to` has this grade.
    pub async fn graded(&self, to: u64, grade: &str) {
        let waiting = async {
            while self
                .blocks(to, &[])
                .await
                .ok()
                .is_none_or(|(_, is)| is != grade)
            {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let is = self.grade(to).await;
            panic!(
                "0..={to} is {is:?}, never {grade:?}: {:#?}",
                self.status().await
            );
        }
    }

    /// The evidence an operator can export, each piece of which convicts on
    /// its own; with the name of the upstream it is against.
    pub async fn evidence(&self) -> Vec<(String, Evidence)> {
        let url = format!("http://{}/evidence", self.node.observe_addr());
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        let records: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let read = |record: &serde_json::Value| {
            let upstream = record["upstream"].as_str().unwrap().to_owned();
            let evidence: Evidence = serde_json::from_value(record["evidence"].clone()).unwrap();
            (upstream, evidence)
        };
        let all: Vec<_> = records.iter().map(read).collect();
        for (upstream, evidence) in &all {
            let verdict = convict(evidence);
            assert_eq!(
                verdict,
                Ok(()),
                "{upstream}: {}: {}",
                evidence.rule,
                evidence.words
            );
        }
        all
    }

    /// Exactly these nodes are quarantined, each for one lie with evidence
    /// that convicts; the rules they broke, in the nodes' order.
    pub async fn quarantined(&self, liars: &[&Handle]) -> Vec<String> {
        let status = self.status().await;
        for upstream in &status.upstreams {
            let lied = liars.iter().any(|liar| upstream.name == name(liar));
            assert_eq!(upstream.state == "wrong", lied, "{upstream:?}");
        }
        let evidence = self.evidence().await;
        assert_eq!(evidence.len(), liars.len(), "{evidence:?}");
        assert_eq!(status.findings.len(), liars.len());
        let rule = |liar: &&Handle| {
            let found = evidence
                .iter()
                .find(|(upstream, _)| *upstream == name(liar));
            found.expect("evidence against the liar").1.rule.clone()
        };
        liars.iter().map(rule).collect()
    }

    /// Ends it.
    pub async fn end(self) {
        self.node.shutdown().await.unwrap();
    }
}

/// What the status says of one node.
pub fn of<'a>(status: &'a ChainStatus, node: &Handle) -> &'a UpstreamStatus {
    let found = status.upstreams.iter().find(|one| one.name == name(node));
    found.unwrap_or_else(|| panic!("{} is not in {:?}", name(node), status.upstreams))
}

/// What Heliostat calls a node.
pub fn name(node: &Handle) -> String {
    node.url()
}

fn same_links(served: &CompactBlock, own: &Arc<Block>) -> bool {
    served.height == own.height
        && served.hash[..] == own.hash
        && served.prev_hash[..] == own.prev
        && served.time == own.time
}

fn same_sizes(served: &CompactBlock, own: &Block) {
    let (Some(metadata), Some(trees)) = (&served.chain_metadata, &own.trees) else {
        return;
    };
    assert_eq!(
        (
            metadata.sapling_commitment_tree_size,
            metadata.orchard_commitment_tree_size,
        ),
        (trees.sapling.size, trees.orchard.size),
        "tree sizes of block {}",
        own.height
    );
}
