//! The writing connection: batches, and keeping the log short.

use std::{fs, path::Path, sync::Arc, time::Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::{File, fault, lock::WriterLock, readers::Readers, schema};
use crate::{
    Batch, Op, StoreError,
    defaults::{
        SNAPSHOT_LIFETIME, SQLITE_BUSY, SQLITE_CHECKPOINT_PAGES, SQLITE_LARGE, SQLITE_LOG_KEPT,
        SQLITE_LOG_LIMIT, SQLITE_LOG_PAUSE, SQLITE_LOG_STEP, SQLITE_LOG_WAIT, SQLITE_PAGE,
        SQLITE_WRITER_CACHE_KIB,
    },
    open,
};

/// The one connection that writes.
pub(super) struct Writer {
    connection: Connection,
    file: Arc<File>,
    /// When the log is waited for again, and from which length on before that.
    log_retry: Instant,
    log_retry_length: u64,
    /// Dropped after the connection, so that no two writers ever overlap.
    _lock: WriterLock,
}

impl Writer {
    /// Opens or creates the file, as its only writer.
    pub(super) fn open(file: Arc<File>, max_bytes: Option<u64>) -> Result<Self, StoreError> {
        if let Some(parent) = file.path.parent().filter(|path| *path != Path::new("")) {
            fs::create_dir_all(parent)
                .map_err(|error| fault::of_path(&file.name, parent, &error))?;
        }
        let lock = WriterLock::take(&file.name, &file.path)?;
        let mut connection = connect(&file)?;
        schema::prepare(&file, &mut connection)?;
        if let Some(limit) = max_bytes {
            limit_pages(&connection, limit).map_err(|error| file.fault(&error))?;
        }
        Ok(Self {
            connection,
            file,
            log_retry: Instant::now(),
            log_retry_length: 0,
            _lock: lock,
        })
    }

    /// Applies a batch whole or not at all.
    pub(super) fn commit(&mut self, batch: &Batch, readers: &Readers) -> Result<(), StoreError> {
        open::check_keys(&self.file.name, batch)?;
        let file = self.file.clone();
        let fault = |error| file.write_fault(&error);
        if !self.connection.is_autocommit() {
            // Rolling back after an earlier failure failed itself.
            self.connection.execute_batch("ROLLBACK").map_err(fault)?;
        }
        let work = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fault)?;
        for op in batch.ops() {
            apply(&work, &file, op)?;
        }
        work.commit().map_err(fault)?;
        self.shorten_log(readers);
        Ok(())
    }

    /// When readers kept the log from starting over for too long, lets it run
    /// out under them. The batch is durable by now, so nothing here fails.
    fn shorten_log(&mut self, readers: &Readers) {
        let length = fs::metadata(self.file.log()).map_or(0, |log| log.len());
        let paused = Instant::now() < self.log_retry && length < self.log_retry_length;
        if length <= SQLITE_LOG_LIMIT || paused {
            return;
        }
        readers.end_old(SNAPSHOT_LIFETIME);
        let done = self
            .connection
            .busy_timeout(SQLITE_LOG_WAIT)
            .and_then(|()| checkpoint(&self.connection));
        if !matches!(done, Ok(true)) {
            self.log_retry = Instant::now() + SQLITE_LOG_PAUSE;
            self.log_retry_length = length + SQLITE_LOG_STEP;
            tracing::warn!(
                store = self.file.name,
                bytes = length,
                "the log is long and readers hold it; trying again later"
            );
        }
        if let Err(error) = self.connection.busy_timeout(SQLITE_BUSY) {
            tracing::warn!(store = self.file.name, %error, "busy time-out not restored");
        }
    }

    /// Empties the log after a bulk load. Statistics are of no use here: each
    /// table has one index, so there is nothing for the planner to choose.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        // A log that readers still use shrinks later; that is no failure.
        let done = checkpoint(&self.connection);
        done.map(|_| ())
            .map_err(|error| self.file.write_fault(&error))
    }
}

fn connect(file: &File) -> Result<Connection, StoreError> {
    let fault = |error| file.fault(&error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&file.path, flags).map_err(fault)?;
    connection.busy_timeout(SQLITE_BUSY).map_err(fault)?;
    file.cache_statements(&connection);
    // The page size counts only while the file is empty; older ones keep theirs.
    connection
        .pragma_update(None, "page_size", SQLITE_PAGE)
        .map_err(fault)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(fault)?;
    if mode != "wal" {
        return Err(StoreError::Unavailable {
            store: file.name.clone(),
            reason: format!(
                "its journal stays in mode {mode:?} instead of WAL; put it on a local disk, not a \
                 network share"
            ),
        });
    }
    let settings = [
        // Every acknowledged batch survives power loss.
        ("synchronous", 2),
        ("cache_size", -SQLITE_WRITER_CACHE_KIB),
        // Containers with a read-only root have nowhere for temporary files;
        // what SQLite keeps to undo a statement is no larger than a batch.
        ("temp_store", 2),
        ("wal_autocheckpoint", i64::from(SQLITE_CHECKPOINT_PAGES)),
        ("journal_size_limit", SQLITE_LOG_KEPT),
    ];
    for (name, value) in settings {
        // Some of these answer with a row, some do not.
        connection
            .pragma_update_and_check(None, name, value, |_| Ok(()))
            .or_else(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Ok(()),
                other => Err(fault(other)),
            })?;
    }
    Ok(connection)
}

fn limit_pages(connection: &Connection, bytes: u64) -> rusqlite::Result<()> {
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
    connection.pragma_update_and_check(None, "max_page_count", pages.max(1), |_| Ok(()))
}

/// Copies the whole log into the database and cuts it to nothing. `false`
/// when readers or another checkpoint were in the way.
fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, i64>(0).map(|busy| busy == 0)
    })
}

fn apply(work: &Transaction<'_>, file: &File, op: &Op) -> Result<(), StoreError> {
    let (Op::Put { table, .. } | Op::Delete { table, .. } | Op::DeleteRange { table, .. }) = op;
    let statements = file.statements(*table)?;
    let run = |text: &str, values: &[&dyn rusqlite::ToSql]| {
        work.prepare_cached(text)
            .and_then(|mut statement| statement.execute(values))
            .map(|_| ())
            .map_err(|error| file.write_fault(&error))
    };
    match op {
        Op::Put { key, value, .. } if value.len() > SQLITE_LARGE => {
            run(
                "INSERT INTO heliostat_large(v) VALUES (?)",
                params![&value[..]],
            )?;
            let id = work.last_insert_rowid();
            run(&statements.put, params![&key[..], None::<i64>, id])
        }
        Op::Put { key, value, .. } => {
            run(&statements.put, params![&key[..], &value[..], None::<i64>])
        }
        Op::Delete { key, .. } => run(&statements.delete, params![&key[..]]),
        Op::DeleteRange { range, .. } => run(
            &statements.delete_range,
            params![&range.start[..], &range.end[..]],
        ),
    }
}

/// Half a second must not be longer than what other locks may take.
const _: () = assert!(SQLITE_LOG_WAIT.as_millis() < SQLITE_BUSY.as_millis());
/// A pause is longer than the wait it follows, or commits would mostly wait.
const _: () = assert!(SQLITE_LOG_PAUSE.as_millis() > SQLITE_LOG_WAIT.as_millis());
