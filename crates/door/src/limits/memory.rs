//! The memory that connections may take, as bytes that are counted when they
//! begin to wait for somebody and when they stop.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Context, Waker},
};

use bytes::{Buf, Bytes};

use crate::defaults;

/// A bounded sum, and who waits for it to fall.
struct Level {
    used: AtomicU64,
    limit: AtomicU64,
    somebody_waits: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Level {
    fn new(limit: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
            somebody_waits: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    fn add(&self, bytes: u64) {
        self.used.fetch_add(bytes, Relaxed);
    }

    fn remove(&self, bytes: u64) {
        self.used.fetch_sub(bytes, SeqCst);
        self.wake();
    }

    fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    fn resize(&self, limit: u64) {
        self.limit.store(limit, SeqCst);
        self.wake();
    }

    /// Wakes who waits, if there is room.
    fn wake(&self) {
        if self.somebody_waits.load(SeqCst) && self.has_room() {
            self.somebody_waits.store(false, SeqCst);
            let waiting = self.waiting.lock();
            let waiting = std::mem::take(&mut *waiting.unwrap_or_else(PoisonError::into_inner));
            for waker in waiting {
                waker.wake();
            }
        }
    }

    fn has_room(&self) -> bool {
        self.used.load(SeqCst) < self.limit()
    }

    /// Whether there is room; if not, the task is woken when there may be.
    fn poll_room(&self, cx: &mut Context<'_>) -> bool {
        if self.has_room() {
            return true;
        }
        let waiting = self.waiting.lock();
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        drop(waiting);
        self.somebody_waits.store(true, SeqCst);
        // It may have fallen before anybody saw that we wait.
        self.has_room()
    }
}

/// The memory budget. Clones share it: one for all doors of a process.
#[derive(Clone)]
pub struct Memory(Arc<Level>);

impl Memory {
    /// A budget of this many bytes.
    pub fn new(budget: u64) -> Self {
        Self(Arc::new(Level::new(budget)))
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.0.used.load(Relaxed)
    }

    /// Bytes in all.
    pub fn budget(&self) -> u64 {
        self.0.limit()
    }

    /// Changes the budget, for everybody who shares it. Nothing that is held
    /// is taken away.
    pub fn resize(&self, budget: u64) {
        self.0.resize(budget);
    }

    /// Whether a further request may start.
    pub(crate) fn has_room(&self) -> bool {
        self.0.has_room()
    }

    /// Lets a connection in if its share fits into the budget.
    pub(crate) fn admit(&self, buffer: u64) -> Option<Arc<Account>> {
        let share = defaults::CONNECTION_SHARE;
        let before = self.0.used.fetch_add(share, SeqCst);
        if before.saturating_add(share) > self.0.limit() {
            self.0.remove(share);
            return None;
        }
        Some(Arc::new(Account {
            all: self.clone(),
            own: Level::new(buffer),
        }))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(defaults::MEMORY)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} of {})", self.used(), self.budget())
    }
}

/// What one connection takes. Its share is given back with it.
pub(crate) struct Account {
    all: Memory,
    own: Level,
}

impl Account {
    /// Whether a further chunk of an answer may be made now; if not, the task
    /// is woken when it may.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> bool {
        self.own.poll_room(cx) && self.all.0.poll_room(cx)
    }

    /// Counts a chunk until it is written or dropped.
    pub(crate) fn charge(self: &Arc<Self>, bytes: Bytes) -> Charged {
        let charged = bytes.len() as u64;
        self.own.add(charged);
        self.all.0.add(charged);
        Charged {
            bytes,
            charged,
            account: Arc::clone(self),
        }
    }

    /// Counts bytes of a request against the budget.
    pub(crate) fn hold(&self, bytes: u64) {
        self.all.0.add(bytes);
    }

    /// Ends [`hold`](Self::hold).
    pub(crate) fn release(&self, bytes: u64) {
        self.all.0.remove(bytes);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.all.0.remove(defaults::CONNECTION_SHARE);
    }
}

/// A chunk of an answer on its way to the socket.
pub struct Charged {
    bytes: Bytes,
    charged: u64,
    account: Arc<Account>,
}

impl Buf for Charged {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        self.bytes.split_to(len)
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.account.own.remove(self.charged);
        self.account.all.0.remove(self.charged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_connections_get_in_as_shares_fit() {
        let memory = Memory::new(2 * defaults::CONNECTION_SHARE);
        let first = memory.admit(1).expect("the first fits");
        let second = memory.admit(1).expect("at the limit");
        assert!(memory.admit(1).is_none(), "one beyond");
        drop((first, second));
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn who_waits_for_room_is_woken_when_a_chunk_is_written() {
        let (waker, woken) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let memory = Memory::new(1 << 30);
        let account = memory.admit(10).expect("there is room");
        assert!(account.poll_room(&mut cx));
        let chunk = account.charge(Bytes::from_static(b"0123456789"));
        assert!(!account.poll_room(&mut cx), "at the connection's limit");
        assert_eq!(woken.load(Relaxed), 0);
        drop(chunk);
        assert_eq!(woken.load(Relaxed), 1);
        assert!(account.poll_room(&mut cx));
        drop(account);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_larger_budget_lets_in_at_once_who_waits() {
        let (waker, woken) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let memory = Memory::new(defaults::CONNECTION_SHARE);
        let account = memory.admit(1 << 20).expect("there is room for one");
        assert!(!account.poll_room(&mut cx), "its share is all there is");
        assert!(memory.admit(1).is_none());
        memory.resize(3 * defaults::CONNECTION_SHARE);
        assert_eq!(woken.load(Relaxed), 1);
        assert!(account.poll_room(&mut cx) && memory.admit(1).is_some());
        assert_eq!(memory.budget(), 3 * defaults::CONNECTION_SHARE);
    }

    fn counting_waker() -> (Waker, Arc<AtomicU64>) {
        struct Count(Arc<AtomicU64>);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        let count = Arc::new(AtomicU64::new(0));
        (Waker::from(Arc::new(Count(Arc::clone(&count)))), count)
    }
}
