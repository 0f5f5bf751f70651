//! What the system says of the process.

use std::fs;

use crate::status::ProcessStatus;

/// The limits as `/proc` writes them: name, soft limit, hard limit.
const FDS: &str = "Max open files";

/// What the process takes now. Zeroes where there is no `/proc`.
pub fn read() -> ProcessStatus {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    // One of them is the folder that is being read.
    let open = fs::read_dir("/proc/self/fd").map_or(0, |all| all.count().saturating_sub(1));
    ProcessStatus {
        resident_bytes: resident(&status),
        open_fds: open as u64,
        max_fds: max_fds(&limits),
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
    }

    #[test]
    fn words_that_are_no_numbers_are_zero() {
        assert_eq!(resident("VmRSS:\t  1024 kB\n"), 1 << 20);
        assert_eq!(resident("VmRSS: much\n"), 0);
        assert_eq!(max_fds("Max open files   unlimited   unlimited   files"), 0);
    }
}
