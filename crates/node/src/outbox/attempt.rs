//! One write handed to its upstreams.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};

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
        &self,
        digest: Digested,
        write: Write,
    ) -> Result<Delivery, OutboxError> {
        let known = self.book.find(&digest).await?;
        if let Some(entry) = &known {
            if let Some(reply) = entry.state.reply() {
                return Ok(repeated(entry, Sent::Taken(reply)));
            }
            if entry.is_open() {
                return Ok(self.once_more(entry, &write).await);
            }
        }
        let ways = self.carrier.ways();
        let to: Vec<_> = ways.into_iter().take(self.policy.most()).collect();
        if to.is_empty() {
            return Ok(Delivery {
                receipt: known.map(|entry| entry.id),
                sent: Sent::NotSent(NOBODY.to_owned()),
                repeated: false,
            });
        }
        let id = write.id.as_ref();
        let entry = self.book.accept(digest, id, &to, known).await?;
        let sent = self.send(&entry, &to, &write).await;
        let state = match &sent {
            Sent::Taken(reply) if reply.len() > defaults::REPLY_BYTES => State::Unknown,
            Sent::Taken(reply) => State::Taken(reply.to_vec()),
            Sent::Refused(_) => State::Refused,
            Sent::NotSent(_) => State::NotSent,
            Sent::Unknown(_) => State::Unknown,
        };
        self.book.settle(&entry, state).await;
        Ok(first(&entry, sent))
    }

    /// The same write again after its outcome got lost: it is looked for, and
    /// if nobody knows it, it goes where it went before and nowhere else.
    async fn once_more(&self, entry: &Entry, write: &Write) -> Delivery {
        let seen = match &write.id {
            Some(id) => self.carrier.seen(id).await,
            None => Seen::No,
        };
        match seen {
            Seen::Included(reply) => {
                let state = State::Included(reply.to_vec());
                self.book.settle(entry, state).await;
                return repeated(entry, Sent::Taken(reply));
            }
            Seen::Waiting(reply) => return repeated(entry, Sent::Taken(reply)),
            Seen::No => {}
        }
        let ways = self.carrier.ways();
        let to: Vec<_> = ways
            .into_iter()
            .filter(|way| entry.to.contains(way))
            .collect();
        if to.is_empty() {
            let words = format!(
                "it was handed to {} before, which cannot be asked now, and is not sent elsewhere",
                entry.to.join(" and ")
            );
            return repeated(entry, Sent::Unknown(words));
        }
        let sent = self.send(entry, &to, write).await;
        // A refusal says nothing of the first time: the upstream may refuse it
        // now because it has it.
        if let Sent::Taken(reply) = &sent
            && reply.len() <= defaults::REPLY_BYTES
        {
            let state = State::Taken(reply.to_vec());
            self.book.settle(entry, state).await;
        }
        first(entry, sent)
    }

    /// Hands the write to all of `to` at the same time. The first that takes
    /// it decides; the others are still waited for, behind the scenes.
    async fn send(&self, entry: &Entry, to: &[String], write: &Write) -> Sent {
        let hand_over = |way: &String| {
            let (carrier, way, write) = (Arc::clone(&self.carrier), way.clone(), write.clone());
            async move { carrier.submit(&way, &write).await }
        };
        let mut under_way: FuturesUnordered<_> = to.iter().map(hand_over).collect();
        self.handed.fetch_add(to.len() as u64, Relaxed);
        tracing::debug!(receipt = %entry.id, upstreams = to.len(), "write_sent");
        let mut answers = Vec::new();
        while let Some(answer) = under_way.next().await {
            if let Sent::Taken(_) = answer {
                if !under_way.is_empty() {
                    let stop = self.stop.clone();
                    let rest = async move { while under_way.next().await.is_some() {} };
                    self.tasks
                        .spawn(async move { stop.run_until_cancelled(rest).await });
                }
                return answer;
            }
            answers.push(answer);
        }
        worst(answers)
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
