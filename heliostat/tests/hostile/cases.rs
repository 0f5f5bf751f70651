//! Every misbehaviour of the simulated node, and what is due to it.

use std::time::Duration;

use heliostat_sim::zcash::{Chain, Filter, Handle, Misbehaviour, Node};
use heliostat_zcash_verifier::{Network, rule};

use super::stage::{LIE, branch, chain};

/// What a misbehaviour is, by `design.md`: a lie is bytes that contradict
/// their own root, or an answer to another question. Everything else is
/// trouble, whatever its purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    /// A conviction for breaking this rule.
    Conviction(&'static str),
    /// This state, for as long as it goes on.
    State(&'static str),
    /// Nothing that can be told apart from a node that is slow or honest.
    Nothing,
}

/// A misbehaving node.
pub struct Case {
    /// What it does, in words.
    pub words: &'static str,
    pub what: Misbehaviour,
    pub filter: Filter,
    pub due: Due,
    /// The grade of the whole chain when an honest node is there too: what
    /// the two said of its newest block.
    pub grade: &'static str,
    /// Its calls never end, so that it has to be restarted to come good.
    pub stuck: bool,
    /// Another valid chain that may be seen until more is known.
    pub other: Option<Chain>,
}

impl Case {
    /// A node that does it from its first answer on.
    pub async fn node(&self) -> Node {
        let node = Node::start(chain()).await.unwrap();
        node.misbehave(self.what.clone(), self.filter.clone());
        node
    }

    /// See [`Case::other`].
    pub fn others(&self) -> Vec<&Chain> {
        self.other.iter().collect()
    }

    /// Makes the node honest again.
    pub async fn mend(&self, node: &Handle) {
        node.behave();
        if self.stuck {
            node.restart(Duration::from_millis(10)).await;
        }
    }

    /// The calls that go wrong never end.
    fn stuck(self) -> Self {
        Self {
            stuck: true,
            ..self
        }
    }
}

/// How many kinds of misbehaviour there are, and the number of each. A new
/// kind has to be given a number here, and a case below.
pub const KINDS: usize = 19;
pub fn kind(what: &Misbehaviour) -> usize {
    match what {
        Misbehaviour::WrongBytes => 0,
        Misbehaviour::WrongMerkleRoot => 1,
        Misbehaviour::StaleHead(_) => 2,
        Misbehaviour::Forked(_) => 3,
        Misbehaviour::Truncated => 4,
        Misbehaviour::Huge(_) => 5,
        Misbehaviour::Drip { .. } => 6,
        Misbehaviour::Status(_) => 7,
        Misbehaviour::Reset => 8,
        Misbehaviour::WrongNetwork(_) => 9,
        Misbehaviour::RestartMidAnswer { .. } => 10,
        Misbehaviour::Slow(_) => 11,
        Misbehaviour::Hang => 12,
        Misbehaviour::WarmUp => 13,
        Misbehaviour::Error(..) => 14,
        Misbehaviour::TreeSizes => 15,
        Misbehaviour::Garbage => 16,
        Misbehaviour::TreeStates => 17,
        Misbehaviour::UnknownVersion => 18,
    }
}

const BOTH: &str = "agreed 2/2";
const NONE: &str = "relayed";

/// Only calls for blocks go wrong; the ids the node gives are right.
fn blocks(words: &'static str, what: Misbehaviour, due: Due) -> Case {
    Case {
        words,
        what,
        filter: Filter::method("getblock"),
        due,
        // A liar's word counts for nothing, also where it was right.
        grade: if matches!(due, Due::Conviction(_)) {
            NONE
        } else {
            BOTH
        },
        stuck: false,
        other: None,
    }
}

/// Calls for one block go wrong.
fn one_block(words: &'static str, what: Misbehaviour, due: Due) -> Case {
    let case = blocks(words, what, due);
    let filter = case.filter.at(LIE..=LIE);
    Case { filter, ..case }
}

/// Every call goes wrong.
fn all(words: &'static str, what: Misbehaviour, due: Due) -> Case {
    Case {
        filter: Filter::all(),
        grade: NONE,
        ..blocks(words, what, due)
    }
}

/// Nothing that is said of the chain itself is untrue.
fn harmless(words: &'static str, what: Misbehaviour) -> Case {
    Case {
        grade: BOTH,
        ..all(words, what, Due::Nothing)
    }
}

/// Every kind at least once.
pub fn cases() -> Vec<Case> {
    let mut cases = lies();
    cases.extend(pretences());
    cases.extend(transport());
    cases.extend(errors());
    cases
}

fn lies() -> Vec<Case> {
    use Misbehaviour::{WrongBytes, WrongMerkleRoot};
    let merkle = Due::Conviction(rule::MERKLE_ROOT);
    vec![
        one_block("a bit of a transaction is flipped", WrongBytes, merkle),
        all("a bit of every transaction is flipped", WrongBytes, merkle),
        one_block("a bit of a Merkle root is flipped", WrongMerkleRoot, merkle),
        all(
            "a bit of every Merkle root is flipped",
            WrongMerkleRoot,
            merkle,
        ),
    ]
}

/// Valid answers that are not this chain's newest state.
fn pretences() -> Vec<Case> {
    use Misbehaviour::{Forked, StaleHead, TreeSizes, TreeStates, UnknownVersion, WrongNetwork};
    let mainnet = Network::Main.genesis().0;
    vec![
        all("the head is 50 blocks old", StaleHead(50), Due::Nothing),
        Case {
            // Without proof-of-work it is as good a block as any, until the
            // next one does not continue it.
            other: Some(branch(LIE - 1, 1)),
            ..one_block(
                "one block is from another branch",
                Forked(branch(LIE - 1, 10)),
                Due::State("behind"),
            )
        },
        all(
            "it is on mainnet",
            WrongNetwork(mainnet),
            Due::State("unsupported"),
        ),
        all(
            "it is on no known network",
            WrongNetwork([9; 32]),
            Due::State("unsupported"),
        ),
        harmless("tree sizes are one too large", TreeSizes),
        harmless("tree states have a bit flipped", TreeStates),
        // Alone its word is taken, and beside an honest node that node's bytes:
        // a block that could not be read would keep all after it at `relayed`.
        harmless("a transaction of each block cannot be read", UnknownVersion),
    ]
}

fn transport() -> Vec<Case> {
    use Misbehaviour::{
        Drip, Garbage, Hang, Huge, Reset, RestartMidAnswer, Slow, Status, Truncated,
    };
    let down = Due::State("unreachable");
    let no = Due::State("unsupported");
    let drip = || Drip {
        bytes: 1,
        every: Duration::from_millis(100),
    };
    let restart = || RestartMidAnswer {
        down: Duration::from_millis(100),
    };
    vec![
        one_block("a block breaks off", Truncated, down),
        all("every answer breaks off", Truncated, down),
        one_block("a block of 1 GB", Huge(1 << 30), down),
        all("every answer has 1 GB", Huge(1 << 30), down),
        blocks("blocks trickle", drip(), Due::Nothing).stuck(),
        all("every answer trickles", drip(), Due::Nothing).stuck(),
        all("HTTP 401", Status(401), no),
        all("HTTP 403", Status(403), no),
        blocks("HTTP 404 for blocks", Status(404), no),
        all("HTTP 500", Status(500), down),
        blocks("HTTP 503 for blocks", Status(503), down),
        blocks("connections for blocks are reset", Reset, down),
        all("connections are reset", Reset, down),
        one_block("it restarts at one block", restart(), down),
        all("it restarts at every answer", restart(), down),
        harmless("every answer comes late", Slow(Duration::from_millis(300))),
        one_block("one block never comes", Hang, Due::Nothing).stuck(),
        blocks("blocks never come", Hang, Due::Nothing).stuck(),
        all("no answer ever comes", Hang, Due::Nothing).stuck(),
        blocks("blocks are no JSON", Garbage, down),
        all("no answer is JSON", Garbage, down),
    ]
}

fn errors() -> Vec<Case> {
    use Misbehaviour::{Error, WarmUp};
    let error = |code| Error(code, "as if".to_owned());
    vec![
        all("it warms up", WarmUp, Due::State("behind")),
        blocks("it warms up for blocks", WarmUp, Due::State("behind")),
        one_block("one block is not there", error(-8), Due::State("behind")),
        blocks(
            "error -32603 for blocks",
            error(-32603),
            Due::State("unreachable"),
        ),
        all("error -1 for all", error(-1), Due::State("unreachable")),
        all(
            "it knows no method",
            error(-32601),
            Due::State("unsupported"),
        ),
    ]
}
