//! Reading bytes from outside, front to back.

use crate::{ContextHash, ProofError, name::Name, proof::segment};

pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    length: usize,
}

type Read<T> = Result<T, ProofError>;

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            length: bytes.len(),
        }
    }

    /// Bytes not yet read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn wrong(&self, what: &'static str) -> ProofError {
        ProofError::Malformed {
            at: self.length - self.rest.len(),
            what,
        }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Read<&'a [u8]> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| self.wrong("the bytes end too early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.wrong("the bytes end too early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// A big-endian number of 1, 2, 4 or 8 bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Read<u64> {
        Ok(self
            .bytes(bytes)?
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// As many bytes as a number before them says.
    pub(super) fn counted(&mut self, number: usize) -> Read<&'a [u8]> {
        let count = self.number(number)?;
        let count = usize::try_from(count).map_err(|_| self.wrong("the bytes end too early"))?;
        self.bytes(count)
    }

    pub(super) fn hash(&mut self) -> Read<ContextHash> {
        self.array().map(ContextHash)
    }

    pub(super) fn name(&mut self) -> Read<Name> {
        self.counted(1).map(Name::new)
    }

    pub(super) fn segment(&mut self) -> Read<Vec<u8>> {
        let bytes = self.counted(1)?;
        segment::read(bytes).ok_or_else(|| self.wrong("a segment of 5-bit indices is expected"))
    }

    pub(super) fn end(&self) -> Read<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.wrong("something follows the end"))
        }
    }
}
