//! What the allocator of the C library keeps of freed memory.
//!
//! glibc takes large blocks from the system by `mmap` and gives them back when
//! they are freed. What counts as large begins at 128 KiB and rises to the
//! size of the largest such block that was freed, up to 32 MiB (mallopt(3),
//! `M_MMAP_THRESHOLD`). So one burst of large answers makes all later ones
//! come from the arenas, of which there are up to eight a processor, and
//! there a small block that was put behind them keeps them resident: a
//! server's memory grows for hours. Here the limit stays where it is put, and
//! there are fewer arenas. What that is worth is in `bench/README.md`.
//!
//! Other C libraries are left as they are.

use std::{fmt, sync::OnceLock};

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc;

/// From this size on, in bytes, a freed block goes back to the system, and an
/// arena's free end too. Above the chunks of blocks that a replica reads and
/// serves all the time, which are of a quarter of this: a block from the
/// system costs a page fault for every 4 KiB.
pub const LARGE: i32 = 1 << 20;

/// Arenas for each processor. With one, threads wait for each other: two on two
/// processors left 64 connections 0.73 of the rate, four all of it.
pub const ARENAS_PER_PROCESSOR: usize = 2;

/// Arenas there may be on any machine.
pub const LEAST_ARENAS: usize = 4;

/// What the first [`keep_little`] came to.
static OUTCOME: OnceLock<Result<(), Unchanged>> = OnceLock::new();

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// The C library is another one.
    NotGlibc,
    /// The environment has settings of the allocator; they stay in force.
    SetByEnvironment,
    /// The process may have more than one thread already.
    Threads,
    /// The allocator refused.
    Refused,
}

impl fmt::Display for Unchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotGlibc => "the C library is not glibc",
            Self::SetByEnvironment => "the environment has settings of it",
            Self::Threads => "the process had more than one thread",
            Self::Refused => "it refused",
        })
    }
}

/// Makes the allocator keep little of what is freed, for as long as the
/// process lives. To be called first of all in `main`: it changes nothing
/// once there is a second thread.
///
/// # Errors
/// Why nothing was changed. The process works all the same.
pub fn keep_little() -> Result<(), Unchanged> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    let outcome = glibc::keep_little();
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let outcome = Err(Unchanged::NotGlibc);
    // The first call counts: later ones come when there are threads.
    let _ = OUTCOME.set(outcome);
    outcome
}

/// What the first [`keep_little`] came to; `None` before it.
pub fn outcome() -> Option<Result<(), Unchanged>> {
    OUTCOME.get().copied()
}
