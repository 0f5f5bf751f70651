//! Measures the SQLite layouts and page sizes this crate chose between:
//! `cargo run --release -p heliostat-store --example sqlite_layout -- [DIRECTORY]`.
//!
//! - `rowid`: `(id INTEGER PRIMARY KEY, k BLOB UNIQUE, v BLOB)`;
//! - `keyed`: `(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID`;
//! - `split`: `keyed`, with large values in a rowid table of their own.
//!
//! Columns: read of one 512 KiB value through `column_blob` and a copy, the
//! same through incremental blob I/O straight into the result, read of one
//! 40-byte value among 100,000, and a commit of 6 small rows with its fsync.

use std::{path::Path, time::Instant};

use rusqlite::{Connection, OptionalExtension, params};

type Outcome<T> = rusqlite::Result<T>;

const LARGE: usize = 512 * 1024;
const CHUNKS: u64 = 128;
const SMALL: u64 = 100_000;
const READS: u64 = 2_000;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Layout {
    Rowid,
    Keyed,
    Split,
}

fn main() -> Outcome<()> {
    let base = std::env::args().nth(1).unwrap_or_else(|| "/tmp".into());
    println!("layout  page   MiB  get512K/us  blob512K/us  small/us  commit/us");
    for layout in [Layout::Rowid, Layout::Keyed, Layout::Split] {
        for page in [4096, 16384, 65536] {
            let path = format!("{base}/layout-{}.sqlite", std::process::id());
            measure(Path::new(&path), layout, page)?;
            for end in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{path}{end}"));
            }
        }
    }
    Ok(())
}

fn measure(path: &Path, layout: Layout, page: u32) -> Outcome<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "PRAGMA page_size={page}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    ))?;
    connection.execute_batch(match layout {
        Layout::Rowid => {
            "CREATE TABLE small(id INTEGER PRIMARY KEY, k BLOB NOT NULL UNIQUE, v BLOB);
             CREATE TABLE chunks(id INTEGER PRIMARY KEY, k BLOB NOT NULL UNIQUE, v BLOB);"
        }
        Layout::Keyed => {
            "CREATE TABLE small(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID;
             CREATE TABLE chunks(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID;"
        }
        Layout::Split => {
            "CREATE TABLE small(k BLOB PRIMARY KEY, v BLOB, id INTEGER) WITHOUT ROWID;
             CREATE TABLE chunks(k BLOB PRIMARY KEY, v BLOB, id INTEGER) WITHOUT ROWID;
             CREATE TABLE large(id INTEGER PRIMARY KEY, v BLOB);"
        }
    })?;
    fill(&mut connection, layout)?;
    let (copied, blob) = read_large(&connection, layout)?;
    let small = read_small(&connection)?;
    let commit = commit_small(&mut connection)?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    let size = std::fs::metadata(path).map_or(0, |file| file.len()) >> 20;
    println!(
        "{:7} {page:5} {size:5}  {copied:10.1}  {blob:11.1}  {small:8.2}  {commit:9.0}",
        format!("{layout:?}").to_lowercase()
    );
    Ok(())
}

/// A key that looks like a hash, so that small rows arrive in random order.
fn scattered(i: u64) -> [u8; 32] {
    let mut key = [0; 32];
    for (part, place) in key.chunks_mut(8).enumerate() {
        let word = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ part as u64;
        place.copy_from_slice(&word.wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes());
    }
    key
}

fn fill(connection: &mut Connection, layout: Layout) -> Outcome<()> {
    let work = connection.transaction()?;
    for i in 0..SMALL {
        work.prepare_cached("INSERT INTO small(k, v) VALUES (?, ?)")?
            .execute(params![scattered(i), [7u8; 40]])?;
    }
    work.commit()?;
    let value: Vec<u8> = (0..LARGE).map(|i| (i * 31 % 251) as u8).collect();
    for i in 0..CHUNKS {
        let work = connection.transaction()?;
        if layout == Layout::Split {
            work.execute("INSERT INTO large(v) VALUES (?)", params![value])?;
            let id = work.last_insert_rowid();
            work.execute(
                "INSERT INTO chunks(k, id) VALUES (?, ?)",
                params![i.to_be_bytes(), id],
            )?;
        } else {
            work.execute(
                "INSERT INTO chunks(k, v) VALUES (?, ?)",
                params![i.to_be_bytes(), value],
            )?;
        }
        work.commit()?;
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn each(reads: u64, started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / reads as f64
}

fn read_large(connection: &Connection, layout: Layout) -> Outcome<(f64, f64)> {
    let by_value = match layout {
        Layout::Split => "SELECT l.v FROM chunks c JOIN large l ON l.id = c.id WHERE c.k = ?",
        _ => "SELECT v FROM chunks WHERE k = ?",
    };
    let mut copied = 0.0;
    for _warm in 0..2 {
        let started = Instant::now();
        for i in 0..READS {
            connection
                .prepare_cached(by_value)?
                .query_row([(i * 37 % CHUNKS).to_be_bytes()], |row| {
                    Ok(row.get_ref(0)?.as_blob().expect("a blob").to_vec())
                })?;
        }
        copied = each(READS, started);
    }
    let table = match layout {
        Layout::Rowid => "chunks",
        Layout::Keyed => return Ok((copied, f64::NAN)),
        Layout::Split => "large",
    };
    let started = Instant::now();
    for i in 0..READS {
        let id = connection
            .prepare_cached("SELECT id FROM chunks WHERE k = ?")?
            .query_row([(i * 37 % CHUNKS).to_be_bytes()], |row| row.get(0))?;
        let blob = connection.blob_open("main", table, "v", id, true)?;
        let mut value = vec![0; blob.len()];
        blob.read_at_exact(&mut value, 0)?;
        assert_eq!(value.len(), LARGE);
    }
    Ok((copied, each(READS, started)))
}

fn read_small(connection: &Connection) -> Outcome<f64> {
    let started = Instant::now();
    for i in 0..READS * 20 {
        let found: Option<Vec<u8>> = connection
            .prepare_cached("SELECT v FROM small WHERE k = ?")?
            .query_row([scattered(i * 7919 % SMALL)], |row| row.get(0))
            .optional()?;
        assert!(found.is_some());
    }
    Ok(each(READS * 20, started))
}

fn commit_small(connection: &mut Connection) -> Outcome<f64> {
    let started = Instant::now();
    for round in 0..100 {
        let work = connection.transaction()?;
        for i in 0..6 {
            work.prepare_cached("INSERT INTO small(k, v) VALUES (?, ?)")?
                .execute(params![scattered(SMALL + round * 6 + i), [7u8; 40]])?;
        }
        work.commit()?;
    }
    Ok(each(100, started))
}
