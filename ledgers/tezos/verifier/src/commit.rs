//! The link between a state's root and a header: the commit that the node
//! makes of a block's resulting state, whose hash the next header carries.
//!
//! Everything in that commit is known from the block's header but the root,
//! which a proof gives, and the number of operations in the message, which
//! is counted or searched for.

use heliostat_tezos_context::{AUTHOR, Commit, ContextHash};

use crate::defaults::MOST_OPERATIONS;
use crate::error::Error;
use crate::fitness::Fitness;
use crate::header::Header;

/// What the commit of a block says. A block's commit has one of two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// The usual one, with the number of operations of all passes.
    Operations(u32),
    /// None: the first block of a protocol.
    Empty,
}

impl Message {
    /// The text, for a block with this fitness.
    pub fn text(&self, fitness: &Fitness) -> String {
        let Self::Operations(count) = self else {
            return String::new();
        };
        let Fitness {
            level,
            locked_round,
            predecessor_round,
            round,
        } = fitness;
        let lock = match locked_round {
            None => "unlocked".to_owned(),
            Some(round) => format!("locked: {round}"),
        };
        // The protocol prints the number that stands in the fitness plus one,
        // which is minus the round: nothing to see at round 0.
        let sign = if *predecessor_round == 0 { "" } else { "-" };
        format!(
            "lvl {level}, fit:({level}, {lock}, {sign}{predecessor_round}, {round}), round {round}, {count} ops"
        )
    }
}

/// The commit of the state after `header`'s block, whose tree has this root.
///
/// The parent is the state before the block, which the header itself carries
/// from protocol 016 on. Up to 015 the header carries the commit *made here*:
/// for those, give the predecessor header's context as `before`.
/// Fails if the header is not a Tenderbake one.
pub fn commit_of(
    header: &Header,
    root: ContextHash,
    message: Message,
    before: Option<ContextHash>,
) -> Result<Commit, Error> {
    Ok(Commit {
        root,
        parents: vec![before.unwrap_or(header.context)],
        date: header.timestamp,
        author: AUTHOR.to_owned(),
        message: message.text(&header.fitness()?),
    })
}

/// Finds the message with which the state after `header`'s block, whose tree
/// has this root, makes the commit `expected`: the `context` of the next
/// header (of the header itself up to protocol 015, see [`commit_of`]).
///
/// `None` says that no message does, so that the root is not that of this
/// state: an answer, where the header chain is believed, that convicts the
/// proof. Counts up to [`MOST_OPERATIONS`] are tried, a few milliseconds at
/// the worst. The operations give the count at once, where they are known.
pub fn find_message(
    header: &Header,
    root: ContextHash,
    expected: ContextHash,
    before: Option<ContextHash>,
) -> Result<Option<Message>, Error> {
    let fitness = header.fitness()?;
    let mut commit = commit_of(header, root, Message::Empty, before)?;
    let counts = (0..=MOST_OPERATIONS).map(Message::Operations);
    Ok(counts.chain([Message::Empty]).find(|message| {
        commit.message = message.text(&fitness);
        commit.hash() == expected
    }))
}

/// The number of operations with which [`find_message`] succeeds, 0 for the
/// first block of a protocol.
pub fn find_operations(
    header: &Header,
    root: ContextHash,
    expected: ContextHash,
) -> Result<Option<u32>, Error> {
    let found = find_message(header, root, expected, None)?;
    Ok(found.map(|message| match message {
        Message::Operations(count) => count,
        Message::Empty => 0,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitness(locked_round: Option<i32>, predecessor_round: i32, round: i32) -> Fitness {
        Fitness {
            level: 15_181_987,
            locked_round,
            predecessor_round,
            round,
        }
    }

    #[test]
    fn the_message_has_the_protocols_words() {
        let message = Message::Operations(79);
        assert_eq!(
            message.text(&fitness(None, 0, 0)),
            "lvl 15181987, fit:(15181987, unlocked, 0, 0), round 0, 79 ops"
        );
        assert_eq!(
            message.text(&fitness(Some(1), 2, 3)),
            "lvl 15181987, fit:(15181987, locked: 1, -2, 3), round 3, 79 ops"
        );
        assert_eq!(Message::Empty.text(&fitness(Some(1), 2, 3)), "");
    }
}
