//! How many connections are open at once, of a number that can be changed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::Notify;

/// Places for connections. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    taken: AtomicUsize,
    limit: AtomicUsize,
    freed: Notify,
}

impl Places {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Inner {
            taken: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            freed: Notify::new(),
        }))
    }

    /// Changes how many there are. If more are taken, nobody loses one.
    pub(crate) fn resize(&self, limit: usize) {
        self.0.limit.store(limit, SeqCst);
        self.0.freed.notify_one();
    }

    /// Waits for a place. For one caller at a time: a place that comes free
    /// is told to one.
    pub(crate) async fn take(&self) -> Taken {
        loop {
            let limit = self.0.limit.load(SeqCst);
            let taken = self
                .0
                .taken
                .fetch_update(SeqCst, SeqCst, |taken| (taken < limit).then_some(taken + 1));
            if taken.is_ok() {
                return Taken(self.clone());
            }
            // What came free since is remembered by the notification.
            self.0.freed.notified().await;
        }
    }
}

/// One place, until dropped.
#[derive(Debug)]
pub(crate) struct Taken(Places);

impl Drop for Taken {
    fn drop(&mut self) {
        let inner = &self.0.0;
        inner.taken.fetch_sub(1, SeqCst);
        inner.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_place_can_be_had_when_one_comes_free_or_more_are_made() {
        let places = Places::new(1);
        let first = places.take().now_or_never().expect("the first");
        assert!(places.take().now_or_never().is_none(), "one beyond");
        places.resize(2);
        let second = places.take().now_or_never().expect("one more");
        places.resize(1);
        drop(second);
        assert!(places.take().now_or_never().is_none(), "one is taken still");
        drop(first);
        assert!(places.take().now_or_never().is_some());
    }
}
