//! One question to one endpoint, put to the next one as well when it is slow
//! or has no answer.

use std::{future::Future, sync::Arc};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::Core;
use crate::endpoint::Lack;

/// Why one endpoint has no answer.
pub(crate) struct Miss {
    /// In words.
    pub words: String,
    /// It said that there is no such thing.
    pub is_absent: bool,
}

impl Miss {
    /// What an endpoint lacks.
    pub fn lacks(lack: &Lack) -> Self {
        Self {
            words: lack.to_string(),
            is_absent: *lack == Lack::NotFound,
        }
    }
}

impl From<String> for Miss {
    fn from(words: String) -> Self {
        Self {
            words,
            is_absent: false,
        }
    }
}

/// Why none has one.
pub(crate) struct Misses {
    /// Every endpoint by name, with its reason.
    pub words: String,
    /// All that were asked said that there is no such thing.
    pub are_absent: bool,
}

impl Core {
    /// The first good answer, in the operator's order of endpoints. A question
    /// goes on when another endpoint has answered it: so one that never
    /// answers is noticed.
    pub(crate) async fn first<T, F>(
        self: &Arc<Self>,
        ask: impl Fn(Arc<Self>, usize) -> F,
    ) -> Result<T, Misses>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Miss>> + Send + 'static,
    {
        let (sender, mut answers) = mpsc::channel(self.n());
        let mut waiting = self.askable().into_iter();
        let mut misses: Vec<(usize, Miss)> = Vec::new();
        let mut running = 0;
        let mut next_at = Instant::now();
        loop {
            tokio::select! {
                Some((at, answer)) = answers.recv(), if running > 0 => match answer {
                    Ok(found) => return Ok(found),
                    Err(miss) => {
                        running -= 1;
                        misses.push((at, miss));
                        next_at = Instant::now();
                    }
                },
                () = sleep_until(next_at), if waiting.len() > 0 => {
                    let Some(at) = waiting.next() else { continue };
                    running += 1;
                    let (answer, sender) = (ask(Arc::clone(self), at), sender.clone());
                    self.keep_task(AbortOnDropHandle::new(tokio::spawn(async move {
                        // Nobody waits for it any more where this fails.
                        let _ = sender.send((at, answer.await)).await;
                    })));
                    next_at = Instant::now() + self.endpoint(at).patience();
                }
                else => break,
            }
        }
        let told = misses
            .iter()
            .map(|(at, miss)| format!("{}: {}", self.endpoint(*at).name(), miss.words));
        Err(Misses {
            words: told.collect::<Vec<_>>().join("; "),
            are_absent: !misses.is_empty() && misses.iter().all(|(_, miss)| miss.is_absent),
        })
    }
}
