//! Every limit and time-out of this crate, with its reason.

use std::time::Duration;

// ---- answers ----

/// Bytes of answers that are read from one upstream at a time, in shares:
/// eight of the largest. A node that sends without end takes this once, and
/// not for each question.
pub const ROOM: usize = 8 * SHARE;

/// The largest share: a Zcash block of the greatest size in hex, and what
/// frames it; several Tezos blocks in JSON. One larger answer is read at a
/// time, up to its own cap: it is rare.
pub const SHARE: usize = 4 << 20;

/// Answers up to this size never wait for room: nearly all blocks, headers and
/// proofs. There are as many at a time as a ledger lets questions be under way.
pub const SMALL_ANSWER: usize = 128 << 10;

// ---- following ----

/// Requests in flight to the followed upstream. Enough to hide a round trip
/// of 20 ms at 3,000 positions a second, and few enough that a node with one
/// thread per request does not choke.
pub const FETCHES: usize = 64;

/// Positions held between being asked for and being durable: two commits'
/// worth being written and filled, and as many being fetched and checked.
pub const WINDOW_BLOCKS: usize = 4_096;

/// Bytes held between being asked for and being durable. With what a fetch
/// and a commit copy on the way, syncing stays well under 100 MB.
pub const WINDOW_BYTES: usize = 24 << 20;

/// What a position is taken to weigh before the first one has come.
pub const FIRST_ESTIMATE: usize = 256 << 10;

/// The share of a too high size estimate that each smaller position takes
/// off it (one eighth): big positions come in runs, so it falls slowly.
pub const ESTIMATE_DECAY: usize = 8;

/// Positions that wait for each other before they go to a checking thread: a
/// hand-over costs about 20 µs, so this keeps it near 1 µs each.
pub const CHECK_GATHER: usize = 16;

/// The most positions in one hand-over, so that both ends of it stay short.
pub const CHECK_BLOCKS: usize = 128;

/// Bytes that are a hand-over by themselves: checking them takes long enough
/// to make its cost vanish.
pub const CHECK_BYTES: usize = 1 << 20;

/// How many other upstreams are asked for a position that cannot be read as
/// the followed one gives it. One honest one is enough; when a release is too
/// old for the chain, every position costs this many questions more.
pub const SECOND_READINGS: usize = 2;

/// How long each of them may take. The sync waits for it.
pub const SECOND_READING: Duration = Duration::from_secs(5);

/// Positions in one commit while syncing: at 3,000 a second that is a few
/// durable writes a second, where one each would be bound by the disk.
pub const COMMIT_BLOCKS: usize = 1_000;

/// Bytes in one commit: bounds the engine's memory and the pause of readers.
pub const COMMIT_BYTES: usize = 4 << 20;

/// The longest a verified position waits for company before it is committed,
/// so that a slow upstream's positions become visible too.
pub const COMMIT_TIME: Duration = Duration::from_secs(1);

/// Asking for the head without a hint. Hints make it quicker; this is what
/// is left when they fail.
pub const POLL: Duration = Duration::from_secs(1);

/// The least time between two questions for the head, whatever the hints
/// say: an upstream must not be able to make us spin.
pub const POLL_GAP: Duration = Duration::from_millis(5);

/// Any single question to an upstream. A source has tighter limits of its
/// own; this one keeps a source that forgot one from stopping the follower.
pub const CALL: Duration = Duration::from_secs(60);

/// How long the followed upstream may keep us waiting for one answer while
/// another one has it too. Ten times what a node that works needs for its
/// largest block; one that stays below is never left.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How often is looked for such another one from then on.
pub const RIVAL_LOOK: Duration = Duration::from_millis(250);

/// The deepest fork that is followed by itself: the deepest that nodes of
/// proof-of-work chains can themselves make (they finalise what is older).
pub const MAX_REWIND: u64 = 1_000;

/// Bytes of a competing branch held while it is not yet the heavier one, so
/// that switching is one commit. A longer one is read twice.
pub const BRANCH_BYTES: usize = 16 << 20;

/// The longest competing branch that is looked at (its ids take 32 bytes
/// each). A branch still lighter after that many positions is not close.
pub const BRANCH_BLOCKS: usize = 100_000;

/// Forks that move under our questions, in a row and without one commit
/// between them, before the upstream is taken to be behind.
pub const RACES: u32 = 5;

/// The pause after the second race in a row, growing with each.
pub const RACE_PAUSE: Duration = Duration::from_millis(50);

/// How far behind its upstream's head a replica may be and still be said to
/// follow: a burst of positions is not a sync.
pub const FOLLOW_SLACK: u64 = 10;

/// The longest pause before a store that failed is tried again; somebody is
/// probably freeing space just now.
pub const STORE_RETRY: Duration = Duration::from_secs(5);

// ---- upstreams ----

/// The first pause after a fault. It doubles with each further one.
pub const RETRY_FIRST: Duration = Duration::from_millis(250);

/// The longest pause for an upstream that cannot be reached: a node's restart
/// is noticed within that time.
pub const RETRY_UNREACHABLE: Duration = Duration::from_secs(10);

/// The longest pause for one that is behind: it answers, and asking is cheap.
pub const RETRY_BEHIND: Duration = Duration::from_secs(5);

/// The longest pause for one that cannot serve here: a person must act first.
pub const RETRY_UNSUPPORTED: Duration = Duration::from_secs(30);

/// How many positions an upstream may be behind another before the other is
/// preferred: heads spread through a network in seconds, not at once.
pub const HEAD_SLACK: u64 = 3;

/// How long the claims of an upstream that did not deliver are not believed.
/// Another one is followed meanwhile, so trying it again costs one wait of
/// [`PATIENCE`], and one that was slow for a minute is not the last choice for
/// the rest of the day.
pub const DOUBT: Duration = Duration::from_secs(600);

// ---- witnesses ----

/// Between two rounds of asking the other upstreams when nothing happens.
pub const WITNESS_INTERVAL: Duration = Duration::from_secs(15);

/// Between two rounds when not everybody had our newest position yet.
pub const WITNESS_RETRY: Duration = Duration::from_secs(1);

/// The least time between two rounds, so that a burst of positions is asked
/// about once.
pub const WITNESS_GAP: Duration = Duration::from_millis(200);

/// The time one witness has for all its answers of a round: the grade of a
/// new position must not hang on a dead witness.
pub const WITNESS_CALL: Duration = Duration::from_secs(10);

// ---- records ----

/// Evidence records kept. An upstream yields at most one per run of the
/// process, so this is years of lies.
pub const EVIDENCE_RECORDS: usize = 256;

/// Bytes of exhibits kept over all records.
pub const EVIDENCE_BYTES: usize = 16 << 20;

/// Bytes kept of one exhibit: the largest block of any chain followed today
/// fits whole.
pub const EXHIBIT_BYTES: usize = 4 << 20;

/// Exhibits kept of one record, and the longest rule, name and sentence.
pub const EXHIBITS: usize = 16;

/// Bytes kept of a rule, a name or a sentence.
pub const WORDS_BYTES: usize = 4 << 10;

/// Bytes kept of an upstream's trouble in words; it stands in every status.
pub const TROUBLE_BYTES: usize = 1 << 10;

/// Disagreements kept; forks beyond that are only counted by the newest.
pub const DISAGREEMENTS: usize = 1_024;

/// Marks of agreement kept. Only ones that some height profits from are, so
/// there are rarely more than there are upstreams.
pub const MARKS: usize = 64;

// ---- telling ----

/// Changes a subscriber may lag before it is told to resume from a link.
pub const FEED: usize = 256;

/// A head older than this is an outage. Thirty times Zcash's spacing: by
/// chance alone it happens once in ten thousand million blocks.
pub const HEAD_AGE: Duration = Duration::from_secs(30 * 75);

/// How often the head's age is looked at.
pub const HEAD_AGE_TICK: Duration = Duration::from_secs(5);

/// The time over which the rate of positions is averaged: long enough to be
/// read, short enough to show a stall.
pub const RATE_TIME: Duration = Duration::from_secs(5);

// ---- writes ----

/// How long a receipt is kept. A client that repeats a write does so within
/// minutes; a day also covers one that comes back after a night.
pub const RECEIPT_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Receipts kept: some 300 bytes each, so 30 MB at most.
pub const RECEIPTS: u64 = 100_000;

/// Receipts that are dropped at most when one is made: more than one, so that
/// what a night made too old goes away within as many writes.
pub const RECEIPTS_DROPPED: usize = 16;

/// Receipts read at a time when a store is opened.
pub const RECEIPTS_READ: usize = 1_000;

/// The largest reply that is kept for repetitions: an upstream answers a write
/// with an id of under 100 bytes. The write of a larger one is looked for
/// instead.
pub const REPLY_BYTES: usize = 4 << 10;

/// What is written to find out whether a store takes receipts again: as much
/// as the largest of them.
pub const PROBE_BYTES: usize = 8 << 10;

/// Writes under way at a time. Each holds its bytes and a connection; an
/// upstream that answers in 10 ms takes in 25,000 a second that way.
pub const WRITES_UNDER_WAY: usize = 256;

/// Lost writes that are looked for; beyond, the oldest are left to whoever
/// repeats them.
pub const WRITES_LOOKED_FOR: usize = 1_024;

/// The pause before a lost write is looked for again; it doubles each time.
pub const WRITE_LOOK: Duration = Duration::from_secs(5);

/// The longest such pause: a block's time or less on every chain we know.
pub const WRITE_LOOK_MOST: Duration = Duration::from_secs(60);

/// Lost writes that are looked for at the same time.
pub const WRITE_LOOKS: usize = 4;

// ---- access ----

/// The largest file of certificates, keys or tokens.
pub const ACCESS_FILE: u64 = 1 << 20;

/// How often files of tokens and certificates are looked at, at most: a new
/// one is in force well before an old one that was replaced in time ends.
pub const ACCESS_LOOK: Duration = Duration::from_secs(1);

/// A question to an issuer of tokens.
pub const ISSUER_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after an issuer gave no token: every request would ask it again.
pub const ISSUER_PAUSE: Duration = Duration::from_secs(5);

/// The largest answer of an issuer; a token of 8 KiB fits many times.
pub const ISSUER_REPLY: usize = 64 << 10;

/// The life of a token whose issuer does not say it.
pub const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// The longest life that is believed: a token that could be withdrawn is
/// fetched anew once a day.
pub const TOKEN_LIFE_MOST: Duration = Duration::from_secs(24 * 60 * 60);
