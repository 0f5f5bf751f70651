//! The receipts in the store.
//!
//! | key | value |
//! |---|---|
//! | `r` digest | the receipt, JSON |
//! | `n` number, big-endian | digest, and the time it was made, big-endian |
//! | `p` | nothing: written to find out whether that can be done |
//!
//! Numbers are given in the order of time, so the oldest come first. A receipt
//! is kept for [`RECEIPT_AGE`](defaults::RECEIPT_AGE) or until
//! [`RECEIPTS`](defaults::RECEIPTS) newer ones are there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use heliostat_store::{Batch, Direction, Snapshot, Store, StoreError};
use tokio::time::Instant;

use super::{
    Digested, TABLE,
    receipt::{Entry, ReceiptId, State},
};
use crate::{Clock, defaults};

/// The receipts of one chain.
pub(super) struct Book {
    store: Arc<dyn Store>,
    time: Time,
    /// The next number; held while receipts are written, so that numbers are
    /// in the order of time.
    next: tokio::sync::Mutex<u64>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Receipts kept, by state.
    counts: [u64; State::WORDS.len()],
    /// Receipts whose newest state could not be stored yet.
    unsaved: HashMap<Digested, Entry>,
    /// Writes that are to be looked for.
    open: HashMap<Digested, Entry>,
    /// What the last attempt to write met.
    trouble: Option<String>,
}

/// Seconds that go forward only: the machine's clock at the start, or the
/// newest receipt's time if that is later, and the time that passed since. A
/// clock that jumps while we run makes no receipt older or younger.
struct Time {
    base: u64,
    since: Instant,
}

impl Time {
    fn now(&self) -> u64 {
        self.base + self.since.elapsed().as_secs()
    }
}

impl Book {
    pub async fn open(store: Arc<dyn Store>, clock: &Clock) -> Result<Self, StoreError> {
        let snapshot = store.snapshot().await?;
        let newest = ordered(&*snapshot, Direction::Backward, 1).await?;
        let newest = newest.first();
        let base = clock().max(newest.map_or(0, |place| place.at));
        let book = Self {
            time: Time {
                base,
                since: Instant::now(),
            },
            next: tokio::sync::Mutex::new(newest.map_or(0, |place| place.number + 1)),
            inner: Mutex::default(),
            store: Arc::clone(&store),
        };
        book.recall(&*snapshot).await?;
        Ok(book)
    }

    /// Counts what is there, and finds the writes whose outcome is not known.
    async fn recall(&self, snapshot: &dyn Snapshot) -> Result<(), StoreError> {
        let (mut from, to) = (vec![b'r'], vec![b's']);
        loop {
            let range = from.clone()..to.clone();
            let rows = snapshot
                .range(TABLE, range, Direction::Forward, defaults::RECEIPTS_READ)
                .await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            // The smallest key after this one.
            from = [last.as_ref(), &[0]].concat();
            let mut inner = self.inner();
            for (_, value) in &rows {
                let Some(entry) = read(value) else { continue };
                inner.counts[entry.state.index()] += 1;
                inner.note(&entry);
            }
        }
    }

    /// The receipt of a write that is not too old.
    pub async fn find(&self, digest: &Digested) -> Result<Option<Entry>, StoreError> {
        let unsaved = self.inner().unsaved.get(digest).cloned();
        let entry = match unsaved {
            Some(entry) => Some(entry),
            None => self.stored(digest).await?,
        };
        Ok(entry.filter(|entry| self.is_young(entry.at)))
    }

    async fn stored(&self, digest: &Digested) -> Result<Option<Entry>, StoreError> {
        let row = self.store.get(TABLE, &by_digest(digest)).await?;
        Ok(row.as_deref().and_then(read))
    }

    fn is_young(&self, at: u64) -> bool {
        self.time.now().saturating_sub(at) < defaults::RECEIPT_AGE.as_secs()
    }

    /// Makes a receipt durable: of a write that is new, or that is sent anew
    /// under the receipt it has. From here on its outcome is unknown.
    pub async fn accept(
        &self,
        digest: Digested,
        write: Option<&Bytes>,
        to: &[String],
        known: Option<Entry>,
    ) -> Result<Entry, StoreError> {
        let mut next = self.next.lock().await;
        let stored = match &known {
            Some(_) => known.clone(),
            // One that is too old has its place still.
            None => self.stored(&digest).await?,
        };
        let mut batch = Batch::new();
        let entry = match known {
            Some(known) => Entry {
                to: to.to_vec(),
                state: State::Unknown,
                ..known
            },
            None => Entry {
                number: *next,
                id: ReceiptId::random(),
                digest,
                write: write.map(|id| id.to_vec()),
                at: self.time.now(),
                to: to.to_vec(),
                state: State::Unknown,
            },
        };
        let gone = self.outlived(entry.number, &digest, &mut batch).await?;
        if let Some(old) = stored.as_ref().filter(|old| old.number != entry.number) {
            batch.delete(TABLE, by_number(old.number));
        }
        if entry.number == *next {
            batch.put(TABLE, by_number(entry.number), placed(&entry));
            // Also when the commit fails: it may have arrived.
            *next += 1;
        }
        batch.put(TABLE, by_digest(&digest), written(&entry));
        let done = self.store.commit(batch).await;
        let mut inner = self.inner();
        inner.trouble = done.as_ref().err().map(ToString::to_string);
        done?;
        for gone in gone.iter().chain(&stored) {
            inner.forget(gone);
        }
        inner.unsaved.remove(&digest);
        inner.counts[entry.state.index()] += 1;
        Ok(entry)
    }

    /// Deletes the oldest receipts that are too old or too many, a few at a
    /// time: each accepted write makes room for more than itself.
    async fn outlived(
        &self,
        newest: u64,
        except: &Digested,
        batch: &mut Batch,
    ) -> Result<Vec<Entry>, StoreError> {
        let snapshot = self.store.snapshot().await?;
        let oldest = ordered(&*snapshot, Direction::Forward, defaults::RECEIPTS_DROPPED).await?;
        let mut gone = Vec::new();
        for place in oldest {
            let many = place.number + defaults::RECEIPTS <= newest;
            if (!many && self.is_young(place.at)) || place.digest == *except {
                break;
            }
            batch.delete(TABLE, by_number(place.number));
            let row = snapshot.get(TABLE, &by_digest(&place.digest)).await?;
            let entry = row.as_deref().and_then(read);
            // Another receipt may have taken its place since.
            if let Some(entry) = entry.filter(|entry| entry.number == place.number) {
                batch.delete(TABLE, by_digest(&place.digest));
                gone.push(entry);
            }
        }
        Ok(gone)
    }

    /// Notes what became of a write whose outcome was not known, and which
    /// upstreams it surely never reached. It counts from here on, and is
    /// stored as soon as that can be done.
    pub async fn settle(&self, entry: &Entry, state: State, missed: &[String]) {
        let _next = self.next.lock().await;
        // Somebody else may have found out meanwhile.
        let now = match self.find(&entry.digest).await {
            Ok(Some(now)) => now,
            // Too old; or it cannot be read, and then nothing was changed.
            Ok(None) | Err(_) => entry.clone(),
        };
        if now.number != entry.number || !now.is_open() {
            return;
        }
        let mut settled = now.clone();
        settled.becomes(state);
        settled.missed(missed);
        self.put(&now, settled).await;
    }

    /// Notes which upstreams a write never reached, whatever became of it.
    pub async fn missed(&self, entry: &Entry, missed: &[String]) {
        let _next = self.next.lock().await;
        let Ok(Some(now)) = self.find(&entry.digest).await else {
            return;
        };
        if now.number == entry.number {
            let mut less = now.clone();
            less.missed(missed);
            self.put(&now, less).await;
        }
    }

    /// Puts `new` in place of `old`. While [`next`](Self::next) is held.
    async fn put(&self, old: &Entry, new: Entry) {
        {
            let mut inner = self.inner();
            inner.open.remove(&new.digest);
            inner.note(&new);
            if new == *old {
                // So it stands in the store already.
                return;
            }
            let (before, after) = (old.state.index(), new.state.index());
            inner.counts[before] = inner.counts[before].saturating_sub(1);
            inner.counts[after] += 1;
            inner.unsaved.insert(new.digest, new.clone());
        }
        self.save(new).await;
    }

    /// Stores what could not be stored before.
    pub async fn save_all(&self) {
        let unsaved: Vec<_> = self.inner().unsaved.values().cloned().collect();
        for entry in unsaved {
            // Not while the same receipt is given out anew.
            let _next = self.next.lock().await;
            if self.inner().unsaved.get(&entry.digest) == Some(&entry) {
                self.save(entry).await;
            }
        }
    }

    /// Finds out whether a store that could not be written can be again: who
    /// is told that writes are refused sends none, so somebody has to try.
    pub async fn probe(&self) {
        if self.inner().trouble.is_none() {
            return;
        }
        let mut batch = Batch::new();
        batch.put(TABLE, &b"p"[..], vec![0; defaults::PROBE_BYTES]);
        let done = self.store.commit(batch).await;
        let mut inner = self.inner();
        inner.trouble = done.err().map(|error| error.to_string());
        if inner.trouble.is_none() {
            tracing::info!("receipts_stored_again");
        }
    }

    async fn save(&self, entry: Entry) {
        let mut batch = Batch::new();
        batch.put(TABLE, by_number(entry.number), placed(&entry));
        batch.put(TABLE, by_digest(&entry.digest), written(&entry));
        let done = self.store.commit(batch).await;
        let mut inner = self.inner();
        match done {
            Ok(()) => {
                inner.trouble = None;
                inner.unsaved.remove(&entry.digest);
            }
            Err(error) => {
                let news = inner.trouble.is_none();
                inner.trouble = Some(error.to_string());
                if news {
                    tracing::error!(%error, "receipt_not_stored");
                }
            }
        }
    }

    /// The writes to look for, those that are too old left out for good.
    pub fn open_writes(&self) -> Vec<Entry> {
        let mut inner = self.inner();
        inner.open.retain(|_, entry| self.is_young(entry.at));
        inner.open.values().cloned().collect()
    }

    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.inner().counts;
        State::WORDS.into_iter().zip(counts).collect()
    }

    pub fn trouble(&self) -> Option<String> {
        self.inner().trouble.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Remembers to look for it, if that is to be done and can be.
    fn note(&mut self, entry: &Entry) {
        if !entry.is_open() || entry.write.is_none() {
            return;
        }
        if self.open.len() >= defaults::WRITES_LOOKED_FOR {
            let oldest = self.open.values().min_by_key(|entry| entry.number);
            if let Some(digest) = oldest.map(|entry| entry.digest) {
                self.open.remove(&digest);
            }
        }
        self.open.insert(entry.digest, entry.clone());
    }

    fn forget(&mut self, entry: &Entry) {
        // What it became later counts, if that is not stored yet.
        let newest = self.unsaved.remove(&entry.digest);
        let state = newest.map_or(entry.state.index(), |newest| newest.state.index());
        self.counts[state] = self.counts[state].saturating_sub(1);
        self.open.remove(&entry.digest);
    }
}

/// A row of the order of receipts.
struct Placed {
    number: u64,
    digest: Digested,
    at: u64,
}

async fn ordered(
    snapshot: &dyn Snapshot,
    direction: Direction,
    limit: usize,
) -> Result<Vec<Placed>, StoreError> {
    let range = vec![b'n']..vec![b'o'];
    let rows = snapshot.range(TABLE, range, direction, limit).await?;
    let place = |(key, value): &(Bytes, Bytes)| {
        let (digest, at) = value.split_first_chunk::<32>()?;
        Some(Placed {
            number: u64::from_be_bytes(key.get(1..)?.try_into().ok()?),
            digest: *digest,
            at: u64::from_be_bytes(at.try_into().ok()?),
        })
    };
    Ok(rows.iter().filter_map(place).collect())
}

fn by_digest(digest: &Digested) -> Vec<u8> {
    [&b"r"[..], digest].concat()
}

fn by_number(number: u64) -> Vec<u8> {
    [&b"n"[..], &number.to_be_bytes()].concat()
}

/// The value of a receipt's row in the order of receipts.
fn placed(entry: &Entry) -> Vec<u8> {
    [&entry.digest[..], &entry.at.to_be_bytes()].concat()
}

fn written(entry: &Entry) -> Vec<u8> {
    serde_json::to_vec(entry).expect("a receipt serializes because it has no maps")
}

fn read(value: &[u8]) -> Option<Entry> {
    let entry = serde_json::from_slice(value);
    entry
        .inspect_err(|error| tracing::warn!(%error, "receipt_unreadable"))
        .ok()
}
