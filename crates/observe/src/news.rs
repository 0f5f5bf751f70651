//! One event of `/events`: what is new since the one before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ProcessStatus, Status, defaults::SHOWN_FINDINGS, history::Sample};

/// What a live page is told, every [`PULSE`](crate::defaults::PULSE).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct News {
    /// The time there, in seconds since the Unix epoch; ages are told by it.
    pub at: u64,
    /// Seconds since the process started.
    pub uptime_seconds: u64,
    /// What the process takes of its machine.
    pub process: ProcessStatus,
    /// Present in the first event, and when anything but times changed. Of
    /// long lists it has the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The samples that no event before had; the first has the last hour.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// Findings and disagreements by chain that `status` leaves out, before
    /// the ones it has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub omitted: BTreeMap<String, (usize, usize)>,
}

/// The status as live pages show it, and what was left out.
pub(crate) fn shown(status: &Status) -> (Status, BTreeMap<String, (usize, usize)>) {
    let mut shown = status.clone();
    let mut omitted = BTreeMap::new();
    for (name, chain) in &mut shown.chains {
        let over = (
            chain.findings.len().saturating_sub(SHOWN_FINDINGS),
            chain.disagreements.len().saturating_sub(SHOWN_FINDINGS),
        );
        chain.findings.drain(..over.0);
        chain.disagreements.drain(..over.1);
        if over != (0, 0) {
            omitted.insert(name.clone(), over);
        }
    }
    (shown, omitted)
}

/// What changes by itself is no news: readers count on from [`News::at`].
pub(crate) fn without_times(status: &Status) -> Status {
    let mut status = status.clone();
    status.uptime_seconds = 0;
    status.process = ProcessStatus::default();
    let chains = status.chains.values_mut();
    for head in chains.filter_map(|chain| chain.head.as_mut()) {
        head.age_seconds = 0;
    }
    status
}
