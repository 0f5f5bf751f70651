//! BLAKE2b as Tezos uses it everywhere: 32-byte output, no key.

/// H over the concatenation of the parts.
pub fn blake2b(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = blake2b_simd::Params::new().hash_length(32).to_state();
    for part in parts {
        state.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(state.finalize().as_bytes());
    hash
}
