//! What the clients of one chain got.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The wrong answers that are shown.
const SHOWN: usize = 10;

/// Counts of answers, shared by all clones.
#[derive(Clone, Default)]
pub struct Tally {
    good: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (good, refused) = (self.good.load(Relaxed), self.refused.load(Relaxed));
        let wrong = self.wrong.lock().unwrap().len();
        write!(f, "good {good}, refused {refused}, wrong {wrong}")
    }
}

impl Tally {
    pub fn good(&self) {
        self.good.fetch_add(1, Relaxed);
    }

    /// Good answers so far.
    pub fn answered(&self) -> u64 {
        self.good.load(Relaxed)
    }

    /// Refused in words, as may be.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub fn wrong(&self, words: String) {
        let mut wrong = self.wrong.lock().unwrap();
        if wrong.len() < SHOWN * 10 {
            wrong.push(words);
        }
    }

    /// Nothing was wrong, and at least so many answers came.
    pub fn must_be_right(&self, least: u64) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(SHOWN)]);
        let good = self.answered();
        assert!(good >= least, "{good} good answers, {least} are due");
    }
}
