//! Clients that check every answer against the chain.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use heliostat_sim::zcash::Block;
use heliostat_zcash_proto::{
    BlockId, BlockRange, ChainSpec, CompactBlock, RawTransaction, TxFilter,
    compact_tx_streamer_client::CompactTxStreamerClient,
};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status, transport::Channel};

use crate::{tally::Tally, upstreams::Known};

pub type Client = CompactTxStreamerClient<Channel>;

/// Wallets at a time.
const WALLETS: u64 = 4;
/// The pause between two questions of one of them.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a wallet waits for an answer.
const WAIT: Duration = Duration::from_secs(90);

/// What the wallets get, held to what may be served.
#[derive(Clone)]
pub struct Checks {
    known: Known,
    tally: Tally,
}

impl Checks {
    pub fn new(known: Known, tally: Tally) -> Self {
        Self { known, tally }
    }

    /// An answer, or a refusal that may be.
    fn check<T>(&self, what: &str, answer: Result<T, Status>, right: impl FnOnce(&T) -> bool) {
        match answer {
            Ok(answer) if right(&answer) => self.tally.good(),
            Ok(_) => self.tally.wrong(what.to_owned()),
            Err(status) => match status.code() {
                // A reorg under it, an upstream that is away, a write of
                // which nobody knows what became.
                Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::Unknown => {
                    self.tally.refused();
                }
                _ => self.tally.wrong(format!("{what}: {status}")),
            },
        }
    }

    fn block(&self, hash: &[u8]) -> Option<&Arc<Block>> {
        self.known.get(<&[u8; 32]>::try_from(hash).ok()?)
    }

    /// Whether the block is one that may be served, with all that is in it.
    fn knows(&self, block: &CompactBlock) -> bool {
        self.block(&block.hash).is_some_and(|known| {
            let ids = |txid: &Bytes| known.txids.iter().any(|id| id[..] == txid[..]);
            known.height == block.height
                && known.prev[..] == block.prev_hash[..]
                && known.time == block.time
                && block.vtx.iter().all(|tx| ids(&tx.txid))
        })
    }
}

pub async fn connect(url: &str) -> Client {
    Client::connect(url.to_owned()).await.unwrap()
}

/// The height that is served; 0 before there is one.
pub async fn height(client: &mut Client) -> u64 {
    let latest = client.get_latest_block(ChainSpec {}).await;
    latest.map_or(0, |latest| latest.into_inner().height)
}

/// Asks for ever.
pub async fn all(url: String, checks: Checks) {
    let wallets = (0..WALLETS).map(|number| wallet(url.clone(), checks.clone(), number));
    futures::future::join_all(wallets).await;
}

async fn wallet(url: String, checks: Checks, number: u64) {
    loop {
        // A new connection now and then, as wallets do.
        let Ok(mut client) = Client::connect(url.clone()).await else {
            checks.tally.wrong("no connection".to_owned());
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        for turn in 0..50 {
            if timeout(WAIT, ask(&mut client, &checks, number + turn))
                .await
                .is_err()
            {
                checks
                    .tally
                    .wrong(format!("no answer in {WAIT:?} to question {}", turn % 5));
            }
            sleep(PAUSE).await;
        }
    }
}

/// Waits until each question is answered right, by a node that is left alone.
pub async fn once(url: String, checks: &Checks) {
    let mut client = connect(&url).await;
    for turn in 0..5 {
        let before = checks.tally.answered();
        let answered = async {
            while checks.tally.answered() == before {
                ask(&mut client, checks, turn).await;
                sleep(PAUSE).await;
            }
        };
        let waited = timeout(WAIT, answered).await;
        waited.unwrap_or_else(|_| panic!("question {turn} has no right answer"));
    }
}

async fn ask(client: &mut Client, checks: &Checks, turn: u64) {
    let at = |height| BlockId {
        height,
        ..BlockId::default()
    };
    let some = 1 + turn * 37 % 140;
    match turn % 5 {
        0 => {
            let latest = client.get_latest_block(ChainSpec {}).await;
            checks.check("GetLatestBlock", latest, |latest| {
                let latest = latest.get_ref();
                checks
                    .block(&latest.hash)
                    .is_some_and(|known| known.height == latest.height)
            });
        }
        1 => {
            let block = client.get_block(at(some)).await;
            checks.check("GetBlock", block, |block| checks.knows(block.get_ref()));
        }
        2 => {
            let blocks = range(client, at(1), at(150)).await;
            checks.check("GetBlockRange", blocks, |blocks| {
                let links = |pair: &[CompactBlock]| pair[0].hash == pair[1].prev_hash;
                blocks.len() == 150
                    && blocks.windows(2).all(links)
                    && blocks.iter().all(|block| checks.knows(block))
            });
        }
        3 => {
            let (block, index) = transaction(checks, some);
            let filter = TxFilter {
                hash: Bytes::copy_from_slice(&block.txids[index]),
                ..TxFilter::default()
            };
            let answer = client.get_transaction(filter).await;
            // The best node may be on the other branch just now.
            let answer = match answer {
                Err(status) if status.code() == Code::NotFound => Err(Status::unavailable("")),
                Err(status) if status.code() == Code::Internal => Err(Status::unavailable("")),
                other => other,
            };
            checks.check("GetTransaction", answer, |answer| {
                answer.get_ref().data == block.raw[block.txs[index].clone()]
            });
        }
        _ => {
            let data = vec![some as u8; 40].into();
            let sent = client.send_transaction(RawTransaction { data, height: 0 });
            checks.check("SendTransaction", sent.await, |reply| {
                reply.get_ref().error_code != 0
            });
        }
    }
}

/// Some transaction of the blocks that all branches share.
fn transaction(checks: &Checks, height: u64) -> (Arc<Block>, usize) {
    let height = height.min(70);
    let block = checks.known.values().find(|block| block.height == height);
    let block = Arc::clone(block.expect("every height has a block"));
    let index = block.txids.len() - 1;
    (block, index)
}

async fn range(
    client: &mut Client,
    start: BlockId,
    end: BlockId,
) -> Result<Vec<CompactBlock>, Status> {
    let request = BlockRange {
        start: Some(start),
        end: Some(end),
        pool_types: Vec::new(),
    };
    let mut stream = client.get_block_range(request).await?.into_inner();
    let mut blocks = Vec::new();
    while let Some(block) = stream.message().await? {
        blocks.push(block);
    }
    Ok(blocks)
}
