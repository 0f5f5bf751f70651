//! Every limit of the replica and of the range calls, with its reason.

use std::time::Duration;

/// Bytes of frames of all pools at which a chunk is full. Large enough that
/// reading a row and checking its checksum is spread over hundreds of blocks;
/// small enough that a request for a hundred blocks does not read many times
/// what it sends, and that 64 streams with two of them each stay within the
/// memory a process may take. PostgreSQL reads more bytes a second in rows of
/// 256 KiB than of 512 KiB, SQLite as many (`bench chunks`).
pub const CHUNK_BYTES: u64 = 256 * 1024;

/// Blocks at which a chunk is full, however small they are: bounds the
/// `records` blob (82 bytes a block) and what a merge rewrites.
pub const CHUNK_BLOCKS: u64 = 4096;

/// Chunks of one size class that may pile up at the tip before they become
/// one of the next class. Each block is rewritten about once per class (there
/// are four), and a reader at the tip meets at most this many chunks of each.
pub const MERGE_WIDTH: usize = 8;

/// Small chunks at the tip, of whatever size, before all of them become one:
/// the bound that holds for any order of batch sizes.
pub const SMALL_CHUNKS: usize = 32;

/// Blocks whose headers and txids share a row. They are read one block at a
/// time (transaction proofs), so the row stays near 100 KiB.
pub const PROOF_PAGE: u64 = 64;

/// Ids of new blocks kept in memory before they go to their table together.
/// In a table of all of mainnet's ids, 12,000 pages of 16 KiB, so many touch
/// most pages once; the map takes 3 MB, and is read back when the process
/// starts (3 MB of records).
pub const RECENT_IDS: usize = 32_768;

/// Chunk blobs kept in memory. What else a process holds while it syncs and
/// serves 64 streams is about 100 MB, most of it free space in the allocator's
/// arenas, and 128 MB is what it may take; a blob that is not here costs tens
/// of microseconds from the operating system's cache.
pub const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Blocks below the tip whose chunks are the last to leave the cache: wallets
/// that are in sync ask for little else.
pub const RECENT_BLOCKS: u64 = 1000;

/// Rewinds remembered, to tell whether one touched a range in progress. A
/// request older than the log is treated as touched.
pub const REWIND_LOG: usize = 64;

/// How often a read starts over because chunks were merged under it. One
/// retry is the rule; this many in a row mean the store contradicts itself.
pub const READ_ATTEMPTS: usize = 16;

/// Largest DATA slice handed to HTTP/2, and the bytes of frames that are
/// filtered or turned round at a time.
pub const SLICE_BYTES: usize = 256 * 1024;

/// Largest request message of a range call. A request names two blocks and a
/// few pools; this leaves room for fields of later protocols.
pub const REQUEST_BYTES: usize = 64 * 1024;

/// How long a client may take to send the request message.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Bytes of compact blocks above which chunks are built off the runtime's
/// threads: copying and checksumming them takes about 100 µs, which is as long
/// as a request should wait for another.
pub const OFF_RUNTIME: usize = 64 * 1024;
