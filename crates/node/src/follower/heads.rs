//! Where the followed upstream's head is: asked at intervals, and sooner when
//! the source hints that it moved.

use std::{sync::Arc, time::Duration};

use heliostat_core::{Fault, Point, Source};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::patience::ask;
use crate::{defaults, upstream::Upstream};

pub(super) struct Heads<S> {
    upstream: Arc<Upstream<S>>,
    poll: Duration,
    seen: Point,
    asked: Instant,
    answer: Option<AbortOnDropHandle<Result<Point, Fault>>>,
    hint: Option<AbortOnDropHandle<()>>,
    /// A hint came, and the head was not asked for since.
    hinted: bool,
}

impl<S: Source> Heads<S> {
    /// `seen` was the head just now.
    pub fn new(upstream: Arc<Upstream<S>>, poll: Duration, seen: Point) -> Self {
        Self {
            upstream,
            poll,
            seen,
            asked: Instant::now(),
            answer: None,
            hint: None,
            hinted: false,
        }
    }

    /// The head it named last.
    pub fn seen(&self) -> Point {
        self.seen
    }

    /// The next answer of the upstream. `idle`: there is nothing else to do,
    /// so hints are worth having. Nothing is lost when the future is dropped.
    pub async fn next(&mut self, idle: bool) -> Result<Point, Fault> {
        if self.answer.is_none() {
            if idle {
                self.wait().await;
            } else {
                sleep_until(self.asked + self.poll).await;
            }
            self.asked = Instant::now();
            self.hinted = false;
            let upstream = Arc::clone(&self.upstream);
            let question = async move { ask("its head", upstream.source().head()).await };
            self.answer = Some(AbortOnDropHandle::new(tokio::spawn(question)));
        }
        let Some(answer) = &mut self.answer else {
            return std::future::pending().await;
        };
        let result = answer.await;
        self.answer = None;
        let head = result
            .unwrap_or_else(|error| Err(Fault::Unreachable(format!("asking failed: {error}"))))?;
        if head != self.seen {
            self.seen = head;
            self.hint = None;
        }
        Ok(head)
    }

    /// Waits for a hint or for the next poll, and never asks too often.
    async fn wait(&mut self) {
        if !self.hinted {
            let (upstream, seen) = (&self.upstream, self.seen);
            let hint = self.hint.get_or_insert_with(|| {
                let upstream = Arc::clone(upstream);
                let watch = async move { upstream.source().watch(seen).await };
                AbortOnDropHandle::new(tokio::spawn(watch))
            });
            tokio::select! {
                // A task that ended badly is as good a hint as any.
                _ = hint => {
                    self.hint = None;
                    self.hinted = true;
                }
                () = sleep_until(self.asked + self.poll) => {}
            }
        }
        sleep_until(self.asked + defaults::POLL_GAP).await;
    }
}
