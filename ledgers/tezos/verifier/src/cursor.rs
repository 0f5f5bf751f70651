//! Reading big-endian fields off bytes from outside, without panic and
//! without allocation by an unchecked length.

use crate::error::Error;

/// A place in bytes; every read names the field for the error.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes not read yet.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Error> {
        if count > self.remaining() {
            return Err(Error::Truncated { what, at: self.at });
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Error> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn i32(&mut self, what: &'static str) -> Result<i32, Error> {
        Ok(i32::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, Error> {
        Ok(i64::from_be_bytes(self.array(what)?))
    }

    /// The presence byte of an optional field: 00 or ff.
    pub(crate) fn flag(&mut self, what: &'static str) -> Result<bool, Error> {
        match self.u8(what)? {
            0x00 => Ok(false),
            0xff => Ok(true),
            other => Err(Error::value(
                what,
                format_args!("{other:#04x}"),
                "0x00 or 0xff",
            )),
        }
    }

    /// What a 4-byte length in bytes announces, as a cursor of its own.
    pub(crate) fn sized(&mut self, most: usize, what: &'static str) -> Result<Cursor<'a>, Error> {
        let size = self.u32(what)? as usize;
        if size > most {
            return Err(Error::TooLong { what, size, most });
        }
        Ok(Cursor::new(self.take(size, what)?))
    }

    /// Everything not read yet.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    /// The end of the bytes.
    pub(crate) fn end(&self, what: &'static str) -> Result<(), Error> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(Error::Trailing { what, count }),
        }
    }
}
