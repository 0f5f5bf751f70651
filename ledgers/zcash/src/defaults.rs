//! Limits and time-outs towards a node, each with its reason.

use std::time::Duration;

/// A whole call, waiting for a free slot and one repetition included.
/// lightwalletd waits as long; zebrad's slowest answers (address queries over
/// a busy chain) stay well below.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Making a connection. A node on another continent answers within one second.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest silence within a reply. A node computes first and writes then,
/// so a pause in the middle means that it is gone or plays for time.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls to one node at a time. Eight saturate a zebrad on two cores; the rest
/// lets calls for clients pass while blocks are fetched ahead. It also bounds
/// the memory that replies can take.
pub const IN_FLIGHT: usize = 64;

/// How long an unused connection is kept. Servers close theirs after 30 s or
/// more of silence: going first avoids the race.
pub const POOL_IDLE: Duration = Duration::from_secs(15);

/// Between two questions for the best block's hash: ten tiny calls a second
/// on a connection that stands cost a node under a thousandth of a core, and
/// a new block is seen within a tenth of a second. lightwalletd asks every
/// two seconds.
pub const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// What a connection over plain HTTP reads at a time, and the largest head of a
/// reply there. hyper would take up to 408 KiB for each of [`IN_FLIGHT`]
/// connections, and does over TLS, where its client has no such setting.
pub const READ_BUFFER: usize = 64 << 10;

/// A reply whose size does not grow with the chain (tip, info, txid).
pub const SMALL_REPLY: usize = 256 << 10;

/// A raw block or transaction: consensus allows blocks of 2,000,000 bytes, two
/// hex digits each, and the frame around them.
pub const RAW_REPLY: usize = 4_000_000 + (64 << 10);

// One at a time is larger, which is not enough to follow a chain.
const _: () = assert!(RAW_REPLY <= heliostat_node::defaults::SHARE);

/// A verbose block: at most 33,000 transactions fit into a block, 67 bytes of
/// JSON each.
pub const VERBOSE_BLOCK_REPLY: usize = 8 << 20;

/// Lists that grow with the mempool or with the number of subtrees (at most
/// 65,536 of 100 bytes).
pub const LIST_REPLY: usize = 16 << 20;

/// Everything else. zebrad 7 caps its own replies at 50 MiB.
pub const LARGE_REPLY: usize = 50 << 20;

/// Transactions of one block asked for at a time when a node has to describe
/// a block that cannot be read here.
pub const DESCRIBE_PARALLEL: usize = 16;

/// What the transactions of one described block may take together: twice what
/// consensus allows a block.
pub const DESCRIBED_BYTES: usize = 4_000_000;

/// How many blocks a node may be behind its own estimate before it is said to
/// sync. The estimate is made from the clock, and block times scatter: on
/// mainnet 100 blocks are two hours, or 40 minutes from NU7 on.
pub const SYNCING_BLOCKS: u64 = 100;

/// A credentials file: a cookie is 60 bytes, a configuration a few kilobytes.
pub const CREDENTIALS_FILE: u64 = 1 << 20;

/// What is shown of a node's own words in an error.
pub const SHOWN_WORDS: usize = 300;

/// The cap on a reply to a method, in bytes of the HTTP body. `verbose` is
/// whether more than raw bytes was asked for.
pub fn reply_cap(method: &str, verbose: bool) -> usize {
    match (method, verbose) {
        ("getblock" | "getrawtransaction", false) => RAW_REPLY,
        ("getblock", true) => VERBOSE_BLOCK_REPLY,
        ("getrawmempool" | "z_getsubtreesbyindex", _) => LIST_REPLY,
        (
            "getblockchaininfo"
            | "getinfo"
            | "getbestblockhash"
            | "getblockhash"
            | "getblockcount"
            | "sendrawtransaction"
            | "z_gettreestate"
            | "getaddressbalance"
            | "getexperimentalfeatures",
            _,
        ) => SMALL_REPLY,
        _ => LARGE_REPLY,
    }
}
