//! `heliostat check` for Tezos: whether each endpoint can be used, whether it
//! serves the proof calls, and what its operator must allow if not.

use std::fmt::Write as _;

use futures::future::join_all;
use heliostat_core::Fault;
use heliostat_tezos::{
    Mode, Settings, consensus,
    endpoint::{
        Answer, Endpoint, Lack, Serves,
        proofs::{NoProof, Question},
    },
};
use heliostat_tezos_context::Key;
use heliostat_tezos_verifier::Header;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    check::{Found, Verdict},
    cli::exit::Failure,
    config::TezosConfig,
    defaults, report,
    status::duration,
};

/// The entries of a node's access list that light mode needs, as its operator
/// writes them.
pub const ALLOW: &[&str] = &["GET /chains/*/blocks/*/context/merkle_tree_v2/**"];

/// A key that every context has, near the root: its proof is the smallest.
const KEY: &str = "version";

/// What is known of an endpoint that answers.
struct Answering {
    name: String,
    chain: String,
    level: i64,
    proves: bool,
    endpoint: Endpoint,
}

/// Looks at every endpoint of a chain.
///
/// # Errors
/// A setting that makes no sense.
pub(crate) async fn endpoints(
    name: &str,
    config: &TezosConfig,
    found: &mut Vec<Found>,
) -> Result<(), Failure> {
    let at = format!("chain.{name}");
    let settings = config.settings(&at)?;
    if let Some(words) = config.sources(&at)?.duplicates() {
        found.push(Found::new("endpoints", Verdict::Ok, words));
    }
    let mut seen = Vec::new();
    for uri in &settings.endpoints {
        if !seen.contains(uri) {
            seen.push(uri.clone());
        }
    }
    let asked = join_all(seen.iter().map(|uri| one(uri, &settings))).await;
    let mut answering = Vec::new();
    for looked in asked {
        let (words, known) = looked?;
        found.push(words);
        answering.extend(known);
    }
    if settings.mode == Mode::Light {
        found.push(agreement(&settings, &answering));
    }
    found.extend(same_chain(&settings, &answering).await);
    Ok(())
}

/// One endpoint, within the time a check may take.
async fn one(uri: &str, settings: &Settings) -> Result<(Found, Option<Answering>), Failure> {
    // As the daemon asks it: with certificates and tokens.
    let endpoint = Endpoint::secured(uri, settings.limits.clone(), settings.access.clone())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let subject = format!("endpoint {}", endpoint.name());
    let seconds = defaults::CHECK_TIMEOUT.as_secs();
    let late = || Err(Fault::Unreachable(format!("no answer within {seconds} s")));
    let looked = timeout(defaults::CHECK_TIMEOUT, look(&endpoint, settings)).await;
    Ok(match looked.unwrap_or_else(|_| late()) {
        Ok((verdict, words, chain, level, proves)) => {
            let name = endpoint.name().to_owned();
            let known = Answering {
                name,
                chain,
                level,
                proves,
                endpoint,
            };
            (Found::new(subject, verdict, words), Some(known))
        }
        Err(fault) => {
            let verdict = match fault {
                Fault::Unreachable(_) | Fault::Behind(_) => Verdict::NotReady,
                Fault::Unsupported(_) | Fault::Wrong(_) => Verdict::Failed,
            };
            (Found::new(subject, verdict, fault.to_string()), None)
        }
    })
}

type Looked = (Verdict, String, String, i64, bool);

async fn look(endpoint: &Endpoint, settings: &Settings) -> Result<Looked, Fault> {
    let network = &settings.chain;
    let id = value(endpoint, &format!("/chains/{network}/chain_id")).await?;
    let chain = id.as_str().unwrap_or_default().to_owned();
    if let Some(wanted) = settings.chain_id.filter(|id| id.to_string() != chain) {
        return Err(Fault::Unsupported(format!(
            "it is on chain {chain}, and {wanted} is configured; use a node of that chain, or change chain-id"
        )));
    }
    let header = value(endpoint, &format!("/chains/{network}/blocks/head/header")).await?;
    let level = header["level"].as_i64().unwrap_or(0);
    let hash = header["hash"].as_str().unwrap_or_default();
    let mut words = version(endpoint).await;
    let _ = write!(words, "chain {chain}, head at level {level}");
    if let Some(age) = age(&header) {
        let _ = write!(words, ", {} old", duration(age));
    }
    if settings.mode == Mode::Client {
        return Ok((Verdict::Ok, words, chain, level, false));
    }
    let (mut verdict, told, proves) = proofs(endpoint, network, hash).await?;
    let _ = write!(words, "; {told}");
    if let Some(told) = stamp(endpoint, settings, &header).await {
        verdict = Verdict::Failed;
        let _ = write!(words, "; {told}");
    }
    Ok((verdict, words, chain, level, proves))
}

/// What is wrong where its head does not have the stamp that is asked for: on
/// another network than mainnet every honest node would be taken for a liar.
async fn stamp(endpoint: &Endpoint, settings: &Settings, header: &Value) -> Option<String> {
    let wanted = settings.proof_of_work?;
    let head = Header::from_json(header).ok()?;
    if head.has_proof_of_work(wanted).unwrap_or(true) {
        return None;
    }
    let path = format!("/chains/{}/blocks/head/context/constants", settings.chain);
    let constants = value(endpoint, &path).await.unwrap_or_default();
    let own = constants["proof_of_work_threshold"].as_str();
    let own = own.and_then(|own| own.parse::<i64>().ok());
    // It is compared without sign: -1 is the greatest, and asks for nothing.
    let own = own.map(|own| u64::try_from(own).unwrap_or(0));
    let set = match own.filter(|own| *own != wanted) {
        Some(own) => format!("set proof-of-work-threshold = {own}, as its network's constants say"),
        None => "set proof-of-work-threshold to that of its network, 0 for none".to_owned(),
    };
    Some(format!(
        "its head has no proof-of-work stamp of at most {wanted}, which would be held against it as a lie; {set}"
    ))
}

/// Whether it serves the proof calls.
async fn proofs(
    endpoint: &Endpoint,
    chain: &str,
    block: &str,
) -> Result<(Verdict, String, bool), Fault> {
    let key: Key = KEY.parse().expect("a plain name is a key");
    let question = Question {
        chain,
        block,
        key: &key,
        holey: false,
        cap: heliostat_tezos::defaults::PROOF_BYTES,
    };
    match endpoint.prove(question).await {
        Ok(_) if matches!(endpoint.capability().v2, Serves::Yes) => {
            let form = match endpoint.capability().no_binary {
                true => "as JSON only, which is three times longer",
                false => "in binary",
            };
            let words = format!("serves proofs (merkle_tree_v2, {form})");
            Ok((Verdict::Ok, words, true))
        }
        Ok(_) => {
            let words = format!(
                "serves only the old proofs (merkle_tree), which are too long for accounts of a large chain; {}",
                remedy()
            );
            Ok((Verdict::Failed, words, true))
        }
        Err(NoProof::Lack(lack)) => Ok((
            Verdict::Failed,
            format!("serves no proofs: {}; {}", reason(&lack), remedy()),
            false,
        )),
        Err(NoProof::Fault(fault)) => Err(fault),
    }
}

/// What an operator does not have to guess.
fn reason(lack: &Lack) -> String {
    match lack {
        // The block is its own head, which it has: so it is the call.
        Lack::NotFound => "the call is not found (HTTP 404) at its own head; its access list hides it, or a gateway in front of it does".to_owned(),
        other => other.to_string(),
    }
}

/// What the node's operator must allow.
fn remedy() -> String {
    let entries: Vec<_> = ALLOW.iter().map(|entry| format!("{entry:?}")).collect();
    format!(
        "its operator adds {} to the whitelist of the address in rpc.acl of the node's config.json, or starts it with --allow-all-rpc ADDRESS:PORT",
        entries.join(" and ")
    )
}

/// Enough must be able to vote.
fn agreement(settings: &Settings, answering: &[Answering]) -> Found {
    let n = settings.endpoints.len();
    let needed = consensus::needed(settings.min_agreement, n);
    let able = |uri: &&String| {
        let name = Endpoint::secured(uri, settings.limits.clone(), settings.access.clone());
        let name = name.map(|endpoint| endpoint.name().to_owned());
        name.is_ok_and(|name| answering.iter().any(|one| one.proves && one.name == name))
    };
    let can = settings.endpoints.iter().filter(able).count();
    let verdict = match can >= needed {
        true => Verdict::Ok,
        // Those that are down may come back.
        false if answering.len() < n => Verdict::NotReady,
        false => Verdict::Failed,
    };
    Found::new(
        "agreement",
        verdict,
        format!("{needed} of {n} must agree, and {can} give proofs now"),
    )
}

/// Whether all that answer are on one chain, two blocks below the lowest head.
async fn same_chain(settings: &Settings, answering: &[Answering]) -> Option<Found> {
    let (first, others) = answering
        .split_first()
        .filter(|(_, others)| !others.is_empty())?;
    let strangers: Vec<_> = others
        .iter()
        .filter(|other| other.chain != first.chain)
        .map(|other| format!("{} is on {}", other.name, other.chain))
        .collect();
    let subject = "endpoints together";
    if !strangers.is_empty() {
        let words = format!(
            "{} is on {}, {}",
            first.name,
            first.chain,
            strangers.join(", ")
        );
        return Some(Found::new(subject, Verdict::Failed, words));
    }
    let lowest = answering.iter().map(|one| one.level).min()?;
    let level = lowest.checked_sub(2).filter(|level| *level > 0)?;
    let path = format!("/chains/{}/blocks/{level}/hash", settings.chain);
    let ours = value(&first.endpoint, &path).await.ok()?;
    let theirs = join_all(others.iter().map(|other| value(&other.endpoint, &path))).await;
    let different: Vec<_> = others
        .iter()
        .zip(theirs)
        .filter(|(_, hash)| hash.as_ref().is_ok_and(|hash| *hash != ours))
        .map(|(other, _)| other.name.as_str())
        .collect();
    Some(match different.is_empty() {
        true => same_state(settings, answering, level, ours.as_str()?).await,
        false => Found::new(
            subject,
            Verdict::Failed,
            format!(
                "at level {level} {} has another block than {}; one of them is on a fork",
                different.join(", "),
                first.name
            ),
        ),
    })
}

/// Whether all that serve proofs have one state for one block.
async fn same_state(
    settings: &Settings,
    answering: &[Answering],
    level: i64,
    block: &str,
) -> Found {
    let key: Key = KEY.parse().expect("a plain name is a key");
    let able = || answering.iter().filter(|one| one.proves);
    let question = Question {
        chain: &settings.chain,
        block,
        key: &key,
        holey: false,
        cap: heliostat_tezos::defaults::PROOF_BYTES,
    };
    let proofs = join_all(able().map(|one| one.endpoint.prove(question))).await;
    let mut roots = able()
        .zip(proofs)
        .filter_map(|(one, proof)| Some((one.name.as_str(), proof.ok()?.data()?)));
    let subject = "endpoints together";
    let same = format!("the same block at level {level}");
    let Some((first, ours)) = roots.next() else {
        return Found::new(subject, Verdict::Ok, same);
    };
    let others: Vec<_> = roots.collect();
    let different: Vec<_> = others
        .iter()
        .filter(|(_, root)| *root != ours)
        .map(|(name, _)| *name)
        .collect();
    match (different.is_empty(), others.is_empty()) {
        (true, true) => Found::new(subject, Verdict::Ok, same),
        (true, false) => {
            let words = format!("{same}, and the same state after it");
            Found::new(subject, Verdict::Ok, words)
        }
        (false, _) => Found::new(
            subject,
            Verdict::Failed,
            format!(
                "{same}, but {} proves another state after it than {first}; one of them lies, and a checkpoint with finality would tell which",
                different.join(", ")
            ),
        ),
    }
}

/// A short JSON answer; anything else is why the node cannot be used.
async fn value(endpoint: &Endpoint, path: &str) -> Result<Value, Fault> {
    let answer = endpoint
        .get_json(path, heliostat_tezos::defaults::SHORT_BYTES)
        .await?;
    let body = match answer {
        Answer::Value(body) => body,
        Answer::Lack(lack) => return Err(Fault::Unsupported(format!("{path}: {lack}"))),
    };
    serde_json::from_slice(&body)
        .map_err(|_| Fault::Unreachable(format!("{path}: it does not answer like a Tezos node")))
}

/// The release it says it is, with a blank behind it; nothing where it hides
/// that.
async fn version(endpoint: &Endpoint) -> String {
    let Ok(version) = value(endpoint, "/version").await else {
        return String::new();
    };
    match (
        version["version"]["major"].as_u64(),
        version["version"]["minor"].as_u64(),
    ) {
        (Some(major), Some(minor)) => format!("octez {major}.{minor}, "),
        _ => String::new(),
    }
}

/// How long ago the header says it was made.
fn age(header: &Value) -> Option<u64> {
    let time = Header::from_json(header).ok()?.timestamp;
    let time = u64::try_from(time).ok()?;
    Some(report::now().saturating_sub(time))
}
