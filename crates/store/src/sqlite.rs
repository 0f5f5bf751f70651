//! The engine in one file.
//!
//! SQLite in WAL mode with `synchronous=FULL`: one writing connection, a
//! bounded pool of reading ones, and other processes may read meanwhile.
//!
//! | module | what it holds |
//! |---|---|
//! | `schema` | the layout on disk, its versions and their migrations |
//! | `lock` | one writing process at a time |
//! | `write` | the writing connection: batches, and keeping the log short |
//! | `readers` | the reading connections and who holds them |
//! | `read` | reading values and ranges on a connection |
//! | `fault` | SQLite's result codes as [`StoreError`] |
//!
//! # Layout, and why
//!
//! A table is `(k BLOB PRIMARY KEY, v BLOB, large INTEGER) WITHOUT ROWID`, so
//! that a small value is found in one descent. Values over
//! [`crate::defaults::SQLITE_LARGE`] live in the rowid table `heliostat_large`, which
//! `large` points into: there they cannot bloat the interior of the tree that
//! finds them, and incremental blob I/O copies them once, from the operating
//! system's cache into the buffer that is handed out.
//!
//! `examples/sqlite_layout.rs` on two shared cores (µs; 512 KiB values among
//! 128, 40-byte values among 100,000; `blob` is incremental I/O; load 1.8):
//!
//! | layout | page | 512 KiB, column | 512 KiB, blob | small | commit of 6 rows |
//! |---|---|---|---|---|---|
//! | rowid + unique index | 4 KiB | 263 | 74 | 2.6 | |
//! | | 16 KiB | 242 | 49 | 3.1 | |
//! | | 64 KiB | 220 | 34 | 6.1 | |
//! | `WITHOUT ROWID` | 4 KiB | 766 | impossible | 2.1 | 387 |
//! | | 16 KiB | 398 | impossible | 2.0 | 163 |
//! | | 64 KiB | 311 | impossible | 2.9 | 301 |
//! | both (chosen) | 4 KiB | 245 | 66 | 1.8 | 145 |
//! | | **16 KiB** | 228 | **46** | **2.0** | **176** |
//! | | 64 KiB | 207 | 25 | 2.9 | 263 |

//!
//! What the engine adds, by `examples/read_cost.rs` (same machine, load 3.4,
//! debug build of our own code): a positioned read of 512 KiB from a plain
//! file 20 µs; [`Store::get`] 66 µs, a snapshot and `get` 70 µs, 65 µs with
//! eight tasks at once; of these, the hop to a thread that may block 5 µs and
//! the snapshot itself 2 µs; a 40-byte value 7 µs. The rest is one system call
//! for each page.

mod fault;
mod lock;
mod read;
mod readers;
mod schema;
mod write;

use std::{
    collections::HashMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Instant,
};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::Connection;
use tokio::{sync::Mutex, task};

use crate::{
    Access, Batch, Direction, Options, Snapshot, Store, StoreError, Table,
    defaults::{READER_WAIT, SQLITE_BUSY_PAUSE},
    open::unknown_table,
};
use read::Statements;
use readers::{Lease, Readers, Watch};
use write::Writer;

/// What every connection to one file shares.
struct File {
    /// `sqlite:PATH`, for errors.
    name: String,
    path: PathBuf,
    tables: HashMap<Table, Statements>,
}

impl File {
    fn statements(&self, table: Table) -> Result<&Statements, StoreError> {
        let statements = self.tables.get(&table);
        statements.ok_or_else(|| unknown_table(&self.name, table))
    }

    /// The path of the log beside the file.
    fn log(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push("-wal");
        path.into()
    }

    fn fault(&self, error: &rusqlite::Error) -> StoreError {
        fault::of(&self.name, error)
    }

    /// The same of the connection that writes.
    fn write_fault(&self, error: &rusqlite::Error) -> StoreError {
        fault::of_writing(&self.name, &self.log(), error)
    }

    /// Room for every statement of every table, so that none is parsed twice.
    fn cache_statements(&self, connection: &Connection) {
        let statements = read::STATEMENTS_PER_TABLE * self.tables.len() + 16;
        connection.set_prepared_statement_cache_capacity(statements);
    }
}

/// A store in one file.
pub(crate) struct Sqlite {
    file: Arc<File>,
    readers: Arc<Readers>,
    _watch: Watch,
    /// `None` in a process that only reads.
    writer: Option<Arc<Mutex<Writer>>>,
}

/// Opens or creates the file at `path`.
pub(crate) async fn open(
    path: PathBuf,
    tables: &[Table],
    options: Options,
) -> Result<Sqlite, StoreError> {
    let file = Arc::new(File {
        name: format!("sqlite:{}", path.display()),
        path,
        tables: tables.iter().map(|&t| (t, Statements::new(t))).collect(),
    });
    let writer = match options.access {
        Access::Write => {
            let file = file.clone();
            let writer = blocking(move || Writer::open(file, options.max_bytes)).await?;
            Some(Arc::new(Mutex::new(writer)))
        }
        Access::Read => None,
    };
    let readers = Readers::new(file.clone(), &options);
    let first = readers.lease().await?;
    first.begin().await?;
    let known = file.clone();
    blocking(move || first.with(|connection| schema::check(&known, connection))).await?;
    Ok(Sqlite {
        file,
        _watch: readers.watch(),
        readers,
        writer,
    })
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(StoreError::Unavailable {
                store: "the store".into(),
                reason: format!("the process is stopping ({error})"),
            }),
        },
    }
}

impl Sqlite {
    fn writer(&self) -> Result<Arc<Mutex<Writer>>, StoreError> {
        self.writer.clone().ok_or_else(|| StoreError::ReadOnly {
            store: self.file.name.clone(),
            reason: "this process opened it for reading only".into(),
        })
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut writer = self.writer()?.lock_owned().await;
        let readers = self.readers.clone();
        blocking(move || writer.commit(&batch, &readers)).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let lease = self.readers.lease().await?;
        lease.begin().await?;
        Ok(Box::new(Moment {
            file: self.file.clone(),
            lease,
        }))
    }

    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let lease = self.readers.lease().await?;
        get(&self.file, lease, table, key).await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        let file = self.file.clone();
        blocking(move || {
            let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
            Ok(length(&file.path) + length(&file.log()))
        })
        .await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        let mut writer = self.writer()?.lock_owned().await;
        blocking(move || writer.settle()).await
    }
}

async fn get(
    file: &Arc<File>,
    lease: Arc<Lease>,
    table: Table,
    key: &[u8],
) -> Result<Option<Bytes>, StoreError> {
    let (file, key) = (file.clone(), Bytes::copy_from_slice(key));
    blocking(move || {
        let statements = file.statements(table)?;
        let started = Instant::now();
        lease.with(|connection| {
            loop {
                match read::get(connection, statements, &key) {
                    // Only outside a transaction: the log is being recovered.
                    Err(error) if fault::is_busy(&error) && started.elapsed() < READER_WAIT => {
                        thread::sleep(SQLITE_BUSY_PAUSE);
                    }
                    done => return done.map_err(|error| file.fault(&error)),
                }
            }
        })
    })
    .await
}

/// One reading connection inside a read transaction.
struct Moment {
    file: Arc<File>,
    lease: Arc<Lease>,
}

#[async_trait]
impl Snapshot for Moment {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        get(&self.file, self.lease.clone(), table, key).await
    }

    async fn range(
        &self,
        table: Table,
        range: Range<Vec<u8>>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let (file, lease) = (self.file.clone(), self.lease.clone());
        blocking(move || {
            let statements = file.statements(table)?;
            lease.with(|connection| {
                read::range(connection, statements, &range, direction, limit)
                    .map_err(|error| file.fault(&error))
            })
        })
        .await
    }
}
