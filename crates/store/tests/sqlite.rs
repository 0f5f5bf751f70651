//! What is particular to the engine in one file.

#![allow(
    clippy::unwrap_used,
    reason = "the whole file is a test, its helpers included"
)]

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use heliostat_store::{Access, Batch, Options, Store, StoreError, Table, defaults, open};
use tempfile::TempDir;

const T: Table = Table("blocks");
const TABLES: &[Table] = &[T];
/// Names the file in the environment of a child, which is the same test again.
const CHILD: &str = "HELIOSTAT_STORE_SQLITE_CHILD";

fn at(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

fn place() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("chain.sqlite");
    (home, path)
}

async fn try_open(path: &Path, options: Options) -> Result<Arc<dyn Store>, StoreError> {
    open(&at(path), "main", TABLES, options).await
}

async fn write(path: &Path) -> Arc<dyn Store> {
    let opened = try_open(path, Options::default()).await;
    opened.unwrap_or_else(|error| panic!("{error}"))
}

async fn refusal(path: &Path, options: Options) -> StoreError {
    try_open(path, options)
        .await
        .err()
        .expect("it must be refused")
}

fn one(key: u32, value: Vec<u8>) -> Batch {
    let mut batch = Batch::new();
    batch.put(T, key.to_be_bytes().to_vec(), value);
    batch
}

#[tokio::test]
async fn a_second_writer_is_refused_and_readers_are_not() {
    let (_home, path) = place();
    let unwritten = refusal(&path, Options::read_only()).await;
    assert!(
        unwritten.to_string().contains("start the writing process"),
        "{unwritten}"
    );

    let writer = write(&path).await;
    let second = refusal(&path, Options::default()).await;
    assert!(matches!(second, StoreError::ReadOnly { .. }), "{second}");
    let holder = format!("another process (process {})", std::process::id());
    assert!(second.to_string().contains(&holder), "{second}");

    let reader = try_open(&path, Options::read_only()).await.unwrap();
    writer.commit(one(1, vec![1; 9])).await.unwrap();
    assert!(reader.get(T, &1u32.to_be_bytes()).await.unwrap().is_some());
    let refused = reader.commit(one(2, vec![2])).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");

    drop(writer);
    write(&path).await.commit(one(2, vec![2])).await.unwrap();
    assert!(reader.get(T, &2u32.to_be_bytes()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_version_1_file_opens() {
    let (_home, path) = place();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-1.sqlite");
    fs::copy(fixture, &path).unwrap();
    let store = write(&path).await;
    let small = store.get(T, &1u32.to_be_bytes()).await.unwrap();
    assert_eq!(small.as_deref(), Some(&b"written by schema version 1"[..]));
    let large = store.get(T, &2u32.to_be_bytes()).await.unwrap();
    assert_eq!(large.as_deref(), Some(&[0x5a; 5000][..]));
    store.commit(one(2, vec![3])).await.unwrap();
    let large = store.get(T, &2u32.to_be_bytes()).await.unwrap();
    assert_eq!(large.as_deref(), Some(&[3][..]));
}

#[tokio::test]
async fn files_of_others_and_of_newer_releases_are_refused_unchanged() {
    let cases = [
        ("CREATE TABLE recipes(name TEXT)", "another program"),
        (
            "CREATE TABLE heliostat_schema(version INTEGER NOT NULL);
             INSERT INTO heliostat_schema VALUES (1000)",
            "newer release",
        ),
    ];
    for (content, words) in cases {
        for access in [Access::Write, Access::Read] {
            let (_home, path) = place();
            let other = rusqlite::Connection::open(&path).unwrap();
            other.execute_batch(content).unwrap();
            let options = Options {
                access,
                ..Options::default()
            };
            let refused = refusal(&path, options).await;
            assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
            assert!(refused.to_string().contains(words), "{refused}");
            let tables: i64 = other
                .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
                .unwrap();
            assert_eq!(tables, 1);
        }
    }
    let (_home, path) = place();
    fs::write(&path, vec![b'x'; 5000]).unwrap();
    let refused = refusal(&path, Options::default()).await;
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
    let (home, _) = place();
    let refused = refusal(home.path(), Options::default()).await;
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn replaced_and_removed_large_values_leave_no_orphan() {
    let (_home, path) = place();
    let store = write(&path).await;
    for key in 0..9 {
        store.commit(one(key, vec![1; 10_000])).await.unwrap();
    }
    let mut batch = one(0, vec![2; 20_000]);
    batch.put(T, 1u32.to_be_bytes().to_vec(), vec![2]);
    batch.delete(T, 2u32.to_be_bytes().to_vec());
    batch.delete_range(T, 3u32.to_be_bytes().to_vec(), 7u32.to_be_bytes().to_vec());
    store.commit(batch).await.unwrap();
    let inside = rusqlite::Connection::open(&path).unwrap();
    let count = |text| {
        inside
            .query_row(text, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(count("SELECT count(*) FROM blocks"), 4);
    assert_eq!(count("SELECT count(*) FROM heliostat_large"), 3);
    let checked: String = inside
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(checked, "ok");
}

/// Fills a store until it is full, and checks that it can be read then and
/// written once `make_room` has run.
async fn fills_up_and_recovers(
    path: &Path,
    options: Options,
    make_room: impl AsyncFnOnce(&Arc<dyn Store>),
) {
    let store = try_open(path, options).await.unwrap();
    let value = |key: u32| vec![key as u8; 100_000];
    let mut next = 0;
    let full = loop {
        match store.commit(one(next, value(next))).await {
            Ok(()) => next += 1,
            Err(error) => break error,
        }
        assert!(next < 1_000, "it never gets full");
    };
    assert!(matches!(full, StoreError::Full { .. }), "{full}");
    assert!(next > 10, "it was full after {next}");
    for key in 0..next {
        let found = store.get(T, &key.to_be_bytes()).await.unwrap();
        assert!(found.unwrap() == value(key));
    }
    assert!(store.get(T, &next.to_be_bytes()).await.unwrap().is_none());
    make_room(&store).await;
    store.commit(one(next, value(next))).await.unwrap();
    let found = store.get(T, &next.to_be_bytes()).await.unwrap();
    assert!(found.unwrap() == value(next));
}

#[tokio::test]
async fn a_full_file_is_read_on_and_written_again_when_rows_are_removed() {
    let (_home, path) = place();
    let options = Options {
        max_bytes: Some(3 << 20),
        ..Options::default()
    };
    fills_up_and_recovers(&path, options, async |store| {
        let mut batch = Batch::new();
        batch.delete_range(T, 0u32.to_be_bytes().to_vec(), 3u32.to_be_bytes().to_vec());
        store.commit(batch).await.unwrap();
    })
    .await;
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_read_on_and_written_again_when_there_is_room() {
    let home = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=12m", "heliostat-test"])
        .arg(home.path())
        .output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: a small file system cannot be mounted here (needs root)");
        return;
    }
    let _mounted = Mounted(home.path().to_owned());
    let filler = home.path().join("filler");
    fs::write(&filler, vec![0; 6 << 20]).unwrap();
    let path = home.path().join("chain.sqlite");
    fills_up_and_recovers(&path, Options::default(), async |_| {
        fs::remove_file(&filler).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_one_may_not_write_is_read_only_in_words() {
    if let Some(path) = std::env::var_os(CHILD) {
        let path = Path::new(&path);
        let refused = refusal(path, Options::default()).await;
        assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
        let store = try_open(path, Options::read_only()).await.unwrap();
        let found = store.get(T, &1u32.to_be_bytes()).await.unwrap();
        assert_eq!(found.as_deref(), Some(&[1; 9][..]));
        return;
    }
    let (home, path) = place();
    let store = write(&path).await;
    store.commit(one(1, vec![1; 9])).await.unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // A copy that another account may run; permissions do not bind root.
    let binary = home.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let nobody = 65_534;
    let child = Command::new(&binary)
        .args(["--exact", "a_file_one_may_not_write_is_read_only_in_words"])
        .env(CHILD, &path)
        .current_dir("/")
        .gid(nobody)
        .uid(nobody)
        .output();
    match child {
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(done.status.success(), "{said}");
            assert!(said.contains("1 passed"), "{said}");
        }
        Err(error) => eprintln!("skipped: cannot become another user ({error})"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_short_while_readers_overlap() {
    let (_home, path) = place();
    let store = write(&path).await;
    store.commit(one(0, vec![0; 9])).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for reader in 0..3 {
        let (store, done) = (store.clone(), done.clone());
        readers.push(tokio::spawn(async move {
            // Never is there a moment without an open snapshot.
            let mut held = store.snapshot().await.unwrap();
            while !done.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(3 + reader)).await;
                let next = store.snapshot().await.unwrap();
                held.get(T, &0u32.to_be_bytes()).await.unwrap();
                held = next;
            }
        }));
    }
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    let mut longest = 0;
    for round in 0..80u32 {
        store
            .commit(one(round % 4, vec![1; 4 << 20]))
            .await
            .unwrap();
        longest = longest.max(fs::metadata(&log).unwrap().len());
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    // 320 MiB went through it.
    assert!(longest < 2 * defaults::SQLITE_LOG_LIMIT, "{longest} bytes");
}

#[tokio::test]
async fn a_snapshot_that_nobody_returns_is_waited_for_only_so_long() {
    let (_home, path) = place();
    let options = Options {
        readers: 2,
        reader_wait: Duration::from_millis(50),
        ..Options::default()
    };
    let store = try_open(&path, options).await.unwrap();
    let first = store.snapshot().await.unwrap();
    let _second = store.snapshot().await.unwrap();
    let third = store.snapshot().await.err().expect("both readers are out");
    assert!(
        third.to_string().contains("all 2 readers were taken"),
        "{third}"
    );
    drop(first);
    store.snapshot().await.unwrap();
}

/// Passes time for a runtime that is paused, and lets its tasks run.
async fn pass(seconds: u64) {
    for _second in 0..seconds {
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_snapshot_that_is_kept_lets_the_log_start_over_after_its_time() {
    let (_home, path) = place();
    let writer = write(&path).await;
    writer.commit(one(0, vec![7; 9])).await.unwrap();
    // As in a process that only serves: nobody writes through this one.
    let server = try_open(&path, Options::read_only()).await.unwrap();
    let held = server.snapshot().await.unwrap();
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    let mut longest = 0;
    let mut follow = async |rounds: u32| {
        for round in 0..rounds {
            let value = vec![1; 1 << 20];
            writer.commit(one(1 + round % 4, value)).await.unwrap();
            longest = longest.max(fs::metadata(&log).unwrap().len());
        }
        longest
    };
    let grown = follow(30).await;
    assert!(grown > 20 << 20, "the snapshot keeps the log: {grown}");
    tokio::time::pause();
    let whole = held.get(T, &1u32.to_be_bytes()).await.unwrap();
    assert!(whole.is_none(), "it is as it was");
    let looks = defaults::SNAPSHOT_LIFETIME + defaults::SNAPSHOT_LOOK * 2;
    pass(looks.as_secs()).await;
    tokio::time::resume();
    let ended = held.get(T, &0u32.to_be_bytes()).await.unwrap_err();
    assert!(ended.to_string().contains("take a new one"), "{ended}");
    // The holder still has it, and the log starts over all the same.
    let length = follow(90).await;
    assert!(length < grown + (16 << 20), "{length} after {grown}");
    let again = server.get(T, &0u32.to_be_bytes()).await.unwrap();
    assert_eq!(again.as_deref(), Some(&[7; 9][..]));
}
