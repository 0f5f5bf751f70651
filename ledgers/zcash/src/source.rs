//! A Zcash node as an upstream that is followed.

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use futures::{StreamExt, TryStreamExt, stream};
use heliostat_core::{Fault, Id, Point, Source};
use heliostat_zcash_verifier::{Described, DescribedTx, Network, RawBlock, TreeSizes};
use serde::Deserialize;
use serde_json::json;

use crate::{
    defaults,
    node_info::{Backend, ChainInfo, NodeInfo, Software, display_hex, parse_display},
    rpc::{Rpc, RpcError},
};

/// One node, followed over its JSON-RPC.
pub struct ZcashSource {
    rpc: Rpc,
    /// The network the replica holds; `None` accepts any.
    expected: Option<Network>,
    poll: Duration,
    /// Found out from the hash at height 0; forgotten when the node goes away,
    /// because another one may come back in its place.
    network: ArcSwapOption<Network>,
    software: ArcSwapOption<Software>,
    info: ArcSwapOption<NodeInfo>,
    /// The node does not know getblockhash; getblock is asked instead.
    no_getblockhash: AtomicBool,
}

/// Codes with which the nodes say that there is no block at a height: zcashd
/// answers -8 to both calls, zebrad -8 to getblock and -1 to getblockhash.
const NO_SUCH_BLOCK: [i64; 2] = [-8, -1];

#[derive(Deserialize)]
struct VerboseBlock {
    hash: String,
    #[serde(default)]
    tx: Vec<String>,
    #[serde(default)]
    trees: Trees,
}

/// Sizes by pool; a node leaves out pools that hold nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Trees {
    sapling: Tree,
    orchard: Tree,
    ironwood: Tree,
}

#[derive(Default, Deserialize)]
struct Tree {
    #[serde(default)]
    size: u32,
}

impl ZcashSource {
    /// A source that checks, before anything else, that the node is on the
    /// network the replica holds. `None` accepts any network.
    pub fn new(rpc: Rpc, expected: Option<Network>) -> Self {
        Self {
            rpc,
            expected,
            poll: defaults::WATCH_INTERVAL,
            network: ArcSwapOption::empty(),
            software: ArcSwapOption::empty(),
            info: ArcSwapOption::empty(),
            no_getblockhash: AtomicBool::new(false),
        }
    }

    /// The same with another pause between two looks at the best hash.
    pub fn polling_every(self, poll: Duration) -> Self {
        Self { poll, ..self }
    }

    /// The endpoint, for calls of the API.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// What the node said of itself when its head was last asked for.
    pub fn info(&self) -> Option<Arc<NodeInfo>> {
        self.info.load_full()
    }

    /// In words, that the node itself is still syncing, as far as was seen.
    pub fn syncing(&self) -> Option<String> {
        self.info()?.chain.syncing()
    }

    /// The network the node is on, told by the hash at height 0.
    ///
    /// # Errors
    ///
    /// The node does not answer, or is on a network that is not known or not
    /// the expected one.
    pub async fn network(&self) -> Result<Network, Fault> {
        if let Some(network) = &*self.network.load() {
            return Ok(**network);
        }
        let genesis = self.hash_at(0).await?.ok_or_else(|| {
            let words = format!("{} has no block yet", self.rpc.address());
            Fault::Behind(words)
        })?;
        let Some(network) = Network::by_genesis(&genesis) else {
            return Err(Fault::Unsupported(format!(
                "{} is on a network that is not known here: its first block is {}",
                self.rpc.address(),
                Self::show(&genesis)
            )));
        };
        if let Some(expected) = self.expected.filter(|expected| *expected != network) {
            return Err(Fault::Unsupported(format!(
                "{} is on {}, and this chain is {}; name a node of the same network, or another \
                 store and --network",
                self.rpc.address(),
                name(network),
                name(expected)
            )));
        }
        self.network.store(Some(Arc::new(network)));
        Ok(network)
    }

    /// Forgets what a node that went away had said.
    fn noted<T>(&self, answer: Result<T, Fault>) -> Result<T, Fault> {
        if matches!(answer, Err(Fault::Unreachable(_))) {
            self.network.store(None);
            self.software.store(None);
        }
        answer
    }

    async fn hash_at(&self, height: u64) -> Result<Option<Id>, Fault> {
        let hash = match self.ask_hash(height).await {
            Ok(hash) => hash,
            Err(RpcError::Node { code, .. }) if NO_SUCH_BLOCK.contains(&code) => {
                // -1 also stands for troubles of every other kind.
                let tip: ChainInfo = self.rpc.call_as("getblockchaininfo", json!([])).await?;
                if height > tip.blocks {
                    return Ok(None);
                }
                // The head may have moved between the two calls.
                self.ask_hash(height).await?
            }
            Err(error) => return Err(error.into()),
        };
        let no_hash = || {
            let address = self.rpc.address();
            Fault::Unreachable(format!("{address}: what stands for a block hash is none"))
        };
        parse_display(&hash).ok_or_else(no_hash).map(Some)
    }

    async fn ask_hash(&self, height: u64) -> Result<String, RpcError> {
        if !self.no_getblockhash.load(Ordering::Relaxed) {
            match self.rpc.call_as("getblockhash", json!([height])).await {
                Err(RpcError::Fault(Fault::Unsupported(_))) => (),
                answer => return answer,
            }
        }
        // Servers that stand in for a node may know only what lightwalletd asks.
        let params = json!([height.to_string(), 1]);
        let block: VerboseBlock = self.rpc.call_as("getblock", params).await?;
        self.no_getblockhash.store(true, Ordering::Relaxed);
        Ok(block.hash)
    }

    async fn look(&self) -> Result<Point, Fault> {
        self.network().await?;
        let chain: ChainInfo = self.rpc.call_as("getblockchaininfo", json!([])).await?;
        let point = Point {
            height: chain.blocks,
            id: chain.best,
        };
        let software = self.software().await;
        let software = (*software).clone();
        self.info
            .store(Some(Arc::new(NodeInfo { chain, software })));
        Ok(point)
    }

    /// What the node runs, asked for once. A node without getinfo is still a
    /// node.
    async fn software(&self) -> Arc<Software> {
        if let Some(known) = self.software.load_full() {
            return known;
        }
        let Ok(software) = self.rpc.call_as::<Software>("getinfo", json!([])).await else {
            return Arc::default();
        };
        if Backend::of(&software.subversion) == Backend::Unknown {
            tracing::warn!(
                address = self.rpc.address(),
                subversion = crate::error::shorten(&software.subversion),
                "unknown node software; zebrad and zcashd are known to work"
            );
        }
        let software = Arc::new(software);
        self.software.store(Some(software.clone()));
        software
    }

    async fn describe_block(&self, height: u64) -> Result<RawBlock, Fault> {
        let params = json!([height.to_string(), 1]);
        let block: VerboseBlock = self.rpc.call_as("getblock", params).await?;
        let odd = |what: &str| {
            let address = self.rpc.address();
            Fault::Unreachable(format!("{address}: block {height}: {what}"))
        };
        let hash = parse_display(&block.hash).ok_or_else(|| odd("its hash is none"))?;
        let bytes = self.rpc.raw_block(hash).await?;
        let txids = block.tx.iter().map(|txid| Some(parse_display(txid)?.0));
        let txids: Vec<[u8; 32]> = txids
            .collect::<Option<_>>()
            .ok_or_else(|| odd("one of its txids is none"))?;
        let txs = stream::iter(txids)
            .map(|txid| async move {
                let raw = self.rpc.raw_transaction(&txid).await?;
                Ok::<_, Fault>(DescribedTx { txid, raw })
            })
            .buffered(defaults::DESCRIBE_PARALLEL);
        let mut left = defaults::DESCRIBED_BYTES;
        let txs = txs.and_then(|tx| {
            let fits = left.checked_sub(tx.raw.len());
            left = fits.unwrap_or(0);
            let too_much = || odd("its transactions are larger than a block can be");
            std::future::ready(fits.map(|_| tx).ok_or_else(too_much))
        });
        let txs = txs.try_collect().await?;
        let Trees {
            sapling,
            orchard,
            ironwood,
        } = block.trees;
        let sizes = TreeSizes {
            sapling: sapling.size,
            orchard: orchard.size,
            ironwood: ironwood.size,
        };
        let described = Some(Described { txs, sizes });
        Ok(RawBlock { bytes, described })
    }
}

/// A network as people call it.
fn name(network: Network) -> &'static str {
    match network {
        Network::Main => "mainnet",
        Network::Test => "testnet",
        Network::Regtest => "regtest",
    }
}

impl Source for ZcashSource {
    type Raw = RawBlock;

    async fn head(&self) -> Result<Point, Fault> {
        let answer = self.look().await;
        self.noted(answer)
    }

    async fn id_at(&self, height: u64) -> Result<Option<Id>, Fault> {
        let answer = self.hash_at(height).await;
        self.noted(answer)
    }

    async fn fetch(&self, height: u64) -> Result<RawBlock, Fault> {
        let answer = self.rpc.raw_block(height).await;
        let bytes = self.noted(answer.map_err(Fault::from))?;
        let described = None;
        Ok(RawBlock { bytes, described })
    }

    async fn describe(&self, height: u64) -> Result<RawBlock, Fault> {
        let answer = self.describe_block(height).await;
        self.noted(answer)
    }

    async fn watch(&self, seen: Point) {
        let seen = display_hex(&seen.id.0);
        loop {
            tokio::time::sleep(self.poll).await;
            let best = self.rpc.call_as::<String>("getbestblockhash", json!([]));
            // An error ends the wait too: the next call finds out what it is.
            if best.await.ok().as_ref() != Some(&seen) {
                return;
            }
        }
    }

    fn show(id: &Id) -> String {
        display_hex(&id.0)
    }
}
