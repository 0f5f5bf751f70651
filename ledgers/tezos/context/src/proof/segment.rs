//! The indices of an extender: five bits each, highest bit first, then a one,
//! then zeros up to a whole byte.

use crate::defaults::MAX_INODE_DEPTH;

/// The bytes of some indices.
pub(super) fn write(indices: &[u8]) -> Vec<u8> {
    let mut bits = 0u64;
    for index in indices {
        bits = bits << 5 | u64::from(*index);
    }
    bits = bits << 1 | 1;
    let used = indices.len() * 5 + 1;
    let len = used.div_ceil(8);
    bits <<= 64 - used;
    bits.to_be_bytes()[..len].to_vec()
}

/// The indices of some bytes: one to ten; `None` for anything else.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.is_empty() || bytes.len() > (MAX_INODE_DEPTH * 5 + 1).div_ceil(8) {
        return None;
    }
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_be_bytes(word);
    // The last one is the end; it has to be in the last byte.
    let end = 63u32.checked_sub(bits.trailing_zeros())?;
    if end % 5 != 0 || end == 0 || bytes.len() != (end as usize + 1).div_ceil(8) {
        return None;
    }
    Some(
        (0..end / 5)
            .map(|at| (bits >> (59 - 5 * at) & 31) as u8)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_read_back_and_nothing_else_does() {
        for len in 1..=MAX_INODE_DEPTH {
            let indices: Vec<u8> = (0..len as u8).map(|at| (at * 7 + 3) % 32).collect();
            let bytes = write(&indices);
            assert_eq!(read(&bytes), Some(indices));
            assert_eq!(read(&[&bytes[..], &[0]].concat()), None);
        }
        assert_eq!(write(&[4, 6]), [0x21, 0xa0]);
        for bytes in [&[][..], &[0], &[0, 0], &[0x80], &[0x08], &[0xff; 8]] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
    }
}
