//! Every limit and time-out of the binary, with its reason.

use std::time::Duration;

/// Where a zcashd or zebrad of the main network usually listens.
pub const ZCASH_RPC_PORT: u16 = 8232;

/// How long `heliostat status` waits for the process it asks: everything it
/// answers from is in memory.
pub const STATUS_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest status document taken; one with a thousand findings has a few
/// hundred kilobytes.
pub const STATUS_BYTES: usize = 16 << 20;

/// How often progress is logged where there is no terminal to draw on.
pub const PROGRESS_LOG: Duration = Duration::from_secs(10);

/// How often progress is drawn on a terminal.
pub const PROGRESS_DRAW: Duration = Duration::from_millis(250);

/// How far behind its target a replica may be and still count as ready: a
/// block that arrived a moment ago is no reason to take a server out of
/// rotation.
pub const READY_LAG: u64 = 2;

/// How often health checks are brought in step with `/readyz`: sooner than a
/// load balancer asks twice.
pub const READY_LOOK: Duration = Duration::from_secs(1);

/// How long a status waits for the store to tell its size.
pub const STORE_ANSWER: Duration = Duration::from_secs(2);

/// The pause between two questions for the network while no upstream answers.
pub const NETWORK_PAUSE: Duration = Duration::from_secs(1);

/// How often a Tezos chain's part of the status is brought up to date: blocks
/// come every six seconds, and looking costs a few locks.
pub const TEZOS_LOOK: Duration = Duration::from_millis(250);

/// How old the newest Tezos block may be: twenty times the spacing of blocks
/// on the main network. A stale head is an outage.
pub const TEZOS_HEAD_AGE: Duration = Duration::from_secs(120);

/// The largest file of evidence that is read: a list of the most records that
/// are kept, in hex, is of that order.
pub const EVIDENCE_FILE: u64 = 256 << 20;

/// How long `heliostat check` waits for one upstream.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// Longer than any key of a chain's tables, so that this many 0xff bytes lie
/// above all of them; keys begin with heights or hashes.
pub const LONGEST_KEY: usize = 64;

/// Blocks asked for at a time by `heliostat verify --deep`: enough to keep a
/// node busy, few enough to leave it room for others; at 4 MB of hex each they
/// are bounded by 32 MB.
pub const DEEP_FETCHES: usize = 8;

/// Blocks asked for at a time when a chain is joined at a checkpoint, of at
/// most 113: bounded like [`DEEP_FETCHES`].
pub const HEADER_FETCHES: usize = 8;

/// How often `heliostat top` draws while nothing happens: ages are in seconds.
pub const TOP_DRAW: Duration = Duration::from_secs(1);

/// The pause before `heliostat top` tries a process again that is away.
pub const TOP_RETRY: Duration = Duration::from_secs(2);

/// How long a process may tell `heliostat top` nothing before the connection
/// is taken for dead: it says something every two seconds.
pub const TOP_SILENCE: Duration = Duration::from_secs(20);

/// A certificate that ends within this time should be renewed now: tools that
/// renew by themselves do it a month ahead, so that something is wrong.
pub const CERTIFICATE_SOON: Duration = Duration::from_secs(14 * 24 * 3_600);

/// How far the newest block may be ahead of the machine's clock: Zcash's nodes
/// accept two hours, Tezos's some seconds.
pub const CLOCK_BEHIND: Duration = Duration::from_secs(2 * 3_600);
