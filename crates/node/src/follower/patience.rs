//! How long an answer of an upstream is waited for: shorter where another
//! upstream could be asked instead.

use std::future::Future;

use heliostat_core::{Fault, Source, Verifier};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Shared;
use crate::{
    defaults,
    upstream::{Upstream, Upstreams},
};

/// Puts a question to an upstream, within the limit that holds for all.
pub(super) async fn ask<T>(
    what: &str,
    question: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let late = |_| {
        let seconds = defaults::CALL.as_secs();
        Fault::Unreachable(format!(
            "asked for {what}, it did not answer within {seconds} s"
        ))
    };
    timeout(defaults::CALL, question).await.map_err(late)?
}

/// The fault of an upstream that is too slow while another one is not.
pub(super) fn outdone(what: &str) -> Fault {
    let seconds = defaults::PATIENCE.as_secs();
    Fault::Unreachable(format!(
        "asked for {what}, it did not answer within {seconds} s; another upstream is asked instead"
    ))
}

impl<S: Source> Upstreams<S> {
    /// Returns when the followed upstream gave nothing for long, counted from
    /// `since`, and another one could give the position at `height`.
    pub(super) async fn outdone(&self, upstream: &Upstream<S>, height: u64, since: Instant) {
        sleep_until(since + defaults::PATIENCE).await;
        while !self.has_rival(upstream, height) {
            sleep(defaults::RIVAL_LOOK).await;
        }
    }

    /// [`ask`] for what stands at `height`, given up sooner when another
    /// upstream has that position too. Two that are both too slow do not take
    /// turns: the one that was given up is no rival of the next.
    pub(super) async fn ask_for<T>(
        &self,
        upstream: &Upstream<S>,
        height: u64,
        what: &str,
        question: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        tokio::select! {
            biased;
            answer = ask(what, question) => answer,
            () = self.outdone(upstream, height, Instant::now()) => {
                self.doubt(upstream, Some(height));
                Err(outdone(what))
            }
        }
    }
}

impl<S: Source, V: Verifier, R> Shared<S, V, R> {
    /// [`ask`], given up sooner when there is another upstream that is not
    /// behind this one.
    pub(super) async fn ask_patiently<T>(
        &self,
        upstream: &Upstream<S>,
        what: &str,
        question: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let head = self.upstreams.believed(upstream).unwrap_or(0);
        tokio::select! {
            biased;
            answer = ask(what, question) => answer,
            () = self.upstreams.outdone(upstream, head, Instant::now()) => Err(outdone(what)),
        }
    }
}
