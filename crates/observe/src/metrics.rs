//! The metrics, each with a name that does not change between releases.
//!
//! | module | what it holds |
//! |---|---|
//! | [`table`] | every metric: name, labels, meaning, and how it is read from a [`Status`] |
//! | [`process`] | what the system says of the process |
//! | [`samples`] | the scraped text, read back |
//! | [`activity`] | the same answers once more, for rates and quantiles over the last hour |

pub mod activity;
pub mod process;
pub mod samples;
pub mod table;

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet, text::encode},
    metrics::{MetricType, counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::{Requests, Status, logs, requests::Naming};
use activity::Activity;
pub use table::{Described, METRICS, document};

/// The labels of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Outcome {
    pub(crate) chain: String,
    pub(crate) method: String,
    pub(crate) code: String,
    pub(crate) assurance: String,
}

/// The labels of a duration and of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Timed {
    pub(crate) chain: String,
    pub(crate) method: String,
}

/// The labels of a question to an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    chain: String,
    upstream: String,
    outcome: String,
}

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// The registry. Values that [`Status`] knows are read from it at each
/// scrape; answers are counted as they end.
pub struct Metrics {
    registry: Registry,
    status: Arc<Mutex<Arc<Status>>>,
    /// Two scrapes at a time would show each other's status.
    scraping: Mutex<()>,
    activity: Mutex<BTreeMap<String, Arc<Activity>>>,
    pub(crate) outcomes: Family<Outcome, Counter>,
    pub(crate) seconds: Durations<Timed>,
    pub(crate) bytes: Family<Timed, Counter>,
    asked: Durations<Asked>,
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
        let status = Arc::default();
        let outcomes = Family::default();
        let seconds = Family::new_with_constructor(buckets as fn() -> Histogram);
        let bytes = Family::default();
        let asked = Family::new_with_constructor(buckets as fn() -> Histogram);
        registry.register_collector(Box::new(Mirror(Arc::clone(&status))));
        let help = |name: &str| {
            let named = METRICS.iter().find(|metric| metric.name == name);
            named.map_or("", |metric| metric.help)
        };
        // Prometheus' text form adds `_total` to counters by itself.
        registry.register(
            "heliostat_requests",
            help("heliostat_requests_total"),
            Family::clone(&outcomes),
        );
        registry.register(
            "heliostat_request_seconds",
            help("heliostat_request_seconds"),
            Family::clone(&seconds),
        );
        registry.register(
            "heliostat_response_bytes",
            help("heliostat_response_bytes_total"),
            Family::clone(&bytes),
        );
        registry.register(
            "heliostat_upstream_request_seconds",
            help("heliostat_upstream_request_seconds"),
            Family::clone(&asked),
        );
        Self {
            registry,
            status,
            scraping: Mutex::default(),
            activity: Mutex::default(),
            outcomes,
            seconds,
            bytes,
            asked,
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

    /// The same where a path holds more than the name of a method: `naming`
    /// says which of `names` a request is.
    pub fn requests_named<'a>(
        &self,
        chain: &str,
        names: impl IntoIterator<Item = &'a str>,
        naming: Naming,
    ) -> Requests {
        Requests::named(self, chain, names, naming)
    }

    /// Counts one question to an upstream of `chain`: how long it took, and
    /// what came of it, `ok` or the kind of the fault.
    pub fn upstream_asked(&self, chain: &str, upstream: &str, outcome: &str, took: Duration) {
        self.upstream_asker(chain)(upstream, outcome, took);
    }

    /// The same for one chain, to be kept by whoever asks.
    pub fn upstream_asker(
        &self,
        chain: &str,
    ) -> impl Fn(&str, &str, Duration) + Send + Sync + 'static {
        let (family, chain) = (self.asked.clone(), chain.to_owned());
        move |upstream, outcome, took| {
            let asked = Asked {
                chain: chain.clone(),
                upstream: upstream.to_owned(),
                outcome: outcome.to_owned(),
            };
            family.get_or_create(&asked).observe(took.as_secs_f64());
        }
    }

    /// What `chain` answered so far.
    pub(crate) fn activity(&self, chain: &str) -> Arc<Activity> {
        let mut all = locked(&self.activity);
        Arc::clone(all.entry(chain.to_owned()).or_default())
    }

    /// Every metric with the values of `status`, as OpenMetrics text.
    pub fn scrape(&self, status: Arc<Status>) -> String {
        let _alone = locked(&self.scraping);
        *locked(&self.status) = status;
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            // Writing to a string does not fail; a broken metric would.
            text.clear();
            let _ = writeln!(text, "# the metrics could not be written: {error}");
        }
        text
    }
}

/// Nothing here is left half-changed by a panic elsewhere.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is read from the last status. What it does not mention is not in the
/// scrape, so that an unknown value is not shown as an old one.
#[derive(Debug)]
struct Mirror(Arc<Mutex<Arc<Status>>>);

impl Collector for Mirror {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = Arc::clone(&locked(&self.0));
        for metric in METRICS {
            if metric.read.is_some() {
                encode_rows(&mut encoder, metric, &metric.rows(&status))?;
            }
        }
        for metric in METRICS {
            if metric.name == logs::EVENTS {
                encode_rows(&mut encoder, metric, &logs::events())?;
            }
        }
        Ok(())
    }
}

/// Writes one metric with its rows; one without rows is left out.
fn encode_rows(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Described,
    rows: &[table::Row],
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let counts = metric.kind == "counter";
    let kind = match counts {
        true => MetricType::Counter,
        false => MetricType::Gauge,
    };
    let name = metric.name.trim_end_matches("_total");
    let mut encoder = encoder.encode_descriptor(name, metric.help, None, kind)?;
    for (values, value) in rows {
        let names = metric.labels.split_whitespace();
        let labels: Vec<_> = names.zip(values.iter().map(String::as_str)).collect();
        let mut encoder = encoder.encode_family(&labels)?;
        match counts {
            // Counts are not negative; those that are whole are written so.
            true if value.fract() == 0.0 => {
                encoder.encode_counter::<NoLabelSet, _, u64>(&(*value as u64), None)?;
            }
            true => encoder.encode_counter::<NoLabelSet, _, u64>(value, None)?,
            false => encoder.encode_gauge(value)?,
        }
    }
    Ok(())
}
