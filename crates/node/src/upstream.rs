//! The upstreams of one chain: who may be asked, who is asked first, and what
//! is known of each.

mod health;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use heliostat_core::{Fault, Point};
use heliostat_store::StoreError;
use serde::Serialize;
use tokio::time::Instant;

pub(crate) use health::back_off;
use health::{Health, Turn, words};
pub use health::{Served, Trouble};

use crate::{
    Agreement, defaults,
    findings::{Disagreement, Finding, Findings},
};

/// Seconds since the Unix epoch; tests set their own.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The machine's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    })
}

/// What an upstream is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Positions are fetched from it.
    Follow,
    /// It is asked for ids only, and never fetched from.
    Witness,
}

/// One upstream: its name, its source, and what is known of its health.
pub struct Upstream<S> {
    name: String,
    role: Role,
    source: S,
    index: usize,
    health: Mutex<Health>,
}

impl<S> Upstream<S> {
    /// What the operator calls it. Never its address, which may hold secrets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is used for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where it is asked.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Its health at this moment.
    pub fn status(&self) -> UpstreamStatus {
        let health = self.health();
        UpstreamStatus {
            name: self.name.clone(),
            role: self.role,
            state: match (&health.trouble, health.up_since) {
                _ if health.quarantined.is_some() => UpstreamState::Quarantined,
                (Some(_), _) => UpstreamState::Down,
                (None, Some(_)) => UpstreamState::Up,
                (None, None) => UpstreamState::Unknown,
            },
            serving: false,
            up_since: health.up_since,
            trouble: health.trouble.clone(),
            failures: health.failures,
            head: health.head.map(|head| head.height),
            last_seen: health.last_seen,
            evidence: health.quarantined,
        }
    }

    /// Whether it was caught lying.
    pub fn is_quarantined(&self) -> bool {
        self.health().quarantined.is_some()
    }

    /// Whether it may be asked now: not quarantined, and not in a pause.
    pub fn is_usable(&self) -> bool {
        self.health().usable(Instant::now())
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> fmt::Debug for Upstream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// An upstream's state in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamState {
    /// Not asked yet.
    Unknown,
    /// It works.
    Up,
    /// It has trouble, see [`UpstreamStatus::trouble`], and is asked again.
    Down,
    /// It was caught lying, and is not asked again by this process.
    Quarantined,
}

/// What is known of an upstream, for people and for status JSON. Times are
/// seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpstreamStatus {
    /// What the operator calls it.
    pub name: String,
    /// What it is used for.
    pub role: Role,
    /// Its state in one word.
    pub state: UpstreamState,
    /// Whether positions are fetched from it at this moment.
    pub serving: bool,
    /// Since when it works.
    pub up_since: Option<u64>,
    /// What is wrong with it.
    pub trouble: Option<Trouble>,
    /// Faults since it last delivered what was asked for.
    pub failures: u32,
    /// The height it last claimed to have.
    pub head: Option<u64>,
    /// When it last answered anything.
    pub last_seen: Option<u64>,
    /// The [`Finding`] that convicts it.
    pub evidence: Option<u64>,
}

/// The upstreams of one chain, in the order the operator prefers them.
pub struct Upstreams<S> {
    all: Vec<Arc<Upstream<S>>>,
    findings: Findings,
    agreement: Arc<Agreement>,
    clock: Clock,
    /// The index of the one positions are fetched from; `usize::MAX` when
    /// there is none.
    serving: AtomicUsize,
}

const NOBODY: usize = usize::MAX;

impl<S> Upstreams<S> {
    /// The upstreams by name, in the order of preference. Findings are kept
    /// in memory only, until [`with_findings`](Self::with_findings).
    pub fn new(upstreams: Vec<(String, Role, S)>) -> Self {
        let upstream = |(index, (name, role, source))| {
            Arc::new(Upstream {
                name,
                role,
                source,
                index,
                health: Mutex::default(),
            })
        };
        Self {
            all: upstreams.into_iter().enumerate().map(upstream).collect(),
            findings: Findings::in_memory(),
            agreement: Arc::default(),
            clock: system_clock(),
            serving: AtomicUsize::new(NOBODY),
        }
    }

    /// The same, with findings that survive a restart.
    pub fn with_findings(self, findings: Findings) -> Self {
        Self { findings, ..self }
    }

    /// The same, with another clock.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// All of them, in the order of preference.
    pub fn all(&self) -> &[Arc<Upstream<S>>] {
        &self.all
    }

    /// Whom to fetch from: of the [`Role::Follow`] upstreams that may be asked
    /// and have no trouble, the first whose head is not clearly behind the
    /// best of the others. One that has trouble is tried again only when
    /// there is no other.
    pub fn best(&self) -> Option<Arc<Upstream<S>>> {
        let now = Instant::now();
        // (upstream, is it healthy, the height it is believed to have)
        let usable: Vec<_> = self
            .all
            .iter()
            .filter(|upstream| upstream.role == Role::Follow)
            .filter_map(|upstream| {
                let health = upstream.health();
                let usable = health.usable(now);
                usable.then(|| (upstream, health.trouble.is_none(), health.believed(now)))
            })
            .collect();
        let any_healthy = usable.iter().any(|(_, healthy, _)| *healthy);
        let pool = || {
            usable
                .iter()
                .filter(|(_, healthy, _)| *healthy || !any_healthy)
        };
        let highest = pool().filter_map(|(_, _, head)| *head).max().unwrap_or(0);
        let close = |head: u64| head.saturating_add(defaults::HEAD_SLACK) >= highest;
        pool()
            .find(|(_, _, head)| head.is_none_or(close))
            .map(|(upstream, _, _)| Arc::clone(upstream))
    }

    /// What they say of our chain.
    pub fn agreement(&self) -> &Arc<Agreement> {
        &self.agreement
    }

    /// Notes a fault. Only [`Fault::Wrong`] is held against an upstream: it
    /// is quarantined for as long as the process runs, the evidence is kept,
    /// and what it agreed to is worth nothing. Any other fault only means a
    /// pause.
    pub fn report(&self, upstream: &Upstream<S>, fault: &Fault) {
        let unix = (self.clock)();
        let mut health = upstream.health();
        let turn = match fault {
            Fault::Wrong(_) if health.quarantined.is_some() => None,
            Fault::Wrong(evidence) => {
                let record = self.findings.convict(&upstream.name, evidence, unix);
                Some(health.quarantine(fault, record, unix))
            }
            honest => health.fault(honest, unix, Instant::now()),
        };
        let record = health.quarantined;
        drop(health);
        if matches!(fault, Fault::Wrong(_)) {
            self.agreement.forget();
        }
        let (upstream, why) = (&upstream.name, words(fault));
        match turn {
            Some(Turn::Quarantined) => {
                tracing::error!(upstream, evidence = record, why, "quarantined");
            }
            Some(Turn::Down) => tracing::warn!(upstream, why, "upstream down"),
            Some(Turn::Up) | None => {}
        }
    }

    /// Notes that an upstream did well.
    pub fn report_ok(&self, upstream: &Upstream<S>, served: Served) {
        let turn = upstream.health().ok(served, (self.clock)());
        if turn == Some(Turn::Up) {
            tracing::info!(upstream = upstream.name, "upstream up");
        }
    }

    /// Notes that an upstream which names a higher head could not deliver
    /// `height` (or, with `None`, that it delivered after all): until then,
    /// and for no longer than [`defaults::DOUBT`], its claim makes nobody else
    /// look behind.
    pub(crate) fn doubt(&self, upstream: &Upstream<S>, height: Option<u64>) {
        upstream.health().doubt(height, Instant::now());
    }

    /// The height an upstream is believed to have.
    pub(crate) fn believed(&self, upstream: &Upstream<S>) -> Option<u64> {
        upstream.health().believed(Instant::now())
    }

    /// Whether another upstream than this one can be followed now, and is
    /// believed to have `height`.
    pub(crate) fn has_rival(&self, to: &Upstream<S>, height: u64) -> bool {
        let now = Instant::now();
        let others = self.all.iter().filter(|one| one.index != to.index);
        others.filter(|one| one.role == Role::Follow).any(|one| {
            let health = one.health();
            let has = health.believed(now).is_some_and(|head| head >= height);
            has && health.trouble.is_none() && health.usable(now)
        })
    }

    /// The head an upstream last claimed.
    pub(crate) fn head(&self, upstream: &Upstream<S>) -> Option<Point> {
        upstream.health().head
    }

    /// The one positions are fetched from at this moment: its head and ours
    /// were found to be one chain.
    pub fn serving(&self) -> Option<&Arc<Upstream<S>>> {
        self.all.get(self.serving.load(Ordering::Relaxed))
    }

    pub(crate) fn set_serving(&self, upstream: Option<&Upstream<S>>) {
        let index = upstream.map_or(NOBODY, |upstream| upstream.index);
        self.serving.store(index, Ordering::Relaxed);
    }

    /// When the next one that is in a pause may be asked; `None` when nobody
    /// is waited for.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        let follow = self
            .all
            .iter()
            .filter(|upstream| upstream.role == Role::Follow);
        follow
            .filter_map(|upstream| {
                let health = upstream.health();
                health.retry_at.filter(|_| health.quarantined.is_none())
            })
            .min()
    }

    /// What is wrong with those that could be followed, in one line.
    pub(crate) fn troubles(&self) -> String {
        let told: Vec<_> = self
            .all
            .iter()
            .filter(|upstream| upstream.role == Role::Follow)
            .filter_map(|upstream| {
                let words = upstream.health().trouble.as_ref()?.words.clone();
                Some(format!("{} is {words}", upstream.name))
            })
            .collect();
        match told.is_empty() {
            true => "no upstream to follow is configured; name one".to_owned(),
            false => told.join("; "),
        }
    }

    /// What is known of each, in the order of preference.
    pub fn status(&self) -> Vec<UpstreamStatus> {
        let serving = self.serving.load(Ordering::Relaxed);
        let status = |upstream: &Arc<Upstream<S>>| UpstreamStatus {
            serving: upstream.index == serving,
            ..upstream.status()
        };
        self.all.iter().map(status).collect()
    }

    /// The lies upstreams were caught at, oldest first.
    pub fn findings(&self) -> Vec<Arc<Finding>> {
        self.findings.evidence()
    }

    /// The forks that upstreams were seen on, oldest first.
    pub fn disagreements(&self) -> Vec<Disagreement> {
        self.findings.disagreements()
    }

    /// Notes that an upstream is on another branch than we are, or gives another
    /// answer that is as valid as ours. The time of the record is set here.
    pub fn disagree(&self, mut disagreement: Disagreement) {
        disagreement.at = (self.clock)();
        let name = disagreement.upstream.clone();
        let height = disagreement.height;
        if self.findings.disagree(disagreement) {
            tracing::warn!(upstream = name, height, "upstream disagrees");
        }
    }

    /// Makes what was found durable. What a failed store did not take is
    /// written the next time.
    pub async fn persist(&self) -> Result<(), StoreError> {
        self.findings.persist().await
    }
}

#[cfg(test)]
mod tests;
