//! Secret keys of the four kinds that bakers sign with. The same seed gives
//! the same keys and the same signatures.

use blst::{MultiPoint, min_pk};
use ed25519_dalek::Signer;
use heliostat_tezos_context::hash::blake2b;
use heliostat_tezos_verifier::{KeyKind, PublicKey, Signature};
use k256::ecdsa::signature::hazmat::PrehashSigner;

use super::derive;

/// Ciphersuite of Tezos' BLS signatures.
const SUITE: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Bits of the weight that a companion's signature is multiplied by.
const WEIGHT_BITS: usize = 256;

const SCALAR: &str = "a scalar, because its first two bits are cleared";
const LENGTH: &str = "a signature of its kind's length";

/// A secret key.
#[derive(Clone)]
pub struct Secret {
    kind: KeyKind,
    bytes: [u8; 32],
}

impl Secret {
    /// The key of a seed, a label and a number.
    ///
    /// # Panics
    ///
    /// For [`KeyKind::MlDsa44`], which is not signed here.
    pub fn derive(kind: KeyKind, seed: u64, label: &str, number: u64) -> Self {
        assert!(kind != KeyKind::MlDsa44, "ML-DSA-44 is not signed here");
        let mut bytes = derive(seed, label, number);
        // Below the order of every group.
        bytes[0] &= 0x3f;
        Self { kind, bytes }
    }

    fn bls(&self) -> min_pk::SecretKey {
        min_pk::SecretKey::from_bytes(&self.bytes).expect(SCALAR)
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 32 bytes: an Ed25519 seed, else a scalar, big-endian.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        let bytes = match self.kind {
            KeyKind::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(&self.bytes);
                key.verifying_key().to_bytes().to_vec()
            }
            KeyKind::Secp256k1 => {
                let key = k256::ecdsa::SigningKey::from_slice(&self.bytes).expect(SCALAR);
                key.verifying_key().to_sec1_point(true).as_bytes().to_vec()
            }
            KeyKind::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&self.bytes).expect(SCALAR);
                key.verifying_key().to_sec1_point(true).as_bytes().to_vec()
            }
            KeyKind::Bls | KeyKind::MlDsa44 => self.bls().sk_to_pk().compress().to_vec(),
        };
        PublicKey::new(self.kind, &bytes).expect("a key of its kind's length")
    }

    /// Signs a message, which begins with its watermark. The classic kinds
    /// sign its BLAKE2b hash, BLS signs it as it stands.
    pub fn sign(&self, message: &[u8]) -> Signature {
        const SIGNED: &str = "signed, because the hash has the curve's length";
        let digest = blake2b(&[message]);
        let bytes = match self.kind {
            KeyKind::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(&self.bytes);
                key.sign(&digest).to_bytes().to_vec()
            }
            KeyKind::Secp256k1 => {
                let key = k256::ecdsa::SigningKey::from_slice(&self.bytes).expect(SCALAR);
                let signature: k256::ecdsa::Signature = key.sign_prehash(&digest).expect(SIGNED);
                signature.normalize_s().to_bytes().to_vec()
            }
            KeyKind::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&self.bytes).expect(SCALAR);
                let signature: p256::ecdsa::Signature = key.sign_prehash(&digest).expect(SIGNED);
                signature.to_bytes().to_vec()
            }
            KeyKind::Bls | KeyKind::MlDsa44 => {
                self.bls().sign(message, SUITE, &[]).compress().to_vec()
            }
        };
        Signature::from_bytes(&bytes).expect(LENGTH)
    }
}

fn point(signature: &Signature) -> min_pk::Signature {
    min_pk::Signature::uncompress(signature.as_bytes()).expect("a signature made here with BLS")
}

/// One BLS signature out of at least one.
pub(super) fn aggregate(signatures: impl IntoIterator<Item = Signature>) -> Signature {
    let points: Vec<_> = signatures.into_iter().map(|one| point(&one)).collect();
    let points: Vec<_> = points.iter().collect();
    let sum = min_pk::AggregateSignature::aggregate(&points, false)
        .expect("a sum, because somebody signed");
    Signature::from_bytes(&sum.to_signature().compress()).expect(LENGTH)
}

/// A BLS signature times a weight, little-endian.
pub(super) fn weighted(signature: &Signature, weight: &[u8; 32]) -> Signature {
    let product = [point(signature)].as_slice().mult(weight, WEIGHT_BITS);
    Signature::from_bytes(&product.to_signature().compress()).expect(LENGTH)
}
