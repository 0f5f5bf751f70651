//! The metrics, each with a name that does not change between releases.

use std::{fmt::Write as _, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tokio::sync::Mutex;

use crate::{Requests, Status};

/// One metric for people: name, kind, labels, meaning.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// The full name, as scraped.
    pub name: &'static str,
    /// `gauge`, `counter` or `histogram`.
    pub kind: &'static str,
    /// Its labels, separated by spaces.
    pub labels: &'static str,
    /// What it says.
    pub help: &'static str,
}

/// Shortens the table below.
const fn described(
    name: &'static str,
    kind: &'static str,
    labels: &'static str,
    help: &'static str,
) -> Described {
    Described {
        name,
        kind,
        labels,
        help,
    }
}

/// Every metric there is.
#[rustfmt::skip]
pub const METRICS: &[Described] = &[
    described("heliostat_build_info", "gauge", "version", "1; the label says which release runs"),
    described("heliostat_uptime_seconds", "gauge", "", "time since the process started"),
    described("heliostat_ready", "gauge", "chain", "1 when the chain is fresh and served, else 0"),
    described("heliostat_head_height", "gauge", "chain", "newest height of the replica"),
    described("heliostat_target_height", "gauge", "chain", "greatest height a usable upstream claims"),
    described("heliostat_head_age_seconds", "gauge", "chain", "age of the newest block by its own clock: alarm on this one"),
    described("heliostat_sync_blocks_per_second", "gauge", "chain", "recent pace of the follower"),
    described("heliostat_rewinds_total", "counter", "chain", "reorganisations followed since the start"),
    described("heliostat_upstream_state", "gauge", "chain upstream role state", "1 for the state the upstream is in: ok, unreachable, behind, unsupported or wrong"),
    described("heliostat_upstream_height", "gauge", "chain upstream", "height the upstream claimed last"),
    described("heliostat_findings", "gauge", "chain", "lies kept with their evidence"),
    described("heliostat_disagreements", "gauge", "chain", "heights at which upstreams give different valid answers"),
    described("heliostat_store_bytes", "gauge", "chain", "size of the store"),
    described("heliostat_store_up", "gauge", "chain", "1 when the store answers, else 0"),
    described("heliostat_connections", "gauge", "chain", "client connections open"),
    described("heliostat_connections_accepted_total", "counter", "chain", "client connections accepted since the start"),
    described("heliostat_requests_total", "counter", "chain method code assurance", "answers by method, status and grade"),
    described("heliostat_request_seconds", "histogram", "chain method", "time from request to the end of the answer"),
];

/// The label most metrics have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Chain {
    chain: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Version {
    version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Upstream {
    chain: String,
    upstream: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamState {
    chain: String,
    upstream: String,
    role: String,
    state: String,
}

/// The labels of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Outcome {
    pub(crate) chain: String,
    pub(crate) method: String,
    pub(crate) code: String,
    pub(crate) assurance: String,
}

/// The labels of a duration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Timed {
    pub(crate) chain: String,
    pub(crate) method: String,
}

type Level = Gauge<f64, AtomicU64>;

/// The registry. Values that [`Status`] knows are read from it at each
/// scrape; answers are counted as they end.
pub struct Metrics {
    registry: Registry,
    scraped: Mutex<Scraped>,
    pub(crate) outcomes: Family<Outcome, Counter>,
    pub(crate) seconds: Family<Timed, Histogram, fn() -> Histogram>,
}

/// Families that mirror the last status; behind one lock so that two scrapes
/// do not mix.
#[derive(Default)]
struct Scraped {
    build: Family<Version, Level>,
    uptime: Level,
    ready: Family<Chain, Level>,
    head_height: Family<Chain, Level>,
    target_height: Family<Chain, Level>,
    head_age: Family<Chain, Level>,
    pace: Family<Chain, Level>,
    rewinds: Family<Chain, Counter>,
    upstream_state: Family<UpstreamState, Level>,
    upstream_height: Family<Upstream, Level>,
    findings: Family<Chain, Level>,
    disagreements: Family<Chain, Level>,
    store_bytes: Family<Chain, Level>,
    store_up: Family<Chain, Level>,
    connections: Family<Chain, Level>,
    accepted: Family<Chain, Counter>,
}

/// 100 µs to 100 s: a read from memory, and a range over the whole chain.
fn buckets() -> Histogram {
    Histogram::new([
        0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 100.0,
    ])
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with every metric of [`METRICS`].
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let scraped = Scraped::default();
        let outcomes = Family::default();
        let seconds = Family::new_with_constructor(buckets as fn() -> Histogram);
        // Prometheus' text form adds `_total` to counters by itself.
        let mut add = |name: &str, metric: Registered| {
            let help = METRICS
                .iter()
                .find(|described| described.name == name)
                .map_or("", |described| described.help);
            let name = name.trim_end_matches("_total");
            match metric {
                Registered::Build(metric) => registry.register(name, help, metric),
                Registered::Level(metric) => registry.register(name, help, metric),
                Registered::ByChain(metric) => registry.register(name, help, metric),
                Registered::Count(metric) => registry.register(name, help, metric),
                Registered::State(metric) => registry.register(name, help, metric),
                Registered::ByUpstream(metric) => registry.register(name, help, metric),
                Registered::Outcomes(metric) => registry.register(name, help, metric),
                Registered::Seconds(metric) => registry.register(name, help, metric),
            }
        };
        let s = &scraped;
        add("heliostat_build_info", Registered::Build(s.build.clone()));
        add(
            "heliostat_uptime_seconds",
            Registered::Level(s.uptime.clone()),
        );
        for (name, family) in s.by_chain() {
            add(name, Registered::ByChain(family.clone()));
        }
        add(
            "heliostat_rewinds_total",
            Registered::Count(s.rewinds.clone()),
        );
        add(
            "heliostat_connections_accepted_total",
            Registered::Count(s.accepted.clone()),
        );
        add(
            "heliostat_upstream_state",
            Registered::State(s.upstream_state.clone()),
        );
        add(
            "heliostat_upstream_height",
            Registered::ByUpstream(s.upstream_height.clone()),
        );
        add(
            "heliostat_requests_total",
            Registered::Outcomes(Family::clone(&outcomes)),
        );
        add(
            "heliostat_request_seconds",
            Registered::Seconds(Family::clone(&seconds)),
        );
        Self {
            registry,
            scraped: Mutex::new(scraped),
            outcomes,
            seconds,
        }
    }

    /// The layer that counts the answers of `chain`; `methods` are the request
    /// paths it knows, every other path is counted as `other`.
    pub fn requests<'a>(
        &self,
        chain: &str,
        methods: impl IntoIterator<Item = &'a str>,
    ) -> Requests {
        Requests::new(self, chain, methods)
    }

    /// Every metric with the values of `status`, as OpenMetrics text.
    pub async fn scrape(&self, status: &Status) -> String {
        let scraped = self.scraped.lock().await;
        scraped.take(status);
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            // Writing to a string does not fail; a broken metric would.
            text.clear();
            let _ = writeln!(text, "# the metrics could not be written: {error}");
        }
        text
    }
}

/// What a registry can hold here.
enum Registered {
    Build(Family<Version, Level>),
    Level(Level),
    ByChain(Family<Chain, Level>),
    Count(Family<Chain, Counter>),
    State(Family<UpstreamState, Level>),
    ByUpstream(Family<Upstream, Level>),
    Outcomes(Family<Outcome, Counter>),
    Seconds(Family<Timed, Histogram, fn() -> Histogram>),
}

impl Scraped {
    /// The levels that have the chain as their only label.
    fn by_chain(&self) -> [(&'static str, &Family<Chain, Level>); 10] {
        [
            ("heliostat_ready", &self.ready),
            ("heliostat_head_height", &self.head_height),
            ("heliostat_target_height", &self.target_height),
            ("heliostat_head_age_seconds", &self.head_age),
            ("heliostat_sync_blocks_per_second", &self.pace),
            ("heliostat_findings", &self.findings),
            ("heliostat_disagreements", &self.disagreements),
            ("heliostat_store_bytes", &self.store_bytes),
            ("heliostat_store_up", &self.store_up),
            ("heliostat_connections", &self.connections),
        ]
    }

    /// Takes over the values of a status. What it does not mention is gone
    /// from the scrape, so that an unknown value is not shown as an old one.
    fn take(&self, status: &Status) {
        let build = Version {
            version: status.version.clone(),
        };
        self.build.get_or_create(&build).set(1.0);
        self.uptime.set(status.uptime_seconds as f64);
        for (_, family) in self.by_chain() {
            family.clear();
        }
        self.upstream_state.clear();
        self.upstream_height.clear();
        for (name, chain) in &status.chains {
            self.take_chain(name, chain);
        }
    }

    fn take_chain(&self, name: &str, chain: &crate::ChainStatus) {
        let label = Chain {
            chain: name.to_owned(),
        };
        let yes = |truth: bool| if truth { 1.0 } else { 0.0 };
        let head = chain.head.as_ref();
        let levels = [
            (&self.ready, Some(yes(chain.not_ready.is_empty()))),
            (&self.head_height, chain.local_height.map(|h| h as f64)),
            (&self.target_height, chain.target_height.map(|h| h as f64)),
            (&self.head_age, head.map(|head| head.age_seconds as f64)),
            (&self.pace, Some(chain.blocks_per_second)),
            (&self.findings, Some(chain.findings.len() as f64)),
            (&self.disagreements, Some(chain.disagreements.len() as f64)),
            (&self.store_bytes, Some(chain.store.bytes as f64)),
            (&self.store_up, Some(yes(chain.store.error.is_none()))),
            (&self.connections, Some(chain.connections as f64)),
        ];
        for (family, value) in levels {
            if let Some(value) = value {
                family.get_or_create(&label).set(value);
            }
        }
        for (family, now) in [
            (&self.rewinds, chain.rewinds),
            (&self.accepted, chain.connections_accepted),
        ] {
            let counter = family.get_or_create(&label);
            counter.inc_by(now.saturating_sub(counter.get()));
        }
        for upstream in &chain.upstreams {
            let state = UpstreamState {
                chain: name.to_owned(),
                upstream: upstream.name.clone(),
                role: upstream.role.clone(),
                state: upstream.state.clone(),
            };
            self.upstream_state.get_or_create(&state).set(1.0);
            if let Some(height) = upstream.height {
                let label = Upstream {
                    chain: name.to_owned(),
                    upstream: upstream.name.clone(),
                };
                self.upstream_height
                    .get_or_create(&label)
                    .set(height as f64);
            }
        }
    }
}
