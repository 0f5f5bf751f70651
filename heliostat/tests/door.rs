//! The door of a real process: who is let in, who is told why not, and what a
//! signal changes.
//!
//! | module | what it holds |
//! |---|---|
//! | `rig` | a process with a door, its certificates and its clients |
//! | `issuer` | whoever vouches for tokens |
//! | `check` | what `heliostat check` says of all that |
//! | `mistakes` | what `heliostat check` says of the mistakes operators make |
//! | `certificates` | TLS, client certificates, lists of identities |
//! | `tokens` | bearer tokens and their scopes |
//! | `access` | networks, rates, plaintext |
//! | `reload` | SIGHUP: certificates, the log level, a broken file |
//! | `live` | SIGHUP: limits, networks, tokens, minimum grades |
//! | `upstreams` | an upstream that wants a certificate and a token of us |
//! | `guarded` | such a node, and whoever gives such tokens |
//! | `minimum` | answers below the wanted grade |

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "door/access.rs"]
mod access;
#[path = "door/certificates.rs"]
mod certificates;
#[path = "door/check.rs"]
mod check;
#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "door/guarded.rs"]
mod guarded;
#[path = "door/issuer.rs"]
mod issuer;
#[path = "door/live.rs"]
mod live;
#[path = "door/minimum.rs"]
mod minimum;
#[path = "door/mistakes.rs"]
mod mistakes;
#[path = "door/reload.rs"]
mod reload;
#[path = "door/rig.rs"]
mod rig;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;
#[path = "door/tokens.rs"]
mod tokens;
#[path = "door/upstreams.rs"]
mod upstreams;
