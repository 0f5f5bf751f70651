//! A bounded walk over bytes from outside.

use crate::{ScanError, defaults::MAX_COMPACT_SIZE};

/// Reads from the front of a slice; every read is checked.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            len: bytes.len(),
        }
    }

    /// How many bytes were read so far.
    pub(crate) fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes read since `earlier`, a copy of this cursor.
    pub(crate) fn since(&self, earlier: &Self) -> &'a [u8] {
        &earlier.rest[..earlier.rest.len() - self.rest.len()]
    }

    #[inline]
    pub(crate) fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], ScanError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(ScanError::Truncated {
                what,
                at: self.len - self.rest.len(),
            })?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<&'a [u8; N], ScanError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ScanError::Truncated {
            what,
            at: self.len - self.rest.len(),
        })?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, ScanError> {
        Ok(u32::from_le_bytes(*self.array(what)?))
    }

    /// A CompactSize in its shortest form, at most [`MAX_COMPACT_SIZE`].
    #[inline]
    pub(crate) fn compact_size(&mut self, what: &'static str) -> Result<usize, ScanError> {
        let at = self.at();
        let [first] = *self.array(what)?;
        let (value, least) = match first {
            0xfd => (u32::from(u16::from_le_bytes(*self.array(what)?)), 0xfd),
            0xfe => (self.u32(what)?, 0x1_0000),
            0xff => return Err(ScanError::CompactSize { what, at }),
            small => (u32::from(small), 0),
        };
        if value < least || value > MAX_COMPACT_SIZE {
            return Err(ScanError::CompactSize { what, at });
        }
        Ok(value as usize)
    }

    /// A count of elements that take at least `least` bytes each, refused
    /// when so many cannot follow.
    #[inline]
    pub(crate) fn count(&mut self, what: &'static str, least: usize) -> Result<usize, ScanError> {
        let count = self.compact_size(what)?;
        if count > self.rest.len() / least {
            return Err(ScanError::Count {
                what,
                count,
                remaining: self.rest.len(),
            });
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(bytes: &[u8]) -> Result<usize, ScanError> {
        Cursor::new(bytes).compact_size("test")
    }

    #[test]
    fn a_compact_size_has_one_form_and_a_ceiling() {
        assert_eq!(compact(&[0xfc]).ok(), Some(0xfc));
        assert_eq!(compact(&[0xfd, 0xfd, 0x00]).ok(), Some(0xfd));
        assert_eq!(compact(&[0xfe, 0, 0, 1, 0]).ok(), Some(0x1_0000));
        assert_eq!(compact(&[0xfe, 0, 0, 0, 2]).ok(), Some(0x0200_0000));
        for wrong in [
            &[][..],
            &[0xfd, 0xfc, 0x00],
            &[0xfd, 0xff],
            &[0xfe, 0xff, 0xff, 0, 0],
            &[0xfe, 1, 0, 0, 2],
            &[0xff, 0, 0, 0, 0, 1, 0, 0, 0],
        ] {
            assert!(compact(wrong).is_err(), "{wrong:02x?} was accepted");
        }
    }

    #[test]
    fn a_count_must_fit_the_bytes_that_follow() {
        assert_eq!(Cursor::new(&[2, 0, 0, 0, 0]).count("test", 2).ok(), Some(2));
        assert!(Cursor::new(&[3, 0, 0, 0, 0]).count("test", 2).is_err());
    }
}
