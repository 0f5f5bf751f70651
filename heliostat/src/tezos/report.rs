//! A chain's part of the status document.

use std::time::{SystemTime, UNIX_EPOCH};

use heliostat_node::{Disagreement, Finding, UpstreamState};
use heliostat_observe::{self as observe, ChainStatus, Head};
use heliostat_tezos::{
    HeadPolicy, Status,
    light::{EndpointStatus, HeadStatus},
};
use tokio::time::timeout;

use super::Chain;
use crate::{defaults, status::duration};

/// Seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

impl Chain {
    /// What the chain knows of itself now.
    pub(super) async fn report(&self) -> ChainStatus {
        let status = self.light.status();
        let progress = self.progress.borrow().clone();
        let head = self.served(&status).map(head);
        let store = self.store_status().await;
        let upstreams = self.light.upstreams();
        ChainStatus {
            ledger: "tezos".to_owned(),
            network: self.light.chain().to_owned(),
            listen: self.listen.to_string(),
            state: self.words(&status, &progress.state),
            not_ready: self.not_ready(&status, head.as_ref(), &store),
            local_height: head.as_ref().map(|head| head.height),
            target_height: progress.target,
            head,
            blocks_per_second: 0.0,
            rewinds: 0,
            connections: self.connections.open(),
            connections_accepted: self.connections.accepted(),
            upstreams: status.endpoints.iter().map(endpoint).collect(),
            findings: upstreams
                .findings()
                .iter()
                .map(|one| finding(one))
                .collect(),
            disagreements: upstreams
                .disagreements()
                .into_iter()
                .map(disagreement)
                .collect(),
            store,
            outbox: self
                .light
                .outbox()
                .map(|outbox| outbox.counts())
                .unwrap_or_default(),
        }
    }

    /// The block that `head` is, or as much of one as there is: what is proven
    /// is served even where nodes do not agree.
    pub(super) fn served<'a>(&self, status: &'a Status) -> Option<&'a HeadStatus> {
        let (newest, proven) = (status.head.as_ref(), status.proven.as_ref());
        match self.head {
            HeadPolicy::Newest => newest.or(proven),
            HeadPolicy::Proven => proven.or(newest),
        }
    }

    /// What it is doing, how far proofs reach, and why not further.
    fn words(&self, status: &Status, state: &heliostat_node::State) -> String {
        let n = status.endpoints.len();
        let mode = self.config.mode.name();
        let mut words = format!("{mode} mode, {} of {n} must agree; {state}", status.needed);
        if let Some(proven) = &status.proven {
            words.push_str(&format!("; proven up to level {}", proven.level));
        }
        if self.config.finality() && !status.why_unproven.is_empty() {
            words.push_str(&format!(
                "; nothing newer is proven: {}",
                status.why_unproven
            ));
        }
        words
    }

    /// Every reason not to send clients here.
    fn not_ready(
        &self,
        status: &Status,
        head: Option<&Head>,
        store: &observe::StoreStatus,
    ) -> Vec<String> {
        let mut why = Vec::new();
        let limit = self.config.max_head_age_seconds;
        match head {
            None => why.push("no block is agreed on yet".to_owned()),
            Some(head) if limit > 0 && head.age_seconds > limit => why.push(format!(
                "the newest block is {} old",
                duration(head.age_seconds)
            )),
            Some(_) => {}
        }
        if status.proven.is_none() {
            why.extend(too_few(status));
        }
        if let Some(error) = &store.error {
            why.push(format!("the store: {error}"));
        }
        if let Some(trouble) = self.light.outbox().and_then(|outbox| outbox.trouble()) {
            why.push(format!("writes are refused: {trouble}"));
        }
        why
    }

    /// Every lie in full.
    pub(super) fn proofs(&self) -> Vec<serde_json::Value> {
        let findings = self.light.upstreams().findings();
        let in_json = |finding: &std::sync::Arc<Finding>| {
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

/// Why too few endpoints can be used for anything to be agreed on.
pub(super) fn too_few(status: &Status) -> Option<String> {
    let usable = status.endpoints.iter().filter(|one| one.is_usable());
    let usable = usable.count();
    if usable >= status.needed {
        return None;
    }
    let told: Vec<_> = status
        .endpoints
        .iter()
        .filter(|one| !one.is_usable())
        .map(|one| {
            let shown = endpoint(one);
            format!("{} is {}: {}", shown.name, shown.state, shown.why)
        })
        .collect();
    Some(format!(
        "{usable} of {} endpoints can be used, and {} must agree: {}",
        status.endpoints.len(),
        status.needed,
        told.join("; ")
    ))
}

fn head(head: &HeadStatus) -> Head {
    let time = u64::try_from(head.time).unwrap_or(0);
    Head {
        height: u64::try_from(head.level).unwrap_or(0),
        id: head.hash.clone(),
        time,
        age_seconds: now().saturating_sub(time),
        assurance: head.assurance.clone(),
    }
}

/// An endpoint. One that is well still says what it serves of the proof calls.
pub(super) fn endpoint(one: &EndpointStatus) -> observe::UpstreamStatus {
    let status = &one.upstream;
    let trouble = status.trouble.as_ref();
    let state = match (status.state, trouble) {
        (UpstreamState::Quarantined, _) => "wrong",
        (_, Some(trouble)) => trouble.kind,
        (UpstreamState::Unknown, None) => "unknown",
        (_, None) => "ok",
    };
    let why = trouble.map_or_else(
        || one.proofs.clone(),
        |trouble| {
            let words = trouble.words.strip_prefix(trouble.kind);
            let words = words.and_then(|words| words.strip_prefix(": "));
            words.unwrap_or(&trouble.words).to_owned()
        },
    );
    observe::UpstreamStatus {
        name: status.name.clone(),
        role: "follow".to_owned(),
        state: state.to_owned(),
        why,
        height: one.level.and_then(|level| u64::try_from(level).ok()),
    }
}

fn finding(finding: &Finding) -> observe::Finding {
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

fn disagreement(fork: Disagreement) -> observe::Disagreement {
    observe::Disagreement {
        height: fork.height,
        ours: fork.ours,
        upstream: fork.upstream,
        theirs: fork.theirs,
    }
}
