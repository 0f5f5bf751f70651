//! What the world does to a running process: the machine's clock jumps, its
//! disk fills up or is made read-only by the kernel. Reads go on, `/readyz`
//! says why, and nobody has to do anything afterwards but mend the world.
//!
//! | module | what it holds |
//! |---|---|
//! | `clock` | a clock of the process's own, which jumps when told to |
//! | `jumps` | heads, receipts and blocks over jumps of the clock |
//! | `credentials` | certificates and tokens over jumps of the clock |
//! | `disk` | small file systems that fill up and turn read-only |
//! | `disks` | stores on them |
//! | `running`, `daemon` | the process as a child, Zcash's and Tezos's |

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "world/clock.rs"]
mod clock;
#[path = "world/credentials.rs"]
mod credentials;
#[path = "tezos_process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod daemon;
#[path = "process/disk.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod disk;
#[path = "world/disks.rs"]
mod disks;
#[path = "door/issuer.rs"]
mod issuer;
#[path = "world/jumps.rs"]
mod jumps;
#[path = "door/rig.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod rig;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;
