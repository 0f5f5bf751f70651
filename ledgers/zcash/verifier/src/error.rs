//! Why bytes are not accepted.

/// Bytes that are not a block, or not a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// More bytes than consensus allows a block.
    #[error("{len} bytes are more than the {most} that consensus allows a block")]
    TooLong {
        /// Length of what was given.
        len: usize,
        /// The limit.
        most: usize,
    },
    /// The bytes end inside a field.
    #[error("bytes end within {what} at offset {at}")]
    Truncated {
        /// The field.
        what: &'static str,
        /// Where it begins.
        at: usize,
    },
    /// A CompactSize that is not in its shortest form, or too large.
    #[error("{what} at offset {at} is not a canonical size of at most 0x02000000")]
    CompactSize {
        /// The field.
        what: &'static str,
        /// Where it begins.
        at: usize,
    },
    /// A count of elements that cannot fit the bytes that follow it.
    #[error("{what} says {count}, which cannot fit the {remaining} bytes that follow")]
    Count {
        /// The field.
        what: &'static str,
        /// Its value.
        count: usize,
        /// The bytes after it.
        remaining: usize,
    },
    /// 65,536 or more shielded parts in one transaction.
    #[error("{what} says {count}; a transaction has fewer than 65536")]
    TooMany {
        /// The field.
        what: &'static str,
        /// Its value.
        count: usize,
    },
    /// Bytes after the last transaction.
    #[error("{count} bytes follow the last transaction")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The first transaction does not say the block's height.
    #[error("the first transaction carries no block height")]
    NoHeight,
    /// A transaction whose layout this release does not know. The only kind
    /// that is nobody's fault.
    #[error(
        "transaction {index} has header {header:#010x} and version group {group:#010x}, which this release cannot read; a newer release may"
    )]
    UnknownFormat {
        /// Position of the transaction in the block.
        index: usize,
        /// Its first four bytes as a little-endian number.
        header: u32,
        /// The next four.
        group: u32,
    },
}

impl ScanError {
    /// Whether the bytes may be sound, only too new for this release.
    pub fn is_opaque(&self) -> bool {
        matches!(self, Self::UnknownFormat { .. })
    }
}

/// Stored headers that do not make a chain state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAChain {
    /// Not one header was given.
    #[error("no header is given; the header of the last block is needed at least")]
    Empty,
    /// A height no block can say.
    #[error("no chain reaches height {height}")]
    Height {
        /// The height given.
        height: u64,
    },
    /// A header cannot be read, or has bytes to spare.
    #[error("header at height {height} cannot be read")]
    Header {
        /// Its height.
        height: u64,
    },
    /// A header is not the parent of the next.
    #[error("header at height {height} does not follow the one before it")]
    Unlinked {
        /// Height of the later one.
        height: u64,
    },
    /// There are more headers than heights below the last one.
    #[error("{given} headers cannot end at height {height}")]
    TooMany {
        /// How many were given.
        given: usize,
        /// Height of the last.
        height: u64,
    },
    /// A proven chain lacks headers its last block was checked with.
    #[error(
        "{given} headers are given, but the block at height {height} was checked with {needed}, itself included"
    )]
    TooFew {
        /// How many were given.
        given: usize,
        /// How many are needed.
        needed: usize,
        /// Height of the last.
        height: u64,
    },
    /// A header breaks a rule on its own.
    #[error("header at height {height}: {words}")]
    Broken {
        /// Its height.
        height: u64,
        /// The rule in words.
        words: String,
    },
}
