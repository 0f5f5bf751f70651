//! `kill -9` in the middle of commits: what was acknowledged is there, and
//! nothing is there by half.

#![allow(
    clippy::unwrap_used,
    reason = "the whole file is a test, its helpers included"
)]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use heliostat_store::{
    Batch, Direction, Options, Store, StoreError, Table, open, testing::PrivatePostgres,
};

const ROWS: Table = Table("rows");
const COUNT: Table = Table("counts");
const TABLES: &[Table] = &[ROWS, COUNT];
/// Names the address in the environment of the child, which is this test
/// again.
const CHILD: &str = "HELIOSTAT_STORE_CRASH_CHILD";
/// How many rounds remain: each commit adds one and removes the oldest.
const KEPT: u64 = 20;
const NAMESPACE: &str = "crash";

fn value(round: u64) -> Vec<u8> {
    let length = if round.is_multiple_of(3) {
        200_000
    } else {
        100
    };
    (0..length).map(|i| (i as u64 ^ round) as u8).collect()
}

fn batch(round: u64) -> Batch {
    let mut batch = Batch::new();
    for half in 0..2 {
        let key = [round.to_be_bytes().to_vec(), vec![half]].concat();
        batch.put(ROWS, key, value(round));
    }
    let oldest = (round + 1).saturating_sub(KEPT).to_be_bytes().to_vec();
    batch.delete_range(ROWS, Vec::new(), oldest);
    batch.put(COUNT, &b"newest"[..], round.to_be_bytes().to_vec());
    batch
}

async fn open_at(address: &str) -> Arc<dyn Store> {
    let opened = open(address, NAMESPACE, TABLES, Options::default()).await;
    opened.unwrap_or_else(|error| panic!("{error}"))
}

async fn newest(store: &Arc<dyn Store>) -> Result<Option<u64>, StoreError> {
    let found = store.get(COUNT, b"newest").await?;
    Ok(found.map(|bytes| u64::from_be_bytes(bytes[..].try_into().unwrap())))
}

/// Checks that exactly the last rounds are there, whole.
async fn check(store: &Arc<dyn Store>, acknowledged: Option<u64>) -> Option<u64> {
    let newest = newest(store).await.unwrap();
    assert!(
        newest >= acknowledged,
        "{acknowledged:?} was acknowledged, {newest:?} is there"
    );
    let view = store.snapshot().await.unwrap();
    let rows = view
        .range(
            ROWS,
            Vec::new()..vec![0xff; 9],
            Direction::Forward,
            usize::MAX,
        )
        .await
        .unwrap();
    let expected: Vec<_> = match newest {
        Some(newest) => ((newest + 1).saturating_sub(KEPT)..=newest)
            .flat_map(|round| [(round, 0), (round, 1)])
            .collect(),
        None => Vec::new(),
    };
    assert_eq!(rows.len(), expected.len());
    for ((key, found), (round, half)) in rows.iter().zip(expected) {
        assert_eq!(key[..], [&round.to_be_bytes()[..], &[half]].concat());
        assert!(*found == value(round), "round {round} is damaged");
    }
    newest
}

/// Commits for ever, and says so of each on stderr.
async fn write_until_killed(address: &str) {
    let store = open_at(address).await;
    let mut round = newest(&store).await.unwrap().map_or(0, |newest| newest + 1);
    loop {
        store.commit(batch(round)).await.unwrap();
        eprintln!("committed {round}");
        round += 1;
    }
}

struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the named test of this file again as a child that writes to
/// `address`, kills it after `delay` past its first commits, and gives the
/// last round it acknowledged.
fn kill_a_writer(test: &str, address: &str, delay: Duration) -> u64 {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, address)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Writer(child);
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    let mut committed = |said: &mut Vec<String>| {
        lines.by_ref().map_while(Result::ok).find_map(|line| {
            let round = line
                .strip_prefix("committed ")
                .map(|round| round.parse().unwrap());
            said.push(line);
            round
        })
    };
    let mut last: u64 = committed(&mut said).unwrap_or_else(|| panic!("no commit: {said:?}"));
    thread::sleep(delay);
    child.0.kill().unwrap();
    while let Some(round) = committed(&mut said) {
        last = round;
    }
    last
}

async fn survives(test: &str, address: &str, rounds: u64) {
    for round in 0..rounds {
        // Odd steps, so that the kill meets every part of a commit.
        let delay = Duration::from_micros(round * 7_919 % 40_000);
        let acknowledged = kill_a_writer(test, address, delay);
        let store = open_at(address).await;
        let newest = check(&store, Some(acknowledged)).await;
        // One commit may have been durable before it could be acknowledged.
        assert!(newest <= Some(acknowledged + 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_what_a_killed_writer_committed() {
    if let Ok(address) = std::env::var(CHILD) {
        return write_until_killed(&address).await;
    }
    let home = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}/crash.sqlite", home.path().display());
    survives("sqlite_keeps_what_a_killed_writer_committed", &address, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_what_a_killed_writer_committed() {
    if let Ok(address) = std::env::var(CHILD) {
        return write_until_killed(&address).await;
    }
    let Some(server) = PrivatePostgres::start_new() else {
        return;
    };
    let address = server.url("crash");
    survives(
        "postgres_keeps_what_a_killed_writer_committed",
        &address,
        10,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_and_the_same_store_goes_on() {
    let Some(mut server) = PrivatePostgres::start_new() else {
        return;
    };
    let store = open_at(&server.url("crash")).await;
    let mut acknowledged = None;
    for round in 0..4u64 {
        let writing = store.clone();
        let writer = tokio::spawn(async move {
            let mut next = newest(&writing)
                .await
                .unwrap()
                .map_or(0, |newest| newest + 1);
            let mut last = None;
            loop {
                match writing.commit(batch(next)).await {
                    Ok(()) => last = Some(next),
                    Err(error) => return (last, error),
                }
                next += 1;
            }
        });
        tokio::time::sleep(Duration::from_millis(150 + round * 37)).await;
        match round % 2 {
            0 => server.kill(),
            _ => server.stop_immediately(),
        }
        let (last, error) = writer.await.unwrap();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        assert!(last.is_some(), "some commits came before the kill");
        let down = store.snapshot().await.err().expect("the server is down");
        assert!(matches!(down, StoreError::Unavailable { .. }), "{down}");

        server.start();
        acknowledged = last.max(acknowledged);
        check(&store, acknowledged).await;
    }
}
