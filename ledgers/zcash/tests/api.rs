//! The service through a real gRPC client, over loopback, in front of a
//! simulated node: every method, every status and text a client can see, every
//! cap at its limit and one beyond, and what becomes of a node that is down or
//! lies.

#[path = "api/rig.rs"]
mod rig;

#[path = "api/agreed.rs"]
mod agreed;
#[path = "api/blocks.rs"]
mod blocks;
#[path = "api/caps.rs"]
mod caps;
#[path = "api/grades.rs"]
mod grades;
#[path = "api/health.rs"]
mod health;
#[path = "api/mempool.rs"]
mod mempool;
#[path = "api/mutants.rs"]
mod mutants;
#[path = "api/relayed.rs"]
mod relayed;
#[path = "api/sending.rs"]
mod sending;
#[path = "api/statuses.rs"]
mod statuses;
#[path = "api/troubles.rs"]
mod troubles;
