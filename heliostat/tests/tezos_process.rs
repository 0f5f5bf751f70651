//! Tezos as an operator meets it: the quick start, its verbs, the daemon,
//! `check`, `status`, `verify` and `verify-evidence`, over simulated nodes.
//!
//! | module | what it holds |
//! |---|---|
//! | `running` | commands and daemons as child processes |
//! | `once` | the verbs, in the manner of `octez-client` |
//! | `words` | Octez's limits and error texts |
//! | `daemon` | the served RPC, beside a Zcash chain too |
//! | `broadcast` | operations that go to several nodes |
//! | `check` | what an operator is told of each node |
//! | `evidence` | lies, kept and checked again |

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "tezos_process/broadcast.rs"]
mod broadcast;
#[path = "tezos_process/check.rs"]
mod check;
#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "tezos_process/daemon.rs"]
mod daemon;
#[path = "tezos_process/evidence.rs"]
mod evidence;
#[path = "tezos_process/once.rs"]
mod once;
#[path = "tezos_process/running.rs"]
mod running;
#[path = "tezos_process/words.rs"]
mod words;

#[test]
fn the_demo_shows_what_it_claims_and_exits_0() {
    let said = running::heliostat(&[
        "demo",
        "tezos",
        "--once",
        "--seed",
        "7",
        "--listen",
        "127.0.0.1:0",
        "--observe",
        "127.0.0.1:0",
    ]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for claim in [
        "← forged",
        "at level 652, graded `proven`",
        "its absence is proven",
        "was caught: tezos.state-root",
        "evidence: answer as sent",
        "convicts again offline",
        "HTTP 503, heliostat.no_agreement",
        "All of it was true",
    ] {
        assert!(
            said.out.contains(claim),
            "{claim:?} is not in:\n{}",
            said.out
        );
    }
}
