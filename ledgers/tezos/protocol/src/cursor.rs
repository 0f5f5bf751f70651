//! Reading of big-endian fields from bytes of unknown origin.

use crate::error::ProtocolError;

/// A position in some bytes; every read checks what is left.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Cursor<'a> {
    /// Reads `bytes`, which errors call a `what`.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, what }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The error of this value with a reason.
    pub fn error(&self, reason: impl Into<String>) -> ProtocolError {
        ProtocolError::malformed(self.what, reason)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], ProtocolError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.error(format!(
                "{count} more bytes are called for, {} are left",
                self.rest.len()
            )));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, ProtocolError> {
        Ok(self.array::<1>()?[0])
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Result<u16, ProtocolError> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Result<u32, ProtocolError> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next four bytes, signed.
    pub fn i32(&mut self) -> Result<i32, ProtocolError> {
        self.array().map(i32::from_be_bytes)
    }

    /// The next eight bytes, signed.
    pub fn i64(&mut self) -> Result<i64, ProtocolError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A truth value: `00` or `ff`.
    pub fn bool(&mut self) -> Result<bool, ProtocolError> {
        match self.u8()? {
            0x00 => Ok(false),
            0xff => Ok(true),
            other => Err(self.error(format!("{other:#04x} is neither true nor false"))),
        }
    }

    /// The bytes behind a four-byte length.
    pub fn sized(&mut self) -> Result<&'a [u8], ProtocolError> {
        let length = self.u32()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Ends the reading; bytes left over are an error.
    pub fn end(self) -> Result<(), ProtocolError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error(format!("{} bytes too many", self.rest.len())))
        }
    }
}

/// Reads a whole value; bytes left over are an error.
pub fn whole<'a, T>(
    what: &'static str,
    bytes: &'a [u8],
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T, ProtocolError>,
) -> Result<T, ProtocolError> {
    let mut cursor = Cursor::new(what, bytes);
    let value = read(&mut cursor)?;
    cursor.end()?;
    Ok(value)
}
