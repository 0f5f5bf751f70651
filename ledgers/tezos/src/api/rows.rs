//! Values of the context in the text that a node prints: which keys a call
//! needs and what they come to is the protocol crate's business, reading them
//! with proof is done here.

use std::{collections::HashMap, sync::Arc};

use heliostat_core::Assurance;
use heliostat_tezos_protocol::{
    defaults::READ_ROUNDS,
    protocol::Protocol,
    rpc::{self, Answer, Key, Outcome, Plan},
};

use super::{reply::Reply, request::Asked};
use crate::{
    error::ReadError,
    light::{Core, Found, resolve::At},
    links,
};

/// What became of a call.
pub(super) enum Row {
    /// It is answered here.
    Reply(Reply),
    /// Only a node can answer it; why, where that is not usual.
    Relay(Option<String>),
}

/// Answers a call below a block from its state, where the tables have it.
pub(super) async fn serve(
    core: &Arc<Core>,
    asked: &Asked,
    at: &At,
    tail: &[&str],
) -> Result<Row, ReadError> {
    let query: Vec<(&str, &str)> = asked
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    // Only these depend on the block's level.
    let level = match tail {
        ["helpers" | "votes", ..] | ["context", "seed_computation"] => {
            core.fetch_header(&at.hash).await?.level
        }
        _ => 0,
    };
    let mut protocol = core.likely_protocol(at);
    let mut known = HashMap::new();
    for _ in 0..2 {
        let Some(plan) = rpc::plan(protocol, level, tail, &query) else {
            let without = rpc::plan(protocol, level, tail, &[]);
            let why = without.map(|_| "the query is not read by this release".to_owned());
            return Ok(Row::Relay(why));
        };
        let done = run(core, at, &plan, &mut known).await?;
        if matches!(done, Outcome::Done(_)) && at.state.board.pinned().is_none() {
            // No value was needed: the answer is about this state all the same.
            core.show_root(&at.state).await?;
        }
        // What was read shows which protocol the state belongs to.
        let (actual, grade) = core.next_protocol(at).await?;
        match Protocol::of(&actual.to_string()) {
            Some(actual) if actual == protocol => return finish(core, at, done, grade),
            Some(actual) => protocol = actual,
            None => {
                return Ok(Row::Relay(Some(format!(
                    "protocol {actual} is not known to this release; its raw values are still verified (raw/bytes, merkle_tree_v2)"
                ))));
            }
        }
    }
    Ok(Row::Relay(None))
}

fn finish(core: &Arc<Core>, at: &At, done: Outcome, protocol: Assurance) -> Result<Row, ReadError> {
    let grade = core.grade_of_read(at)?.min(protocol);
    Ok(match done {
        Outcome::Done(Answer::Json(text)) => Row::Reply(Reply::json(text, grade)),
        Outcome::Done(Answer::NotFound) => Row::Reply(Reply::absent(grade)),
        Outcome::Delegate(why) => Row::Relay(Some(why)),
        Outcome::Need(_) => Row::Relay(Some("the answer needs too many reads".to_owned())),
    })
}

/// Runs a plan, reading what it asks for.
async fn run(
    core: &Arc<Core>,
    at: &At,
    plan: &Plan,
    known: &mut HashMap<Key, rpc::Found>,
) -> Result<Outcome, ReadError> {
    for _ in 0..READ_ROUNDS {
        let missing = match plan.run(|key| known.get(key).cloned()) {
            Outcome::Need(keys) => keys,
            done => return Ok(done),
        };
        let paths = missing
            .iter()
            .map(|key| key.as_str().parse())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ReadError::Undecodable(format!("{error}")))?;
        let found = core.read(&at.state, &paths).await?;
        for (key, found) in missing.into_iter().zip(found) {
            let found = match found {
                Found::Value(bytes) => rpc::Found::Contents(bytes),
                Found::Directory(_) => rpc::Found::Directory,
                Found::Absent => rpc::Found::Absent,
            };
            known.insert(key, found);
        }
    }
    Ok(plan.run(|key| known.get(key).cloned()))
}

impl Core {
    /// The protocol that a block's state most likely belongs to: what is known
    /// of it, of its neighbours, or the newest one.
    fn likely_protocol(&self, at: &At) -> Protocol {
        let newest = Protocol::ALL[Protocol::ALL.len() - 1];
        let own = at.state.tree();
        let neighbour = || self.blocks.older(&at.hash).and_then(|older| older.tree());
        own.or_else(neighbour)
            .and_then(|tree| links::protocol(&tree, None))
            .and_then(|hash| Protocol::of(&hash.to_string()))
            .unwrap_or(newest)
    }
}
