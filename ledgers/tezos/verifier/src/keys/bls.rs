//! BLS12-381 with keys in G1 and signatures in G2, in the
//! proof-of-possession suite: every key that the chain accepts has proven
//! that it is held, so signatures on one message add up.

use blst::{BLST_ERROR, MultiPoint, min_pk};

use super::{KeyKind, PublicKey, Signature, SignatureError};

/// Ciphersuite of Tezos' consensus signatures and of tz4 accounts.
const SUITE: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Weights have as many bits as the hash they are.
const WEIGHT_BITS: usize = 256;

/// Reads a key: compressed, on the curve, in its group, not infinity.
fn point(key: &PublicKey) -> Result<min_pk::PublicKey, SignatureError> {
    let invalid = |_: BLST_ERROR| SignatureError::Key(key.clone());
    if key.kind() != KeyKind::Bls {
        return Err(SignatureError::Key(key.clone()));
    }
    let point = min_pk::PublicKey::uncompress(key.as_bytes()).map_err(invalid)?;
    point.validate().map_err(invalid)?;
    Ok(point)
}

/// Whether `key` signed the message as it stands.
pub(super) fn verify(
    key: &PublicKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    let signer = point(key)?;
    let signature = min_pk::Signature::uncompress(signature.as_bytes())
        .map_err(|_| SignatureError::Malformed(key.clone()))?;
    match signature.verify(true, message, SUITE, &[], &signer, false) {
        BLST_ERROR::BLST_SUCCESS => Ok(()),
        _ => Err(SignatureError::Wrong(key.clone())),
    }
}

/// A key that signs with a weight: what it adds to the sum of keys is itself
/// times the weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedKey {
    /// The key.
    pub key: PublicKey,
    /// The weight, little-endian; `None` is one.
    pub weight: Option<[u8; 32]>,
}

/// Whether all keys, each with its weight, signed the message, and their
/// signatures add up to this one.
pub fn verify_aggregate(
    keys: &[WeightedKey],
    message: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    let mut plain = vec![];
    let mut weighted = vec![];
    let mut weights = vec![];
    for WeightedKey { key, weight } in keys {
        let point = point(key)?;
        match weight {
            None => plain.push(point),
            Some(weight) => {
                weighted.push(point);
                weights.extend_from_slice(weight);
            }
        }
    }
    let first = match keys {
        [] => return Err(SignatureError::NoSigner),
        [first, ..] => &first.key,
    };
    if !weighted.is_empty() {
        plain.push(weighted.mult(&weights, WEIGHT_BITS).to_public_key());
    }
    let plain: Vec<_> = plain.iter().collect();
    let sum = min_pk::AggregatePublicKey::aggregate(&plain, false)
        .map_err(|_| SignatureError::Key(first.clone()))?
        .to_public_key();
    let signature = min_pk::Signature::uncompress(signature.as_bytes())
        .map_err(|_| SignatureError::Malformed(first.clone()))?;
    // The sum may be infinity although no key is: that verifies nothing.
    match signature.verify(true, message, SUITE, &[], &sum, true) {
        BLST_ERROR::BLST_SUCCESS => Ok(()),
        _ => Err(SignatureError::Wrong(first.clone())),
    }
}
