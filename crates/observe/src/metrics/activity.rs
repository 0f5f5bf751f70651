//! What a chain answered, as numbers that only grow. Two readings of them
//! give the rates and the quantiles of the time between.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The upper edge of the fastest class of answers.
const FASTEST: Duration = Duration::from_micros(50);

/// Classes per doubling. With two, the edge that a quantile is told as lies at
/// most 41 % above it.
const PER_DOUBLING: f64 = 2.0;

/// Classes of duration: up to 100 s, and one for what is slower.
const CLASSES: usize = 44;

/// The counters of one chain.
#[derive(Debug)]
pub(crate) struct Activity {
    proven: AtomicU64,
    agreed: AtomicU64,
    relayed: AtomicU64,
    ungraded: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    took: [AtomicU64; CLASSES],
}

impl Default for Activity {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self {
            proven: zero(),
            agreed: zero(),
            relayed: zero(),
            ungraded: zero(),
            failed: zero(),
            bytes: zero(),
            took: std::array::from_fn(|_| zero()),
        }
    }
}

/// One reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) proven: u64,
    pub(crate) agreed: u64,
    pub(crate) relayed: u64,
    pub(crate) ungraded: u64,
    pub(crate) failed: u64,
    pub(crate) bytes: u64,
    took: [u64; CLASSES],
}

impl Activity {
    /// Counts one answer. Failures carry no grade.
    pub(crate) fn count(&self, code: &str, assurance: Option<&str>, bytes: u64, took: Duration) {
        let counter = match (is_failure(code), assurance) {
            (true, _) => &self.failed,
            (false, Some("proven")) => &self.proven,
            (false, Some("agreed")) => &self.agreed,
            (false, Some("relayed")) => &self.relayed,
            (false, _) => &self.ungraded,
        };
        counter.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        self.took[class(took)].fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> Reading {
        Reading {
            proven: self.proven.load(Relaxed),
            agreed: self.agreed.load(Relaxed),
            relayed: self.relayed.load(Relaxed),
            ungraded: self.ungraded.load(Relaxed),
            failed: self.failed.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            took: std::array::from_fn(|class| self.took[class].load(Relaxed)),
        }
    }
}

impl Reading {
    /// What was counted since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            proven: self.proven.saturating_sub(earlier.proven),
            agreed: self.agreed.saturating_sub(earlier.agreed),
            relayed: self.relayed.saturating_sub(earlier.relayed),
            ungraded: self.ungraded.saturating_sub(earlier.ungraded),
            failed: self.failed.saturating_sub(earlier.failed),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            took: std::array::from_fn(|class| self.took[class].saturating_sub(earlier.took[class])),
        }
    }

    /// The duration in seconds that the share `q` of the answers stayed
    /// within, as the upper edge of its class; `None` without answers.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let all: u64 = self.took.iter().sum();
        if all == 0 {
            return None;
        }
        let wanted = ((all as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.took.iter().position(|&count| {
            seen += count;
            seen >= wanted
        });
        found.map(edge)
    }
}

/// Whether the code says that the client did not get what it asked for and
/// did not give up itself.
pub(crate) fn is_failure(code: &str) -> bool {
    match code.strip_prefix("http_") {
        Some(number) => number.starts_with(['4', '5']),
        None => !matches!(code, "ok" | "cancelled"),
    }
}

fn class(took: Duration) -> usize {
    let ratio = took.as_secs_f64() / FASTEST.as_secs_f64();
    // Negative for what is faster than the first edge: the cast gives 0.
    let class = (ratio.log2() * PER_DOUBLING).ceil() as usize;
    class.min(CLASSES - 1)
}

/// The upper edge of a class in seconds.
fn edge(class: usize) -> f64 {
    FASTEST.as_secs_f64() * (class as f64 / PER_DOUBLING).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_at_most_one_class_above_the_truth() {
        let activity = Activity::default();
        for millis in 1..=1_000 {
            activity.count("ok", Some("proven"), 1, Duration::from_millis(millis));
        }
        let reading = activity.read();
        for (q, truth) in [(0.5, 0.5), (0.99, 0.99), (0.001, 0.001)] {
            let told = reading.quantile(q).expect("there were answers");
            assert!(truth <= told && told <= truth * 1.42, "{q}: {told}");
        }
        assert_eq!((reading.proven, reading.bytes), (1_000, 1_000));
        assert_eq!(reading.since(&reading).quantile(0.5), None);
    }

    #[test]
    fn any_duration_has_a_class() {
        assert_eq!(class(Duration::ZERO), 0);
        assert_eq!(class(FASTEST), 0);
        assert_eq!(class(Duration::MAX), CLASSES - 1);
    }

    #[test]
    fn failures_carry_no_grade_and_walking_away_is_none() {
        let activity = Activity::default();
        let took = Duration::from_millis(1);
        activity.count("internal", Some("proven"), 0, took);
        activity.count("http_404", None, 0, took);
        activity.count("cancelled", None, 0, took);
        activity.count("http_200", Some("relayed"), 0, took);
        activity.count("ok", Some("agreed"), 0, took);
        let now = activity.read();
        let counted = (
            now.failed,
            now.ungraded,
            now.relayed,
            now.agreed,
            now.proven,
        );
        assert_eq!(counted, (2, 1, 1, 1, 0));
    }
}
