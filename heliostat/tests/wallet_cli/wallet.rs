//! zingo-cli as a person runs it: one command at a time.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    process::{Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::process::Command;

/// How long a synchronisation may take. The chains here need about a second.
const SYNC_PATIENCE: Duration = Duration::from_secs(30);

/// How often a synchronisation that does not end is started again.
///
/// zingo-cli 0.5.0 sometimes (in about one run of thirty) stops asking its
/// server for anything, with every answer it asked for complete, and waits
/// for itself. A second run goes on from what the first one saved.
const SYNC_ATTEMPTS: usize = 6;

/// How long proving and sending a transaction may take.
const SEND_PATIENCE: Duration = Duration::from_secs(300);

/// The wallet's file in its folder.
const FILE: &str = "zingo-wallet.dat";

/// One wallet in a folder of its own.
pub struct Wallet {
    program: OsString,
    /// `http://127.0.0.1:port`: the only address it is ever given.
    server: String,
    /// Words to restore from, where it is not a new one.
    words: Option<String>,
    folder: TempDir,
}

impl Wallet {
    /// The program that `HELIOSTAT_ZINGO_CLI` names.
    pub fn program() -> Option<OsString> {
        env::var_os("HELIOSTAT_ZINGO_CLI")
    }

    /// A new wallet. Its file is made by the first [`Wallet::synced`], since
    /// the program keeps for ever whether the run that made it was to end
    /// when synchronised.
    pub fn new(program: OsString, server: &str) -> Self {
        Self {
            program,
            server: server.to_owned(),
            words: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Another wallet of the same words, that knows nothing else.
    pub async fn restored(&self) -> Self {
        let shown = self.offline(&["recovery_info"]).await;
        let words = shown
            .lines()
            .find_map(|line| line.trim().strip_prefix("seed phrase: "))
            .expect("the wallet tells its words");
        Self {
            words: Some(words.to_owned()),
            ..Self::new(self.program.clone(), &self.server)
        }
    }

    /// Runs a command that needs no server.
    pub async fn offline(&self, command: &[&str]) -> String {
        let run = self.run(&["--offline"], command, SYNC_PATIENCE).await;
        successful(command, &run.expect("a command without a server ends"))
    }

    /// Synchronises to the server's tip, then runs a command.
    pub async fn synced(&self, command: &[&str]) -> String {
        for attempt in 1..=SYNC_ATTEMPTS {
            let options = ["--server", &self.server, "--waitsync"];
            if let Some(output) = self.run(&options, command, SYNC_PATIENCE).await {
                return successful(command, &output);
            }
            eprintln!("wallet: synchronisation {attempt} did not end; started again");
        }
        panic!("the wallet did not synchronise in {SYNC_ATTEMPTS} attempts");
    }

    /// Runs a command that needs the server, but no synchronisation. Never
    /// repeated: it may have sent something.
    pub async fn online(&self, command: &[&str]) -> String {
        let options = ["--server", &self.server, "--nosync"];
        let run = self.run(&options, command, SEND_PATIENCE).await;
        successful(
            command,
            &run.unwrap_or_else(|| panic!("{command:?} did not end")),
        )
    }

    /// `None` where it did not end in time; it is killed then.
    async fn run(&self, options: &[&str], command: &[&str], patience: Duration) -> Option<Output> {
        let folder = self.folder.path();
        let mut process = Command::new(&self.program);
        process
            .args(["--chain", "regtest", "--data-dir"])
            .arg(folder)
            // A build that would go through a mixnet fails for want of it,
            // instead of talking to other hosts.
            .arg("--nym-proxy")
            .arg(folder.join("no-mixnet"))
            .args(options);
        if let Some(words) = &self.words
            && !folder.join(FILE).exists()
        {
            process.env("ZINGO_SEED", words).args(["--birthday", "1"]);
        }
        let running = process
            .args(command)
            .current_dir(folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let ended = tokio::time::timeout(patience, running).await.ok()?;
        Some(ended.expect("HELIOSTAT_ZINGO_CLI names a program that starts"))
    }

    /// Its first transparent address.
    pub async fn address(&self) -> String {
        let shown = self.offline(&["t_addresses"]).await;
        let addresses: serde_json::Value = serde_json::from_str(&shown).unwrap();
        addresses[0]["encoded_address"].as_str().unwrap().to_owned()
    }

    /// The height of the chain as it knows it, without asking.
    pub async fn height(&self) -> u64 {
        let shown = self.offline(&["height"]).await;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown["height"].as_u64().unwrap()
    }

    /// Synchronises, then says what it holds.
    pub async fn balance(&self) -> Balance {
        Balance::read(&self.synced(&["balance"]).await)
    }

    /// Moves everything transparent into the newest shielded pool; the
    /// transaction's id in display order.
    pub async fn shield(&self) -> String {
        let shown = self.online(&["quickshield"]).await;
        let sent: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(sent["txids"].as_array().map(Vec::len), Some(1), "{shown}");
        sent["txids"][0].as_str().unwrap().to_owned()
    }
}

/// What it printed; anything that went wrong fails the test. The program
/// exits 0 where the synchronisation before a command failed.
fn successful(command: &[&str], output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    let failed = words
        .lines()
        .any(|line| line.to_lowercase().starts_with("error"));
    assert!(
        output.status.success() && !failed,
        "{command:?}: {}\n{words}",
        output.status
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What the wallet holds, in zatoshi.
#[derive(Debug, PartialEq, Eq)]
pub struct Balance {
    /// By name as printed: `confirmed_ironwood_balance` and so on.
    parts: BTreeMap<String, u64>,
}

impl Balance {
    /// Reads lines such as `total_sapling_balance: 1_000`.
    fn read(shown: &str) -> Self {
        let part = |line: &str| {
            let (name, amount) = line.trim().split_once(": ")?;
            let amount = amount.replace('_', "").parse().ok()?;
            Some((name.to_owned(), amount))
        };
        Self {
            parts: shown.lines().filter_map(part).collect(),
        }
    }

    /// What is in a pool and in a block.
    pub fn confirmed(&self, pool: &str) -> u64 {
        self.parts[&format!("confirmed_{pool}_balance")]
    }

    /// What is in a pool and not yet in a block.
    pub fn unconfirmed(&self, pool: &str) -> u64 {
        self.parts[&format!("unconfirmed_{pool}_balance")]
    }

    /// Everything of everything.
    pub fn total(&self) -> u64 {
        let totals = self
            .parts
            .iter()
            .filter(|(name, _)| name.starts_with("total_"));
        totals.map(|(_, amount)| amount).sum()
    }
}
