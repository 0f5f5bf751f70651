//! The node under soak: the program, as a process of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use crate::{octez::Octez, running::Process, upstreams::Upstreams};

/// What the names of the stores' files have in them.
const STORE: &str = ".sqlite";
/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(100);

/// What the process takes at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at: Duration,
    /// Resident, in bytes.
    pub memory: u64,
    /// The most that was ever resident, in bytes: samples miss a burst.
    pub most: u64,
    pub tasks: u64,
    /// Descriptors, without those of the store's files.
    pub descriptors: u64,
    pub store_files: u64,
}

/// The process, seen from outside.
pub struct Node(Process);

impl Node {
    pub fn start(upstreams: &Upstreams, octez: &Octez, folder: &Path) -> Self {
        let mut text = format!(
            "[door]\n[store]\naddress = 'sqlite:{}/{{chain}}{STORE}'\n\
             [observe]\nlisten = '127.0.0.1:0'\nlog-format = 'json'\n\
             [chain.zcash]\nledger = 'zcash'\nlisten = '127.0.0.1:0'\nnetwork = 'regtest'\n",
            folder.display()
        );
        for url in upstreams.urls() {
            text.push_str(&format!("[[chain.zcash.upstream]]\nurl = '{url}'\n"));
        }
        text.push_str(&octez.table());
        let config = folder.join("soak.toml");
        fs::write(&config, text).unwrap();
        Self(Process::run(&config))
    }

    /// Where the Zcash chain is served.
    pub fn grpc(&self) -> String {
        self.0.grpc.clone()
    }

    /// Where the Tezos chain is served.
    pub fn rpc(&self) -> String {
        self.0.url("rpc")
    }

    /// Waits until it has the chain, whatever its upstreams do.
    pub async fn ready(&self) {
        let ready = async {
            let client = crate::wallets::connect(&self.grpc()).await;
            while crate::wallets::height(&mut client.clone()).await < crate::stage::BLOCKS {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = timeout(PATIENCE, ready).await;
        waited.expect("the chain is followed among liars");
    }

    pub fn must_live(&mut self) {
        let ended = self.0.child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended by itself: {ended:?}");
    }

    /// What it takes now; memory is 0 where there is no `/proc`.
    pub async fn sample(&self, at: Duration) -> Sample {
        let process = self.0.status().await.process;
        // As the system tells them, which knows which are the store's. One
        // that is closed meanwhile has no path.
        let folder = format!("/proc/{}/fd", self.0.child.id());
        let open = fs::read_dir(folder).into_iter().flatten();
        let paths = open.filter_map(|open| fs::read_link(open.ok()?.path()).ok());
        let is_store = |path: &PathBuf| path.to_string_lossy().contains(STORE);
        let (store_files, others): (Vec<_>, Vec<_>) = paths.partition(is_store);
        Sample {
            at,
            memory: process.resident_bytes,
            most: self.0.most_resident().unwrap_or(0),
            tasks: process.tasks,
            descriptors: others.len() as u64,
            store_files: store_files.len() as u64,
        }
    }

    /// Ends it in good order.
    pub async fn end(self) {
        let ended = tokio::task::spawn_blocking(|| self.0.terminate());
        let code = timeout(PATIENCE, ended).await.expect("it stops").unwrap();
        assert_eq!(code, Some(0));
    }
}
