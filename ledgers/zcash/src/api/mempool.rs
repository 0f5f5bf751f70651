//! `GetMempoolTx` and `GetMempoolStream`: one copy of an upstream's memory
//! pool, shared by everybody who asks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Lock, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use heliostat_core::Id;
use heliostat_zcash_proto::{CompactTx, GetMempoolTxRequest, RawTransaction};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
    time::Instant,
};
use tonic::{Code, Status};

use super::{
    Service,
    defaults::{
        MAX_EXCLUDED, MAX_EXCLUDED_BYTES, MAX_MEMPOOL_BYTES, MAX_MEMPOOL_TRANSACTIONS,
        MEMPOOL_FETCHES, MEMPOOL_MAX_AGE, MEMPOOL_POLL, MEMPOOL_TICK,
    },
    exclude,
    pools::Pools,
    transaction::{self, Unfit},
    transparent::read_txid,
    upstream::Refusal,
};

/// One transaction of the memory pool.
struct Entry {
    /// Internal byte order.
    txid: [u8; 32],
    data: Bytes,
    /// `None` for a version this release cannot read.
    compact: Option<CompactTx>,
}

/// The memory pool as of one poll.
#[derive(Clone)]
struct Pool {
    /// Our newest block at that time; a change of it ends the streams.
    tip: Option<Id>,
    /// When it was read; `None` before the first poll.
    read: Option<Instant>,
    /// What the node holds, in no particular order.
    present: Arc<[Arc<Entry>]>,
    /// What has been seen since the tip changed, in the order it was seen.
    arrived: Arc<Vec<Arc<Entry>>>,
    /// Why the last poll failed.
    failure: Option<Status>,
}

/// The shared copy. It is polled while a stream listens, and read on demand
/// otherwise.
pub(super) struct Mempool {
    /// Held while polling, so that callers share one poll.
    polling: Mutex<()>,
    pool: watch::Sender<Pool>,
    poller: Lock<Option<JoinHandle<()>>>,
}

impl Default for Mempool {
    fn default() -> Self {
        let pool = Pool {
            tip: None,
            read: None,
            present: Arc::default(),
            arrived: Arc::default(),
            failure: None,
        };
        Self {
            polling: Mutex::default(),
            pool: watch::Sender::new(pool),
            poller: Lock::default(),
        }
    }
}

impl Drop for Mempool {
    fn drop(&mut self) {
        let poller = self
            .poller
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = poller.take() {
            task.abort();
        }
    }
}

impl Service {
    /// Answers `GetMempoolTx`.
    pub(super) async fn mempool_transactions(
        &self,
        wanted: GetMempoolTxRequest,
    ) -> Result<impl Iterator<Item = CompactTx> + Send + 'static, Status> {
        let count = wanted.exclude_txid_suffixes.len();
        if count > MAX_EXCLUDED {
            return Err(Status::invalid_argument(format!(
                "GetMempoolTx: too many exclude txid suffixes: {count} (limit {MAX_EXCLUDED})"
            )));
        }
        let mut suffixes = wanted.exclude_txid_suffixes.iter();
        if let Some(index) = suffixes.position(|suffix| suffix.len() > MAX_EXCLUDED_BYTES) {
            return Err(Status::invalid_argument(format!(
                "exclude txid {index} is larger than 32 bytes"
            )));
        }
        let pools = Pools::read(&wanted.pool_types)
            .ok_or_else(|| Status::invalid_argument("invalid pool type requested"))?;
        // The end of an id in internal order is its beginning in display order.
        let reversed = |suffix: &Bytes| suffix.iter().rev().copied().collect();
        let excluded = wanted.exclude_txid_suffixes.iter().map(reversed).collect();
        let pool = self.mempool_now("GetMempoolTx", MEMPOOL_MAX_AGE).await?;
        let mut entries = pool.present.to_vec();
        exclude::keep(&mut entries, excluded, |entry| {
            let mut id = entry.txid;
            id.reverse();
            id
        });
        Ok(entries
            .into_iter()
            .filter_map(move |entry| pools.filter(entry.compact.as_ref()?)))
    }

    /// Answers `GetMempoolStream`: what has been seen since the newest block,
    /// then what arrives, until the next block. It holds a position in a list
    /// that all streams share, so a slow reader costs nothing.
    pub(super) async fn mempool_stream(
        self: Arc<Self>,
    ) -> Result<impl Stream<Item = Result<RawTransaction, Status>> + Send + 'static, Status> {
        // Listening comes first, so that nothing is missed.
        let listener = self.mempool.pool.subscribe();
        let pool = self.mempool_now("GetMempoolStream", MEMPOOL_POLL).await?;
        self.keep_polling();
        let start = (self, listener, pool.tip, 0_usize);
        Ok(stream::unfold(
            start,
            |(service, mut listener, tip, sent)| async move {
                loop {
                    let pool = listener.borrow_and_update().clone();
                    if pool.tip != tip {
                        return None;
                    }
                    if let Some(entry) = pool.arrived.get(sent) {
                        let transaction = RawTransaction {
                            data: entry.data.clone(),
                            height: 0,
                        };
                        return Some((Ok(transaction), (service, listener, tip, sent + 1)));
                    }
                    if let Some(failure) = pool.failure {
                        // Said once; the next look finds the stream ended.
                        return Some((Err(failure), (service, listener, None, sent)));
                    }
                    if listener.changed().await.is_err() {
                        return None;
                    }
                }
            },
        ))
    }

    /// The memory pool, read again when it is older than `max_age` or from
    /// before our newest block.
    async fn mempool_now(&self, method: &str, max_age: Duration) -> Result<Pool, Status> {
        let tip = self.tip(method)?.id;
        let _turn = self.mempool.polling.lock().await;
        let pool = self.mempool.pool.borrow().clone();
        let fresh = pool.read.is_some_and(|read| read.elapsed() < max_age);
        if fresh && pool.failure.is_none() && pool.tip == Some(tip) {
            return Ok(pool);
        }
        self.poll(method, tip, pool).await
    }

    /// Reads the memory pool and publishes it, also when that fails.
    async fn poll(&self, method: &str, tip: Id, mut pool: Pool) -> Result<Pool, Status> {
        if pool.tip != Some(tip) {
            pool.tip = Some(tip);
            pool.arrived = Arc::default();
        }
        pool.read = Some(Instant::now());
        match self.read_mempool(method, &pool).await {
            Ok((present, new)) => {
                pool.present = present.into();
                if !new.is_empty() {
                    let arrived = Arc::make_mut(&mut pool.arrived);
                    remember(arrived, new, MAX_MEMPOOL_TRANSACTIONS, MAX_MEMPOOL_BYTES);
                }
                pool.failure = None;
                self.mempool.pool.send_replace(pool.clone());
                Ok(pool)
            }
            Err(failure) => {
                pool.failure = Some(failure.clone());
                self.mempool.pool.send_replace(pool);
                Err(failure)
            }
        }
    }

    /// What the node holds now, and what of it has not been seen since the
    /// newest block.
    async fn read_mempool(
        &self,
        method: &str,
        last: &Pool,
    ) -> Result<(Vec<Arc<Entry>>, Vec<Arc<Entry>>), Status> {
        let asked = self.nodes.ask("getrawmempool", json!([])).await;
        let answer = asked.map_err(|refusal| {
            refusal.status(Code::Internal, &format!("{method}: getrawmempool error: "))
        })?;
        let list = answer.read::<Vec<String>>().map_err(|error| {
            Status::unknown(format!(
                "{method}: failed to unmarshal getrawmempool reply, error: {error}"
            ))
        })?;
        let seen = last.arrived.iter().map(|entry| (entry.txid, entry));
        let mut seen: HashMap<_, _> = seen.collect();
        let held: HashMap<_, _> = last
            .present
            .iter()
            .map(|entry| (entry.txid, entry))
            .collect();
        let fetches = list
            .into_iter()
            .take(MAX_MEMPOOL_TRANSACTIONS)
            .map(|shown| {
                let known = read_txid(&shown).ok().and_then(|txid| {
                    seen.get(&txid)
                        .or_else(|| held.get(&txid))
                        .map(|e| Arc::clone(e))
                });
                async move {
                    match known {
                        Some(entry) => Ok(Some(entry)),
                        None => self.mempool_entry(&shown).await,
                    }
                }
            });
        let mut fetched = stream::iter(fetches.collect::<Vec<_>>()).buffered(MEMPOOL_FETCHES);
        let (mut present, mut new, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
        while let Some(entry) = fetched.next().await {
            let Some(entry) = entry? else { continue };
            bytes += entry.data.len();
            if bytes > MAX_MEMPOOL_BYTES {
                break;
            }
            present.push(entry);
        }
        drop(fetched);
        for entry in &present {
            if seen.insert(entry.txid, entry).is_none() {
                new.push(Arc::clone(entry));
            }
        }
        Ok((present, new))
    }

    /// One transaction the copy does not have. `None` when it is gone, mined,
    /// or not what its id says.
    async fn mempool_entry(&self, shown: &str) -> Result<Option<Arc<Entry>>, Status> {
        let Ok(txid) = read_txid(shown) else {
            return Ok(None);
        };
        let params: Value = json!([shown, 1]);
        let answer = match self.nodes.ask("getrawtransaction", params).await {
            Ok(answer) => answer,
            Err(Refusal::Node { .. }) => return Ok(None),
            Err(refusal) => return Err(refusal.status(Code::Unavailable, "mempool: ")),
        };
        let from = Arc::clone(&answer.from);
        let fetched = match transaction::parse(&txid, answer) {
            Ok(fetched) if fetched.height == 0 => fetched,
            Ok(_) | Err(Unfit::Unreadable(_)) => return Ok(None),
            Err(Unfit::Wrong(evidence)) => {
                self.nodes.convict("mempool", &from, evidence);
                return Ok(None);
            }
        };
        Ok(Some(Arc::new(Entry {
            txid,
            compact: fetched.compact,
            data: fetched.data.into(),
        })))
    }

    /// Polls until nobody listens any more. One task at a time.
    fn keep_polling(self: &Arc<Self>) {
        let mut poller = self
            .mempool
            .poller
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if poller.as_ref().is_none_or(JoinHandle::is_finished) {
            let service = Arc::downgrade(self);
            *poller = Some(tokio::spawn(poll_while_heard(service)));
        }
    }
}

/// Appends what has been seen for the first time, as long as it fits: an
/// upstream that names other transactions each time must not fill the memory
/// of this process between two blocks. What does not fit is not streamed.
fn remember(arrived: &mut Vec<Arc<Entry>>, new: Vec<Arc<Entry>>, most: usize, most_bytes: usize) {
    let mut bytes: usize = arrived.iter().map(|entry| entry.data.len()).sum();
    for entry in new {
        bytes = bytes.saturating_add(entry.data.len());
        if arrived.len() >= most || bytes > most_bytes {
            return;
        }
        arrived.push(entry);
    }
}

/// Polls while a stream listens: when the newest block changes, and every
/// [`MEMPOOL_POLL`].
async fn poll_while_heard(service: Weak<Service>) {
    loop {
        tokio::time::sleep(MEMPOOL_TICK).await;
        let Some(service) = service.upgrade() else {
            return;
        };
        {
            // Under the lock that starts the task: whoever subscribes after
            // this look finds the task gone and starts another.
            let mut poller = service
                .mempool
                .poller
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if service.mempool.pool.receiver_count() == 0 {
                *poller = None;
                return;
            }
        }
        // A failure is published to the listeners.
        let _ = service.mempool_now("GetMempoolStream", MEMPOOL_POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_since_the_last_block_is_bounded_in_number_and_bytes() {
        let entries = |count: u8| {
            let entry = |n| Entry {
                txid: [n; 32],
                data: vec![0; 10].into(),
                compact: None,
            };
            (0..count).map(|n| Arc::new(entry(n))).collect::<Vec<_>>()
        };
        let mut arrived = Vec::new();
        remember(&mut arrived, entries(3), 5, 1_000);
        assert_eq!(arrived.len(), 3);
        remember(&mut arrived, entries(9), 5, 1_000);
        assert_eq!(arrived.len(), 5);
        let mut arrived = Vec::new();
        remember(&mut arrived, entries(2), 500, 45);
        remember(&mut arrived, entries(9), 500, 45);
        assert_eq!(arrived.len(), 4);
    }
}
