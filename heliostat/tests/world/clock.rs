//! A clock of the process's own: Debian's `libfaketime`, which adds to what
//! the system says. Only the wall clock is moved; time-outs run on another.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use tempfile::TempDir;

/// Names the library where it is elsewhere.
const VARIABLE: &str = "HELIOSTAT_FAKETIME";
/// Where Debian has it.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

fn library() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return Some(path.into());
    }
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut candidates = folders.map(|folder| folder.path().join(LIBRARY));
    candidates.find(|path| path.is_file())
}

/// Seconds since 1970 by the machine's clock.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

/// The clock of one process, or of some.
pub struct Clock {
    library: PathBuf,
    folder: TempDir,
    /// What it is ahead of the machine's while it is right.
    ahead: i64,
}

impl Clock {
    /// A clock that shows `right`, in seconds since 1970, and goes on from
    /// there. `None`, with a line on stderr, where clocks cannot be moved.
    pub fn showing(right: i64) -> Option<Self> {
        let Some(library) = library() else {
            eprintln!("skipped: there is no libfaketime; {VARIABLE} names one elsewhere");
            return None;
        };
        let clock = Self {
            library,
            folder: tempfile::tempdir().unwrap(),
            ahead: right - now(),
        };
        clock.jump(0);
        Some(clock)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// Sets it this many seconds off what is right.
    pub fn jump(&self, seconds: i64) {
        // In one go: it is read at every look at the clock.
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{:+}\n", self.ahead + seconds)).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    /// `heliostat`, with this clock.
    pub fn heliostat(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
        command
            .args(args)
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.file())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            // Files keep their times.
            .env("NO_FAKE_STAT", "1");
        command
    }
}
