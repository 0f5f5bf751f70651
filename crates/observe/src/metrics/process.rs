//! What the system says of the process.

use std::{fs, sync::LazyLock};

use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};
use tokio::runtime::Handle;

use crate::status::ProcessStatus;

/// The limits as `/proc` writes them: name, soft limit, hard limit.
const FDS: &str = "Max open files";

/// Read once: the machine's own start moves when its clock is set.
static STARTED: LazyLock<f64> =
    LazyLock::new(|| start_time(&text("/proc/self/stat"), &text("/proc/stat")));

/// What the process takes now. Zeroes where there is no `/proc`, and no tasks
/// outside of a runtime.
pub fn read() -> ProcessStatus {
    // One of them is the folder that is being read.
    let open = fs::read_dir("/proc/self/fd").map_or(0, |all| all.count().saturating_sub(1));
    let tasks = Handle::try_current().map_or(0, |handle| handle.metrics().num_alive_tasks());
    ProcessStatus {
        resident_bytes: resident(&text("/proc/self/status")),
        cpu_seconds: cpu_seconds(),
        start_time: *STARTED,
        tasks: tasks as u64,
        open_fds: open as u64,
        max_fds: max_fds(&text("/proc/self/limits")),
    }
}

/// A file of the system's; empty where there is none.
fn text(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

fn cpu_seconds() -> f64 {
    let taken = clock_gettime(ClockId::ProcessCPUTime);
    taken.tv_sec as f64 + taken.tv_nsec as f64 / 1e9
}

/// When the process started, as a Unix time: the 22nd field of its line is in
/// clock ticks since the machine started. 0 where the two do not say.
fn start_time(process: &str, machine: &str) -> f64 {
    let booted = machine.lines().find_map(|line| line.strip_prefix("btime "));
    let booted = booted.and_then(|seconds| seconds.trim().parse::<f64>().ok());
    // The second field is a name in brackets, which may hold anything.
    let after_name = process.rsplit_once(')').map(|(_, fields)| fields);
    let ticks = after_name.and_then(|fields| fields.split_whitespace().nth(22 - 3));
    let ticks = ticks.and_then(|ticks| ticks.parse::<f64>().ok());
    match (booted, ticks) {
        (Some(booted), Some(ticks)) => booted + ticks / clock_ticks_per_second() as f64,
        _ => 0.0,
    }
}

/// `VmRSS:     1234 kB` in bytes.
fn resident(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// The soft limit; 0 when there is none.
fn max_fds(limits: &str) -> u64 {
    let line = limits.lines().find_map(|line| line.strip_prefix(FDS));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_process_knows_its_memory_and_its_descriptors() {
        if !fs::exists("/proc/self/status").unwrap_or(false) {
            eprintln!("skipped: there is no /proc here");
            return;
        }
        let file = fs::File::open("/proc/self/status").expect("it exists");
        let now = read();
        assert!(now.resident_bytes > 1 << 20, "{now:?}");
        assert!(now.open_fds > 3 && now.max_fds >= now.open_fds, "{now:?}");
        drop(file);
        let clock = SystemTime::now().duration_since(UNIX_EPOCH);
        let age = clock.expect("after 1970").as_secs_f64() - now.start_time;
        // The start of the machine is told in whole seconds.
        assert!((-1.0..86_400.0).contains(&age), "{now:?}");
        assert!(now.cpu_seconds > 0.0 && now.tasks == 0, "{now:?}");
    }

    #[tokio::test]
    async fn tasks_are_counted_while_they_live() {
        let before = read().tasks;
        let task = tokio::spawn(std::future::pending::<()>());
        assert_eq!(read().tasks, before + 1);
        task.abort();
        task.await.expect_err("it was aborted");
        assert_eq!(read().tasks, before);
    }

    #[test]
    fn the_start_is_counted_from_the_start_of_the_machine() {
        let process = "7 (a) b) S 1 7 7 0 -1 4 1 0 0 0 5 6 0 0 20 0 3 0 250 99 7";
        let ticks = clock_ticks_per_second() as f64;
        let machine = "cpu  1 2 3\nbtime 1700000000\nprocesses 5\n";
        assert_eq!(
            start_time(process, machine),
            1_700_000_000.0 + 250.0 / ticks
        );
        assert_eq!(start_time(process, "cpu 1\n"), 0.0);
        assert_eq!(start_time("7 (a", machine), 0.0);
    }

    #[test]
    fn words_that_are_no_numbers_are_zero() {
        assert_eq!(resident("VmRSS:\t  1024 kB\n"), 1 << 20);
        assert_eq!(resident("VmRSS: much\n"), 0);
        assert_eq!(max_fds("Max open files   unlimited   unlimited   files"), 0);
    }
}
