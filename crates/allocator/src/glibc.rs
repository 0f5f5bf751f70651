//! glibc's allocator.

use std::{env, fs, thread::available_parallelism};

use crate::{ARENAS_PER_PROCESSOR, LARGE, LEAST_ARENAS, Unchanged};

/// Where an operator sets the allocator himself.
const ENVIRONMENT: [&str; 4] = [
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
];

pub fn keep_little() -> Result<(), Unchanged> {
    if ENVIRONMENT.iter().any(|name| env::var_os(name).is_some()) {
        return Err(Unchanged::SetByEnvironment);
    }
    let processors = available_parallelism().map_or(1, |number| number.get());
    let arenas = LEAST_ARENAS.max(ARENAS_PER_PROCESSOR.saturating_mul(processors));
    let settings = [
        (libc::M_MMAP_THRESHOLD, LARGE),
        // Else it would stay at 128 KiB for good, because the other is set:
        // an arena's end would be given back and taken again all the time.
        (libc::M_TRIM_THRESHOLD, LARGE),
        (libc::M_ARENA_MAX, i32::try_from(arenas).unwrap_or(i32::MAX)),
    ];
    if !is_alone() {
        return Err(Unchanged::Threads);
    }
    let done = settings.into_iter().all(|(parameter, value)| {
        // SAFETY: mallopt takes two integers and no pointer. Its condition is
        // that no other thread allocates meanwhile (mallopt(3): MT-Unsafe
        // init); this is the only one, so that no other can have begun one.
        #[allow(unsafe_code, reason = "the C library has no other door")]
        let done = unsafe { libc::mallopt(parameter, value) };
        done == 1
    });
    if done {
        Ok(())
    } else {
        Err(Unchanged::Refused)
    }
}

/// Whether this is the only thread, as far as the system says.
fn is_alone() -> bool {
    fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}
