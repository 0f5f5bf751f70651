//! Every limit and time-out of this crate, with its reason.

use std::time::Duration;

// ---- calls to a node ----

/// Establishing a connection. A node on the other side of the world needs a
/// quarter of a second.
pub const CONNECT: Duration = Duration::from_secs(3);

/// One whole call. A proof takes a node milliseconds; a pruned disk cache may
/// make it seconds.
pub const CALL: Duration = Duration::from_secs(10);

/// A call that a client chose and that only a node can answer, such as the
/// simulation of an operation.
pub const RELAY_CALL: Duration = Duration::from_secs(60);

/// Idle connections are kept this long: a wallet asks every few seconds.
pub const POOL_IDLE: Duration = Duration::from_secs(60);

/// Idle connections kept to one node: as many as are used at a time.
pub const POOL_CONNECTIONS: usize = 64;

/// Calls in flight to one node: enough to hide a round trip, few enough for a
/// node that answers one after the other.
pub const IN_FLIGHT: usize = 64;

/// A proof of one key: the widest flat directories on the path cost 51 KB
/// each as JSON, the value itself up to a few hundred KB.
pub const PROOF_BYTES: usize = 4 << 20;

/// A proof of a whole account that is asked for in the hope that it is small.
/// Larger ones are asked for key by key.
pub const ACCOUNT_BYTES: usize = 128 << 10;

/// A `merkle_tree` (v1) answer. It lists every sibling of every directory on
/// the path, about 115 bytes each, and is useless on wide directories.
pub const V1_BYTES: usize = 8 << 20;

/// A directory read as `raw/bytes` or v1 that a client asked for.
pub const DIRECTORY_BYTES: usize = 16 << 20;

/// A short answer: a hash, a header, a chain id, a list of protocols.
pub const SHORT_BYTES: usize = 64 << 10;

/// The operations of one block; the protocol allows about 2 MB of bytes, which
/// JSON makes three times as long.
pub const OPERATIONS_BYTES: usize = 16 << 20;

/// Passes of operations in a block; today's protocols have four.
pub const PASSES: usize = 16;

/// Operations in one pass; mainnet's committee of 7,000 is the most there can
/// be of attestations, and gas allows some 2,600 of managers.
pub const PASS_OPERATIONS: usize = 16_384;

/// One operation in JSON. The largest is an aggregate of attestations that
/// names every member of the committee.
pub const OPERATION_TEXT: usize = 1 << 20;

/// An answer that is passed on unread.
pub const RELAY_BYTES: usize = 32 << 20;

/// The weight of the newest observation in the running latency of a node.
pub const LATENCY_WEIGHT: f64 = 0.2;

/// How long a node's refusal of a proof call is remembered: an operator who
/// changes an access list sees the effect within that time.
pub const CAPABILITY_RETRY: Duration = Duration::from_secs(60);

// ---- hedging ----

/// A second endpoint is asked when the first takes this many times its usual
/// time.
pub const HEDGE_FACTOR: f64 = 2.0;

/// The least such delay: below it, a pause of the machine would double the
/// requests.
pub const HEDGE_LEAST: Duration = Duration::from_millis(50);

/// The delay before anything is known of an endpoint's usual time.
pub const HEDGE_FIRST: Duration = Duration::from_millis(400);

/// The longest such delay: a slow endpoint may be slow, but not a reader.
pub const HEDGE_MOST: Duration = Duration::from_secs(2);

/// How long further votes on a root are waited for once enough are in, where
/// two different roots could both reach the share.
pub const VOTE_GRACE: Duration = Duration::from_secs(2);

// ---- state of blocks ----

/// Blocks whose verified trees are kept: the head, the few before it that
/// clients still pin, and old ones somebody browses.
pub const BLOCKS: usize = 16;

/// Bytes of proofs kept over all blocks, as they came from the wire. A tree in
/// memory takes a small multiple.
pub const TREE_BYTES: usize = 32 << 20;

/// Bytes of proofs kept of one block.
pub const BLOCK_TREE_BYTES: usize = 16 << 20;

/// Accounts remembered as too large to be read whole.
pub const LARGE_ACCOUNTS: usize = 4_096;

/// Keys one request may read; the widest row of the RPC table needs a dozen.
pub const KEYS_PER_REQUEST: usize = 64;

// ---- headers ----

/// Asking an endpoint for its head when its stream of heads has ended.
pub const POLL: Duration = Duration::from_secs(1);

/// The pause before a stream of heads that ended is opened again.
pub const MONITOR_RETRY: Duration = Duration::from_millis(500);

/// A stream of heads without a head for this long is opened again: ten times
/// the spacing of blocks on mainnet (6 s).
pub const MONITOR_SILENCE: Duration = Duration::from_secs(60);

/// One line of a stream of heads: a header in JSON, about 1 KB.
pub const MONITOR_LINE: usize = 64 << 10;

/// Headers held in memory behind the newest head. `live_blocks` needs the last
/// 450 of them on today's networks; a header takes about 400 bytes.
pub const HEADERS: usize = 2_048;

/// Headers fetched to connect a new head to what is known. A longer gap is
/// bridged by level in the background, or not at all.
pub const BACKFILL: usize = 32;

/// Headers fetched below the first head: enough for `head~2` and for tying the
/// newest states to headers.
pub const FIRST_BACKFILL: usize = 3;

/// How far below the newest level that enough endpoints have reached a common
/// block is looked for. Further down they are on different chains.
pub const HEAD_WINDOW: usize = 64;

/// The furthest a checkpoint may lie back: two cycles of 14,400 blocks, after
/// which its bakers' rights say nothing of today.
pub const CHECKPOINT_DISTANCE: u32 = 2 * 14_400 + 1_440;

/// The longest time between the newest final block and the head that its
/// bakers are to attest, in seconds: three times what the blocks of
/// [`CHECKPOINT_DISTANCE`] take. Bakers of long ago have nothing at stake any
/// more, and could sign a short chain from an old checkpoint to a time of today.
pub const CHECKPOINT_AGE: i64 = 3 * 6 * CHECKPOINT_DISTANCE as i64;

/// Headers fetched at a time to reach a checkpoint.
pub const CHECKPOINT_FETCHES: usize = 32;

/// The proof-of-work stamp of a header on mainnet: the first eight bytes of
/// its hash without signature, big-endian, are at most this.
pub const PROOF_OF_WORK_THRESHOLD: u64 = (1 << 48) - 1;

/// How long a request waits for a first head when the daemon has just begun.
pub const FIRST_HEAD: Duration = Duration::from_secs(5);

// ---- serving ----

/// The body of a request: the largest operation is 32 KB, a simulation of a
/// batch a few times that, all in JSON.
pub const REQUEST_BYTES: usize = 2 << 20;

/// The path and query of a request.
pub const PATH_BYTES: usize = 8 << 10;

/// Steps below `data` that a path may name; the deepest key of the protocol
/// has about a dozen.
pub const KEY_STEPS: usize = 64;

/// Heads a subscriber of `monitor/heads` may lag before it is cut off.
pub const MONITOR_LAG: usize = 64;

/// Streams of heads served at a time.
pub const MONITOR_CLIENTS: usize = 1_024;

/// Blocks whose headers and operations are kept for serving.
pub const SERVED_BLOCKS: usize = 64;

/// Blocks that are looked through for an operation whose answer was lost: two
/// minutes at 8 s a block, twice the longest pause between two looks.
pub const LOOK_BLOCKS: u32 = 16;

/// How long such a look may take.
pub const LOOK_CALL: Duration = Duration::from_secs(10);

/// How often disagreements, and findings that could not be stored at once, are
/// made durable: what a killed process may lose of them.
pub const KEEP_FINDINGS: Duration = Duration::from_secs(5);
