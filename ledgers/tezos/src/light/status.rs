//! What an operator sees of a light node.

use heliostat_node::{UpstreamState, UpstreamStatus};
use serde::Serialize;

use super::Core;
use crate::{endpoint::Traffic, headers::Head};

/// The state of a light node, for people and for status JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The newest block that enough endpoints gave.
    pub head: Option<HeadStatus>,
    /// The newest block whose state is proven.
    pub proven: Option<HeadStatus>,
    /// Why nothing newer is proven; empty when finality is not asked for.
    pub why_unproven: String,
    /// How many endpoints must agree.
    pub needed: usize,
    /// The endpoints, in the operator's order.
    pub endpoints: Vec<EndpointStatus>,
}

/// A block, for people.
#[derive(Clone, Debug, Serialize)]
pub struct HeadStatus {
    /// Its level.
    pub level: i32,
    /// Its hash, `B…`.
    pub hash: String,
    /// The time it claims, in seconds since the Unix epoch.
    pub time: i64,
    /// How it was checked.
    pub assurance: String,
}

/// One endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointStatus {
    /// Its health.
    pub upstream: UpstreamStatus,
    /// What it serves of the proof calls, in words.
    pub proofs: String,
    /// The level of its head.
    pub level: Option<i32>,
    /// Its usual time to answer, in milliseconds.
    pub latency_ms: Option<u64>,
    /// Requests sent to it.
    pub requests: u64,
    /// Bytes of answers read from it.
    pub bytes: u64,
}

impl EndpointStatus {
    /// Whether it can be used now.
    pub fn is_usable(&self) -> bool {
        matches!(
            self.upstream.state,
            UpstreamState::Up | UpstreamState::Unknown
        )
    }
}

pub(super) fn of(core: &Core) -> Status {
    let head = |head: Head| HeadStatus {
        level: head.header.level,
        hash: head.hash.to_string(),
        time: head.header.timestamp,
        assurance: core.grade_of_block(&head.hash, head.support).to_string(),
    };
    let heads = core.headers.heads();
    let endpoint = |(at, upstream): (usize, UpstreamStatus)| {
        let endpoint = core.endpoint(at);
        let Traffic { requests, bytes } = endpoint.traffic();
        EndpointStatus {
            upstream,
            proofs: endpoint.capability().words(),
            level: heads.get(at).copied().flatten().map(|(level, _)| level),
            latency_ms: endpoint
                .latency()
                .and_then(|usual| u64::try_from(usual.as_millis()).ok()),
            requests,
            bytes,
        }
    };
    Status {
        head: core.headers.agreed().map(head),
        proven: core.headers.final_head().map(head),
        why_unproven: core.headers.why_unproven(),
        needed: core.needed,
        endpoints: core
            .upstreams
            .status()
            .into_iter()
            .enumerate()
            .map(endpoint)
            .collect(),
    }
}
