//! Measures what a read costs over copying the bytes:
//! `cargo run --release -p heliostat-store --example read_cost -- [ADDRESS]`
//! (default: a SQLite file in the temporary directory).
//!
//! Microseconds for each 512 KiB value: a bare copy, a positioned read from a
//! plain file into a new buffer, `Store::get`, a snapshot with one `get`, and
//! the same by eight tasks at once; then an empty hop to a thread that may
//! block, a snapshot alone, and a small value.

use std::{os::unix::fs::FileExt, sync::Arc, time::Instant};

use heliostat_store::{Batch, Options, Store, StoreError, Table, open};

const CHUNKS: Table = Table("chunks");
const CHUNK: usize = 512 * 1024;
const COUNT: u64 = 128;
const READS: u64 = 2_000;
const TASKS: u64 = 8;

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let file = std::env::temp_dir().join(format!("read-cost-{}", std::process::id()));
    let default = format!("sqlite:{}", file.display());
    let address = std::env::args().nth(1).unwrap_or(default);
    let store = open(&address, "read-cost", &[CHUNKS], Options::default()).await?;
    let value: Vec<u8> = (0..CHUNK).map(|i| (i * 31 % 251) as u8).collect();
    for i in 0..COUNT {
        let mut batch = Batch::new();
        batch.put(CHUNKS, key(i), value.clone());
        batch.put(CHUNKS, [&key(i)[..], b"small"].concat(), vec![1; 40]);
        store.commit(batch).await?;
    }
    store.settle().await?;
    bare(&value, &file.with_extension("plain"));
    for _warm in 0..2 {
        through(&store).await?;
    }
    drop(store);
    for end in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    Ok(())
}

fn key(i: u64) -> Vec<u8> {
    (i * 37 % COUNT).to_be_bytes().to_vec()
}

fn say(what: &str, reads: u64, started: Instant) {
    let each = started.elapsed().as_secs_f64() * 1e6 / reads as f64;
    println!("{what:34} {each:8.1} us");
}

fn bare(value: &[u8], plain: &std::path::Path) {
    let started = Instant::now();
    for _ in 0..READS {
        std::hint::black_box(value.to_vec());
    }
    say("copy", READS, started);
    let written = std::fs::write(plain, value.repeat(COUNT as usize));
    let file = written.and_then(|()| std::fs::File::open(plain));
    let file = file.expect("the temporary directory can be written");
    let started = Instant::now();
    for i in 0..READS {
        let mut buffer = vec![0; CHUNK];
        file.read_exact_at(&mut buffer, (i * 37 % COUNT) * CHUNK as u64)
            .expect("the file is that long");
        std::hint::black_box(buffer);
    }
    say("positioned read of a plain file", READS, started);
    let _ = std::fs::remove_file(plain);
}

async fn through(store: &Arc<dyn Store>) -> Result<(), StoreError> {
    println!("--");
    let started = Instant::now();
    for i in 0..READS {
        assert!(store.get(CHUNKS, &key(i)).await?.is_some());
    }
    say("get", READS, started);
    let started = Instant::now();
    for i in 0..READS {
        let view = store.snapshot().await?;
        assert!(view.get(CHUNKS, &key(i)).await?.is_some());
    }
    say("snapshot and get", READS, started);
    let started = Instant::now();
    let tasks = (0..TASKS).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for i in 0..READS / TASKS {
                let view = store.snapshot().await?;
                assert!(view.get(CHUNKS, &key(i * TASKS + task)).await?.is_some());
            }
            Ok::<_, StoreError>(())
        })
    });
    for done in futures::future::join_all(tasks).await {
        done.expect("no reader panics")?;
    }
    say("snapshot and get, 8 tasks", READS, started);
    let started = Instant::now();
    for _ in 0..READS {
        let _ = tokio::task::spawn_blocking(|| ()).await;
    }
    say("empty hop", READS, started);
    let started = Instant::now();
    for _ in 0..READS {
        drop(store.snapshot().await?);
    }
    say("snapshot alone", READS, started);
    let small = [&key(3)[..], b"small"].concat();
    let started = Instant::now();
    for _ in 0..READS {
        assert!(store.get(CHUNKS, &small).await?.is_some());
    }
    say("get of 40 bytes", READS, started);
    Ok(())
}
