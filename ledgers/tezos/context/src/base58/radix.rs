//! Base 58 to bytes and back, without a checksum.
//!
//! The usual digit-by-digit way costs as much as everything else of a proof
//! together; ten digits at a time make it a tenth of that.

/// The digits, in order of their value.
const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// What a character is worth; [`INVALID`] where it is no digit.
const VALUES: [u8; 256] = values();

/// Marks a character that is no digit.
const INVALID: u8 = 0xff;

/// Digits taken at once when reading: 58^10 is below 2^64.
const READ_AT_ONCE: usize = 10;

/// Digits made at once when writing, and their weight: below 2^32, so that a
/// step is one 64-bit division by a constant.
const WRITE_AT_ONCE: usize = 5;
const WRITE_WEIGHT: u64 = 58u64.pow(WRITE_AT_ONCE as u32);

/// Room for the longest text that is looked at (256 digits are 188 bytes).
pub(super) const MOST_BYTES: usize = 192;

const fn values() -> [u8; 256] {
    let mut values = [INVALID; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
}

/// Bytes read from a text: the last `len` of the buffer.
pub(super) struct Bytes {
    buffer: [u8; MOST_BYTES],
    start: usize,
}

impl Bytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

/// The bytes of a base-58 text; `Err` is the position of the first character
/// that is no digit, or of the first that does not fit.
pub(super) fn read(text: &[u8]) -> Result<Bytes, usize> {
    // Little-endian limbs.
    let mut limbs = [0u64; MOST_BYTES / 8];
    let mut used = 0;
    for (chunk, digits) in text.chunks(READ_AT_ONCE).enumerate() {
        let mut carry = 0u64;
        let mut weight = 1u64;
        for (at, digit) in digits.iter().enumerate() {
            let value = VALUES[usize::from(*digit)];
            if value == INVALID {
                return Err(chunk * READ_AT_ONCE + at);
            }
            carry = carry * 58 + u64::from(value);
            weight *= 58;
        }
        for limb in &mut limbs[..used] {
            let wide = u128::from(*limb) * u128::from(weight) + u128::from(carry);
            *limb = wide as u64;
            carry = (wide >> 64) as u64;
        }
        if carry != 0 {
            *limbs.get_mut(used).ok_or(chunk * READ_AT_ONCE)? = carry;
            used += 1;
        }
    }
    let mut buffer = [0; MOST_BYTES];
    for (room, limb) in buffer.rchunks_mut(8).zip(&limbs) {
        room.copy_from_slice(&limb.to_be_bytes());
    }
    // Every leading '1' is a zero byte; no other zero byte leads.
    let zeros = text.iter().take_while(|digit| **digit == b'1').count();
    let value = buffer.iter().take_while(|byte| **byte == 0).count();
    match value.checked_sub(zeros) {
        Some(start) => Ok(Bytes { buffer, start }),
        None => Err(text.len()),
    }
}

/// The base-58 text of some bytes.
pub(super) fn write(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    // Big-endian limbs.
    let mut limbs: Vec<u32> = bytes[zeros..]
        .rchunks(4)
        .rev()
        .map(|chunk| {
            chunk
                .iter()
                .fold(0, |limb, byte| limb << 8 | u32::from(*byte))
        })
        .collect();
    // Backwards, last digit first.
    let mut text = Vec::with_capacity(bytes.len() * 7 / 5 + WRITE_AT_ONCE);
    let mut first = 0;
    while first < limbs.len() {
        let mut rest = 0u64;
        for limb in &mut limbs[first..] {
            let wide = rest << 32 | u64::from(*limb);
            *limb = (wide / WRITE_WEIGHT) as u32;
            rest = wide % WRITE_WEIGHT;
        }
        while limbs.get(first) == Some(&0) {
            first += 1;
        }
        for _ in 0..WRITE_AT_ONCE {
            text.push(ALPHABET[(rest % 58) as usize]);
            rest /= 58;
        }
    }
    while text.last() == Some(&b'1') {
        text.pop();
    }
    text.extend(std::iter::repeat_n(b'1', zeros));
    text.reverse();
    String::from_utf8(text).expect("the alphabet is ASCII")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_and_writes_what_another_implementation_does(
            zeros in 0usize..4,
            rest in prop::collection::vec(any::<u8>(), 0..150),
        ) {
            let mut bytes = vec![0; zeros];
            bytes.extend(rest);
            let text = write(&bytes);
            prop_assert_eq!(&text, &bs58::encode(&bytes).into_string());
            prop_assert_eq!(read(text.as_bytes()).map(|b| b.as_slice().to_vec()), Ok(bytes));
        }

        #[test]
        fn any_text_reads_as_another_implementation_reads_it(text in "[1-9A-Za-z]{0,256}") {
            let theirs = bs58::decode(&text).into_vec();
            match read(text.as_bytes()) {
                Ok(bytes) => prop_assert_eq!(Ok(bytes.as_slice().to_vec()), theirs),
                // Only here: more leading ones than there is room for.
                Err(at) if at == text.len() => prop_assert!(theirs.is_ok_and(|b| b.len() > MOST_BYTES)),
                Err(_) => prop_assert!(theirs.is_err()),
            }
        }
    }
}
