//! Evidence about single answers, which need no chain: a transaction with
//! another id than the one asked for, a tree state of another block.
//!
//! Each accusation is made by judging it first, so that nothing is brought
//! forward that [`convict`](super::convict) would not confirm.

use heliostat_core::{Evidence, Exhibit};
use serde::Deserialize;

use super::NotConvicting;
use crate::{
    defaults::MAX_REPLY_BYTES,
    rules::{rule, shown},
    transaction,
};

/// Internal byte order.
const TXID: &str = "transaction id asked for";
/// The serialized transaction.
const TRANSACTION: &str = "transaction as sent";
/// Internal byte order.
const COMPUTED: &str = "transaction id computed";
/// Body of the HTTP request.
const QUESTION: &str = "question as sent";
/// Body of the HTTP reply.
const REPLY: &str = "reply as received";

/// The proof that whoever was asked for a transaction sent another one:
/// `asked` in internal byte order, `sent` serialized. `None` when the bytes
/// are the transaction asked for, are none, or are too new for this release.
pub fn another_transaction(asked: &[u8; 32], sent: &[u8]) -> Option<Evidence> {
    let computed = judge_transaction(asked, sent).ok()?;
    Some(Evidence {
        rule: rule::TXID.to_owned(),
        words: format!(
            "asked for transaction {}, got the bytes of {}",
            shown(asked),
            shown(&computed)
        ),
        height: None,
        exhibits: vec![
            Exhibit::new(TXID, *asked),
            Exhibit::new(TRANSACTION, sent),
            Exhibit::new(COMPUTED, computed),
        ],
    })
}

/// The proof that whoever was asked for a tree state sent that of another
/// block: the bodies of the JSON-RPC request (`z_gettreestate` with a decimal
/// height, or a hash in hex) and of the reply, as they went over the wire.
/// `None` when it is the block asked for, or cannot be told from these bytes.
///
/// It is an answer to another question. As with a block for another height,
/// nothing in the reply is signed: what is shown is both sides of one exchange,
/// whole. It says nothing of the trees themselves, which no header commits to
/// in a form that a light node can check.
pub fn another_tree_state(question: &[u8], reply: &[u8]) -> Option<Evidence> {
    let (asked, got) = judge_tree_state(question, reply).ok()?;
    Some(Evidence {
        rule: rule::TREE_STATE.to_owned(),
        words: format!(
            "asked for the tree state of block {asked}, got that of block {} {}",
            got.height, got.hash
        ),
        height: Some(got.height),
        exhibits: vec![Exhibit::new(QUESTION, question), Exhibit::new(REPLY, reply)],
    })
}

/// The verdict on one of these rules again; `None` for any other rule.
pub(super) fn convict(evidence: &Evidence) -> Option<Result<(), NotConvicting>> {
    match &evidence.rule[..] {
        rule::TXID => Some(convict_transaction(evidence)),
        rule::TREE_STATE => Some(convict_tree_state(evidence)),
        _ => None,
    }
}

fn convict_transaction(evidence: &Evidence) -> Result<(), NotConvicting> {
    let asked = super::needed(evidence, TXID)?
        .try_into()
        .map_err(|_| NotConvicting::Exhibit(TXID))?;
    judge_transaction(asked, super::needed(evidence, TRANSACTION)?).map(drop)
}

fn convict_tree_state(evidence: &Evidence) -> Result<(), NotConvicting> {
    let question = super::needed(evidence, QUESTION)?;
    judge_tree_state(question, super::needed(evidence, REPLY)?).map(drop)
}

/// The id of the bytes, when it is another one.
fn judge_transaction(asked: &[u8; 32], sent: &[u8]) -> Result<[u8; 32], NotConvicting> {
    match transaction::txid(sent) {
        Ok(computed) if computed == *asked => Err(NotConvicting::Holds),
        Ok(computed) => Ok(computed),
        Err(error) if error.is_opaque() => Err(NotConvicting::Opaque(error.to_string())),
        Err(_) => Err(NotConvicting::Exhibit(TRANSACTION)),
    }
}

/// The part of the request that counts; other members do not matter.
#[derive(Deserialize)]
struct Question {
    method: String,
    params: (String,),
}

#[derive(Deserialize)]
struct Reply {
    result: Place,
}

/// The block a tree state says it is of.
#[derive(Deserialize)]
struct Place {
    height: u64,
    hash: String,
}

/// What was asked for, and what came, when that is another block. A member
/// that stands twice is no reading of either side, so it does not convict.
fn judge_tree_state(question: &[u8], reply: &[u8]) -> Result<(String, Place), NotConvicting> {
    let asked: Question = json(question).ok_or(NotConvicting::Exhibit(QUESTION))?;
    let Reply { result: got } = json(reply).ok_or(NotConvicting::Exhibit(REPLY))?;
    let (asked, method) = (asked.params.0, asked.method);
    if method != "z_gettreestate" {
        return Err(NotConvicting::Exhibit(QUESTION));
    }
    if !is_hash(&got.hash) {
        return Err(NotConvicting::Exhibit(REPLY));
    }
    let same = if is_hash(&asked) {
        got.hash.eq_ignore_ascii_case(&asked)
    } else {
        let height: u64 = asked
            .parse()
            .map_err(|_| NotConvicting::Exhibit(QUESTION))?;
        got.height == height
    };
    match same {
        true => Err(NotConvicting::Holds),
        false => Ok((asked, got)),
    }
}

fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let bounded = bytes.len() <= MAX_REPLY_BYTES;
    bounded.then(|| serde_json::from_slice(bytes).ok())?
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
