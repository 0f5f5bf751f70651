//! The reading connections and who holds them.
//!
//! Beginning and ending a read transaction happens where the caller is: it
//! takes a lock in shared memory and looks at the first page, a few
//! microseconds, less than a hop to another thread and back. Everything that
//! reads data runs on a thread that may block.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
    time::{self, Instant},
};

use super::{File, blocking, fault};
use crate::{
    Options, StoreError,
    defaults::{SNAPSHOT_LIFETIME, SNAPSHOT_LOOK, SQLITE_BUSY_PAUSE, SQLITE_READER_CACHE_KIB},
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bounded pool of reading connections.
pub(super) struct Readers {
    file: Arc<File>,
    slots: Arc<Semaphore>,
    /// How many there are in all.
    limit: usize,
    patience: Duration,
    idle: Mutex<Vec<Connection>>,
    /// Those that are out, to end the ones held for too long.
    out: Mutex<Vec<Weak<Lease>>>,
}

impl Readers {
    pub(super) fn new(file: Arc<File>, options: &Options) -> Arc<Self> {
        let limit = options.readers.max(1);
        Arc::new(Self {
            file,
            slots: Arc::new(Semaphore::new(limit)),
            limit,
            patience: options.reader_wait,
            idle: Mutex::default(),
            out: Mutex::default(),
        })
    }

    /// Ends snapshots that were held for too long, for as long as the handle
    /// is there. The writer looks too, but it may be another process, which
    /// cannot end those of this one.
    pub(super) fn watch(self: &Arc<Self>) -> Watch {
        let readers = Arc::downgrade(self);
        let watch = tokio::spawn(async move {
            loop {
                time::sleep(SNAPSHOT_LOOK).await;
                let Some(readers) = readers.upgrade() else {
                    return;
                };
                readers.end_old(SNAPSHOT_LIFETIME);
            }
        });
        Watch(watch.abort_handle())
    }

    /// A connection of one's own, returned when the lease is dropped.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Arc<Lease>, StoreError> {
        let slot = match self.slots.clone().try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => self.wait().await?,
        };
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let file = self.file.clone();
                blocking(move || connect(&file)).await?
            }
        };
        let lease = Arc::new(Lease {
            readers: self.clone(),
            since: Instant::now(),
            held: Mutex::new(Some((connection, slot))),
        });
        let mut out = lock(&self.out);
        out.retain(|lease| lease.strong_count() > 0);
        out.push(Arc::downgrade(&lease));
        Ok(lease)
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        self.end_old(SNAPSHOT_LIFETIME);
        match time::timeout(self.patience, self.slots.clone().acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(StoreError::Unavailable {
                store: self.file.name.clone(),
                reason: format!(
                    "all {} readers were taken for {:?}; the disk is too slow for the load, or \
                     more readers should be configured",
                    self.limit, self.patience
                ),
            }),
        }
    }

    /// Ends every lease older than `age` that is not reading just now.
    pub(super) fn end_old(&self, age: Duration) {
        let out: Vec<_> = lock(&self.out).iter().filter_map(Weak::upgrade).collect();
        for lease in out.into_iter().filter(|lease| lease.since.elapsed() > age) {
            if let Ok(mut held) = lease.held.try_lock()
                && let Some((connection, _slot)) = held.take()
            {
                tracing::warn!(
                    store = self.file.name,
                    seconds = lease.since.elapsed().as_secs(),
                    "snapshot held for too long was ended"
                );
                self.put_back(connection);
            }
        }
    }

    /// Ends the connection's transaction and keeps it for the next lease.
    fn put_back(&self, connection: Connection) {
        let ended = match connection.is_autocommit() {
            true => Ok(0),
            false => connection
                .prepare_cached("ROLLBACK")
                .and_then(|mut statement| statement.execute([])),
        };
        match ended {
            Ok(_) => lock(&self.idle).push(connection),
            Err(error) => {
                tracing::warn!(store = self.file.name, %error, "reader closed after a failure");
            }
        }
    }
}

/// The task of [`Readers::watch`].
pub(super) struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens one more reading connection.
fn connect(file: &File) -> Result<Connection, StoreError> {
    let fault = |error| file.fault(&error);
    if !file.path.exists() {
        return Err(StoreError::Unavailable {
            store: file.name.clone(),
            reason: "there is no such file; start the writing process first".into(),
        });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&file.path, flags).map_err(fault)?;
    file.cache_statements(&connection);
    connection
        .pragma_update(None, "cache_size", -SQLITE_READER_CACHE_KIB)
        .map_err(fault)?;
    // A lock in the way is waited for without holding a thread.
    connection.busy_timeout(Duration::ZERO).map_err(fault)?;
    Ok(connection)
}

/// A reading connection while someone holds it.
pub(super) struct Lease {
    readers: Arc<Readers>,
    since: Instant,
    /// `None` once it was held for too long. The connection goes back before
    /// the slot, so a free slot always finds an idle connection.
    held: Mutex<Option<(Connection, OwnedSemaphorePermit)>>,
}

impl Lease {
    /// Works on the connection. Blocks while another read of the same lease
    /// does.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &*lock(&self.held) {
            Some((connection, _slot)) => work(connection),
            None => Err(StoreError::Unavailable {
                store: self.readers.file.name.clone(),
                reason: format!(
                    "the snapshot was held for more than {} s and was ended; take a new one",
                    SNAPSHOT_LIFETIME.as_secs()
                ),
            }),
        }
    }

    /// Fixes the moment that later reads see.
    pub(super) async fn begin(&self) -> Result<(), StoreError> {
        let started = Instant::now();
        loop {
            let begun = self.with(|connection| Ok(begin(connection)))?;
            match begun {
                Ok(()) => return Ok(()),
                Err(error)
                    if fault::is_busy(&error) && started.elapsed() < self.readers.patience =>
                {
                    time::sleep(SQLITE_BUSY_PAUSE).await;
                }
                Err(error) => return Err(self.readers.file.fault(&error)),
            }
        }
    }
}

/// `BEGIN` alone takes no snapshot, the first read does: any small one.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() {
        connection.prepare_cached("BEGIN")?.execute([])?;
    }
    let mut look = connection.prepare_cached("SELECT 1 FROM sqlite_schema LIMIT 1")?;
    look.exists([]).map(|_| ())
}

impl Drop for Lease {
    fn drop(&mut self) {
        let held = lock(&self.held).take();
        if let Some((connection, _slot)) = held {
            self.readers.put_back(connection);
        }
    }
}
