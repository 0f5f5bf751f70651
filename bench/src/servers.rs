//! The servers that are compared, as processes of their own.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use heliostat_zcash_proto::ChainSpec;

use crate::{machine, replay::Replay, unary};

/// How long a server may take to reach the replay upstream's tip.
const SYNC_LIMIT: Duration = Duration::from_secs(900);

/// A server that asks for no block this long has all of them.
const SYNC_QUIET: Duration = Duration::from_secs(1);

/// A running server.
pub struct Server {
    /// What the tables call it.
    pub name: &'static str,
    /// Where it serves gRPC.
    pub address: String,
    child: Child,
    started: Instant,
    folder: tempfile::TempDir,
}

/// Which program, and where it is.
#[derive(Clone, Debug)]
pub struct Program {
    /// What the tables call it.
    pub name: &'static str,
    binary: PathBuf,
}

/// What an initial sync cost.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Sync {
    /// From process start to the last block being read.
    pub seconds: f64,
    /// Blocks per second over that time.
    pub blocks_per_second: f64,
    /// CPU time of the server's process.
    pub cpu_seconds: f64,
}

impl Program {
    /// Heliostat from the same build.
    pub fn heliostat() -> Result<Self> {
        let ours = env::current_exe()?.with_file_name("heliostat");
        ensure!(
            ours.exists(),
            "{} is missing; run `cargo build --release -p heliostat` first",
            ours.display()
        );
        Ok(Self {
            name: "heliostat",
            binary: ours,
        })
    }

    /// Heliostat from the same build, then the peers that the environment
    /// names: `HELIOSTAT_LIGHTWALLETD` and `HELIOSTAT_ZAINOD`.
    pub fn all() -> Result<Vec<Self>> {
        let mut programs = vec![Self::heliostat()?];
        for (name, variable) in [
            ("lightwalletd", "HELIOSTAT_LIGHTWALLETD"),
            ("zainod", "HELIOSTAT_ZAINOD"),
        ] {
            match env::var_os(variable) {
                Some(path) => programs.push(Self {
                    name,
                    binary: path.into(),
                }),
                None => eprintln!("skipped: {name}, because {variable} names no binary"),
            }
        }
        Ok(programs)
    }

    /// Starts the program over a JSON-RPC upstream at `127.0.0.1:rpc_port`,
    /// with a store of its own.
    pub fn start(&self, rpc_port: u16) -> Result<Server> {
        let folder = tempfile::tempdir()?;
        let store = format!("sqlite:{}", folder.path().join("store.sqlite").display());
        self.start_in(folder, rpc_port, &store)
    }

    /// The same over a store that stays when the server ends. Only heliostat
    /// takes one.
    pub fn start_over(&self, rpc_port: u16, store: &str) -> Result<Server> {
        self.start_in(tempfile::tempdir()?, rpc_port, store)
    }

    fn start_in(&self, folder: tempfile::TempDir, rpc_port: u16, store: &str) -> Result<Server> {
        let port = free_port()?;
        let mut command = Command::new(&self.binary);
        match self.name {
            "heliostat" => heliostat(&mut command, store, rpc_port, port)?,
            "lightwalletd" => lightwalletd(&mut command, folder.path(), rpc_port, port)?,
            _ => zainod(&mut command, folder.path(), rpc_port, port)?,
        }
        let log = fs::File::create(folder.path().join("log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        Ok(Server {
            name: self.name,
            address: format!("http://127.0.0.1:{port}"),
            child,
            started: Instant::now(),
            folder,
        })
    }
}

fn heliostat(command: &mut Command, store: &str, rpc: u16, port: u16) -> Result<()> {
    command
        .arg("zcash")
        .args(["--upstream", &format!("http://127.0.0.1:{rpc}")])
        .args(["--store", store])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--observe", &format!("127.0.0.1:{}", free_port()?)]);
    Ok(())
}

fn lightwalletd(command: &mut Command, folder: &Path, rpc: u16, port: u16) -> Result<()> {
    command
        .arg("--no-tls-very-insecure")
        .args(["--grpc-bind-addr", &format!("127.0.0.1:{port}")])
        .args(["--http-bind-addr", &format!("127.0.0.1:{}", free_port()?)])
        .args(["--rpchost", "127.0.0.1", "--rpcport", &rpc.to_string()])
        .args(["--rpcuser", "bench", "--rpcpassword", "bench"])
        .arg("--data-dir")
        .arg(folder)
        .arg("--log-file")
        .arg(folder.join("server.log"));
    Ok(())
}

fn zainod(command: &mut Command, folder: &Path, rpc: u16, port: u16) -> Result<()> {
    let config = folder.join("zainod.toml");
    fs::write(
        &config,
        format!(
            r#"backend = "rpc"
network = "Regtest"
[grpc_settings]
listen_address = "127.0.0.1:{port}"
[validator_settings]
validator_jsonrpc_listen_address = "127.0.0.1:{rpc}"
[storage.database]
path = {folder:?}
size = 4
sync_write_batch_size = 1
accumulator_rebuild_memory_size = 1
"#
        ),
    )?;
    command.arg("start").arg("--config").arg(config);
    Ok(())
}

impl Server {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// When the process was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Fails, with the last words of its log, when the process has ended.
    pub fn alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let end = log.lines().rev().take(5).collect::<Vec<_>>().join("\n");
            bail!("{} ended with {status}:\n{end}", self.name);
        }
        Ok(())
    }

    /// Waits until the server's newest block is the upstream's and it has
    /// read every block. Some servers pass `GetLatestBlock` through to the
    /// node, so the sync ends with the last `getblock` call, whoever asks.
    pub async fn sync(&mut self, replay: &mut Replay) -> Result<Sync> {
        let (mut calls, mut last_call) = (0, Instant::now());
        loop {
            self.alive()?;
            let now = replay.calls()?;
            if now > calls {
                (calls, last_call) = (now, Instant::now());
            }
            let all_read = calls >= replay.tip && last_call.elapsed() > SYNC_QUIET;
            if all_read && self.height().await == Some(replay.tip) {
                break;
            }
            ensure!(
                self.started.elapsed() < SYNC_LIMIT,
                "{} did not sync in time",
                self.name
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let seconds = last_call.duration_since(self.started).as_secs_f64();
        Ok(Sync {
            seconds,
            blocks_per_second: replay.tip as f64 / seconds,
            cpu_seconds: machine::cpu_time(self.pid())?.as_secs_f64(),
        })
    }

    /// The height of its newest block, once it answers.
    pub async fn height(&self) -> Option<u64> {
        let mut client = unary::connect(&self.address).await.ok()?;
        let reply = client.get_latest_block(ChainSpec {}).await.ok()?;
        Some(reply.into_inner().height)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The baseline server in a process of its own.
pub struct Baseline {
    child: Child,
    /// Where it serves gRPC.
    pub address: String,
}

impl Baseline {
    /// Starts `bench baseline` and waits until it has copied the blocks.
    pub async fn start(source: &str, from: u64, to: u64) -> Result<Self> {
        let port = free_port()?;
        let child = Command::new(env::current_exe()?)
            .args(["baseline", "--source", source])
            .args(["--from", &from.to_string(), "--to", &to.to_string()])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .spawn()?;
        let baseline = Self {
            child,
            address: format!("http://127.0.0.1:{port}"),
        };
        let started = Instant::now();
        while unary::connect(&baseline.address).await.is_err() {
            ensure!(
                started.elapsed() < SYNC_LIMIT,
                "the baseline did not start in time"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(baseline)
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a process that this one started.
pub fn end(child: &mut Child) {
    // Already gone is as good.
    let _ = child.kill();
    let _ = child.wait();
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
