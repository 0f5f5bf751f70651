//! `heliostat zcash` as a child process, and what the tests ask it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use heliostat_observe::Status;
use heliostat_sim::zcash::{Generator, GeneratorConfig};
use heliostat_zcash_proto::{ChainSpec, compact_tx_streamer_client::CompactTxStreamerClient};
use tempfile::TempDir;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// `heliostat zcash` as a child process on ports of its own.
pub struct Process {
    pub child: Child,
    pub grpc: String,
    pub observe: String,
    log: Arc<Mutex<String>>,
}

impl Process {
    /// Starts it and reads its addresses from the log.
    pub fn start(args: &[&str]) -> Self {
        Self::start_in(args, &[])
    }

    /// The same, with more in its environment.
    pub fn start_in(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let addresses = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
        command
            .arg("zcash")
            .args(args)
            .args(addresses)
            .args(["--log-format", "json"])
            .envs(environment.iter().copied());
        Self::of(command)
    }

    /// `heliostat run` with a file, which has to ask for JSON logs and for
    /// ports that the system chooses.
    pub fn run(file: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
        command.arg("run").arg("--config").arg(file);
        Self::of(command)
    }

    /// Starts a command and reads its addresses from the log.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut early = String::new();
        let started = lines.by_ref().map_while(Result::ok).find_map(|line| {
            early.push_str(&line);
            early.push('\n');
            let event: serde_json::Value = serde_json::from_str(&line).ok()?;
            (event["message"] == "started").then_some(event)
        });
        let started = started.expect("the process says where it listens");
        let log = Arc::new(Mutex::new(early));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let url = |field: &str| format!("http://{}", started[field].as_str().unwrap());
        Self {
            grpc: url("grpc"),
            observe: url("observe"),
            child,
            log,
        }
    }

    pub async fn status(&self) -> Status {
        let url = format!("{}/status", self.observe);
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
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(status) => status,
            Err(_) => panic!(
                "not {what}: {:#?}\n{}",
                self.status().await,
                self.log.lock().unwrap()
            ),
        }
    }

    /// What it has logged since it started.
    pub fn logged(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has these words.
    pub async fn until_logged(&self, words: &str) {
        let waiting = async {
            while !self.log.lock().unwrap().contains(words) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("not logged: {words}\n{}", self.log.lock().unwrap());
        }
    }

    pub async fn code_of(&self, path: &str) -> u16 {
        let reply = reqwest::get(format!("{}{path}", self.observe)).await;
        reply.unwrap().status().as_u16()
    }

    pub async fn client(&self) -> CompactTxStreamerClient<tonic::transport::Channel> {
        CompactTxStreamerClient::connect(self.grpc.clone())
            .await
            .unwrap()
    }

    /// The newest height it serves.
    pub async fn served_height(&self) -> u64 {
        let latest = self.client().await.get_latest_block(ChainSpec {}).await;
        latest.unwrap().into_inner().height
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

impl Drop for Process {
    /// `kill -9`.
    fn drop(&mut self) {
        // Already gone where a test ended it another way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end: its exit code, and all it said.
pub fn heliostat(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(args)
        .output()
        .unwrap();
    let words = [&output.stdout, &output.stderr].map(|out| String::from_utf8_lossy(out));
    (output.status.code(), words.concat())
}

/// The store of a test, in its folder.
pub fn store(folder: &TempDir) -> String {
    format!("sqlite:{}/zcash.sqlite", folder.path().display())
}

/// The chain every test follows.
pub fn chain(blocks: u64) -> Generator {
    Generator::new(GeneratorConfig::new(7, blocks))
}
