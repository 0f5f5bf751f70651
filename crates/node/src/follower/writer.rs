//! Verified positions on their way into the replica: one commit is written
//! while the next is filled.

use std::sync::Arc;

use heliostat_core::{Link, Verifier};
use heliostat_store::StoreError;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{Settings, pipeline::Load};
use crate::Replica;

/// A branch that replaces the end of our chain.
#[derive(Clone, Debug)]
pub(super) struct Rewind {
    /// The last position that is kept.
    pub keep: Link,
    /// The weight it must exceed before anything is written; `None` when it
    /// need not (any more).
    pub beat: Option<u128>,
    /// It may be written in part only when there is too much of it.
    pub whole: bool,
}

/// What a commit did.
pub(super) struct Committed {
    /// The last position that was kept, when others were forgotten.
    pub rewound: Option<Link>,
    /// Where the replica ends now.
    pub link: Option<Link>,
    /// How many positions were appended.
    pub blocks: usize,
}

/// What a [`Writer`] wakes its owner for.
pub(super) enum Wake {
    /// A commit is durable.
    Committed(Committed),
    /// The store did not take a commit; what was in it is gone. Whether it
    /// was done all the same is found out by reading.
    Failed(StoreError, Committed),
    /// What is pending has waited long enough.
    Due,
}

struct Commit {
    /// Not aborted when dropped: a commit is atomic, and its end is waited
    /// for wherever there is somebody left to wait.
    handle: JoinHandle<Result<(), StoreError>>,
    load: Load,
    done: Committed,
}

pub(super) struct Writer<V: Verifier, R> {
    replica: Arc<R>,
    settings: Settings,
    pending: Vec<V::Item>,
    load: Load,
    since: Instant,
    rewind: Option<Rewind>,
    commit: Option<Commit>,
}

impl<V: Verifier, R: Replica<V>> Writer<V, R> {
    pub fn new(replica: Arc<R>, settings: Settings, rewind: Option<Rewind>) -> Self {
        Self {
            replica,
            settings,
            pending: Vec::new(),
            load: Load::default(),
            since: Instant::now(),
            rewind,
            commit: None,
        }
    }

    /// Takes an item that a position of `size` raw bytes became.
    pub fn push(&mut self, item: V::Item, size: usize) {
        if self.pending.is_empty() {
            self.since = Instant::now();
        }
        self.pending.push(item);
        self.load.blocks += 1;
        self.load.bytes += size;
    }

    /// The branch being read, until its first commit.
    pub fn rewind(&self) -> Option<&Rewind> {
        self.rewind.as_ref()
    }

    /// Whether the branch must become heavier before it may be written.
    pub fn is_held(&self) -> bool {
        self.rewind
            .as_ref()
            .is_some_and(|rewind| rewind.beat.is_some())
    }

    /// Whether the branch replaces ours as a whole or not at all.
    pub fn is_whole(&self) -> bool {
        self.rewind.as_ref().is_some_and(|rewind| rewind.whole)
    }

    /// The branch ends at this weight now.
    pub fn weigh(&mut self, weight: Option<u128>) {
        if let Some(rewind) = &mut self.rewind
            && rewind
                .beat
                .is_none_or(|beat| weight.is_none_or(|weight| weight > beat))
        {
            rewind.beat = None;
        }
    }

    /// Forgets what is pending.
    pub fn discard(&mut self) {
        self.pending = Vec::new();
        self.load = Load::default();
    }

    /// What is pending and what is being written. A branch that is held back
    /// has a limit of its own, so that it cannot fill the window for good.
    pub fn held(&self) -> Load {
        let writing = self
            .commit
            .as_ref()
            .map_or_else(Load::default, |commit| commit.load);
        match self.rewind.is_some() {
            true => writing,
            false => Load {
                blocks: self.load.blocks + writing.blocks,
                bytes: self.load.bytes + writing.bytes,
            },
        }
    }

    /// The bytes that are pending.
    pub fn pending_bytes(&self) -> usize {
        self.load.bytes
    }

    /// Nothing is pending and nothing is being written.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.commit.is_none()
    }

    /// Whether a commit should start now; `last`: nothing more is on its way.
    /// A branch that replaces ours is
    /// gathered as long as more of it is coming, within its limit, so that
    /// the switch is one step for readers.
    pub fn is_due(&self, last: bool) -> bool {
        if self.pending.is_empty() || self.commit.is_some() || self.is_held() {
            return false;
        }
        let full = match self.rewind.is_some() {
            true => self.load.bytes >= self.settings.branch_bytes,
            false => {
                self.load.blocks >= self.settings.commit_blocks
                    || self.load.bytes >= self.settings.commit_bytes
            }
        };
        let late = self.since.elapsed() >= self.settings.commit_time;
        last || full || (late && !self.is_whole())
    }

    /// Starts writing what is pending, which ends at `tip`.
    pub fn start(&mut self, tip: &V::Tip, caught_up: bool) {
        let items = std::mem::take(&mut self.pending);
        let load = std::mem::take(&mut self.load);
        let rewound = self.rewind.take().map(|rewind| rewind.keep);
        let done = Committed {
            rewound,
            link: V::link(tip),
            blocks: load.blocks,
        };
        let (replica, tip) = (Arc::clone(&self.replica), tip.clone());
        let keep = rewound.map(|link| link.height);
        let write = async move { replica.commit(keep, items, &tip, caught_up).await };
        self.commit = Some(Commit {
            handle: tokio::spawn(write),
            load,
            done,
        });
    }

    /// What happens next; pending while there is nothing to wait for. Nothing
    /// is lost when the future is dropped.
    pub async fn next(&mut self) -> Wake {
        let Some(commit) = &mut self.commit else {
            if self.pending.is_empty() || self.is_held() || self.is_whole() {
                return std::future::pending().await;
            }
            sleep_until(self.since + self.settings.commit_time).await;
            return Wake::Due;
        };
        let result = (&mut commit.handle).await;
        let done = self.commit.take().map(|commit| commit.done);
        match (result, done) {
            (Ok(Ok(())), Some(done)) => Wake::Committed(done),
            (Ok(Err(error)), Some(done)) => Wake::Failed(error, done),
            (Err(error), Some(done)) => Wake::Failed(defect(&error), done),
            (_, None) => std::future::pending().await,
        }
    }
}

/// A replica panicked: it must not be written to any more.
fn defect(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Corrupt {
        store: "the replica".to_owned(),
        reason: format!("writing to it failed in this program ({error}); please report it"),
    }
}
