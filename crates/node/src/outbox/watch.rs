//! Looking for writes whose outcome nobody knows.

use std::{collections::HashMap, time::Duration};

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};

use super::{
    Carrier, Digested, Seen,
    book::Book,
    receipt::{Entry, State},
};
use crate::defaults;

/// When a write is looked for next, and the pause after that.
struct Turn {
    at: Instant,
    pause: Duration,
}

/// Looks for lost writes, and stores what could not be stored before. Never
/// returns.
pub(super) async fn watch<C: Carrier>(carrier: &C, book: &Book) {
    let mut turns: HashMap<Digested, Turn> = HashMap::new();
    loop {
        book.save_all().await;
        book.probe().await;
        let open = book.open_writes();
        turns.retain(|digest, _| open.iter().any(|entry| entry.digest == *digest));
        let now = Instant::now();
        let due = |entry: &Entry| turns.get(&entry.digest).is_none_or(|turn| turn.at <= now);
        let due: Vec<_> = open.into_iter().filter(due).collect();
        for entry in &due {
            let turn = turns.entry(entry.digest).or_insert(Turn {
                at: now,
                pause: defaults::WRITE_LOOK / 2,
            });
            turn.pause = (turn.pause * 2).min(defaults::WRITE_LOOK_MOST);
            turn.at = now + turn.pause;
        }
        stream::iter(due)
            .for_each_concurrent(defaults::WRITE_LOOKS, |entry| look(carrier, book, entry))
            .await;
        sleep(defaults::WRITE_LOOK).await;
    }
}

async fn look<C: Carrier>(carrier: &C, book: &Book, entry: Entry) {
    let Some(id) = &entry.write else { return };
    let state = match carrier.seen(id).await {
        Seen::Included(reply) => State::Included(reply.to_vec()),
        Seen::Waiting(reply) => State::Waiting(reply.to_vec()),
        Seen::No => return,
    };
    if state.index() != entry.state.index() {
        tracing::info!(receipt = %entry.id, state = state.word(), "write_found");
    }
    book.settle(&entry, state, &[]).await;
}
