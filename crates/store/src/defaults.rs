//! Every limit and time-out of this crate, with its reason.

use std::time::Duration;

/// Readers open at the same time. A read of a 512 KiB value takes tens of
/// microseconds, so eight keep two to sixteen cores busy, while each costs
/// at most [`SQLITE_READER_CACHE_KIB`] (or one server process).
pub const READERS: usize = 8;

/// How long a snapshot waits for a free reader. Reads last microseconds to
/// milliseconds, so ten seconds mean that snapshots are leaked or the disk
/// hangs, and the caller's client has better things to do than wait longer.
pub const READER_WAIT: Duration = Duration::from_secs(10);

/// How long one snapshot may live. An open snapshot keeps the SQLite log
/// from being reset and PostgreSQL from cleaning up, so it may not outlive
/// the slowest sensible request.
pub const SNAPSHOT_LIFETIME: Duration = Duration::from_secs(60);

/// How often is looked for snapshots that were held for too long: often
/// enough that none lives half as long again.
pub const SNAPSHOT_LOOK: Duration = Duration::from_secs(15);

/// Longest key. PostgreSQL refuses index entries over about 2,700 bytes;
/// ledger keys are hashes and numbers, so one KiB is ample.
pub const MAX_KEY: usize = 1024;

/// Longest table name: PostgreSQL silently cuts identifiers at 63 bytes, and
/// names of triggers are built from it.
pub const MAX_NAME: usize = 40;

/// SQLite page size in bytes, measured with `examples/sqlite_layout.rs`: a
/// 512 KiB value takes 66 µs to read with 4 KiB pages, 46 µs with 16 KiB and
/// 25 µs with 64 KiB, but every small commit writes whole pages (145, 176 and
/// 263 µs for six rows). 16 KiB takes most of the gain.
pub const SQLITE_PAGE: u32 = 16 * 1024;

/// Values longer than this live in a rowid table of their own, so that they
/// sit neither in the interior nor in the leaves of the tree that finds them.
/// One eighth of a page keeps eight or more entries in a leaf.
pub const SQLITE_LARGE: usize = 2 * 1024;

/// Page cache of one SQLite reader in KiB. Large values are read around the
/// cache, so it holds only the upper levels of the trees; leaves come from the
/// system's cache, in microseconds.
pub const SQLITE_READER_CACHE_KIB: i64 = 512;

/// Page cache of the SQLite writer in KiB. A transaction larger than this
/// spills into the log, which is where it goes anyway, and large ones write
/// their rows in order: no page is needed twice.
pub const SQLITE_WRITER_CACHE_KIB: i64 = 2 * 1024;

/// How long the SQLite writer waits for a lock that another process holds
/// for a moment (a checkpoint by `sqlite3`, a backup).
pub const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// Pause between two tries of a reader that met a lock. Such locks exist
/// only while a log is recovered or closed.
pub const SQLITE_BUSY_PAUSE: Duration = Duration::from_millis(2);

/// Log pages after which a commit copies the log into the database: 8 MiB,
/// so that small commits pay for it rarely and recovery reads little.
pub const SQLITE_CHECKPOINT_PAGES: u32 = 512;

/// Length to which the log file is cut when it starts over.
pub const SQLITE_LOG_KEPT: i64 = 16 * 1024 * 1024;

/// Length of the log beyond which the writer waits for readers to leave it.
/// Checkpoints that do not wait never finish while reads overlap, and the log
/// would grow for as long as they do.
pub const SQLITE_LOG_LIMIT: u64 = 64 * 1024 * 1024;

/// How long that wait may hold up a commit, and how long to leave it after
/// one that failed: between snapshots of reads that take milliseconds, half a
/// second suffices.
pub const SQLITE_LOG_WAIT: Duration = Duration::from_millis(500);

/// Pause after a wait for readers that was in vain.
pub const SQLITE_LOG_PAUSE: Duration = Duration::from_secs(5);

/// Growth of the log that ends the pause early, in bytes: a load that writes
/// much waits more often, so that the log stays within twice its limit.
pub const SQLITE_LOG_STEP: u64 = SQLITE_LOG_LIMIT / 4;

/// How long a connection to PostgreSQL may take to open.
pub const CONNECT: Duration = Duration::from_secs(5);

/// How long PostgreSQL may leave sent bytes unacknowledged before the
/// connection counts as dead.
pub const TCP_USER: Duration = Duration::from_secs(20);

/// How long one read may take on PostgreSQL. A hung server must not hang the
/// client's request.
pub const POSTGRES_READ: Duration = Duration::from_secs(30);

/// How long one batch, migration or clean-up may take on PostgreSQL. A bulk
/// batch of hundreds of MiB on a slow disk takes tens of seconds.
pub const POSTGRES_WRITE: Duration = Duration::from_secs(300);

/// How long opening waits for the writer's lock: a server notices only after
/// a moment that a killed writer is gone.
pub const POSTGRES_LOCK: Duration = Duration::from_secs(3);

/// Pause between two tries to take the writer's lock.
pub const POSTGRES_LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Rows from which a batch goes to PostgreSQL by `COPY`. Below, the staging
/// table costs more than it saves.
pub const POSTGRES_COPY_ROWS: usize = 500;

/// Bytes from which a batch goes to PostgreSQL by `COPY`, which streams
/// instead of building one message.
pub const POSTGRES_COPY_BYTES: usize = 1024 * 1024;

/// Keys deleted with one statement on PostgreSQL: bounds the message.
pub const POSTGRES_DELETE_KEYS: usize = 10_000;
