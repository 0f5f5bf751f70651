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
