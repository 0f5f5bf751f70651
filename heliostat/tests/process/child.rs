//! `heliostat` as a child process that serves until it is ended.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use heliostat_observe::Status;
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that logs as JSON, and said where it listens.
pub struct Daemon {
    pub child: Child,
    /// What it logged when it had started.
    started: Value,
    log: Arc<Mutex<String>>,
}

impl Daemon {
    /// Starts a command, and waits until it listens.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut early = String::new();
        let started = lines.by_ref().map_while(Result::ok).find_map(|line| {
            early.push_str(&line);
            early.push('\n');
            let event: Value = serde_json::from_str(&line).ok()?;
            (event["message"] == "started").then_some(event)
        });
        let started = started.unwrap_or_else(|| panic!("it does not listen:\n{early}"));
        let log = Arc::new(Mutex::new(early));
        let kept = Arc::clone(&log);
        // Read on, so that the pipe never fills.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            child,
            started,
            log,
        }
    }

    /// Where it listens: `grpc`, `rpc` or `observe`.
    pub fn url(&self, socket: &str) -> String {
        format!("http://{}", self.started[socket].as_str().unwrap())
    }

    pub async fn status(&self) -> Status {
        let url = format!("{}/status", self.url("observe"));
        let reply = reqwest::get(url).await.unwrap().text().await.unwrap();
        serde_json::from_str(&reply).unwrap()
    }

    /// Waits until the status is as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let waiting = async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        match timeout(PATIENCE, waiting).await {
            Ok(status) => status,
            Err(_) => panic!("not {what}: {:#?}\n{}", self.status().await, self.logged()),
        }
    }

    /// The most memory it ever had, in bytes; `None` where the system does not
    /// say.
    pub fn most_resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes << 10)
    }

    /// What it has logged since it started.
    pub fn logged(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has these words.
    pub async fn until_logged(&self, words: &str) {
        let waiting = async {
            while !self.log.lock().unwrap().contains(words) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            panic!("not logged: {words}\n{}", self.logged());
        }
    }

    /// The HTTP status of a page of the observe address.
    pub async fn code_of(&self, path: &str) -> u16 {
        let reply = reqwest::get(format!("{}{path}", self.url("observe"))).await;
        reply.unwrap().status().as_u16()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it with SIGTERM; the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    /// `kill -9`.
    fn drop(&mut self) {
        // Already gone where a test ended it another way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
