//! What is measured of every server.

use std::time::Duration;

use crate::load::Plan;

/// Runs of the series that have a bar of their own.
const REPEATS: usize = 3;
/// How long one run of them lasts, at least.
const LEAST: Duration = Duration::from_secs(2);
/// How long the one run of the others lasts, at least.
const LEAST_OTHER: Duration = Duration::from_secs(1);
/// Connections and blocks per request of the many-clients series.
const MANY: (usize, u64) = (64, 100);

/// The four pools, with a letter each for the labels.
const POOLS: [(i32, &str); 4] = [
    (1, "transparent"),
    (2, "sapling"),
    (3, "orchard"),
    (4, "ironwood"),
];

/// A measurement and how often it is taken.
pub struct Series {
    /// What the tables call it.
    pub label: String,
    /// What is done.
    pub work: Work,
    /// Runs; the median counts.
    pub repeats: usize,
}

/// What is done.
pub enum Work {
    /// The whole range in one stream, again and again.
    Stream {
        /// `GetBlockRange` or `GetBlockRangeNullifiers`.
        method: &'static str,
        /// Pool types; empty for the server's default.
        pools: Vec<i32>,
        /// How long, at least.
        least: Duration,
    },
    /// Short ranges on many connections.
    Many,
    /// The whole range, every block decoded by the generated client.
    Decoded,
}

impl Work {
    /// The plan over blocks 1 to `tip`; the server is still to be named.
    pub fn plan(&self, tip: u64) -> Plan {
        let base = Plan {
            server: String::new(),
            method: "GetBlockRange".to_owned(),
            from: 1,
            to: tip,
            pools: Vec::new(),
            connections: 1,
            span: None,
            requests: 1,
            least: LEAST,
            pid: None,
        };
        match self {
            Self::Stream {
                method,
                pools,
                least,
            } => Plan {
                method: (*method).to_owned(),
                pools: pools.clone(),
                least: *least,
                ..base
            },
            Self::Many => Plan {
                connections: MANY.0,
                span: Some(MANY.1),
                ..base
            },
            Self::Decoded => base,
        }
    }
}

/// The series with bars first, then every other set of pools.
pub fn all() -> Vec<Series> {
    let key = |label: &str, work| Series {
        label: label.to_owned(),
        work,
        repeats: REPEATS,
    };
    let stream = |method, pools: &[i32]| Work::Stream {
        method,
        pools: pools.to_vec(),
        least: LEAST,
    };
    let mut series = vec![
        key("shielded (default)", stream("GetBlockRange", &[])),
        key("all four pools", stream("GetBlockRange", &[1, 2, 3, 4])),
        key("nullifiers", stream("GetBlockRangeNullifiers", &[])),
        key(&format!("{} x {}", MANY.0, MANY.1), Work::Many),
        key("shielded, decoded by tonic", Work::Decoded),
    ];
    for set in 1..1u8 << POOLS.len() {
        let chosen: Vec<_> = (0..POOLS.len())
            .filter(|bit| set >> bit & 1 == 1)
            .map(|bit| POOLS[bit])
            .collect();
        let pools: Vec<i32> = chosen.iter().map(|(pool, _)| *pool).collect();
        // Measured above, the first as the default.
        if [&[2, 3, 4][..], &[1, 2, 3, 4]].contains(&&pools[..]) {
            continue;
        }
        let names: Vec<_> = chosen.iter().map(|(_, name)| *name).collect();
        series.push(Series {
            label: names.join("+"),
            work: Work::Stream {
                method: "GetBlockRange",
                pools,
                least: LEAST_OTHER,
            },
            repeats: 1,
        });
    }
    series
}
