//! A chain's part of the status document.

use std::sync::{Arc, atomic::Ordering};

use heliostat_core::{Assurance, Source as _};
use heliostat_node::{Progress, State, Upstreams};
use heliostat_observe::{self as observe, ChainStatus, Head};
use heliostat_zcash::source::ZcashSource;

use super::{Chain, Live};
use crate::{defaults, report, status::duration};

impl Chain {
    /// What the chain knows of itself now.
    pub(super) async fn report(&self) -> ChainStatus {
        let progress = self.progress.borrow().clone();
        let live = self.live.get();
        let head = match live {
            Some(live) => head(live).await,
            None => None,
        };
        let store = report::store(&self.store, &self.store_address).await;
        let upstreams = match live {
            Some(live) => upstreams(&live.upstreams),
            None => self.nodes.unasked(&progress.state),
        };
        let serving = live.and_then(|live| live.upstreams.serving());
        let syncing = serving.and_then(|serving| serving.source().syncing());
        let mut not_ready = not_ready(&progress, head.as_ref(), &store, &upstreams);
        // A private chain may have any time, as it may have any head age.
        if live.is_some_and(|live| live.network.has_proof_of_work()) {
            not_ready.extend(head.as_ref().and_then(report::clock));
        }
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
            blocks_per_second: Some(progress.rate),
            rewinds: self.rewinds.load(Ordering::Relaxed),
            connections: self.connections.open(),
            connections_accepted: self.connections.accepted(),
            upstreams,
            findings: findings
                .iter()
                .map(|found| report::finding(found))
                .collect(),
            disagreements: forks.into_iter().map(report::disagreement).collect(),
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
        let live = self.live.get();
        let findings = live.map_or_else(Vec::new, |live| live.upstreams.findings());
        report::proofs(&self.name, &findings)
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
    // What upstreams agree on is the block that is there by now.
    let own = match view.touched(tip.height) {
        true => Assurance::Relayed,
        false => own,
    };
    let cap = view.cap(tip.height).await.ok().flatten();
    Some(Head {
        height: tip.height,
        id: ZcashSource::show(&tip.id),
        time: tip.time,
        age_seconds: report::now().saturating_sub(tip.time),
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
    // Its own syncing is no trouble, because what it has can be followed, but
    // worth knowing.
    all.map(|(one, status)| report::upstream(status, one.source().syncing(), status.head))
        .collect()
}
