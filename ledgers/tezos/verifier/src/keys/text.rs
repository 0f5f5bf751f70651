//! The texts of keys, hashes and signatures. ML-DSA-44 keys and signatures
//! are shown in hex: their base58check texts have thousands of letters, and
//! decoding costs the square of that.

use std::fmt;
use std::str::FromStr;

use heliostat_tezos_context::base58::{self, Base58Error, Prefix};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{KeyKind, PublicKey, PublicKeyHash, Signature};

/// Prefixes of keys that have a short text.
const KEYS: [(KeyKind, Prefix); 4] = [
    (KeyKind::Ed25519, Prefix::EDPK),
    (KeyKind::Secp256k1, Prefix::SPPK),
    (KeyKind::P256, Prefix::P2PK),
    (KeyKind::Bls, Prefix::BLPK),
];

const HASHES: [(KeyKind, Prefix); 5] = [
    (KeyKind::Ed25519, Prefix::TZ1),
    (KeyKind::Secp256k1, Prefix::TZ2),
    (KeyKind::P256, Prefix::TZ3),
    (KeyKind::Bls, Prefix::TZ4),
    (KeyKind::MlDsa44, Prefix::TZ5),
];

/// Texts that a signature may have; the first of a length is the one printed.
const SIGNATURES: [Prefix; 5] = [
    Prefix::SIG,
    Prefix::EDSIG,
    Prefix::SPSIG,
    Prefix::P2SIG,
    Prefix::BLSIG,
];

/// The payload of the first prefix that fits, with what stands beside it.
fn first<T: Copy>(
    kinds: impl IntoIterator<Item = (T, Prefix)>,
    text: &str,
) -> Result<(T, Vec<u8>), Base58Error> {
    let mut last = None;
    for (kind, prefix) in kinds {
        match base58::decode(prefix, text) {
            Ok(payload) => return Ok((kind, payload)),
            // A bad checksum is bad for all prefixes: do not decode again.
            Err(error @ Base58Error::Malformed { .. }) => return Err(error),
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(last.expect("an error, because no list of prefixes is empty"))
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match KEYS.iter().find(|(kind, _)| *kind == self.kind) {
            Some((_, prefix)) => f.write_str(&base58::encode(*prefix, &self.bytes)),
            None => write!(f, "0x{}", hex::encode(&self.bytes)),
        }
    }
}

impl FromStr for PublicKey {
    type Err = Base58Error;

    fn from_str(text: &str) -> Result<Self, Base58Error> {
        let (kind, bytes) = first(KEYS, text)?;
        Ok(Self { kind, bytes })
    }
}

impl fmt::Display for PublicKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, prefix) = HASHES[usize::from(self.kind.tag())];
        f.write_str(&base58::encode(prefix, &self.hash))
    }
}

impl FromStr for PublicKeyHash {
    type Err = Base58Error;

    fn from_str(text: &str) -> Result<Self, Base58Error> {
        let (kind, bytes) = first(HASHES, text)?;
        let mut hash = [0; 20];
        hash.copy_from_slice(&bytes);
        Ok(Self { kind, hash })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes.len() {
            64 => f.write_str(&base58::encode(Prefix::SIG, &self.bytes)),
            96 => f.write_str(&base58::encode(Prefix::BLSIG, &self.bytes)),
            _ => write!(f, "0x{}", hex::encode(&self.bytes)),
        }
    }
}

impl FromStr for Signature {
    type Err = Base58Error;

    fn from_str(text: &str) -> Result<Self, Base58Error> {
        let (_, bytes) = first(SIGNATURES.map(|prefix| ((), prefix)), text)?;
        Ok(Self { bytes })
    }
}

/// Shown as text and read from text, everywhere.
macro_rules! texts {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

texts!(PublicKey, PublicKeyHash, Signature);
