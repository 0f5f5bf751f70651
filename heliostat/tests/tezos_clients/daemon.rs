//! `heliostat tezos` as a child process.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// A daemon on ports of its own; killed when dropped.
pub struct Daemon {
    child: Child,
    /// Where it serves a node's RPC.
    pub url: String,
}

impl Daemon {
    /// Starts it before nodes, and waits until it listens.
    pub async fn start(nodes: &[String], min_agreement: &str, threshold: u64) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
        command.arg("tezos");
        for node in nodes {
            command.args(["--endpoint", node]);
        }
        let mut child = command
            .args(["--min-agreement", min_agreement])
            .args(["--proof-of-work-threshold", &threshold.to_string()])
            .args(["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"])
            .args(["--store", "memory:", "--log-format", "json"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let started = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
            let mut early = String::new();
            let started = lines.by_ref().find_map(|line| {
                let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                early.push_str(&line);
                (event["message"] == "started").then_some(event)
            });
            // Read on, so that the pipe never fills.
            std::thread::spawn(move || lines.for_each(drop));
            started.ok_or(early)
        });
        let started = started
            .await
            .unwrap()
            .expect("the daemon says where it listens");
        let address = started["rpc"]
            .as_str()
            .or(started["listen"].as_str())
            .unwrap();
        Self {
            child,
            url: format!("http://{address}"),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
