//! A chain's part of the status document.

use std::sync::atomic::Ordering::Relaxed;

use heliostat_observe::{self as observe, ChainStatus, Head};
use heliostat_tezos::{
    HeadPolicy, Status,
    light::{EndpointStatus, HeadStatus},
};

use super::Chain;
use crate::{report, status::duration};

impl Chain {
    /// What the chain knows of itself now.
    pub(super) async fn report(&self) -> ChainStatus {
        let status = self.light.status();
        let progress = self.progress.borrow().clone();
        let head = self.served(&status).map(head);
        let store = report::store(&self.store, &self.store_address).await;
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
            blocks_per_second: None,
            rewinds: 0,
            connections: self.connections.open(),
            connections_accepted: self.connections.accepted(),
            upstreams: status.endpoints.iter().map(endpoint).collect(),
            findings: upstreams
                .findings()
                .iter()
                .map(|one| report::finding(one))
                .collect(),
            disagreements: upstreams
                .disagreements()
                .into_iter()
                .map(report::disagreement)
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
        match self.light.head_policy() {
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
        let limit = self.max_head_age.load(Relaxed);
        match head {
            None => why.push("no block is agreed on yet".to_owned()),
            Some(head) if limit > 0 && head.age_seconds > limit => why.push(format!(
                "the newest block is {} old",
                duration(head.age_seconds)
            )),
            Some(head) if limit > 0 => why.extend(report::clock(head)),
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
        report::proofs(&self.name, &self.light.upstreams().findings())
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
        age_seconds: report::now().saturating_sub(time),
        assurance: head.assurance.clone(),
    }
}

/// An endpoint. One that is well still says what it serves of the proof calls.
pub(super) fn endpoint(one: &EndpointStatus) -> observe::UpstreamStatus {
    let level = one.level.and_then(|level| u64::try_from(level).ok());
    observe::UpstreamStatus {
        // Nothing is fetched from it but what a client asks for.
        role: "asked".to_owned(),
        ..report::upstream(&one.upstream, Some(one.proofs.clone()), level)
    }
}
