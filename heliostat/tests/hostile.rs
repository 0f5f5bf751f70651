//! Heliostat between lying, broken and slow nodes on one side and a wallet on
//! the other, in one process and through its public surface: what is served
//! is the honest chain, block by block; lies are convicted, troubles are not.
//!
//! What counts as a lie is what `heliostat_zcash_verifier::convict` confirms
//! from the stored evidence alone; every test holds every finding to that.
//!
//! | module | what it holds |
//! |---|---|
//! | `stage` | a running Heliostat, and a wallet's and an operator's view of it |
//! | `cases` | every misbehaviour of the simulated node, and what is due to it |
//! | `table` | each of them beside an honest node, and alone |
//! | `liars` | several liars, lies during a reorg, lies of one node in many ways |
//! | `forks` | other chains on a network without proof-of-work |
//! | `relayed` | what cannot be checked: tree states, tree sizes; and transactions |
//! | `mainnet` | real proof-of-work with bits flipped |
//! | `memory` | endless replies, and what they cost |

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "hostile/cases.rs"]
mod cases;
#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "hostile/forks.rs"]
mod forks;
#[path = "hostile/liars.rs"]
mod liars;
#[path = "hostile/mainnet.rs"]
mod mainnet;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/relayed.rs"]
mod relayed;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;
#[path = "hostile/stage.rs"]
mod stage;
#[path = "hostile/table.rs"]
mod table;
