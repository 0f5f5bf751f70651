//! Limits on what is decoded, each with its reason.

/// Longest Micheline expression looked at, in bytes. Operations carry at most
/// 32 KiB, and the gas of an operation bounds the storage that it can read and
/// write; larger ones are left to a node.
pub const MICHELINE_BYTES: usize = 4 * 1024 * 1024;

/// Most nodes of one Micheline expression. A node takes about 80 bytes of
/// memory and a primitive without arguments two bytes of input, so that the
/// limit on bytes alone would allow forty times as much memory.
pub const MICHELINE_NODES: usize = 1_000_000;

/// Deepest nesting of a Micheline expression. Everything that walks one
/// recurses, at up to 3 KiB of stack a level in a debug build, and the worker
/// threads of the runtime have 2 MiB; half of that is enough here (held by a
/// test). Code nests a few levels per branch or loop; whatever is deeper than
/// this is left to a node.
pub const MICHELINE_DEPTH: usize = 300;

/// Longest name of an entrypoint, in bytes (the protocol's own limit).
pub const ENTRYPOINT_BYTES: usize = 31;

/// Longest decimal number taken from a path: big map ids and levels are far
/// shorter, and parsing decimals costs the square of their length.
pub const DECIMAL_DIGITS: usize = 40;

/// Longest integer whose decimal text is printed, in bytes: the cost grows
/// with the square of its length, and 100 kB take some tens of milliseconds.
pub const INTEGER_BYTES: usize = 100_000;

/// Most cycle eras of a chain. Mainnet has had fewer than ten.
pub const CYCLE_ERAS: usize = 1_000;

/// Most global constants expanded in one script; each is a read of its own,
/// and the protocol limits the expanded script to 50,000 nodes.
pub const GLOBAL_CONSTANTS: usize = 1_000;

/// Most rounds of reads that one request may ask for: nested global constants
/// are the only rows that need more than three.
pub const READ_ROUNDS: usize = 32;
