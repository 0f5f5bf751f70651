//! `kill -9` between the receipt and the first byte, and between the last
//! byte and the reply.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use heliostat_node::{
    Outbox,
    outbox::{Carrier, Policy, Seen, Sent, Write},
    system_clock,
};
use heliostat_store::testing::PrivatePostgres;

use crate::rig::{Rig, open_at, receipts, taken, write};

/// Names the address in the environment of the child, which is this test
/// again.
const CHILD: &str = "HELIOSTAT_OUTBOX_CRASH_CHILD";

/// Says that it was called, before or after the write is out of its hands,
/// and then waits to be killed.
struct Doomed;

impl Carrier for Doomed {
    fn ways(&self) -> Vec<String> {
        vec!["a".to_owned()]
    }

    async fn submit(&self, way: &str, write: &Write) -> Sent {
        eprintln!("called {way} {}", String::from_utf8_lossy(&write.payload));
        std::future::pending().await
    }

    async fn seen(&self, _: &[u8]) -> Seen {
        Seen::No
    }
}

/// Sends one write after the other until it is killed.
async fn send_until_killed(address: &str) {
    let store = open_at(address).await;
    let clock = system_clock();
    let outbox = Outbox::open(store, Arc::new(Doomed), Policy::One, &clock);
    let outbox = Arc::new(outbox.await.unwrap());
    let name = std::env::var("HELIOSTAT_OUTBOX_CRASH_WRITE").unwrap();
    let _never = outbox.submit(write(&name)).await;
}

fn child(address: &str, test: &str, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, address)
        .env("HELIOSTAT_OUTBOX_CRASH_WRITE", name)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Each round a process of its own is killed while its upstream has the write
/// in its hands: nobody can say whether a byte of it left.
async fn survive(address: &str, test: &str, rounds: usize) {
    for round in 0..rounds {
        let name = format!("w{round}");
        let mut child = child(address, test, &name);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let called = lines
            .map_while(Result::ok)
            .any(|line| line == format!("called a {name}"));
        assert!(called, "round {round}: the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        let rig = Rig::new(open_at(address).await, Policy::One).await;
        assert_eq!(rig.count("unknown"), 1, "round {round}");
        assert_eq!(rig.kept(), round as u64 + 1, "round {round}");
        // Not elsewhere, and there only because it is asked for again.
        rig.carrier.ways(&["b"]);
        assert!(matches!(rig.submit(&name).await.sent, Sent::Unknown(_)));
        assert!(rig.carrier.calls().is_empty());
        rig.carrier.ways(&["b", "a"]);
        assert_eq!(rig.submit(&name).await.sent, taken("taken"));
        assert_eq!(rig.carrier.calls(), [format!("a {name}")]);
        let states = receipts(&rig.store).await;
        assert!(states.iter().all(|state| state == "taken"), "{states:?}");
        rig.outbox.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_cut_off_by_a_kill_is_unknown_in_sqlite() {
    if let Ok(address) = std::env::var(CHILD) {
        return send_until_killed(&address).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}/o.sqlite", folder.path().display());
    let test = "crash::a_write_cut_off_by_a_kill_is_unknown_in_sqlite";
    survive(&address, test, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_cut_off_by_a_kill_is_unknown_in_postgresql() {
    if let Ok(address) = std::env::var(CHILD) {
        return send_until_killed(&address).await;
    }
    let Some(server) = PrivatePostgres::start_new() else {
        return;
    };
    let test = "crash::a_write_cut_off_by_a_kill_is_unknown_in_postgresql";
    survive(&server.url("crash"), test, 5).await;
}
