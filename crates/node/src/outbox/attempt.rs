//! One write handed to its upstreams.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::FuturesUnordered};

use super::{
    Carrier, Delivery, Digested, Outbox, OutboxError, Seen, Sent, Write,
    receipt::{Entry, State},
};
use crate::defaults;

/// What is said when there is no upstream to hand a write to.
const NOBODY: &str = "no upstream can be used just now; `heliostat check` tells why";

impl<C: Carrier> Outbox<C> {
    /// Answers from the book, or sends.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        digest: Digested,
        write: Write,
    ) -> Result<Delivery, OutboxError> {
        let known = self.book.find(&digest).await?;
        if let Some(entry) = &known {
            if let Some(reply) = entry.state.reply() {
                return Ok(repeated(entry, Sent::Taken(reply)));
            }
            if entry.is_open() {
                return self.once_more(entry, &write).await;
            }
        }
        let mut ways = self.ways();
        if let Some(entry) = known.as_ref().filter(|it| it.state == State::NotSent) {
            // Those that could not be reached just now come last.
            ways.sort_by_key(|way| entry.to.contains(way));
        }
        ways.truncate(self.policy.most());
        if ways.is_empty() {
            return Ok(Delivery {
                receipt: known.map(|entry| entry.id),
                sent: Sent::NotSent(NOBODY.to_owned()),
                handed_to: 0,
                repeated: false,
            });
        }
        let id = write.id.as_ref();
        let mut entry = self.book.accept(digest, id, &ways, known).await?;
        let (sent, missed) = self.send(&entry, &ways, &[], &write).await;
        let state = match &sent {
            Sent::Taken(reply) if reply.len() > defaults::REPLY_BYTES => State::Unknown,
            Sent::Taken(reply) => State::Taken(reply.to_vec()),
            Sent::Refused(_) => State::Refused,
            Sent::NotSent(_) => State::NotSent,
            Sent::Unknown(_) => State::Unknown,
        };
        self.book.settle(&entry, state, &missed).await;
        entry.missed(&missed);
        Ok(first(&entry, sent))
    }

    /// Who can be handed a write now, best first, each once.
    fn ways(&self) -> Vec<String> {
        let mut ways: Vec<String> = Vec::new();
        for way in self.carrier.ways() {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    /// The same write again after its outcome got lost: it is looked for, and
    /// if nobody knows it, it goes where the policy lets it.
    async fn once_more(
        self: &Arc<Self>,
        entry: &Entry,
        write: &Write,
    ) -> Result<Delivery, OutboxError> {
        let seen = match &write.id {
            Some(id) => self.carrier.seen(id).await,
            None => Seen::No,
        };
        let found = match &seen {
            Seen::Included(reply) => Some((State::Included(reply.to_vec()), reply)),
            Seen::Waiting(reply) => Some((State::Waiting(reply.to_vec()), reply)),
            Seen::No => None,
        };
        if let Some((state, reply)) = found {
            self.book.settle(entry, state, &[]).await;
            return Ok(repeated(entry, Sent::Taken(reply.clone())));
        }
        let to = self.policy.again(&entry.to, self.ways());
        if to.is_empty() {
            let words = format!(
                "it was handed to {} before, which cannot be asked now, and is not sent elsewhere",
                entry.to.join(" and ")
            );
            return Ok(repeated(entry, Sent::Unknown(words)));
        }
        let before = &entry.to;
        let mut entry = entry.clone();
        if to.iter().any(|way| !before.contains(way)) {
            // Durable before the first byte, for each of them.
            let mut all = before.clone();
            all.extend(to.iter().filter(|way| !before.contains(way)).cloned());
            let id = write.id.as_ref();
            let known = Some(entry.clone());
            entry = self.book.accept(entry.digest, id, &all, known).await?;
        }
        let (sent, missed) = self.send(&entry, &to, before, write).await;
        let state = match &sent {
            Sent::Taken(reply) if reply.len() <= defaults::REPLY_BYTES => {
                State::Taken(reply.to_vec())
            }
            // A refusal says nothing of the first time: the upstream may
            // refuse it now because it has it.
            _ => State::Unknown,
        };
        self.book.settle(&entry, state, &missed).await;
        entry.missed(&missed);
        let sent = match sent {
            // What is true of this time only.
            Sent::NotSent(words) => Sent::Unknown(format!(
                "it was handed to {} before, and could not be again: {words}",
                before.join(" and ")
            )),
            sent => sent,
        };
        Ok(first(&entry, sent))
    }

    /// Hands the write to all of `to` at the same time. The first that takes
    /// it decides; the others are still waited for, behind the scenes. Also
    /// who surely did not get a byte of it, now or `before`.
    async fn send(
        self: &Arc<Self>,
        entry: &Entry,
        to: &[String],
        before: &[String],
        write: &Write,
    ) -> (Sent, Vec<String>) {
        let hand_over = |way: &String| {
            let (carrier, way, write) = (Arc::clone(&self.carrier), way.clone(), write.clone());
            async move {
                let sent = carrier.submit(&way, &write).await;
                (way, sent)
            }
        };
        let mut under_way: FuturesUnordered<_> = to.iter().map(hand_over).collect();
        self.handed.fetch_add(to.len() as u64, Relaxed);
        tracing::debug!(receipt = %entry.id, upstreams = to.len(), "write_sent");
        let (mut answers, mut missed) = (Vec::new(), Vec::new());
        while let Some((way, answer)) = under_way.next().await {
            match answer {
                Sent::Taken(_) => {
                    if !under_way.is_empty() {
                        self.wait_for_the_rest(entry, under_way, before.to_vec());
                    }
                    return (answer, missed);
                }
                Sent::NotSent(_) if !before.contains(&way) => missed.push(way),
                _ => {}
            }
            answers.push(answer);
        }
        (worst(answers), missed)
    }

    /// Waits for those whose answers decide nothing any more, and notes which
    /// of them were never reached.
    fn wait_for_the_rest(
        self: &Arc<Self>,
        entry: &Entry,
        rest: impl Stream<Item = (String, Sent)> + Send + 'static,
        before: Vec<String>,
    ) {
        let (this, entry) = (Arc::clone(self), entry.clone());
        self.tasks.spawn(async move {
            let missed = rest.filter_map(|(way, sent)| {
                let missed = matches!(sent, Sent::NotSent(_)) && !before.contains(&way);
                std::future::ready(missed.then_some(way))
            });
            let missed = this.stop.run_until_cancelled(missed.collect()).await;
            let missed: Vec<String> = missed.unwrap_or_default();
            if !missed.is_empty() {
                this.book.missed(&entry, &missed).await;
            }
        });
    }
}

/// The outcome when nobody took it: while one may have it, it is unknown.
fn worst(answers: Vec<Sent>) -> Sent {
    let (mut unknown, mut not_sent) = (Vec::new(), Vec::new());
    let mut refused: Option<Bytes> = None;
    for answer in answers {
        match answer {
            Sent::Unknown(words) => unknown.push(words),
            Sent::NotSent(words) => not_sent.push(words),
            Sent::Refused(reply) | Sent::Taken(reply) => {
                refused.get_or_insert(reply);
            }
        }
    }
    match (unknown.is_empty(), refused) {
        (false, _) => Sent::Unknown(unknown.join("; ")),
        (true, Some(reply)) => Sent::Refused(reply),
        (true, None) => Sent::NotSent(not_sent.join("; ")),
    }
}

fn first(entry: &Entry, sent: Sent) -> Delivery {
    Delivery {
        receipt: Some(entry.id),
        handed_to: entry.to.len(),
        sent,
        repeated: false,
    }
}

fn repeated(entry: &Entry, sent: Sent) -> Delivery {
    Delivery {
        repeated: true,
        ..first(entry, sent)
    }
}
