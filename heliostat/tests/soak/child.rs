//! The node under soak: this test once more, as a process of its own, that
//! tells its tasks every quarter of a second.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use heliostat::{config::Config, node};
use tokio::{runtime::Handle, time::sleep};

use crate::upstreams::Upstreams;

/// Names the configuration file in the environment of the child.
const CHILD: &str = "HELIOSTAT_SOAK_CHILD";
/// What the names of the store's files begin with.
const STORE: &str = "soak.sqlite";
/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(100);

/// What the process takes at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at: Duration,
    /// Resident, in bytes.
    pub memory: u64,
    pub tasks: u64,
    /// Descriptors, without those of the store's files.
    pub descriptors: u64,
    pub store_files: u64,
}

/// Runs the node if this process is the child; never returns then, but by a
/// signal or when its parent has gone.
pub async fn is_child() -> bool {
    let Ok(path) = std::env::var(CHILD) else {
        return false;
    };
    let text = fs::read_to_string(path).unwrap();
    let config = Config::parse(&text, "the soak's configuration").unwrap();
    let running = node::start(config).await.unwrap();
    eprintln!("serves {}", running.grpc_addr());
    let gone = tokio::task::spawn_blocking(|| {
        let mut nothing = String::new();
        let _ended = std::io::stdin().read_line(&mut nothing);
    });
    let telling = async {
        loop {
            eprintln!("tasks {}", Handle::current().metrics().num_alive_tasks());
            sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::select! {
        () = telling => {}
        _ = gone => {}
    }
    running.shutdown().await.unwrap();
    eprintln!("ended");
    true
}

/// The child, seen from outside.
pub struct Node {
    child: Child,
    address: String,
    tasks: Arc<AtomicU64>,
}

impl Node {
    pub async fn start(test: &str, upstreams: &Upstreams, folder: &Path) -> Self {
        let mut text = format!(
            "[door]\n[store]\naddress = 'sqlite:{}/{STORE}'\n[observe]\nlisten = '127.0.0.1:0'\n\
             [chain.zcash]\nledger = 'zcash'\nlisten = '127.0.0.1:0'\nnetwork = 'regtest'\n",
            folder.display()
        );
        for url in upstreams.urls() {
            text.push_str(&format!("[[chain.zcash.upstream]]\nurl = '{url}'\n"));
        }
        let config = folder.join("soak.toml");
        fs::write(&config, text).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(CHILD, &config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("serves ").map(str::to_owned));
        let address = address.expect("the child says where it serves");
        let tasks = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&tasks);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                match line.strip_prefix("tasks ").map(str::parse) {
                    Some(Ok(number)) => told.store(number, Relaxed),
                    _ => eprintln!("child: {line}"),
                }
            }
        });
        Self {
            child,
            address,
            tasks,
        }
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.address.parse().unwrap()
    }

    pub fn grpc(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until it has the chain, whatever its upstreams do.
    pub async fn ready(&self) {
        let ready = async {
            let client = crate::wallets::connect(&self.grpc()).await;
            while crate::wallets::height(&mut client.clone()).await < crate::stage::BLOCKS {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, ready).await;
        waited.expect("the chain is followed among liars");
    }

    pub fn must_live(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended by itself: {ended:?}");
    }

    /// What it takes now; memory is 0 where there is no `/proc`.
    pub fn sample(&self, at: Duration) -> Sample {
        let folder = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|line| line.split_whitespace().next());
        let kilobytes: u64 = resident.and_then(|text| text.parse().ok()).unwrap_or(0);
        let open = fs::read_dir(format!("{folder}/fd")).into_iter().flatten();
        // One that is closed meanwhile has no path.
        let paths = open.filter_map(|open| fs::read_link(open.ok()?.path()).ok());
        let is_store = |path: &PathBuf| path.to_string_lossy().contains(STORE);
        let (store_files, others): (Vec<_>, Vec<_>) = paths.partition(is_store);
        Sample {
            at,
            memory: kilobytes << 10,
            tasks: self.tasks.load(Relaxed),
            descriptors: others.len() as u64,
            store_files: store_files.len() as u64,
        }
    }

    /// Ends it in good order.
    pub async fn end(mut self) {
        drop(self.child.stdin.take());
        let waiting = async {
            loop {
                if let Some(ended) = self.child.try_wait().unwrap() {
                    return ended;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(ended.expect("it stops").success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Already gone where it ended in good order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
