//! What the operating system knows of a process and of itself (Linux).

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// The kernel's clock ticks per second in `/proc/PID/stat`; fixed at 100 in
/// the interface on every Linux architecture in use.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time a process has used so far, user and system, all threads.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} is gone"))?;
    // The command name, in parentheses, may contain spaces.
    let fields = stat.rsplit_once(')').context("odd /proc stat line")?.1;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// The most memory a process has had resident, in MiB.
pub fn peak_memory_mib(pid: u32) -> Result<f64> {
    status_mib(pid, "VmHWM:")
}

/// The memory a process has resident now, in MiB.
pub fn memory_mib(pid: u32) -> Result<f64> {
    status_mib(pid, "VmRSS:")
}

fn status_mib(pid: u32, field: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is gone"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .with_context(|| format!("no {field} in /proc status"))?;
    Ok(kib / 1024.0)
}

/// The load average over the last minute.
pub fn load_average() -> f64 {
    fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(f64::NAN)
}
