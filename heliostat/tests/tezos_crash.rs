//! `kill -9` at random moments of a Tezos daemon, one of whose nodes lies,
//! while a client reads, sends operations, and blocks are baked: no answer is
//! wrong, what was acknowledged is answered again as it was, no operation is
//! handed to a node twice, evidence of the lie stays, `verify` finds nothing,
//! and the next process needs no manual step.
//!
//! Every test prints its seed; `HELIOSTAT_SEED` takes one back, and
//! `HELIOSTAT_CRASH_ROUNDS` asks for more kills than the suite makes.
//!
//! | module | what it holds |
//! |---|---|
//! | `client` | who reads and sends, and holds the process to what it said |
//! | `running` | the daemon as a child process, and its nodes |

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "tezos_crash/client.rs"]
mod client;
#[path = "process/dice.rs"]
mod dice;
#[path = "tezos_process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;

use std::{sync::Arc, time::Duration};

use client::Client;
use dice::{next, number};
use heliostat::{cli::tezos::CHAIN, tezos::tables};
use heliostat_node::{Finding, Findings};
use heliostat_sim::tezos::Lie;
use heliostat_store::{Options, testing::PrivatePostgres};
use running::{Daemon, Nodes};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Kills of each store, unless `HELIOSTAT_CRASH_ROUNDS` says otherwise.
const ROUNDS: u64 = 20;
/// The longest a process lives before it is killed, in milliseconds.
const LIFE_MS: u64 = 300;
/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The node that lies.
const LIAR: usize = 2;
/// Blocks between the checkpoint and the head at first.
const TRUSTED: usize = 4;
/// A checkpoint is replaced after so many blocks: it is good for two cycles,
/// which have 64 blocks each here.
const CHECKPOINT_AGE: i32 = 64;
/// Proofs of a lie that are held against the store, the newest: of more than
/// 256 it drops the oldest.
const PROOFS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_a_tezos_daemon_on_sqlite_keeps_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tezos.sqlite");
    survive(&format!("sqlite:{}", file.display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_a_tezos_daemon_on_postgresql_keeps_what_it_said() {
    let Some(postgres) = PrivatePostgres::start_new() else {
        return;
    };
    survive(&postgres.url("tezos_crash")).await;
}

/// The chain, its nodes, and the store that every process is started on.
struct Stage<'a> {
    nodes: Nodes,
    store: &'a str,
    /// Level of the checkpoint, and all of it.
    checkpoint: (i32, String),
}

impl<'a> Stage<'a> {
    async fn new(store: &'a str) -> Self {
        let mut nodes = Nodes::start(LIAR + 1).await;
        // Reads go to the first of the sources file, operations to another.
        nodes.nodes.swap(0, LIAR);
        nodes.nodes[LIAR].lie(Lie::Root);
        let mut this = Self {
            nodes,
            store,
            checkpoint: (i32::MIN / 2, String::new()),
        };
        this.trust();
        this
    }

    fn trust(&mut self) {
        let head = self.nodes.network.world().head().level;
        if head - self.checkpoint.0 > CHECKPOINT_AGE {
            let level = self.nodes.network.world().checkpoint(TRUSTED).0;
            self.checkpoint = (level, self.nodes.checkpoint(TRUSTED));
        }
    }

    async fn start(&mut self) -> Daemon {
        self.trust();
        let checkpoint = &self.checkpoint.1;
        let more = ["--store", self.store, "--min-agreement", "0.6"];
        let proven = ["--checkpoint", checkpoint, "--finality", "--head", "proven"];
        Daemon::over(&self.nodes, &[&more[..], &proven].concat()).await
    }

    /// The proofs of lies in the store, read past the process.
    async fn proofs(&self) -> Vec<Arc<Finding>> {
        let tables = tables();
        let store = heliostat_store::open(self.store, CHAIN, &tables, Options::read_only());
        let findings = Findings::open(store.await.unwrap()).await.unwrap();
        let proofs = findings.evidence();
        let liar = self.nodes.nodes[LIAR].url();
        for one in &proofs {
            let is_liar = one.upstream.trim_end_matches('/') == liar;
            assert!(is_liar, "{} told the truth: {one:?}", one.upstream);
        }
        proofs
    }

    /// `heliostat tezos verify` finds nothing wrong in these proofs, or in more
    /// of them: PostgreSQL may end a commit after its client was killed.
    async fn must_verify(&self, proofs: usize, round: u64) {
        let said = self.nodes.tezos(&["--store", self.store, "verify"]).await;
        let counted = said.out.split_once("clean, ");
        let counted = counted.and_then(|(_, rest)| rest.split_once(' ')?.0.parse().ok());
        let is_clean = counted.is_some_and(|counted: usize| counted >= proofs);
        assert!(
            said.code == Some(0) && is_clean,
            "round {round}: {}{}",
            said.out,
            said.err
        );
    }
}

async fn survive(store: &str) {
    let seed = number("HELIOSTAT_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let rounds = number("HELIOSTAT_CRASH_ROUNDS").unwrap_or(ROUNDS);
    eprintln!("HELIOSTAT_SEED={seed} HELIOSTAT_CRASH_ROUNDS={rounds}");
    let mut chance = seed;
    let mut stage = Stage::new(store).await;
    let handles = stage.nodes.nodes.iter().map(|node| node.handle());
    let first = next(&mut chance);
    let mut client = Client::new(&stage.nodes.network, handles.collect(), first).await;
    let mut proofs = Vec::new();
    for round in 0..rounds {
        let daemon = stage.start().await;
        must_tell(&daemon, &proofs).await;
        let (url, right) = (daemon.url("rpc"), Arc::new(Notify::new()));
        let told = Arc::clone(&right);
        let meeting = tokio::spawn(async move {
            client.meet(&url, &told).await;
            client
        });
        // Some are killed while they get ready, or answer for the first time.
        if !next(&mut chance).is_multiple_of(4) && !meeting.is_finished() {
            let waited = tokio::time::timeout(PATIENCE, right.notified()).await;
            assert!(waited.is_ok(), "round {round}: no right answer");
        }
        if round == 0 {
            while stage.proofs().await.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let life = Duration::from_millis(next(&mut chance) % LIFE_MS);
        tokio::time::sleep(life).await;
        let before = stage.proofs().await;
        assert!(!meeting.is_finished(), "round {round}: ended by itself");
        drop(daemon);
        client = meeting.await.unwrap();
        proofs = stage.proofs().await;
        for one in before.iter().rev().take(PROOFS) {
            assert!(proofs.contains(one), "round {round}: {one:?} is lost");
        }
        stage.must_verify(proofs.len(), round).await;
    }
    let daemon = stage.start().await;
    must_tell(&daemon, &proofs).await;
    let settled = tokio::time::timeout(PATIENCE, async {
        let url = daemon.url("rpc");
        client.check(&url).await.unwrap();
        client.settle(&url).await
    });
    let operations = settled.await.expect("what is open is settled");
    assert_eq!(daemon.terminate(), Some(0));
    let proofs = stage.proofs().await.len();
    stage.must_verify(proofs, rounds).await;
    let (reads, repeated, cut) = (client.reads, client.repeated, client.cut);
    eprintln!(
        "{rounds} kills survived: {operations} operations acknowledged, {repeated} answered again, \
         {cut} cut off; {reads} right reads, {proofs} proofs of lies kept"
    );
    assert!(operations > 0 && repeated > 0 && proofs > 0);
}

/// The process tells every proof that was in its store.
async fn must_tell(daemon: &Daemon, proofs: &[Arc<Finding>]) {
    let url = format!("{}/evidence", daemon.url("observe"));
    let told = reqwest::get(url).await.unwrap().text().await.unwrap();
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    for one in proofs.iter().rev().take(PROOFS) {
        let is_told = told
            .iter()
            .any(|told| told["evidence"] == json!(one.evidence));
        assert!(is_told, "{one:?} is not told");
    }
}
