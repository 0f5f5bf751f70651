//! The table of every metric, and where each takes its value from.

use crate::{ChainStatus, DoorStatus, Status};

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
    /// How it is read from a status; none where it is counted as it happens.
    pub(crate) read: Option<Read>,
}

impl Described {
    /// The rows it has in `status`.
    pub(crate) fn rows(&self, status: &Status) -> Vec<Row> {
        let mut rows = Rows(Vec::new());
        if let Some(read) = self.read {
            read(status, &mut rows);
        }
        rows.0
    }
}

/// Reads the rows of one metric from a status.
pub(crate) type Read = fn(&Status, &mut Rows);

/// Label values, in the order of [`Described::labels`], and the value.
pub(crate) type Row = (Vec<String>, f64);

/// The rows of one metric.
pub(crate) struct Rows(Vec<Row>);

impl Rows {
    fn add(&mut self, labels: &[&str], value: f64) {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        self.0.push((labels, value));
    }

    /// One row a chain that has the value.
    fn chains(&mut self, status: &Status, value: impl Fn(&ChainStatus) -> Option<f64>) {
        for (name, chain) in &status.chains {
            if let Some(value) = value(chain) {
                self.add(&[name], value);
            }
        }
    }

    /// One row a door that has the value.
    fn doors(&mut self, status: &Status, value: impl Fn(&DoorStatus) -> Option<f64>) {
        for (name, door) in &status.doors {
            if let Some(value) = value(door) {
                self.add(&[name], value);
            }
        }
    }
}

/// Truth as a sample.
fn yes(truth: bool) -> f64 {
    if truth { 1.0 } else { 0.0 }
}

/// A count as a sample; exact up to 2^53.
fn count(number: u64) -> Option<f64> {
    Some(number as f64)
}

/// A gauge that is read from the status.
const fn gauge(
    name: &'static str,
    labels: &'static str,
    help: &'static str,
    read: Read,
) -> Described {
    described("gauge", name, labels, help, Some(read))
}

/// A counter that is read from the status.
const fn counter(
    name: &'static str,
    labels: &'static str,
    help: &'static str,
    read: Read,
) -> Described {
    described("counter", name, labels, help, Some(read))
}

const fn described(
    kind: &'static str,
    name: &'static str,
    labels: &'static str,
    help: &'static str,
    read: Option<Read>,
) -> Described {
    Described {
        name,
        kind,
        labels,
        help,
        read,
    }
}

/// Every metric there is.
#[rustfmt::skip]
pub const METRICS: &[Described] = &[
    gauge("heliostat_build_info", "version", "1; the label says which release runs",
        |s, rows| rows.add(&[&s.version], 1.0)),
    gauge("heliostat_uptime_seconds", "", "time since the process started",
        |s, rows| rows.add(&[], s.uptime_seconds as f64)),
    gauge("heliostat_ready", "chain", "1 when the chain is fresh and served, else 0",
        |s, rows| rows.chains(s, |c| Some(yes(c.not_ready.is_empty())))),
    gauge("heliostat_head_height", "chain", "newest height of the replica",
        |s, rows| rows.chains(s, |c| c.local_height.and_then(count))),
    gauge("heliostat_target_height", "chain", "greatest height a usable upstream claims",
        |s, rows| rows.chains(s, |c| c.target_height.and_then(count))),
    gauge("heliostat_head_age_seconds", "chain", "age of the newest block by its own clock: alarm on this one",
        |s, rows| rows.chains(s, |c| c.head.as_ref().and_then(|head| count(head.age_seconds)))),
    gauge("heliostat_sync_blocks_per_second", "chain", "recent pace of the follower",
        |s, rows| rows.chains(s, |c| c.blocks_per_second)),
    counter("heliostat_rewinds_total", "chain", "reorganisations followed since the start",
        |s, rows| rows.chains(s, |c| count(c.rewinds))),
    gauge("heliostat_upstream_state", "chain upstream role state", "1 for the state the upstream is in: ok, unreachable, behind, unsupported, wrong, or unknown before it was asked",
        upstream_states),
    gauge("heliostat_upstream_height", "chain upstream", "height the upstream claimed last",
        upstream_heights),
    gauge("heliostat_findings", "chain", "lies kept with their evidence",
        |s, rows| rows.chains(s, |c| count(c.findings.len() as u64))),
    gauge("heliostat_disagreements", "chain", "heights at which upstreams give different valid answers",
        |s, rows| rows.chains(s, |c| count(c.disagreements.len() as u64))),
    gauge("heliostat_store_bytes", "chain", "size of the store",
        |s, rows| rows.chains(s, |c| count(c.store.bytes))),
    gauge("heliostat_store_up", "chain", "1 when the store answers, else 0",
        |s, rows| rows.chains(s, |c| Some(yes(c.store.error.is_none())))),
    gauge("heliostat_connections", "chain", "client connections open",
        |s, rows| rows.chains(s, |c| count(c.connections))),
    counter("heliostat_connections_accepted_total", "chain", "client connections accepted since the start",
        |s, rows| rows.chains(s, |c| count(c.connections_accepted))),
    gauge("heliostat_outbox_receipts", "chain state", "receipts of writes kept, by the state of the write",
        outbox_receipts),
    gauge("heliostat_door_connections", "door", "connections open at the door",
        |s, rows| rows.doors(s, |d| count(d.open))),
    counter("heliostat_door_accepted_total", "door", "connections accepted by the door",
        |s, rows| rows.doors(s, |d| count(d.accepted))),
    counter("heliostat_door_refused_total", "door reason", "connections and requests turned away",
        |s, rows| for (name, door) in &s.doors { for (reason, &n) in &door.refused { rows.add(&[name, reason], n as f64); } }),
    counter("heliostat_door_cut_total", "door reason", "connections cut by the server",
        |s, rows| for (name, door) in &s.doors { for (reason, &n) in &door.cut { rows.add(&[name, reason], n as f64); } }),
    counter("heliostat_door_handshake_failures_total", "door", "TLS handshakes that failed",
        |s, rows| rows.doors(s, |d| count(d.handshake_failures))),
    counter("heliostat_door_reloads_total", "door", "certificates, lists and configuration files taken over",
        |s, rows| rows.doors(s, |d| count(d.reloads))),
    counter("heliostat_door_reload_failures_total", "door", "certificates, lists and configuration files that could not be taken over; what was in force stays",
        |s, rows| rows.doors(s, |d| count(d.reload_failures))),
    gauge("heliostat_door_certificate_not_after_seconds", "door", "when the served certificate ends, as a Unix time; absent without TLS",
        |s, rows| rows.doors(s, |d| d.certificate_not_after.map(|at| at as f64))),
    gauge("heliostat_door_memory_used_bytes", "door", "bytes that count against the memory budget",
        |s, rows| rows.doors(s, |d| count(d.memory_used))),
    gauge("heliostat_door_memory_budget_bytes", "door", "the memory budget; doors that share one each show all of it",
        |s, rows| rows.doors(s, |d| count(d.memory_budget))),
    described("counter", "heliostat_requests_total", "chain method code assurance", "answers by method, status and grade", None),
    described("histogram", "heliostat_request_seconds", "chain method", "time from request to the end of the answer", None),
    described("counter", "heliostat_response_bytes_total", "chain method", "bytes of answers, without framing and headers", None),
    described("histogram", "heliostat_upstream_request_seconds", "chain upstream outcome", "time an upstream took to answer; the outcome is ok or the kind of the fault", None),
    described("counter", "heliostat_log_events_total", "level", "warnings and errors logged, whether or not the log level shows them", None),
    gauge("heliostat_tasks", "", "asynchronous tasks that have not ended; some per connection and upstream, so that it falls when clients leave",
        |s, rows| if s.process.tasks > 0 { rows.add(&[], s.process.tasks as f64) }),
    counter("process_cpu_seconds_total", "", "processor time taken since the start, by all threads",
        |s, rows| if s.process.cpu_seconds > 0.0 { rows.add(&[], s.process.cpu_seconds) }),
    gauge("process_start_time_seconds", "", "when the process started, as a Unix time",
        |s, rows| if s.process.start_time > 0.0 { rows.add(&[], s.process.start_time) }),
    gauge("process_resident_memory_bytes", "", "memory of the process",
        |s, rows| if s.process.resident_bytes > 0 { rows.add(&[], s.process.resident_bytes as f64) }),
    gauge("process_open_fds", "", "file descriptors open",
        |s, rows| if s.process.open_fds > 0 { rows.add(&[], s.process.open_fds as f64) }),
    gauge("process_max_fds", "", "file descriptors that may be open",
        |s, rows| if s.process.max_fds > 0 { rows.add(&[], s.process.max_fds as f64) }),
];

fn upstream_states(status: &Status, rows: &mut Rows) {
    for (name, chain) in &status.chains {
        for one in &chain.upstreams {
            rows.add(&[name, &one.name, &one.role, &one.state], 1.0);
        }
    }
}

fn upstream_heights(status: &Status, rows: &mut Rows) {
    for (name, chain) in &status.chains {
        for one in &chain.upstreams {
            if let Some(height) = one.height {
                rows.add(&[name, &one.name], height as f64);
            }
        }
    }
}

fn outbox_receipts(status: &Status, rows: &mut Rows) {
    for (name, chain) in &status.chains {
        for (state, &receipts) in &chain.outbox {
            rows.add(&[name, state], receipts as f64);
        }
    }
}

/// `docs/metrics.md`, made from the table.
pub fn document() -> String {
    let mut text = String::from(
        "<!-- Generated: `cargo run -p heliostat-observe --example metrics > docs/metrics.md`. -->\n\
         # Metrics\n\n\
         `/metrics` at the observe address answers these as OpenMetrics text. Names and\n\
         labels do not change between releases; new ones are added. A value that is not\n\
         known is absent, never 0. Alert rules that use them are in\n\
         `ops/prometheus/alerts.yml`, a dashboard in `ops/grafana/heliostat.json`.\n\n\
         | name | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in METRICS {
        let labels = match metric.labels {
            "" => String::new(),
            labels => format!("`{}`", labels.replace(' ', "`, `")),
        };
        let row = format!(
            "| `{}` | {} | {labels} | {} |\n",
            metric.name, metric.kind, metric.help
        );
        text.push_str(&row);
    }
    text
}
