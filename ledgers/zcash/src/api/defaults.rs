//! Every limit and time-out of the service, with its reason.

use std::time::Duration;

/// Largest request message in bytes: what lightwalletd's transport takes.
pub const MAX_REQUEST_BYTES: usize = 4 << 20;

/// Largest transaction [`SendTransaction`](super::send) forwards, in bytes: a
/// block holds no larger one, so a larger one can never be mined.
pub const MAX_TRANSACTION_BYTES: usize = 2_000_000;

/// Most transparent addresses in one request; far more than a wallet has.
pub const MAX_ADDRESSES: usize = 10_000;

/// Widest span of heights one address scan may ask for: more than the chain
/// has, so no honest wallet meets it, and an absurd end is refused.
pub const MAX_ADDRESS_SPAN: u64 = 10_000_000;

/// Longest an address scan may take, the node's index scan and one call per
/// transaction included.
pub const ADDRESS_SCAN_TIMEOUT: Duration = Duration::from_secs(30);

/// Most entries of an exclude list; more transactions than a node's memory
/// pool holds by default.
pub const MAX_EXCLUDED: usize = 20_000;

/// Longest entry of an exclude list in bytes: a whole transaction id.
pub const MAX_EXCLUDED_BYTES: usize = 32;

/// How old a copy of the memory pool may be for a one-off read. lightwalletd
/// refreshes at most every 2 s, and wallets are used to that.
pub const MEMPOOL_MAX_AGE: Duration = Duration::from_secs(2);

/// How often the memory pool is read while a stream listens: half of what
/// wallets are used to, one cheap call each time.
pub const MEMPOOL_POLL: Duration = Duration::from_secs(1);

/// How often the shared poller looks (in memory) whether a new block has come,
/// which ends the streams.
pub const MEMPOOL_TICK: Duration = Duration::from_millis(100);

/// Most transactions of the memory pool that are kept, and as many that were
/// seen since the last block. A node's own limit is by cost and stays far
/// below.
pub const MAX_MEMPOOL_TRANSACTIONS: usize = 50_000;

/// Most bytes of memory pool transactions that are kept; twice the cost limit
/// a node has by default.
pub const MAX_MEMPOOL_BYTES: usize = 160_000_000;

/// How many transactions of the memory pool are fetched at the same time.
pub const MEMPOOL_FETCHES: usize = 8;

/// How often a read that the upstream could not serve is tried again, on
/// another upstream where there is one. Writes are never tried again.
pub const READ_ATTEMPTS: usize = 3;

/// How long a node may take to say whether it knows a transaction whose fate
/// is not known. It looks one up in milliseconds, and a client waits for it.
pub const LOOK_CALL: Duration = Duration::from_secs(5);

/// How many more upstreams are asked whether they have a transaction in the
/// same bytes: with more than five in all, who still doubts runs a node.
pub const AGREEMENT_CALLS: usize = 4;

/// How long they may take. A node looks a transaction up in milliseconds, and
/// a wallet waits for the slowest: a slower one has no vote.
pub const AGREEMENT_CALL: Duration = Duration::from_secs(1);

/// The pause before a tree state is asked for again after it was one of
/// another chain: a reorganization is being followed, which takes about as
/// long as fetching one block.
pub const TREE_STATE_RETRY: Duration = Duration::from_millis(200);

/// How many `skipHash` references are followed for one tree state. Nodes
/// resolve the chain of references themselves; one is the usual number.
pub const MAX_TREE_STATE_SKIPS: usize = 8;

/// How many tree states are kept. Wallets ask for the newest, for subtree and
/// checkpoint heights; a state is a few kilobytes.
pub const TREE_STATES_KEPT: usize = 256;

/// How many subtree root lists are kept: three pools at the current tip, with
/// room for wallets that resume from an index of their own.
pub const SUBTREE_LISTS_KEPT: usize = 16;

/// Most subtree roots in one answer: a tree of depth 32 has 2^16 subtrees of
/// 2^16 leaves.
pub const MAX_SUBTREES: usize = 1 << 16;

/// How long a node that was not asked yet may take to say what it is. Longer
/// than a healthy one needs under load, and a wallet still waits for it.
pub const FACTS_PATIENCE: Duration = Duration::from_secs(5);

/// Longest pause a `Ping` may ask for; it holds a task for that long.
pub const MAX_PING: Duration = Duration::from_secs(60);

/// How many blocks may be missing while the service still calls itself
/// healthy: the newest few are being fetched at any moment, and a quarter of
/// an hour of blocks is less than a wallet notices.
pub const HEALTH_SLACK: u64 = 10;
