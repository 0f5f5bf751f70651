//! Writes: each with a durable receipt before its first byte leaves, and each
//! sent once.
//!
//! | module | what it holds |
//! |---|---|
//! | [`carrier`] | [`Carrier`]: the seam towards a ledger: hand this to that upstream; is this id known? |
//! | [`policy`] | [`Policy`]: to how many upstreams a write goes |
//! | [`receipt`] | [`Receipt`]: what is kept of a write, and the states it goes through |
//! | `book` | the receipts in the store, their age and their number |
//! | `attempt` | one write handed to its upstreams |
//! | `watch` | looking for writes whose outcome nobody knows |
//!
//! What a write can meet, and what a repetition of it then gets:
//!
//! | outcome | state | the same write again |
//! |---|---|---|
//! | an upstream took it | `taken` | the first reply, byte for byte; nothing is sent |
//! | its outcome was lost, and it was found among what waits to be included | `waiting` | the reply a success has; nothing is sent |
//! | it is on the chain | `included` | the reply a success has; nothing is sent |
//! | every upstream refused it | `refused` | is sent anew: nobody has it |
//! | it never left | `not-sent` | is sent anew, to others first |
//! | no answer came, or we were killed meanwhile | `unknown` | is looked for; if nobody knows it, it goes to the same upstreams, and under [`Policy::One`] to no other |
//!
//! What is `unknown` or `waiting` is looked for until it is included or its
//! receipt is too old. Under [`Policy::Broadcast`] the first upstream that takes
//! a write decides, and a refusal counts only when nobody may have it.
//!
//! Two equal writes at one time are one: both callers get the one outcome.
//! Nothing is ever sent again unless a client asks again.

pub mod carrier;
pub mod policy;
pub mod receipt;

mod attempt;
mod book;
mod watch;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use heliostat_store::{Store, StoreError, Table};
use sha2::{Digest, Sha256};
use tokio::sync::watch as channel;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Clock, defaults};
use book::Book;
pub use carrier::{Carrier, Seen, Sent, Write};
pub use policy::{BadPolicy, Policy};
pub use receipt::{Receipt, ReceiptId};

/// The table an outbox needs in its store.
pub const TABLE: Table = Table("outbox");

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The receipt; `None` when there was no upstream to hand it to, and so
    /// nothing to write down.
    pub receipt: Option<ReceiptId>,
    /// The outcome, with the ledger's own reply where there is one.
    pub sent: Sent,
    /// How many upstreams may have it: it was handed to so many, less those
    /// that are known by now not to have got a byte of it.
    pub handed_to: usize,
    /// The outcome was known already, or another call's: nothing was sent for
    /// this one.
    pub repeated: bool,
}

/// Why a write was not accepted. In every case nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The receipt cannot be written, or earlier ones not be read.
    #[error("the write was not sent, because its receipt cannot be stored: {0}")]
    Store(#[from] StoreError),
    /// Too many writes at one time.
    #[error("the write was not sent: {0} others are under way; try again in a moment")]
    Busy(usize),
    /// The process is about to end.
    #[error("the write was not sent: the server is stopping; try again in a moment")]
    Stopping,
}

/// What the callers of one write wait for.
type Outcome = Result<Delivery, Arc<OutboxError>>;

/// The writes of one chain.
pub struct Outbox<C> {
    carrier: Arc<C>,
    policy: Policy,
    book: Book,
    /// By digest, what is being sent just now.
    under_way: Mutex<HashMap<Digested, channel::Receiver<Option<Outcome>>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    handed: AtomicU64,
    repeated: AtomicU64,
    turned_away: AtomicU64,
}

/// SHA-256 of a write.
pub(crate) type Digested = [u8; 32];

impl<C: Carrier> Outbox<C> {
    /// Reads what earlier runs left. The store must have been opened with
    /// [`TABLE`]. [`run`](Self::run) has to run for lost writes to be looked
    /// for.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(
        store: Arc<dyn Store>,
        carrier: Arc<C>,
        policy: Policy,
        clock: &Clock,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            carrier,
            policy,
            book: Book::open(store, clock).await?,
            under_way: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            handed: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        })
    }

    /// Hands a write on, or tells what became of the same one before. The
    /// write goes on when the caller is dropped.
    ///
    /// # Errors
    /// [`OutboxError`]; nothing was sent then.
    pub async fn submit(self: &Arc<Self>, write: Write) -> Result<Delivery, Arc<OutboxError>> {
        let digest: Digested = Sha256::digest(&write.payload).into();
        let (mut outcome, joined) = self.join(digest, write)?;
        let told = match outcome.wait_for(Option::is_some).await {
            Ok(told) => told.clone(),
            Err(_) => None,
        };
        // Without an outcome its task was ended: the outbox is closing.
        let mut told = told.unwrap_or_else(|| Err(Arc::new(OutboxError::Stopping)));
        match &mut told {
            Ok(delivery) => {
                delivery.repeated |= joined;
                if delivery.repeated {
                    self.repeated.fetch_add(1, Relaxed);
                }
            }
            Err(_) => {
                self.turned_away.fetch_add(1, Relaxed);
            }
        }
        told
    }

    /// The outcome of this write to wait for, and whether another call is
    /// sending it.
    fn join(
        self: &Arc<Self>,
        digest: Digested,
        write: Write,
    ) -> Result<(channel::Receiver<Option<Outcome>>, bool), Arc<OutboxError>> {
        let mut under_way = self.under_way();
        if let Some(outcome) = under_way.get(&digest) {
            return Ok((outcome.clone(), true));
        }
        if self.stop.is_cancelled() {
            return Err(Arc::new(OutboxError::Stopping));
        }
        if under_way.len() >= defaults::WRITES_UNDER_WAY {
            return Err(Arc::new(OutboxError::Busy(under_way.len())));
        }
        let (tell, outcome) = channel::channel(None);
        under_way.insert(digest, outcome.clone());
        let place = Place {
            outbox: Arc::clone(self),
            digest,
        };
        self.tasks.spawn(async move {
            let stop = place.outbox.stop.clone();
            let sending = place.outbox.deliver(digest, write);
            let told = stop.run_until_cancelled(sending).await;
            // Whoever asks from now on finds it in the book.
            drop(place);
            if let Some(told) = told {
                tell.send_replace(Some(told.map_err(Arc::new)));
            }
        });
        Ok((outcome, false))
    }

    /// The receipt of a write, by its bytes; `None` when there is none or it
    /// is too old.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn receipt(&self, payload: &[u8]) -> Result<Option<Receipt>, StoreError> {
        let digest: Digested = Sha256::digest(payload).into();
        let entry = self.book.find(&digest).await?;
        Ok(entry.map(|entry| entry.receipt()))
    }

    /// Looks for writes whose outcome is not known, until `stop`; then ends
    /// what is under way, as it also does when this is dropped. What was cut
    /// off is unknown, and is looked for by the next process.
    pub async fn run(&self, stop: CancellationToken) {
        let _ends = self.stop.clone().drop_guard();
        stop.run_until_cancelled(watch::watch(&*self.carrier, &self.book))
            .await;
        self.close().await;
    }

    /// Ends what is under way and takes nothing more.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Receipts kept, by the state of their write.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let states = self.book.counts().into_iter();
        states
            .map(|(state, count)| (state.to_owned(), count))
            .collect()
    }

    /// What happened since the process started.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            handed: self.handed.load(Relaxed),
            repeated: self.repeated.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
        }
    }

    /// What keeps writes from being accepted, in words; `None` when nothing
    /// does. It is what the last attempt to store a receipt met.
    pub fn trouble(&self) -> Option<String> {
        self.book.trouble()
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Digested, channel::Receiver<Option<Outcome>>>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an outbox did since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Writes handed to an upstream, each upstream counted.
    pub handed: u64,
    /// Calls answered without sending anything for them.
    pub repeated: u64,
    /// Calls that were not accepted.
    pub turned_away: u64,
}

/// The place of one write among those under way, given up whatever happens.
struct Place<C: Carrier> {
    outbox: Arc<Outbox<C>>,
    digest: Digested,
}

impl<C: Carrier> Drop for Place<C> {
    fn drop(&mut self) {
        self.outbox.under_way().remove(&self.digest);
    }
}
