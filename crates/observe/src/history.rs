//! The last hour, in a ring of samples that does not grow.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    Metrics, Status,
    defaults::{SAMPLED_CHAINS, SAMPLES},
    metrics::activity::Reading,
};

/// What happened in one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Counts up by one from sample to sample.
    pub number: u64,
    /// When it ended, in seconds since the Unix epoch.
    pub at: u64,
    /// How long it was, in seconds.
    pub seconds: f64,
    /// The chains, by name.
    pub chains: BTreeMap<String, ChainSample>,
}

/// What one chain did in that time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChainSample {
    /// The newest height at the end.
    pub height: Option<u64>,
    /// The age of the newest block at the end, in seconds.
    pub head_age: Option<u64>,
    /// The size of the store at the end, in bytes.
    pub store_bytes: u64,
    /// Answers that were proven.
    pub proven: u64,
    /// Answers that several upstreams agreed on.
    pub agreed: u64,
    /// Answers passed through.
    pub relayed: u64,
    /// Answers without a grade, and those the client walked away from.
    pub ungraded: u64,
    /// Answers that were errors.
    pub failed: u64,
    /// Bytes of answers.
    pub bytes: u64,
    /// What half of the answers stayed within, in seconds.
    pub p50: Option<f64>,
    /// What 99 of 100 answers stayed within, in seconds.
    pub p99: Option<f64>,
}

impl ChainSample {
    /// Every answer.
    pub fn answers(&self) -> u64 {
        self.proven + self.agreed + self.relayed + self.ungraded + self.failed
    }
}

/// The ring.
#[derive(Debug, Default)]
pub struct History {
    samples: VecDeque<Sample>,
    readings: BTreeMap<String, Reading>,
    next: u64,
}

impl History {
    /// Adds a sample of the `seconds` that end at `at`; the oldest one beyond
    /// an hour goes.
    pub fn take(&mut self, status: &Status, metrics: &Metrics, at: u64, seconds: f64) {
        let mut chains = BTreeMap::new();
        for (name, chain) in status.chains.iter().take(SAMPLED_CHAINS) {
            let now = metrics.activity(name).read();
            let before = self.readings.insert(name.clone(), now.clone());
            let did = before.map_or_else(|| now.clone(), |before| now.since(&before));
            let sample = ChainSample {
                height: chain.local_height,
                head_age: chain.head.as_ref().map(|head| head.age_seconds),
                store_bytes: chain.store.bytes,
                proven: did.proven,
                agreed: did.agreed,
                relayed: did.relayed,
                ungraded: did.ungraded,
                failed: did.failed,
                bytes: did.bytes,
                p50: did.quantile(0.5),
                p99: did.quantile(0.99),
            };
            chains.insert(name.clone(), sample);
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            number: self.next,
            at,
            seconds,
            chains,
        });
        self.next += 1;
    }

    /// The samples from `number` on, oldest first.
    pub fn from(&self, number: u64) -> Vec<Sample> {
        let wanted = self.samples.iter().filter(|one| one.number >= number);
        wanted.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ChainStatus;

    #[test]
    fn the_ring_keeps_an_hour_and_what_happened_in_each_part_of_it() {
        let (mut history, metrics) = (History::default(), Metrics::new());
        let chains = ["zcash".to_owned()].map(|name| (name, ChainStatus::default()));
        let status = Status::of("1", 0, chains.into());
        let activity = metrics.activity("zcash");
        for number in 0..SAMPLES as u64 + 5 {
            for _answer in 0..number % 3 {
                activity.count("ok", Some("proven"), 10, Duration::from_millis(1));
            }
            history.take(&status, &metrics, number * 10, 10.0);
        }
        let kept = history.from(0);
        assert_eq!(kept.len(), SAMPLES);
        assert_eq!(kept[0].number, 5);
        for sample in &kept {
            let chain = &sample.chains["zcash"];
            assert_eq!(chain.proven, sample.number % 3);
            assert_eq!(chain.bytes, chain.proven * 10);
            assert_eq!(chain.p50.is_some(), chain.proven > 0);
        }
        assert_eq!(history.from(SAMPLES as u64 + 3).len(), 2);
    }

    #[test]
    fn a_sample_is_bounded_in_chains() {
        let (mut history, metrics) = (History::default(), Metrics::new());
        let chains = (0..SAMPLED_CHAINS + 3).map(|n| (n.to_string(), ChainStatus::default()));
        let status = Status::of("1", 0, chains.collect());
        history.take(&status, &metrics, 0, 1.0);
        assert_eq!(history.from(0)[0].chains.len(), SAMPLED_CHAINS);
    }
}
