//! The few protobuf encodings a compact block is made of, as lightwalletd's
//! library writes them: fields in ascending number, zero numbers and empty
//! byte strings left out.

/// Bytes a varint takes.
pub(crate) fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Appends a varint.
#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a number field; `tag` is the field's key (number × 8). A zero is
/// left out.
#[inline]
pub(crate) fn number(out: &mut Vec<u8>, tag: u8, value: u64) {
    if value != 0 {
        out.push(tag);
        varint(out, value);
    }
}

/// Bytes [`number`] appends.
pub(crate) fn number_len(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + varint_len(value) }
}

/// Appends a byte-string field; `tag` is the field's key (number × 8 + 2). An
/// empty one is left out.
#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    if !value.is_empty() {
        out.push(tag);
        varint(out, value.len() as u64);
        out.extend_from_slice(value);
    }
}

/// Bytes a byte-string field of this length takes.
pub(crate) fn bytes_len(len: usize) -> usize {
    if len == 0 {
        0
    } else {
        1 + varint_len(len as u64) + len
    }
}

/// Bytes within a `CompactTxIn` that spends output `index`.
pub(crate) fn input_body(index: u32) -> usize {
    bytes_len(32) + number_len(u64::from(index))
}

/// Bytes of a `CompactTxIn` as a field of a compact transaction.
pub(crate) fn input_len(index: u32) -> usize {
    message_len(input_body(index))
}

/// Bytes within a `TxOut`.
pub(crate) fn output_body(value: u64, script: usize) -> usize {
    number_len(value) + bytes_len(script)
}

/// Bytes of a `TxOut` as a field of a compact transaction.
pub(crate) fn output_len(value: u64, script: usize) -> usize {
    message_len(output_body(value, script))
}

/// Bytes of a nested message; unlike a byte string it is written when empty.
pub(crate) fn message_len(body: usize) -> usize {
    1 + varint_len(body as u64) + body
}

/// Appends key and length of a nested message.
#[inline]
pub(crate) fn message(out: &mut Vec<u8>, tag: u8, body: usize) {
    out.push(tag);
    varint(out, body as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn lengths_are_what_is_written(shift in 0u32..64, value: u64) {
            for value in [value >> shift, (1 << shift) - 1, 1 << shift] {
                let mut out = Vec::new();
                varint(&mut out, value);
                proptest::prop_assert_eq!(out.len(), varint_len(value));
                out.clear();
                number(&mut out, 8, value);
                proptest::prop_assert_eq!(out.len(), number_len(value));
            }
        }
    }
}
