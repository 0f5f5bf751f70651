//! Proofs of a lie, in a form that a third party can check again without
//! asking anybody, and the check itself.
//!
//! | rule | what contradicts what |
//! |---|---|
//! | `tezos.proof-root` | a proof's tree and the root the proof claims |
//! | `tezos.header-hash` | a header's bytes and the block hash they were given for |
//! | `tezos.header-link` | a header and the header it names as its predecessor |
//! | `tezos.proof-of-work` | a header and the stamp its chain asks for |
//! | `tezos.operations-root` | a list of operations and the root in the block's header |
//! | `tezos.injection-hash` | an operation's bytes and the hash answered for them |
//! | `tezos.state-root` | a proof's root and the commit in the next block's final header |
//!
//! All but the last hold by themselves. That the next header of the last is
//! the chain's own was shown here by a quorum, which is not among the exhibits:
//! whoever checks it again compares that block's hash with what the chain has.

use heliostat_core::{Evidence, Exhibit};
use heliostat_tezos_context::{ContextHash, Limits, hash::blake2b, proof::Proof};
use heliostat_tezos_verifier::{BlockHash, Header, LinkError, OperationHash};

use crate::{endpoint::proofs, links};

/// What was asked.
const QUESTION: &str = "question";
/// What came back.
const ANSWER: &str = "answer as sent";
/// A header's bytes.
const HEADER: &str = "header as sent";
/// The bytes of the header before it.
const BEFORE: &str = "header before it";
/// The bytes of the header after it.
const NEXT: &str = "header after it";
/// The hash they were given for.
const HASH: &str = "block hash";
/// The stamp's greatest allowed value, 8 bytes big-endian.
const THRESHOLD: &str = "proof-of-work threshold";
/// A root of operations, as computed.
const COMPUTED: &str = "root computed";
/// A root of a state, as claimed.
const ROOT: &str = "root claimed";

/// A proof that does not hash to what it claims.
pub fn proof_root(path: &str, answer: &[u8], why: &str) -> Evidence {
    Evidence {
        rule: "tezos.proof-root".to_owned(),
        words: format!("the proof contradicts itself: {why}"),
        height: None,
        exhibits: vec![
            Exhibit::new(QUESTION, path.as_bytes()),
            Exhibit::new(ANSWER, answer),
        ],
    }
}

/// A header given for a hash that is not its own.
pub fn header_hash(claimed: &BlockHash, header: &Header) -> Evidence {
    Evidence {
        rule: "tezos.header-hash".to_owned(),
        words: format!(
            "the header given for block {claimed} hashes to {}",
            header.hash()
        ),
        height: height(header),
        exhibits: vec![
            Exhibit::new(HASH, *claimed.as_bytes()),
            Exhibit::new(HEADER, header.encode()),
        ],
    }
}

/// A header that cannot stand after its predecessor.
pub fn header_link(header: &Header, before: &Header, why: &str) -> Evidence {
    Evidence {
        rule: "tezos.header-link".to_owned(),
        words: format!("block {} breaks the chain: {why}", header.hash()),
        height: height(header),
        exhibits: vec![
            Exhibit::new(HEADER, header.encode()),
            Exhibit::new(BEFORE, before.encode()),
        ],
    }
}

/// A header without the stamp its chain asks for.
pub fn proof_of_work(header: &Header, threshold: u64) -> Evidence {
    Evidence {
        rule: "tezos.proof-of-work".to_owned(),
        words: format!(
            "block {} has no proof-of-work stamp of at most {threshold}; hint: another network than mainnet may ask for another stamp, which has to be set",
            header.hash()
        ),
        height: height(header),
        exhibits: vec![
            Exhibit::new(HEADER, header.encode()),
            Exhibit::new(THRESHOLD, threshold.to_be_bytes()),
        ],
    }
}

/// Operations that are not the ones of the header.
pub fn operations_root(path: &str, answer: &[u8], header: &Header, computed: [u8; 32]) -> Evidence {
    Evidence {
        rule: "tezos.operations-root".to_owned(),
        words: format!(
            "the operations given for block {} are not those its header commits to",
            header.hash()
        ),
        height: height(header),
        exhibits: vec![
            Exhibit::new(QUESTION, path.as_bytes()),
            Exhibit::new(ANSWER, answer),
            Exhibit::new(HEADER, header.encode()),
            Exhibit::new(COMPUTED, computed),
        ],
    }
}

/// A root that the header after the block does not commit to.
pub fn state_root(
    path: &str,
    answer: &[u8],
    root: &ContextHash,
    header: &Header,
    next: &Header,
) -> Evidence {
    Evidence {
        rule: "tezos.state-root".to_owned(),
        words: format!(
            "the root {root} claimed for block {} is not the one that the header of the next block commits to: {}, which a quorum attested",
            header.hash(),
            next.hash()
        ),
        height: height(header),
        exhibits: vec![
            Exhibit::new(QUESTION, path.as_bytes()),
            Exhibit::new(ANSWER, answer),
            Exhibit::new(ROOT, root.0),
            Exhibit::new(HEADER, header.encode()),
            Exhibit::new(NEXT, next.encode()),
        ],
    }
}

/// An operation answered with the hash of another one.
pub fn injection_hash(operation: &[u8], answer: &[u8], hash: &OperationHash) -> Evidence {
    Evidence {
        rule: "tezos.injection-hash".to_owned(),
        words: format!("operation {hash} was answered with the hash of another one"),
        height: None,
        exhibits: vec![
            Exhibit::new(QUESTION, operation),
            Exhibit::new(ANSWER, answer),
        ],
    }
}

fn height(header: &Header) -> Option<u64> {
    u64::try_from(header.level).ok()
}

/// Evidence that does not convict, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the evidence does not show a lie: {0}")]
pub struct Unproven(String);

/// Checks evidence again from its exhibits alone.
pub fn recheck(evidence: &Evidence) -> Result<(), Unproven> {
    let holds = match evidence.rule.as_str() {
        "tezos.proof-root" => claims_another_root(evidence)?,
        "tezos.header-hash" => {
            let (hash, header) = (exhibit(evidence, HASH)?, header(evidence, HEADER)?);
            // The hash of the genesis block is chosen, not computed.
            header.level != 0 && header.hash().as_bytes() != hash
        }
        "tezos.header-link" => {
            let (after, before) = (header(evidence, HEADER)?, header(evidence, BEFORE)?);
            let fails = after.follows(&before).err();
            let fails = fails.filter(|why| !matches!(why, LinkError::Malformed { .. }));
            after.predecessor == before.hash() && fails.is_some()
        }
        "tezos.proof-of-work" => {
            let bytes = exhibit(evidence, THRESHOLD)?;
            let bytes = bytes.try_into().map_err(|_| missing(THRESHOLD))?;
            let stamped = header(evidence, HEADER)?.has_proof_of_work(u64::from_be_bytes(bytes));
            !stamped.unwrap_or(false)
        }
        "tezos.state-root" => {
            let (header, next) = (header(evidence, HEADER)?, header(evidence, NEXT)?);
            let root = exhibit(evidence, ROOT)?;
            let root = ContextHash(root.try_into().map_err(|_| missing(ROOT))?);
            let shown = read(exhibit(evidence, ANSWER)?).and_then(|proof| proof.verify().ok());
            asks_about(evidence, &header.hash())?
                && next.predecessor == header.hash()
                && shown.is_some_and(|shown| {
                    shown.root == root && links::must_link(links::protocol(&shown.tree, None))
                })
                && !links::commits(&header, &root, &next.context)
        }
        "tezos.injection-hash" => {
            let hash = OperationHash(blake2b(&[exhibit(evidence, QUESTION)?]));
            let answered: Option<String> = serde_json::from_slice(exhibit(evidence, ANSWER)?).ok();
            let answered = answered.and_then(|text| text.parse::<OperationHash>().ok());
            answered.is_some_and(|answered| answered != hash)
        }
        "tezos.operations-root" => {
            let answer = exhibit(evidence, ANSWER)?;
            let header = header(evidence, HEADER)?;
            asks_about(evidence, &header.hash())? && links::operations_contradict(answer, &header)
        }
        other => return Err(Unproven(format!("the rule {other:?} is not known here"))),
    };
    match holds {
        true => Ok(()),
        false => Err(Unproven("the exhibits do not contradict each other".into())),
    }
}

/// Whether the question was about this block.
fn asks_about(evidence: &Evidence, block: &BlockHash) -> Result<bool, Unproven> {
    let question = String::from_utf8_lossy(exhibit(evidence, QUESTION)?);
    Ok(question.contains(&format!("/blocks/{block}/")))
}

fn read(answer: &[u8]) -> Option<Proof> {
    proofs::read(answer, &Limits::default()).ok()?
}

fn claims_another_root(evidence: &Evidence) -> Result<bool, Unproven> {
    let answer = exhibit(evidence, ANSWER)?;
    let proof = read(answer).ok_or_else(|| Unproven("the answer is no proof at all".into()))?;
    Ok(proof.verify().is_err())
}

fn missing(name: &str) -> Unproven {
    Unproven(format!("the exhibit {name:?} is missing or cut"))
}

fn exhibit<'a>(evidence: &'a Evidence, name: &str) -> Result<&'a [u8], Unproven> {
    let found = evidence.exhibits.iter().find(|one| one.name == name);
    found
        .map(|one| one.bytes.as_slice())
        .ok_or_else(|| missing(name))
}

fn header(evidence: &Evidence, name: &str) -> Result<Header, Unproven> {
    let bytes = exhibit(evidence, name)?;
    Header::decode(bytes).map_err(|error| Unproven(format!("{name}: {error}")))
}
