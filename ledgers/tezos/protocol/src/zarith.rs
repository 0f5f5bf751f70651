//! Integers of any size: seven bits a byte, the low group first, `0x80` says
//! that more follow. The first byte of a signed one has six bits and the sign
//! in `0x40`. A last byte of zero after others is refused, as nodes do.

use num_bigint::{BigInt, BigUint, Sign};

use crate::cursor::Cursor;
use crate::defaults::INTEGER_BYTES;
use crate::error::ProtocolError;

/// Reads an unsigned integer (`n`).
pub fn read_n(cursor: &mut Cursor<'_>) -> Result<BigUint, ProtocolError> {
    let mut bits = Bits::default();
    let mut first = true;
    loop {
        let byte = cursor.u8()?;
        bits.push(byte & 0x7f, 7)?;
        if byte & 0x80 == 0 {
            if byte == 0 && !first {
                return Err(cursor.error("an integer ends in a zero byte"));
            }
            return Ok(bits.finish());
        }
        first = false;
    }
}

/// Reads a signed integer (`z`).
pub fn read_z(cursor: &mut Cursor<'_>) -> Result<BigInt, ProtocolError> {
    let first = cursor.u8()?;
    let sign = if first & 0x40 == 0 {
        Sign::Plus
    } else {
        Sign::Minus
    };
    let mut bits = Bits::default();
    bits.push(first & 0x3f, 6)?;
    let mut more = first & 0x80 != 0;
    while more {
        let byte = cursor.u8()?;
        bits.push(byte & 0x7f, 7)?;
        more = byte & 0x80 != 0;
        if byte == 0 {
            return Err(cursor.error("an integer ends in a zero byte"));
        }
    }
    Ok(BigInt::from_biguint(sign, bits.finish()))
}

/// Writes an unsigned integer.
pub fn write_n(value: &BigUint, out: &mut Vec<u8>) {
    write_groups(&value.to_radix_le(128), out);
}

/// Writes a signed integer.
pub fn write_z(value: &BigInt, out: &mut Vec<u8>) {
    let sign = if value.sign() == Sign::Minus { 0x40 } else { 0 };
    let magnitude = value.magnitude();
    let low = magnitude.iter_u32_digits().next().unwrap_or(0) & 0x3f;
    let low = u8::try_from(low).unwrap_or(0) | sign;
    let rest: BigUint = magnitude >> 6u32;
    if rest == BigUint::ZERO {
        out.push(low);
    } else {
        out.push(low | 0x80);
        write_groups(&rest.to_radix_le(128), out);
    }
}

fn write_groups(groups: &[u8], out: &mut Vec<u8>) {
    let last = groups.len().saturating_sub(1);
    for (at, group) in groups.iter().enumerate() {
        out.push(if at == last { *group } else { group | 0x80 });
    }
}

/// Bits gathered low first into bytes.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, group: u8, width: u32) -> Result<(), ProtocolError> {
        if self.bytes.len() >= INTEGER_BYTES {
            return Err(ProtocolError::TooLarge {
                what: "an integer, in bytes,",
                limit: INTEGER_BYTES,
            });
        }
        self.pending |= u32::from(group) << self.count;
        self.count += width;
        while self.count >= 8 {
            self.bytes.push((self.pending & 0xff) as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
        Ok(())
    }

    fn finish(mut self) -> BigUint {
        self.bytes.push((self.pending & 0xff) as u8);
        BigUint::from_bytes_le(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cursor::whole;

    fn z(bytes: &[u8]) -> Result<BigInt, ProtocolError> {
        whole("test", bytes, read_z)
    }

    #[test]
    fn small_integers_read_as_the_encoding_says() {
        for (bytes, value) in [
            (&[0x00][..], 0),
            (&[0x01], 1),
            (&[0x3f], 63),
            (&[0x80, 0x01], 64),
            (&[0x41], -1),
            (&[0xff, 0x01], -127),
            (&[0xc0, 0x01], -64),
        ] {
            assert_eq!(z(bytes), Ok(BigInt::from(value)), "{bytes:02x?}");
        }
        assert_eq!(
            whole("test", &[0xac, 0x02], read_n),
            Ok(BigUint::from(300u32))
        );
    }

    #[test]
    fn trailing_zero_groups_and_cut_integers_are_refused() {
        assert!(z(&[0x80, 0x00]).is_err());
        assert!(z(&[0x80]).is_err());
        assert!(z(&[]).is_err());
        assert!(whole("test", &[0x80, 0x00], read_n).is_err());
        assert!(z(&vec![0x80; 2 * INTEGER_BYTES]).is_err());
    }

    proptest! {
        #[test]
        fn integers_survive_a_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..80), minus: bool) {
            let magnitude = BigUint::from_bytes_le(&bytes);
            let mut out = Vec::new();
            write_n(&magnitude, &mut out);
            prop_assert_eq!(whole("test", &out, read_n), Ok(magnitude.clone()));
            let value = BigInt::from_biguint(if minus { Sign::Minus } else { Sign::Plus }, magnitude);
            let mut out = Vec::new();
            write_z(&value, &mut out);
            prop_assert_eq!(z(&out), Ok(value));
        }
    }
}
