//! Every limit and time-out of the observe address, with its reason.

use std::time::Duration;

/// The time between two samples of the history: an hour in one chart is 360
/// points, about as many as a phone is wide.
pub const SAMPLE: Duration = Duration::from_secs(10);

/// Samples kept: the last hour. With 200 bytes a chain and sample, that is
/// 72 kB a chain.
pub const SAMPLES: usize = 360;

/// Chains in one sample. A configuration has a handful; what is beyond is in
/// the status and the metrics, not in the charts.
pub const SAMPLED_CHAINS: usize = 64;

/// The pause between two events of a live page: heads move by the second.
pub const PULSE: Duration = Duration::from_secs(2);

/// How old a status may be that several live pages share.
pub const SHARED_STATUS: Duration = Duration::from_secs(1);

/// Live pages at a time. Each costs a serialised status whenever it changes.
pub const SUBSCRIBERS: usize = 32;

/// Findings and disagreements of a chain that live pages show, newest ones:
/// nobody reads more, and a page must not grow with an attacker's patience.
pub const SHOWN_FINDINGS: usize = 100;

/// Bytes of an exhibit shown unless the question says otherwise: enough for a
/// header with its proof-of-work.
pub const SHOWN_BYTES: usize = 4 << 10;

/// The most bytes of an exhibit that are shown at a time; `/evidence` has all.
pub const MAX_SHOWN_BYTES: usize = 64 << 10;

/// The time between two pushes of the metrics to a collector: as often as
/// Prometheus scrapes unless told otherwise.
pub const OTLP_INTERVAL: Duration = Duration::from_secs(15);

/// How long a collector may take to answer, and the last spans to be sent
/// when the process stops: shorter than what service managers wait.
pub const OTLP_TIMEOUT: Duration = Duration::from_secs(5);

/// Spans that wait to be sent; more are dropped. At 1 kB each, 2 MB.
pub const OTLP_SPANS: usize = 2048;

/// The longest a span waits for others to be sent with it.
pub const OTLP_SPAN_DELAY: Duration = Duration::from_secs(5);

/// The share of answers that are traced. One in a hundred shows what is slow,
/// and costs a server of many answers nothing that can be measured.
pub const OTLP_SAMPLE: f64 = 0.01;

/// The time between two looks at what the service manager shows of the
/// process: somebody who asks twice should see it move.
pub const STATUS_LINE: Duration = Duration::from_secs(10);
