//! A chain's part of the status document.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use heliostat_core::{Assurance, Source as _};
use heliostat_node::{Progress, State, UpstreamState, UpstreamStatus, Upstreams};
use heliostat_observe::{self as observe, ChainStatus, Head};
use heliostat_zcash::source::ZcashSource;
use tokio::time::timeout;

use super::{Chain, Live};
use crate::{defaults, status::duration};

impl Chain {
    /// What the chain knows of itself now.
    pub(super) async fn report(&self) -> ChainStatus {
        let progress = self.progress.borrow().clone();
        let live = self.live.get();
        let head = match live {
            Some(live) => head(live).await,
            None => None,
        };
        let store = self.store_status().await;
        let upstreams = match live {
            Some(live) => upstreams(&live.upstreams),
            None => self.nodes.unasked(&progress.state),
        };
        let serving = live.and_then(|live| live.upstreams.serving());
        let syncing = serving.and_then(|serving| serving.source().syncing());
        let mut not_ready = not_ready(&progress, head.as_ref(), &store, &upstreams);
        if let Some(trouble) = live.and_then(|live| live.outbox.trouble()) {
            not_ready.push(format!("writes are refused: {trouble}"));
        }
        let findings = live.map_or_else(Vec::new, |live| live.upstreams.findings());
        let forks = live.map_or_else(Vec::new, |live| live.upstreams.disagreements());
        ChainStatus {
            ledger: "zcash".to_owned(),
            network: live
                .map_or("unknown", |live| live.network.name())
                .to_owned(),
            listen: self.listen.to_string(),
            state: words(&progress.state, syncing),
            not_ready,
            local_height: head.as_ref().map(|head| head.height),
            target_height: progress.target,
            head,
            blocks_per_second: progress.rate,
            rewinds: self.rewinds.load(Ordering::Relaxed),
            connections: self.connections.open(),
            connections_accepted: self.connections.accepted(),
            upstreams,
            findings: findings.iter().map(|found| finding(found)).collect(),
            disagreements: forks.into_iter().map(disagreement).collect(),
            store,
            outbox: live.map(|live| live.outbox.counts()).unwrap_or_default(),
        }
    }

    /// Has health checks answer what `/readyz` answers, until dropped.
    pub(super) async fn keep_ready(self: Arc<Self>) {
        loop {
            let now = self.report().await.not_ready.is_empty();
            self.ready
                .send_if_modified(|known| std::mem::replace(known, now) != now);
            tokio::time::sleep(defaults::READY_LOOK).await;
        }
    }

    /// Every lie in full.
    pub(super) fn proofs(&self) -> Vec<serde_json::Value> {
        let Some(live) = self.live.get() else {
            return Vec::new();
        };
        let findings = live.upstreams.findings();
        let in_json = |finding: &std::sync::Arc<heliostat_node::Finding>| {
            let mut json = serde_json::to_value(&**finding).unwrap_or_default();
            json["chain"] = self.name.clone().into();
            json
        };
        findings.iter().map(in_json).collect()
    }

    async fn store_status(&self) -> observe::StoreStatus {
        let size = timeout(defaults::STORE_ANSWER, self.store.size()).await;
        let (bytes, error) = match size {
            Ok(Ok(bytes)) => (bytes, None),
            Ok(Err(error)) => (0, Some(error.to_string())),
            Err(_) => {
                let seconds = defaults::STORE_ANSWER.as_secs();
                (0, Some(format!("no answer within {seconds} s")))
            }
        };
        observe::StoreStatus {
            address: self.store_address.clone(),
            bytes,
            error,
        }
    }
}

/// The newest block of the replica, with the grade its answers carry.
async fn head(live: &Live) -> Option<Head> {
    let view = live.replica.view();
    let tip = view.tip()?;
    let own = match live.network.has_proof_of_work() {
        true => Assurance::Proven,
        false => live.agreement.grade(tip.height),
    };
    let cap = view.cap(tip.height).await.ok().flatten();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    Some(Head {
        height: tip.height,
        id: ZcashSource::show(&tip.id),
        time: tip.time,
        age_seconds: now.saturating_sub(tip.time),
        assurance: own.min(cap.unwrap_or(Assurance::Relayed)).to_string(),
    })
}

/// Every reason not to send clients here.
fn not_ready(
    progress: &Progress,
    head: Option<&Head>,
    store: &observe::StoreStatus,
    upstreams: &[observe::UpstreamStatus],
) -> Vec<String> {
    let mut why = Vec::new();
    match head {
        None => why.push("no block is verified yet".to_owned()),
        Some(head) if progress.stale => why.push(format!(
            "the newest block is {} old",
            duration(head.age_seconds)
        )),
        Some(_) => {}
    }
    let missing = progress.missing().unwrap_or(0);
    if progress.state == State::Syncing && missing > defaults::READY_LAG {
        why.push(format!("syncing: {missing} blocks are missing"));
    }
    if let State::Store(words) = &progress.state {
        why.push(format!("the store: {words}"));
    } else if let Some(error) = &store.error {
        why.push(format!("the store: {error}"));
    }
    let followed = || upstreams.iter().filter(|one| one.role == "follow");
    if !followed().any(observe::UpstreamStatus::is_usable) {
        let told: Vec<_> = followed()
            .map(|one| match one.why.as_str() {
                "" => format!("{} was not asked yet", one.name),
                why => format!("{} is {}: {why}", one.name, one.state),
            })
            .collect();
        why.push(format!("no upstream can be used: {}", told.join("; ")));
    }
    why
}

/// What the chain is doing. To have all of a node that is itself syncing is
/// not to be at the network's head.
fn words(state: &State, syncing: Option<String>) -> String {
    match (state, syncing) {
        (State::Following, Some(syncing)) => format!("{state}; {syncing}"),
        _ => state.to_string(),
    }
}

fn upstreams(upstreams: &Upstreams<ZcashSource>) -> Vec<observe::UpstreamStatus> {
    let statuses = upstreams.status();
    let all = upstreams.all().iter().zip(&statuses);
    all.map(|(one, status)| upstream(status, one.source().syncing()))
        .collect()
}

/// `syncing` says so of the node itself: no trouble, because what it has can
/// be followed, but worth knowing.
fn upstream(status: &UpstreamStatus, syncing: Option<String>) -> observe::UpstreamStatus {
    let trouble = status.trouble.as_ref();
    let state = match (status.state, trouble) {
        (UpstreamState::Quarantined, _) => "wrong",
        (_, Some(trouble)) => trouble.kind,
        (UpstreamState::Unknown, None) => "unknown",
        (_, None) => "ok",
    };
    let role = match status.role {
        heliostat_node::Role::Follow => "follow",
        heliostat_node::Role::Witness => "witness",
    };
    observe::UpstreamStatus {
        name: status.name.clone(),
        role: role.to_owned(),
        state: state.to_owned(),
        why: trouble
            .map(|trouble| alone(&trouble.words, trouble.kind, &status.name))
            .or(syncing)
            .unwrap_or_default(),
        height: status.head,
    }
}

/// The words of a trouble without its kind and its upstream, which stand
/// beside them.
fn alone(words: &str, kind: &str, upstream: &str) -> String {
    let words = [kind, upstream].into_iter().fold(words, |words, said| {
        let rest = words.strip_prefix(said);
        let rest = rest.and_then(|rest| rest.strip_prefix(": "));
        rest.unwrap_or(words)
    });
    words.to_owned()
}

fn finding(finding: &heliostat_node::Finding) -> observe::Finding {
    let evidence = &finding.evidence;
    let exhibits = evidence.exhibits.iter();
    observe::Finding {
        upstream: finding.upstream.clone(),
        rule: evidence.rule.clone(),
        words: evidence.words.clone(),
        height: evidence.height,
        exhibits: exhibits
            .map(|exhibit| (exhibit.name.clone(), exhibit.bytes.len() as u64))
            .collect(),
    }
}

fn disagreement(fork: heliostat_node::Disagreement) -> observe::Disagreement {
    observe::Disagreement {
        height: fork.height,
        ours: fork.ours,
        upstream: fork.upstream,
        theirs: fork.theirs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_beside_a_kind_and_a_name_repeat_neither() {
        let alone = |words| alone(words, "unreachable", "http://n:1");
        assert_eq!(alone("unreachable: http://n:1: refused"), "refused");
        assert_eq!(alone("unreachable: no answer"), "no answer");
    }
}
