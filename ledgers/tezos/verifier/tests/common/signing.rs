//! Signing, for tests: the crate itself only verifies.

use blst::{MultiPoint, min_pk};
use heliostat_tezos_context::hash::blake2b;
use heliostat_tezos_verifier::{KeyKind, PublicKey, Signature};
use k256::ecdsa::signature::hazmat::PrehashSigner;

const SUITE: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// A secret key of one of the kinds that are verified.
pub struct Secret {
    kind: KeyKind,
    bytes: [u8; 32],
}

impl Secret {
    /// The key of a small number.
    pub fn new(kind: KeyKind, number: u8) -> Self {
        let mut bytes = blake2b(&[b"secret", &[kind.tag(), number]]);
        // Below every group's order.
        bytes[0] &= 0x3f;
        Self { kind, bytes }
    }

    fn bls(&self) -> min_pk::SecretKey {
        min_pk::SecretKey::from_bytes(&self.bytes).expect("a scalar")
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        let bytes = match self.kind {
            KeyKind::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(&self.bytes);
                key.verifying_key().to_bytes().to_vec()
            }
            KeyKind::Secp256k1 => {
                let key = k256::ecdsa::SigningKey::from_slice(&self.bytes).expect("a scalar");
                key.verifying_key().to_sec1_point(true).as_bytes().to_vec()
            }
            KeyKind::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&self.bytes).expect("a scalar");
                key.verifying_key().to_sec1_point(true).as_bytes().to_vec()
            }
            KeyKind::Bls => self.bls().sk_to_pk().compress().to_vec(),
            KeyKind::MlDsa44 => panic!("ML-DSA-44 is not signed here"),
        };
        PublicKey::new(self.kind, &bytes).expect("the kind's length")
    }

    /// Signs a message, its watermark included.
    pub fn sign(&self, message: &[u8]) -> Signature {
        use ed25519_dalek::Signer;
        let digest = blake2b(&[message]);
        let bytes = match self.kind {
            KeyKind::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(&self.bytes);
                key.sign(&digest).to_bytes().to_vec()
            }
            KeyKind::Secp256k1 => {
                let key = k256::ecdsa::SigningKey::from_slice(&self.bytes).expect("a scalar");
                let signature: k256::ecdsa::Signature = key.sign_prehash(&digest).expect("signed");
                signature.normalize_s().to_bytes().to_vec()
            }
            KeyKind::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&self.bytes).expect("a scalar");
                let signature: p256::ecdsa::Signature = key.sign_prehash(&digest).expect("signed");
                signature.to_bytes().to_vec()
            }
            KeyKind::Bls => self.bls().sign(message, SUITE, &[]).compress().to_vec(),
            KeyKind::MlDsa44 => panic!("ML-DSA-44 is not signed here"),
        };
        Signature::from_bytes(&bytes).expect("a signature's length")
    }
}

fn point(signature: &Signature) -> min_pk::Signature {
    min_pk::Signature::uncompress(signature.as_bytes()).expect("a BLS signature")
}

/// One signature out of several.
pub fn aggregate(signatures: impl IntoIterator<Item = Signature>) -> Signature {
    let points: Vec<_> = signatures
        .into_iter()
        .map(|signature| point(&signature))
        .collect();
    let points: Vec<_> = points.iter().collect();
    let sum = min_pk::AggregateSignature::aggregate(&points, true).expect("points of the group");
    Signature::from_bytes(&sum.to_signature().compress()).expect("a signature's length")
}

/// A signature times a weight, little-endian.
pub fn weighted(signature: &Signature, weight: &[u8; 32]) -> Signature {
    let product = [point(signature)]
        .as_slice()
        .mult(weight, 256)
        .to_signature();
    Signature::from_bytes(&product.compress()).expect("a signature's length")
}
