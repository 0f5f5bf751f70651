//! What was found out about upstreams: lies with their evidence, and forks.
//! Bounded in count and bytes, and kept over a restart.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use heliostat_core::{Evidence, Exhibit};
use heliostat_store::{Batch, Direction, Store, StoreError, Table};
use serde::{Deserialize, Serialize};

use crate::defaults;

/// The table the records are kept in; the store must be opened with it. A key
/// is the record's kind (`d` or `e`) and its number as 8 bytes big-endian, a
/// value is the record in JSON.
pub const TABLE: Table = Table("evidence");

const DISAGREEMENT: u8 = b'd';
const EVIDENCE: u8 = b'e';

/// A lie, the proof of it, and who told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Counts up over the life of the store.
    pub id: u64,
    /// When it was found, in seconds since the Unix epoch.
    pub at: u64,
    /// The upstream's name.
    pub upstream: String,
    /// The proof. An exhibit that is too long is cut, and its name says so.
    pub evidence: Evidence,
}

/// Two valid but different positions at one height: a fork. Nobody lied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// The lowest height at which we differ.
    pub height: u64,
    /// The id we have, as the ledger's people write it.
    pub ours: String,
    /// The id the upstream has, written the same way.
    pub theirs: String,
    /// The upstream's name.
    pub upstream: String,
    /// When it was first seen, in seconds since the Unix epoch.
    pub at: u64,
}

/// The records. They are taken down at once and made durable by
/// [`persist`](Self::persist), so that noting one never waits for a disk.
pub struct Findings {
    inner: Mutex<Inner>,
    store: Option<Arc<dyn Store>>,
    /// Keeps batches in the order they were taken.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    evidence: VecDeque<Arc<Finding>>,
    disagreements: VecDeque<(u64, Disagreement)>,
    next: u64,
    /// Keys to be written, in order; without a value they are deleted.
    unsaved: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Findings {
    /// Records that end with the process.
    pub fn in_memory() -> Self {
        Self {
            inner: Mutex::default(),
            store: None,
            writing: tokio::sync::Mutex::default(),
        }
    }

    /// Reads what earlier runs found, and keeps what this one finds. A record
    /// that cannot be read is left out and told in an event.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let snapshot = store.snapshot().await?;
        let load = async |kind: u8, limit: usize| {
            let range = vec![kind]..vec![kind + 1];
            snapshot
                .range(TABLE, range, Direction::Backward, limit)
                .await
        };
        let mut inner = Inner::default();
        for (key, value) in load(EVIDENCE, defaults::EVIDENCE_RECORDS).await? {
            inner.next = inner.next.max(number(&key) + 1);
            if let Some(finding) = read::<Finding>(&value) {
                inner.evidence.push_front(Arc::new(finding));
            }
        }
        for (key, value) in load(DISAGREEMENT, defaults::DISAGREEMENTS).await? {
            inner.next = inner.next.max(number(&key) + 1);
            if let Some(disagreement) = read::<Disagreement>(&value) {
                inner.disagreements.push_front((number(&key), disagreement));
            }
        }
        drop(snapshot);
        Ok(Self {
            inner: Mutex::new(inner),
            store: Some(store),
            writing: tokio::sync::Mutex::default(),
        })
    }

    /// The lies, oldest first.
    pub fn evidence(&self) -> Vec<Arc<Finding>> {
        self.lock().evidence.iter().cloned().collect()
    }

    /// The forks, oldest first.
    pub fn disagreements(&self) -> Vec<Disagreement> {
        let inner = self.lock();
        inner
            .disagreements
            .iter()
            .map(|(_, one)| one.clone())
            .collect()
    }

    /// Takes down a lie, and returns its number.
    pub(crate) fn convict(&self, upstream: &str, evidence: &Evidence, at: u64) -> u64 {
        let mut inner = self.lock();
        let id = inner.number();
        let finding = Finding {
            id,
            at,
            upstream: upstream.to_owned(),
            evidence: bounded(evidence),
        };
        inner.put(EVIDENCE, id, &finding);
        inner.evidence.push_back(Arc::new(finding));
        while inner.evidence.len() > 1 && inner.is_over() {
            if let Some(oldest) = inner.evidence.pop_front() {
                inner.unsaved.push((key(EVIDENCE, oldest.id), None));
            }
        }
        id
    }

    /// Takes down a fork; `false` when it is known already.
    pub(crate) fn disagree(&self, disagreement: Disagreement) -> bool {
        let mut inner = self.lock();
        let known = |(_, one): &(u64, Disagreement)| {
            one.height == disagreement.height
                && one.upstream == disagreement.upstream
                && one.ours == disagreement.ours
                && one.theirs == disagreement.theirs
        };
        if inner.disagreements.iter().any(known) {
            return false;
        }
        let id = inner.number();
        inner.put(DISAGREEMENT, id, &disagreement);
        inner.disagreements.push_back((id, disagreement));
        if inner.disagreements.len() > defaults::DISAGREEMENTS
            && let Some((oldest, _)) = inner.disagreements.pop_front()
        {
            inner.unsaved.push((key(DISAGREEMENT, oldest), None));
        }
        true
    }

    /// Makes everything taken down so far durable.
    pub(crate) async fn persist(&self) -> Result<(), StoreError> {
        let _in_order = self.writing.lock().await;
        let writes = std::mem::take(&mut self.lock().unsaved);
        let Some(store) = self.store.as_ref().filter(|_| !writes.is_empty()) else {
            return Ok(());
        };
        let mut batch = Batch::new();
        for (key, value) in &writes {
            match value {
                Some(value) => batch.put(TABLE, key.clone(), value.clone()),
                None => batch.delete(TABLE, key.clone()),
            }
        }
        let result = store.commit(batch).await;
        if result.is_err() {
            let mut inner = self.lock();
            let later = std::mem::replace(&mut inner.unsaved, writes);
            inner.unsaved.extend(later);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn put(&mut self, kind: u8, id: u64, record: &impl Serialize) {
        let value =
            serde_json::to_vec(record).expect("plain data serializes because it has no maps");
        self.unsaved.push((key(kind, id), Some(value)));
    }

    fn is_over(&self) -> bool {
        let bytes: usize = self.evidence.iter().map(|one| weight(&one.evidence)).sum();
        self.evidence.len() > defaults::EVIDENCE_RECORDS || bytes > defaults::EVIDENCE_BYTES
    }
}

fn key(kind: u8, id: u64) -> Vec<u8> {
    [&[kind][..], &id.to_be_bytes()].concat()
}

fn number(key: &[u8]) -> u64 {
    let digits = key.get(1..).and_then(|rest| rest.try_into().ok());
    digits.map_or(0, u64::from_be_bytes)
}

fn read<T: for<'de> Deserialize<'de>>(value: &[u8]) -> Option<T> {
    let record = serde_json::from_slice(value);
    record
        .inspect_err(|error| tracing::warn!(%error, "evidence record unreadable"))
        .ok()
}

fn weight(evidence: &Evidence) -> usize {
    evidence
        .exhibits
        .iter()
        .map(|exhibit| exhibit.bytes.len())
        .sum()
}

/// The evidence with every part cut to its limit.
fn bounded(evidence: &Evidence) -> Evidence {
    let exhibit = |exhibit: &Exhibit| {
        let (all, kept) = (exhibit.bytes.len(), defaults::EXHIBIT_BYTES);
        let name = words(&exhibit.name);
        if all <= kept {
            return Exhibit::new(&name, exhibit.bytes.as_slice());
        }
        let name = format!("{name} (the first {kept} of {all} bytes)");
        Exhibit::new(&name, &exhibit.bytes[..kept])
    };
    Evidence {
        rule: words(&evidence.rule),
        words: words(&evidence.words),
        height: evidence.height,
        exhibits: evidence
            .exhibits
            .iter()
            .take(defaults::EXHIBITS)
            .map(exhibit)
            .collect(),
    }
}

fn words(text: &str) -> String {
    text[..text.floor_char_boundary(defaults::WORDS_BYTES)].to_owned()
}

#[cfg(test)]
mod tests;
