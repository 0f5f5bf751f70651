//! The texts of public keys, signatures and chain ids.

use heliostat_tezos_context::base58::{self, Prefix};

use crate::contract::encode_with;
use crate::cursor::{Cursor, whole};
use crate::error::ProtocolError;

/// `mdpk…`, an ML-DSA-44 public key: 1,312 bytes, too long for the context
/// crate's decoder, and only ever written here.
const MLDSA44_KEY: [u8; 4] = [13, 7, 237, 67];
/// Bytes of an ML-DSA-44 public key.
const MLDSA44_KEY_BYTES: usize = 1312;
/// `mdsig…`, an ML-DSA-44 signature.
const MLDSA44_SIGNATURE: [u8; 5] = [1, 156, 45, 210, 3];
/// Bytes of an ML-DSA-44 signature.
const MLDSA44_SIGNATURE_BYTES: usize = 2420;

/// The kinds of public key whose text can be read as well: tag, prefix, bytes.
const KEYS: [(u8, Prefix, usize); 4] = [
    (0, Prefix::EDPK, 32),
    (1, Prefix::SPPK, 33),
    (2, Prefix::P2PK, 33),
    (3, Prefix::BLPK, 48),
];

/// A public key: its tag (0 Ed25519, 1 secp256k1, 2 P-256, 3 BLS12-381,
/// 4 ML-DSA-44) and its bytes. Nothing says that it is a point of its curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    tag: u8,
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads tag and key.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, ProtocolError> {
        let tag = cursor.u8()?;
        let length = match KEYS.iter().find(|(known, ..)| *known == tag) {
            Some((.., length)) => *length,
            None if tag == 4 => MLDSA44_KEY_BYTES,
            None => return Err(cursor.error(format!("public key of unknown kind {tag}"))),
        };
        let bytes = cursor.take(length)?.to_vec();
        Ok(Self { tag, bytes })
    }

    /// Reads tag and key; bytes left over are an error.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProtocolError> {
        whole("public key", bytes, Self::read)
    }

    /// Reads the base58 text of any kind but ML-DSA-44.
    pub fn from_text(text: &str) -> Result<Self, ProtocolError> {
        for (tag, prefix, _) in KEYS {
            if let Ok(bytes) = base58::decode(prefix, text) {
                return Ok(Self { tag, bytes });
            }
        }
        Err(ProtocolError::unsupported("this public key's text"))
    }

    /// Whether this is a BLS12-381 key.
    pub fn is_bls(&self) -> bool {
        self.tag == 3
    }

    /// The base58 text.
    pub fn to_text(&self) -> String {
        match KEYS.iter().find(|(tag, ..)| *tag == self.tag) {
            Some((_, prefix, _)) => base58::encode(*prefix, &self.bytes),
            None => encode_with(&MLDSA44_KEY, &self.bytes),
        }
    }
}

/// The text of a signature's bytes: 64 bytes of any curve are `sig…`, since
/// the bytes do not tell the curve; 96 are BLS, 2,420 are ML-DSA-44.
pub fn signature_text(bytes: &[u8]) -> Result<String, ProtocolError> {
    match bytes.len() {
        64 => Ok(base58::encode(Prefix::SIG, bytes)),
        96 => Ok(base58::encode(Prefix::BLSIG, bytes)),
        MLDSA44_SIGNATURE_BYTES => Ok(encode_with(&MLDSA44_SIGNATURE, bytes)),
        other => {
            let reason = format!("{other} bytes are of no known kind");
            Err(ProtocolError::malformed("signature", reason))
        }
    }
}

/// The text of a chain id, `Net…`.
pub fn chain_id_text(bytes: &[u8]) -> Result<String, ProtocolError> {
    if bytes.len() == 4 {
        Ok(base58::encode(Prefix::CHAIN, bytes))
    } else {
        Err(ProtocolError::malformed("chain id", "not 4 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_prints_with_its_prefix() {
        for (tag, length, begin) in [
            (0u8, 32, "edpk"),
            (1, 33, "sppk"),
            (2, 33, "p2pk"),
            (3, 48, "BLpk"),
            (4, 1312, "mdpk"),
        ] {
            let mut bytes = vec![tag];
            bytes.extend(vec![7; length]);
            let key = PublicKey::from_bytes(&bytes).unwrap();
            assert!(key.to_text().starts_with(begin), "{}", key.to_text());
            if tag < 4 {
                assert_eq!(PublicKey::from_text(&key.to_text()), Ok(key));
            }
            bytes.push(0);
            assert!(PublicKey::from_bytes(&bytes).is_err());
        }
        assert!(PublicKey::from_bytes(&[9; 33]).is_err());
    }

    #[test]
    fn signatures_print_by_their_length() {
        assert!(signature_text(&[1; 64]).unwrap().starts_with("sig"));
        assert!(signature_text(&[1; 96]).unwrap().starts_with("BLsig"));
        assert!(signature_text(&[1; 2420]).unwrap().starts_with("mdsig"));
        assert!(signature_text(&[1; 65]).is_err());
    }

    #[test]
    fn the_chain_id_of_mainnet_prints_as_everybody_knows_it() {
        let text = chain_id_text(&[0x7a, 0x06, 0xa7, 0x70]);
        assert_eq!(text.as_deref(), Ok("NetXdQprcVkpaWU"));
    }
}
