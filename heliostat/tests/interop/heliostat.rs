//! The binary under test, as an operator runs it.

use std::{process::Command, time::Duration};

use heliostat_zcash_proto as proto;
use proto::{
    BlockId, BlockRange, ChainSpec, CompactBlock, RawTransaction, SendResponse, TreeState,
    TxFilter, compact_tx_streamer_client::CompactTxStreamerClient,
};
use serde_json::json;
use tempfile::TempDir;
use tonic::{Status, Streaming, transport::Channel};

use super::{
    running::{Process, store},
    zebrad::Zebrad,
};

/// The running process and its store.
pub struct Heliostat {
    process: Process,
    client: CompactTxStreamerClient<Channel>,
    store: String,
    upstream: String,
    _folder: TempDir,
}

impl Heliostat {
    /// `heliostat zcash --upstream URL` with a store of its own.
    pub async fn start(upstream: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let process = Process::start(&["--upstream", upstream, "--store", &store]);
        Self {
            client: process.client().await,
            process,
            store,
            upstream: upstream.to_owned(),
            _folder: folder,
        }
    }

    /// The process itself: its addresses, status and log.
    #[allow(dead_code, reason = "each test file uses a part of it")]
    pub fn process(&self) -> &Process {
        &self.process
    }

    fn client(&self) -> CompactTxStreamerClient<Channel> {
        self.client.clone()
    }

    /// The newest block it serves; height 0 and no hash before the first.
    pub async fn tip(&self) -> BlockId {
        let reply = self.client().get_latest_block(ChainSpec {}).await;
        reply.map(tonic::Response::into_inner).unwrap_or_default()
    }

    /// Waits until it serves the node's best block.
    pub async fn wait_for_tip(&self, zebrad: &Zebrad) -> String {
        for _ in 0..600 {
            let hash = zebrad.call("getbestblockhash", json!([])).await;
            let tip = self.tip().await;
            if super::display(&tip.hash) == hash {
                return format!("at height {}", tip.height);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the node's tip was not reached within a minute");
    }

    /// The default set.
    pub async fn range(&self, from: u64, to: u64) -> Vec<CompactBlock> {
        self.range_of(from, to, vec![]).await
    }

    /// Chosen pools.
    pub async fn range_of(&self, from: u64, to: u64, pools: Vec<i32>) -> Vec<CompactBlock> {
        let reply = self
            .client()
            .get_block_range(block_range(from, to, pools))
            .await;
        collect(reply.unwrap().into_inner()).await.unwrap()
    }

    /// One block.
    pub async fn try_block(&self, height: u64) -> Result<CompactBlock, Status> {
        let reply = self.client().get_block(at(height)).await?;
        Ok(reply.into_inner())
    }

    /// A transaction by id in internal byte order.
    pub async fn transaction(&self, txid: &[u8]) -> RawTransaction {
        self.try_transaction(txid).await.unwrap()
    }

    /// The same, with its error.
    pub async fn try_transaction(&self, txid: &[u8]) -> Result<RawTransaction, Status> {
        let filter = TxFilter {
            hash: txid.to_vec().into(),
            ..Default::default()
        };
        Ok(self.client().get_transaction(filter).await?.into_inner())
    }

    /// A tree state by height.
    pub async fn tree_state(&self, height: u64) -> TreeState {
        self.try_tree_state(height).await.unwrap()
    }

    /// The same, with its error.
    pub async fn try_tree_state(&self, height: u64) -> Result<TreeState, Status> {
        Ok(self.client().get_tree_state(at(height)).await?.into_inner())
    }

    /// Sends raw transaction bytes.
    pub async fn send(&self, data: Vec<u8>) -> Result<SendResponse, Status> {
        let transaction = RawTransaction {
            data: data.into(),
            height: 0,
        };
        Ok(self
            .client()
            .send_transaction(transaction)
            .await?
            .into_inner())
    }

    /// SIGTERM must end it with exit code 0, and `verify` must find nothing.
    pub async fn stop_and_verify(self) {
        let code = self.process.terminate();
        assert_eq!(code, Some(0), "a graceful stop exits 0");
        let verify = Command::new(env!("CARGO_BIN_EXE_heliostat"))
            .args([
                "verify",
                "--upstream",
                &self.upstream,
                "--store",
                &self.store,
            ])
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&verify.stderr);
        assert!(verify.status.success(), "{words}");
        eprintln!("verify: {}", String::from_utf8_lossy(&verify.stdout).trim());
    }
}

fn at(height: u64) -> BlockId {
    BlockId {
        height,
        ..Default::default()
    }
}

/// A range request.
pub fn block_range(from: u64, to: u64, pools: Vec<i32>) -> BlockRange {
    BlockRange {
        start: Some(at(from)),
        end: Some(at(to)),
        pool_types: pools,
    }
}

/// All messages of a stream.
pub async fn collect(mut stream: Streaming<CompactBlock>) -> Result<Vec<CompactBlock>, Status> {
    let mut blocks = Vec::new();
    while let Some(block) = stream.message().await? {
        blocks.push(block);
    }
    Ok(blocks)
}
