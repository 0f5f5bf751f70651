//! The broadcast of what became of the replica.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heliostat_core::{Change, Link};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::defaults;

/// Tells any number of subscribers what became of the replica, after it is
/// durable. A clone is another handle on the same feed.
#[derive(Clone, Debug)]
pub struct ChangeFeed {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    changes: broadcast::Sender<Change>,
    tip: Option<Link>,
}

/// What a subscriber is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The next change.
    Change(Change),
    /// The subscriber was too slow and missed some changes. The replica now
    /// ends at this link (`None` before its first position): compare what
    /// you have with it, and read on from the last position you share. The
    /// changes after it follow.
    Resume(Option<Link>),
}

impl ChangeFeed {
    /// A feed nobody has published to.
    pub fn new() -> Self {
        Self::with_capacity(defaults::FEED)
    }

    /// A feed that lets a subscriber lag by `capacity` changes.
    pub fn with_capacity(capacity: usize) -> Self {
        let (changes, _) = broadcast::channel(capacity);
        let inner = Inner { changes, tip: None };
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Every change from now on.
    pub fn subscribe(&self) -> Changes {
        Changes {
            receiver: self.lock().changes.subscribe(),
            feed: Arc::downgrade(&self.inner),
        }
    }

    /// Where the replica ends, as far as it was published.
    pub fn tip(&self) -> Option<Link> {
        self.lock().tip
    }

    /// Sets the end of the replica without telling anybody: what was there
    /// when the process started is not a change.
    pub(crate) fn begin(&self, tip: Option<Link>) {
        self.lock().tip = tip;
    }

    /// Tells everybody.
    pub(crate) fn publish(&self, change: Change) {
        let mut inner = self.lock();
        let (Change::Extend(link) | Change::Rewind(link)) = change;
        inner.tip = Some(link);
        // It fails when nobody listens, which is nobody's loss.
        let _ = inner.changes.send(change);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for ChangeFeed {
    fn default() -> Self {
        Self::new()
    }
}

/// One subscription to a [`ChangeFeed`].
#[derive(Debug)]
pub struct Changes {
    receiver: broadcast::Receiver<Change>,
    feed: std::sync::Weak<Mutex<Inner>>,
}

impl Changes {
    /// The next notice; `None` when the feed is gone. Nothing is lost when
    /// the future is dropped.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.receiver.recv().await {
            Ok(change) => Some(Notice::Change(change)),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(_)) => {
                let feed = self.feed.upgrade()?;
                // Under one lock, so that no change falls between the link
                // that is told and the first one received after it.
                let inner = lock(&feed);
                self.receiver = inner.changes.subscribe();
                Some(Notice::Resume(inner.tip))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use heliostat_core::Id;

    use super::*;

    fn link(height: u64) -> Link {
        Link {
            height,
            id: Id([height as u8; 32]),
            parent: Id::default(),
            time: height,
        }
    }

    #[tokio::test]
    async fn a_subscriber_in_time_sees_every_change_in_order() {
        let feed = ChangeFeed::new();
        let mut changes = feed.subscribe();
        let sent = [Change::Extend(link(1)), Change::Rewind(link(0))];
        for change in sent {
            feed.publish(change);
        }
        for change in sent {
            assert_eq!(changes.next().await, Some(Notice::Change(change)));
        }
        drop(feed);
        assert_eq!(changes.next().await, None);
    }

    #[tokio::test]
    async fn a_subscriber_that_lags_is_told_to_resume_and_then_misses_nothing() {
        let feed = ChangeFeed::with_capacity(2);
        let mut changes = feed.subscribe();
        for height in 0..10 {
            feed.publish(Change::Extend(link(height)));
        }
        assert_eq!(changes.next().await, Some(Notice::Resume(Some(link(9)))));
        feed.publish(Change::Extend(link(10)));
        let next = Notice::Change(Change::Extend(link(10)));
        assert_eq!(changes.next().await, Some(next));
    }
}
