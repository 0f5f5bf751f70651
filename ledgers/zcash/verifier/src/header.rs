//! Block headers (protocol specification, "block header encoding").

use sha2::{Digest, Sha256};

use crate::{ScanError, cursor::Cursor};

/// Bytes before the length of the Equihash solution.
const FIXED: usize = 140;
/// Bytes the Equihash puzzle commits to; the nonce follows.
const PUZZLE: usize = 108;

/// SHA-256 applied twice.
pub(crate) fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// A serialized header, solution included. Hashes and numbers are read where
/// they lie.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    bytes: &'a [u8],
    fixed: &'a [u8; FIXED],
    solution: &'a [u8],
}

impl<'a> Header<'a> {
    /// The header at the front of some bytes, such as a block.
    pub fn at_front_of(bytes: &'a [u8]) -> Result<Self, ScanError> {
        let mut cursor = Cursor::new(bytes);
        Self::read(&mut cursor)
    }

    /// Bytes that are one header and nothing else.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ScanError> {
        let mut cursor = Cursor::new(bytes);
        let header = Self::read(&mut cursor)?;
        match cursor.rest().len() {
            0 => Ok(header),
            count => Err(ScanError::Trailing { count }),
        }
    }

    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ScanError> {
        let start = *cursor;
        let fixed = cursor.array("block header")?;
        let length = cursor.count("solution length", 1)?;
        let solution = cursor.take(length, "solution")?;
        Ok(Self {
            bytes: cursor.since(&start),
            fixed,
            solution,
        })
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.fixed[at..at + N]);
        field
    }

    /// The header as serialized.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The block's id: SHA-256d of all of it, internal byte order.
    pub fn hash(&self) -> [u8; 32] {
        sha256d(self.bytes)
    }

    /// The parent's id.
    pub fn prev(&self) -> [u8; 32] {
        self.field(4)
    }

    /// The Merkle root over the txids.
    pub fn merkle_root(&self) -> [u8; 32] {
        self.field(36)
    }

    /// Seconds since the Unix epoch.
    pub fn time(&self) -> u32 {
        u32::from_le_bytes(self.field(100))
    }

    /// The target in compact form.
    pub fn bits(&self) -> u32 {
        u32::from_le_bytes(self.field(104))
    }

    /// What the Equihash puzzle is about: everything before the nonce.
    pub(crate) fn puzzle(&self) -> &'a [u8] {
        &self.fixed[..PUZZLE]
    }

    pub(crate) fn nonce(&self) -> &'a [u8] {
        &self.fixed[PUZZLE..]
    }

    pub(crate) fn solution(&self) -> &'a [u8] {
        self.solution
    }
}
