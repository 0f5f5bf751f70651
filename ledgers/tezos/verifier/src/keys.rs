//! Keys, their hashes and their signatures: the five kinds that a Tezos
//! account or baker can have.
//!
//! | kind | tag | address | key | signature | what is signed |
//! |---|---|---|---|---|---|
//! | Ed25519 | 0 | tz1 | 32 | 64 | BLAKE2b of the message |
//! | secp256k1 | 1 | tz2 | 33, compressed | 64, low s only | BLAKE2b of the message |
//! | P-256 | 2 | tz3 | 33, compressed | 64 | BLAKE2b of the message |
//! | BLS12-381 | 3 | tz4 | 48, compressed G1 | 96, compressed G2 | the message |
//! | ML-DSA-44 | 4 | tz5 | 1,312 | 2,420 | read, never verified |
//!
//! A message is a watermark followed by the signed bytes.

mod bls;
mod text;

pub use bls::{WeightedKey, verify_aggregate};

use ed25519_dalek::Verifier;
use heliostat_tezos_context::hash::blake2b;
use k256::ecdsa::signature::hazmat::PrehashVerifier;

use crate::cursor::Cursor;
use crate::error::Error;

/// Length of an ML-DSA-44 public key.
const ML_DSA_KEY: usize = 1_312;

/// Lengths that a signature can have: the classic kinds, BLS, ML-DSA-44.
const SIGNATURE_LENGTHS: [usize; 3] = [64, 96, 2_420];

/// Kind of a key, by the tag that all encodings share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// tz1.
    Ed25519,
    /// tz2.
    Secp256k1,
    /// tz3.
    P256,
    /// tz4.
    Bls,
    /// tz5, whose signatures this crate does not verify.
    MlDsa44,
}

impl KeyKind {
    const ALL: &'static [Self; 5] = &[
        Self::Ed25519,
        Self::Secp256k1,
        Self::P256,
        Self::Bls,
        Self::MlDsa44,
    ];

    /// The kinds whose signatures are verified.
    pub fn verified() -> &'static [Self] {
        &Self::ALL[..4]
    }

    /// The kind of a tag byte.
    fn read(cursor: &mut Cursor<'_>, what: &'static str) -> Result<Self, Error> {
        let tag = cursor.u8(what)?;
        Self::ALL
            .get(usize::from(tag))
            .copied()
            .ok_or_else(|| Error::value(what, tag, "a key tag from 0 to 4"))
    }

    /// The tag byte.
    pub fn tag(self) -> u8 {
        self as u8
    }

    /// Length of a key of this kind, in bytes.
    pub fn key_len(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::Secp256k1 | Self::P256 => 33,
            Self::Bls => 48,
            Self::MlDsa44 => ML_DSA_KEY,
        }
    }
}

/// A public key as it is stored: nothing is checked but its length until a
/// signature is verified with it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    kind: KeyKind,
    bytes: Vec<u8>,
}

/// Hash of a public key, with its kind: an implicit account's address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKeyHash {
    kind: KeyKind,
    hash: [u8; 20],
}

/// A signature as it is sent: 64 bytes of any classic kind, 96 of BLS, 2,420
/// of ML-DSA-44. The key that verifies it says what it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    bytes: Vec<u8>,
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key is not a point of its curve, or not in its canonical bytes.
    #[error("public key {0} is not valid for its curve")]
    Key(PublicKey),
    /// The signature does not have the form that the key's kind needs.
    #[error("the signature is malformed for key {0}")]
    Malformed(PublicKey),
    /// It is another key's signature, or one of another message.
    #[error("the signature is not one of key {0} on this message")]
    Wrong(PublicKey),
    /// The kind is not verified by this release.
    #[error("signatures of {0} (ML-DSA-44) are not verified by this release")]
    Unsupported(PublicKeyHash),
    /// Nobody signed.
    #[error("there is no key to verify the signature with")]
    NoSigner,
    /// The header holds no signature to verify.
    #[error(transparent)]
    Header(Error),
}

impl PublicKey {
    /// A key of this kind; the length is checked, the point is not.
    pub fn new(kind: KeyKind, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != kind.key_len() {
            return Err(Error::value(
                "public key",
                format_args!("{} bytes", bytes.len()),
                "the length of its kind",
            ));
        }
        Ok(Self {
            kind,
            bytes: bytes.to_vec(),
        })
    }

    /// Reads a tag and a key.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let kind = KeyKind::read(cursor, "public key")?;
        Self::new(kind, cursor.take(kind.key_len(), "public key")?)
    }

    /// Reads the tagged bytes of a key, such as a revealed manager key.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        let key = Self::read(&mut cursor)?;
        cursor.end("public key")?;
        Ok(key)
    }

    /// Tag and bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.kind.tag()];
        out.extend_from_slice(&self.bytes);
        out
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its bytes, without tag.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its hash: BLAKE2b of the bytes without tag, 20 bytes long.
    pub fn hash(&self) -> PublicKeyHash {
        let digest = blake2b_simd::Params::new()
            .hash_length(20)
            .hash(&self.bytes);
        let mut hash = [0; 20];
        hash.copy_from_slice(digest.as_bytes());
        PublicKeyHash {
            kind: self.kind,
            hash,
        }
    }

    /// Whether this key signed `message`, a watermark and what it marks.
    ///
    /// As Tezos does: the classic kinds sign the message's BLAKE2b hash, BLS
    /// signs the message in the proof-of-possession suite; secp256k1 takes
    /// low s only, P-256 either; points must be in their canonical bytes and,
    /// for BLS, in their group and not infinity.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        match self.kind {
            KeyKind::Ed25519 => self.verify_ed25519(message, signature),
            KeyKind::Secp256k1 => {
                self.check_compressed()?;
                let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(&self.bytes)
                    .map_err(|_| SignatureError::Key(self.clone()))?;
                let signature = k256::ecdsa::Signature::from_slice(&signature.bytes)
                    .map_err(|_| SignatureError::Malformed(self.clone()))?;
                key.verify_prehash(&blake2b(&[message]), &signature)
                    .map_err(|_| SignatureError::Wrong(self.clone()))
            }
            KeyKind::P256 => {
                self.check_compressed()?;
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.bytes)
                    .map_err(|_| SignatureError::Key(self.clone()))?;
                let signature = p256::ecdsa::Signature::from_slice(&signature.bytes)
                    .map_err(|_| SignatureError::Malformed(self.clone()))?;
                key.verify_prehash(&blake2b(&[message]), &signature)
                    .map_err(|_| SignatureError::Wrong(self.clone()))
            }
            KeyKind::Bls => bls::verify(self, message, signature),
            KeyKind::MlDsa44 => Err(SignatureError::Unsupported(self.hash())),
        }
    }

    /// Compressed points begin with 02 or 03: the libraries take another form
    /// of the same length too, which the network's nodes do not.
    fn check_compressed(&self) -> Result<(), SignatureError> {
        match self.bytes.first() {
            Some(0x02 | 0x03) => Ok(()),
            _ => Err(SignatureError::Key(self.clone())),
        }
    }

    fn verify_ed25519(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let invalid = || SignatureError::Key(self.clone());
        let bytes: &[u8; 32] = self.bytes.as_slice().try_into().map_err(|_| invalid())?;
        if !is_canonical_y(bytes) {
            return Err(invalid());
        }
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| invalid())?;
        let signature = ed25519_dalek::Signature::from_slice(&signature.bytes)
            .map_err(|_| SignatureError::Malformed(self.clone()))?;
        key.verify(&blake2b(&[message]), &signature)
            .map_err(|_| SignatureError::Wrong(self.clone()))
    }
}

/// Whether the y of a compressed Edwards point is below the field's prime
/// 2^255 - 19: the library takes both forms, the network's nodes only this.
fn is_canonical_y(bytes: &[u8; 32]) -> bool {
    let top = bytes[31] & 0x7f;
    top != 0x7f || bytes[1..31].iter().any(|byte| *byte != 0xff) || bytes[0] < 0xed
}

impl PublicKeyHash {
    /// A hash of this kind.
    pub fn new(kind: KeyKind, hash: [u8; 20]) -> Self {
        Self { kind, hash }
    }

    /// Reads a tag and 20 bytes.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let kind = KeyKind::read(cursor, "public key hash")?;
        Ok(Self {
            kind,
            hash: cursor.array("public key hash")?,
        })
    }

    /// Reads the 21 bytes of a tagged hash.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        let hash = Self::read(&mut cursor)?;
        cursor.end("public key hash")?;
        Ok(hash)
    }

    /// Tag and 20 bytes.
    pub fn encode(&self) -> [u8; 21] {
        let mut out = [self.kind.tag(); 21];
        out[1..].copy_from_slice(&self.hash);
        out
    }

    /// Kind of the key.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 20 bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.hash
    }
}

impl Signature {
    /// A signature of one of the lengths that exist: 64, 96 or 2,420 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if !SIGNATURE_LENGTHS.contains(&bytes.len()) {
            return Err(Error::value(
                "signature",
                format_args!("{} bytes", bytes.len()),
                "64, 96 or 2420 bytes",
            ));
        }
        Ok(Self {
            bytes: bytes.to_vec(),
        })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their count.
    #[allow(clippy::len_without_is_empty, reason = "a signature is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}
