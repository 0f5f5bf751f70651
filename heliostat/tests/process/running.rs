//! `heliostat zcash` as a child process, and what the tests ask it.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    process::Command,
};

use heliostat_sim::zcash::{Generator, GeneratorConfig};
use heliostat_zcash_proto::{ChainSpec, compact_tx_streamer_client::CompactTxStreamerClient};
use tempfile::TempDir;

use crate::child::Daemon;

/// `heliostat zcash` as a child process on ports of its own.
pub struct Process {
    daemon: Daemon,
    pub grpc: String,
    pub observe: String,
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
    pub fn of(command: Command) -> Self {
        let daemon = Daemon::of(command);
        Self {
            grpc: daemon.url("grpc"),
            observe: daemon.url("observe"),
            daemon,
        }
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

    /// Ends it with SIGTERM; the exit code.
    pub fn terminate(self) -> Option<i32> {
        self.daemon.terminate()
    }
}

impl Deref for Process {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
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
