//! Which shards of the data availability layer a baker attests: a set of
//! bits, as it is sent, shown and hashed.

use crate::cursor::Cursor;
use crate::defaults::MOST_DAL_BYTES;
use crate::error::Error;

/// A set of bits, little-endian, without zero bytes at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct DalContent {
    bits: Vec<u8>,
}

impl DalContent {
    /// The set of these bytes, bit 0 first.
    pub fn from_bits(bits: &[u8]) -> Self {
        let len = bits
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        Self {
            bits: bits[..len].to_vec(),
        }
    }

    /// Reads a signed integer of variable length (`Data_encoding.z`): six
    /// bits, a sign bit 40 and a continuation bit 80, then seven bits a byte.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let mut bits = Vec::new();
        let mut at = 0;
        loop {
            let first = at == 0;
            let byte = cursor.u8("dal_attestation")?;
            if first && byte & 0x40 != 0 {
                return Err(Error::value("dal_attestation", "negative", "a set of bits"));
            }
            let (payload, width) = if first {
                (byte & 0x3f, 6)
            } else {
                (byte & 0x7f, 7)
            };
            push_bits(&mut bits, at, payload);
            at += width;
            if byte & 0x80 == 0 {
                if byte == 0 && !first {
                    let expected = "the shortest form of an integer";
                    return Err(Error::value("dal_attestation", "padded", expected));
                }
                return Ok(Self::from_bits(&bits));
            }
            if at / 8 > MOST_DAL_BYTES {
                let (what, size) = ("dal_attestation", at / 8);
                return Err(Error::TooLong {
                    what,
                    size,
                    most: MOST_DAL_BYTES,
                });
            }
        }
    }

    /// Writes the form that the protocol reads.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let count = self.bits.len() * 8;
        let bit = |at: usize| at < count && self.bits[at / 8] >> (at % 8) & 1 == 1;
        let group = |from: usize, width: usize| {
            (0..width).fold(0, |byte, n| byte | u8::from(bit(from + n)) << n)
        };
        let highest = (0..count).rev().find(|at| bit(*at)).map_or(0, |at| at + 1);
        let (mut at, mut width) = (0, 6);
        loop {
            let more = highest > at + width;
            out.push(group(at, width) | if more { 0x80 } else { 0 });
            if !more {
                return;
            }
            (at, width) = (at + width, 7);
        }
    }

    /// Reads the decimal text that JSON has.
    pub(super) fn from_decimal(text: &str) -> Result<Self, Error> {
        let wrong = || Error::value("dal_attestation", text, "a natural number in decimals");
        // Each byte takes 2.4 digits.
        if text.is_empty() || text.len() > MOST_DAL_BYTES * 5 / 2 {
            return Err(wrong());
        }
        let mut bits: Vec<u8> = Vec::new();
        for digit in text.bytes() {
            let digit = (digit as char).to_digit(10).ok_or_else(wrong)?;
            let mut carry = digit;
            for byte in &mut bits {
                let value = u32::from(*byte) * 10 + carry;
                *byte = value as u8;
                carry = value >> 8;
            }
            if carry > 0 {
                bits.push(carry as u8);
            }
        }
        Ok(Self::from_bits(&bits))
    }

    /// The bytes that the companion key's weight is made of: little-endian,
    /// filled up to whole machine words of eight bytes, nothing for zero
    /// (`Z.to_bits`).
    pub(super) fn words(&self) -> Vec<u8> {
        let mut words = self.bits.clone();
        words.resize(words.len().next_multiple_of(8), 0);
        words
    }
}

/// Puts the low bits of `payload` at bit `at`.
fn push_bits(bits: &mut Vec<u8>, at: usize, payload: u8) {
    let shifted = u16::from(payload) << (at % 8);
    bits.resize(bits.len().max(at / 8 + 2), 0);
    let [high, low] = shifted.to_be_bytes();
    bits[at / 8] |= low;
    bits[at / 8 + 1] |= high;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<DalContent, Error> {
        let mut cursor = Cursor::new(bytes);
        let content = DalContent::read(&mut cursor)?;
        cursor.end("dal_attestation")?;
        Ok(content)
    }

    fn written(content: &DalContent) -> Vec<u8> {
        let mut out = vec![];
        content.write(&mut out);
        out
    }

    #[test]
    fn the_codecs_golden_is_read_and_written() {
        // From Octez's golden of an attestation with DAL content: 2048.
        let content = read(&[0x80, 0x20]).expect("an integer");
        assert_eq!(content, DalContent::from_bits(&[0x00, 0x08]));
        assert_eq!(content, DalContent::from_decimal("2048").expect("decimals"));
        assert_eq!(written(&content), [0x80, 0x20]);
        assert_eq!(content.words(), [0, 8, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn zero_is_one_byte_and_no_words() {
        let zero = read(&[0]).expect("an integer");
        assert_eq!(zero, DalContent::default());
        assert_eq!(zero, DalContent::from_decimal("0").expect("decimals"));
        assert_eq!(written(&zero), [0]);
        assert!(zero.words().is_empty());
    }

    #[test]
    fn what_is_no_set_of_bits_is_refused() {
        assert!(read(&[]).is_err());
        assert!(read(&[0x80]).is_err());
        assert!(read(&[0x41]).is_err(), "negative");
        assert!(read(&[0x81, 0x00]).is_err(), "padded");
        assert!(read(&vec![0x80; 10_000]).is_err(), "endless");
        let digits = "9".repeat(100_000);
        for text in ["", "-1", "0x1", "1 ", digits.as_str()] {
            assert!(DalContent::from_decimal(text).is_err());
        }
    }

    proptest! {
        #[test]
        fn every_set_is_read_back(bits in prop::collection::vec(any::<u8>(), 0..70)) {
            let content = DalContent::from_bits(&bits);
            prop_assert_eq!(read(&written(&content)), Ok(content));
        }

        #[test]
        fn decimals_and_bits_agree(value in any::<u128>()) {
            let content = DalContent::from_decimal(&value.to_string());
            prop_assert_eq!(content, Ok(DalContent::from_bits(&value.to_le_bytes())));
        }
    }
}
