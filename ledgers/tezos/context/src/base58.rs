//! Tezos' base58check: a prefix that makes the text begin with telling
//! letters, the payload, and the first four bytes of a double SHA-256 over
//! both.

mod radix;

use sha2::{Digest as _, Sha256};

/// What a base58check text stands for: the bytes put before the payload, and
/// the payload's length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    bytes: &'static [u8],
    payload: usize,
}

impl Prefix {
    const fn new(bytes: &'static [u8], payload: usize) -> Self {
        Self { bytes, payload }
    }

    /// A block hash, `B…`.
    pub const BLOCK: Self = Self::new(&[0x01, 0x34], 32);
    /// An operation hash, `o…`.
    pub const OPERATION: Self = Self::new(&[0x05, 0x74], 32);
    /// The root over one validation pass, `Lo…`.
    pub const OPERATION_LIST: Self = Self::new(&[0x85, 0xe9], 32);
    /// The root over all validation passes, `LLo…`.
    pub const OPERATION_LIST_LIST: Self = Self::new(&[0x1d, 0x9f, 0x6d], 32);
    /// A protocol, `P…`.
    pub const PROTOCOL: Self = Self::new(&[0x02, 0xaa], 32);
    /// A context hash (contents, directory or commit), `Co…`.
    pub const CONTEXT: Self = Self::new(&[0x4f, 0xc7], 32);
    /// A block payload, `vh…`.
    pub const PAYLOAD: Self = Self::new(&[0x01, 0x6a, 0xf2], 32);
    /// A seed nonce hash, `nce…`.
    pub const NONCE: Self = Self::new(&[0x45, 0xdc, 0xa9], 32);
    /// A chain id, `Net…`.
    pub const CHAIN: Self = Self::new(&[0x57, 0x52, 0x00], 4);
    /// A script expression, `expr…`.
    pub const SCRIPT_EXPR: Self = Self::new(&[0x0d, 0x2c, 0x40, 0x1b], 32);
    /// The hash of an Ed25519 key, `tz1…`.
    pub const TZ1: Self = Self::new(&[0x06, 0xa1, 0x9f], 20);
    /// The hash of a secp256k1 key, `tz2…`.
    pub const TZ2: Self = Self::new(&[0x06, 0xa1, 0xa1], 20);
    /// The hash of a P-256 key, `tz3…`.
    pub const TZ3: Self = Self::new(&[0x06, 0xa1, 0xa4], 20);
    /// The hash of a BLS12-381 key, `tz4…`.
    pub const TZ4: Self = Self::new(&[0x06, 0xa1, 0xa6], 20);
    /// The hash of an ML-DSA-44 key, `tz5…`.
    pub const TZ5: Self = Self::new(&[0x06, 0xa1, 0xa9], 20);
    /// An originated contract, `KT1…`.
    pub const KT1: Self = Self::new(&[0x02, 0x5a, 0x79], 20);
    /// A smart rollup, `sr1…`.
    pub const SR1: Self = Self::new(&[0x06, 0x7c, 0x75], 20);
    /// An Ed25519 public key, `edpk…`.
    pub const EDPK: Self = Self::new(&[0x0d, 0x0f, 0x25, 0xd9], 32);
    /// An Ed25519 secret key as its 32-byte seed, `edsk…` with 54 characters.
    pub const EDSK_SEED: Self = Self::new(&[0x0d, 0x0f, 0x3a, 0x07], 32);
    /// A secp256k1 public key, `sppk…`.
    pub const SPPK: Self = Self::new(&[0x03, 0xfe, 0xe2, 0x56], 33);
    /// A P-256 public key, `p2pk…`.
    pub const P2PK: Self = Self::new(&[0x03, 0xb2, 0x8b, 0x7f], 33);
    /// A BLS12-381 public key, `BLpk…`.
    pub const BLPK: Self = Self::new(&[0x06, 0x95, 0x87, 0xcc], 48);
    /// A signature of any 64-byte kind, `sig…`.
    pub const SIG: Self = Self::new(&[0x04, 0x82, 0x2b], 64);
    /// An Ed25519 signature, `edsig…`.
    pub const EDSIG: Self = Self::new(&[0x09, 0xf5, 0xcd, 0x86, 0x12], 64);
    /// A secp256k1 signature, `spsig1…`.
    pub const SPSIG: Self = Self::new(&[0x0d, 0x73, 0x65, 0x13, 0x3f], 64);
    /// A P-256 signature, `p2sig…`.
    pub const P2SIG: Self = Self::new(&[0x36, 0xf0, 0x2c, 0x34], 64);
    /// A BLS12-381 signature, `BLsig…`.
    pub const BLSIG: Self = Self::new(&[0x28, 0xab, 0x40, 0xcf], 96);
    /// A block's metadata hash, `bm…`.
    pub const BLOCK_METADATA: Self = Self::new(&[0xea, 0xf9], 32);
    /// The root over all operations' metadata, `LLr…`.
    pub const OPERATION_METADATA_LIST_LIST: Self = Self::new(&[0x1d, 0x9f, 0xb6], 32);
}

/// Longest text looked at: a BLS signature has 142 characters. Decoding
/// base58 costs the square of its length.
const LONGEST: usize = 256;

/// Bytes of the checksum behind the payload.
const CHECKSUM: usize = 4;

/// Why a text is not what its place calls for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Base58Error {
    /// Not base58, or its checksum is wrong.
    #[error("{text:?} is not base58check: {reason}; check for a missing or mistyped letter")]
    Malformed {
        /// The text, cut.
        text: String,
        /// What the decoder says.
        reason: String,
    },
    /// Well-formed, but another kind of thing.
    #[error("{text:?} has a valid checksum but is not a {expected}… text of the right length")]
    Kind {
        /// The text, cut.
        text: String,
        /// How the expected kind's texts begin, in hex of the prefix.
        expected: String,
    },
}

/// The base58check text of a payload. A payload of another length than the
/// prefix's gives a text that [`decode`] refuses.
pub fn encode(prefix: Prefix, payload: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(prefix.bytes.len() + payload.len() + CHECKSUM);
    bytes.extend_from_slice(prefix.bytes);
    bytes.extend_from_slice(payload);
    let checksum = checksum(&bytes);
    bytes.extend_from_slice(&checksum);
    radix::write(&bytes)
}

/// The payload of a base58check text of the given kind; its length is the
/// prefix's.
pub fn decode(prefix: Prefix, text: &str) -> Result<Vec<u8>, Base58Error> {
    with_payload(prefix, text.as_bytes(), <[u8]>::to_vec)
}

/// The payload of a base58check text, as an array: [`decode`] without an
/// allocation. `N` has to be the payload length of the prefix.
pub fn decode_array<const N: usize>(prefix: Prefix, text: &[u8]) -> Result<[u8; N], Base58Error> {
    with_payload(prefix, text, |payload| payload.try_into().ok())?
        .ok_or_else(|| wrong_kind(prefix, text))
}

fn with_payload<T>(
    prefix: Prefix,
    text: &[u8],
    take: impl FnOnce(&[u8]) -> T,
) -> Result<T, Base58Error> {
    let malformed = |reason| Base58Error::Malformed {
        text: shown(text),
        reason,
    };
    if text.len() > LONGEST {
        return Err(malformed(format!("longer than {LONGEST} characters")));
    }
    let bytes =
        radix::read(text).map_err(|at| malformed(format!("no base58 digit at character {at}")))?;
    let Some((checked, check)) = bytes.as_slice().split_last_chunk::<CHECKSUM>() else {
        return Err(malformed("too short".to_owned()));
    };
    if checksum(checked) != *check {
        return Err(malformed("its checksum is wrong".to_owned()));
    }
    match checked.strip_prefix(prefix.bytes) {
        Some(payload) if payload.len() == prefix.payload => Ok(take(payload)),
        _ => Err(wrong_kind(prefix, text)),
    }
}

fn wrong_kind(prefix: Prefix, text: &[u8]) -> Base58Error {
    Base58Error::Kind {
        text: shown(text),
        expected: hex::encode(prefix.bytes),
    }
}

/// The first four bytes of a double SHA-256.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(Sha256::digest(bytes)).into();
    [a, b, c, d]
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_every_kind_reads_back() {
        for (prefix, start) in [
            (Prefix::BLOCK, "B"),
            (Prefix::CHAIN, "Net"),
            (Prefix::CONTEXT, "Co"),
            (Prefix::TZ4, "tz4"),
            (Prefix::BLSIG, "BLsig"),
            (Prefix::EDPK, "edpk"),
        ] {
            let payload = vec![0xa5; prefix.payload];
            let text = encode(prefix, &payload);
            assert!(text.starts_with(start), "{text}");
            assert_eq!(
                text,
                bs58::encode([prefix.bytes, &payload].concat())
                    .with_check()
                    .into_string()
            );
            assert_eq!(decode(prefix, &text), Ok(payload));
        }
    }

    #[test]
    fn the_mainnet_chain_id_has_its_known_text() {
        assert_eq!(
            encode(Prefix::CHAIN, &[0x7a, 0x06, 0xa7, 0x70]),
            "NetXdQprcVkpaWU"
        );
        assert_eq!(
            decode_array(Prefix::CHAIN, b"NetXdQprcVkpaWU"),
            Ok([0x7a, 0x06, 0xa7, 0x70])
        );
    }

    #[test]
    fn a_mistyped_letter_another_kind_and_a_flood_are_told_apart() {
        let text = "NetXdQprcVkpaWV";
        assert!(matches!(
            decode(Prefix::CHAIN, text),
            Err(Base58Error::Malformed { .. })
        ));
        let text = "NetXdQprcVkpaWU";
        assert!(matches!(
            decode(Prefix::BLOCK, text),
            Err(Base58Error::Kind { .. })
        ));
        for text in [
            "",
            "1",
            "l",
            "0OIl",
            "\u{e9}",
            &"1".repeat(256),
            &"1".repeat(257),
            &"z".repeat(100_000),
        ] {
            assert!(matches!(
                decode(Prefix::CHAIN, text),
                Err(Base58Error::Malformed { .. })
            ));
        }
    }
}
