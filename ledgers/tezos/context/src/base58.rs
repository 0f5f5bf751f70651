//! Tezos' base58check: a prefix that makes the text begin with telling
//! letters, the payload, and the first four bytes of a double SHA-256 over
//! both.

/// What a base58check text stands for: the bytes put before the payload, and
/// the payload's length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    bytes: &'static [u8],
    payload: usize,
}

macro_rules! prefixes {
    ($($(#[$doc:meta])* $name:ident = $bytes:expr, $payload:expr;)*) => {
        impl Prefix {
            $($(#[$doc])* pub const $name: Self = Self { bytes: &$bytes, payload: $payload };)*
        }
    };
}

prefixes! {
    /// A block hash, `B…`.
    BLOCK = [0x01, 0x34], 32;
    /// An operation hash, `o…`.
    OPERATION = [0x05, 0x74], 32;
    /// The root over one validation pass, `Lo…`.
    OPERATION_LIST = [0x85, 0xe9], 32;
    /// The root over all validation passes, `LLo…`.
    OPERATION_LIST_LIST = [0x1d, 0x9f, 0x6d], 32;
    /// A protocol, `P…`.
    PROTOCOL = [0x02, 0xaa], 32;
    /// A context hash (contents, directory or commit), `Co…`.
    CONTEXT = [0x4f, 0xc7], 32;
    /// A block payload, `vh…`.
    PAYLOAD = [0x01, 0x6a, 0xf2], 32;
    /// A seed nonce hash, `nce…`.
    NONCE = [0x45, 0xdc, 0xa9], 32;
    /// A chain id, `Net…`.
    CHAIN = [0x57, 0x52, 0x00], 4;
    /// A script expression, `expr…`.
    SCRIPT_EXPR = [0x0d, 0x2c, 0x40, 0x1b], 32;
    /// The hash of an Ed25519 key, `tz1…`.
    TZ1 = [0x06, 0xa1, 0x9f], 20;
    /// The hash of a secp256k1 key, `tz2…`.
    TZ2 = [0x06, 0xa1, 0xa1], 20;
    /// The hash of a P-256 key, `tz3…`.
    TZ3 = [0x06, 0xa1, 0xa4], 20;
    /// The hash of a BLS12-381 key, `tz4…`.
    TZ4 = [0x06, 0xa1, 0xa6], 20;
    /// The hash of an ML-DSA-44 key, `tz5…`.
    TZ5 = [0x06, 0xa1, 0xa9], 20;
    /// An originated contract, `KT1…`.
    KT1 = [0x02, 0x5a, 0x79], 20;
    /// A smart rollup, `sr1…`.
    SR1 = [0x06, 0x7c, 0x75], 20;
    /// An Ed25519 public key, `edpk…`.
    EDPK = [0x0d, 0x0f, 0x25, 0xd9], 32;
    /// A secp256k1 public key, `sppk…`.
    SPPK = [0x03, 0xfe, 0xe2, 0x56], 33;
    /// A P-256 public key, `p2pk…`.
    P2PK = [0x03, 0xb2, 0x8b, 0x7f], 33;
    /// A BLS12-381 public key, `BLpk…`.
    BLPK = [0x06, 0x95, 0x87, 0xcc], 48;
    /// A signature of any 64-byte kind, `sig…`.
    SIG = [0x04, 0x82, 0x2b], 64;
    /// An Ed25519 signature, `edsig…`.
    EDSIG = [0x09, 0xf5, 0xcd, 0x86, 0x12], 64;
    /// A secp256k1 signature, `spsig1…`.
    SPSIG = [0x0d, 0x73, 0x65, 0x13, 0x3f], 64;
    /// A P-256 signature, `p2sig…`.
    P2SIG = [0x36, 0xf0, 0x2c, 0x34], 64;
    /// A BLS12-381 signature, `BLsig…`.
    BLSIG = [0x28, 0xab, 0x40, 0xcf], 96;
    /// A block's metadata hash, `bm…`.
    BLOCK_METADATA = [0xea, 0xf9], 32;
    /// The root over all operations' metadata, `LLr…`.
    OPERATION_METADATA_LIST_LIST = [0x1d, 0x9f, 0xb6], 32;
}

/// Longest text looked at: a BLS signature has 142 characters. Decoding
/// base58 costs the square of its length.
const LONGEST: usize = 256;

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
    let mut bytes = Vec::with_capacity(prefix.bytes.len() + payload.len());
    bytes.extend_from_slice(prefix.bytes);
    bytes.extend_from_slice(payload);
    bs58::encode(bytes).with_check().into_string()
}

/// The payload of a base58check text of the given kind; its length is the
/// prefix's.
pub fn decode(prefix: Prefix, text: &str) -> Result<Vec<u8>, Base58Error> {
    let shown = || text.chars().take(64).collect::<String>();
    if text.len() > LONGEST {
        return Err(Base58Error::Malformed {
            text: shown(),
            reason: format!("longer than {LONGEST} characters"),
        });
    }
    let bytes = bs58::decode(text)
        .with_check(None)
        .into_vec()
        .map_err(|error| Base58Error::Malformed {
            text: shown(),
            reason: error.to_string(),
        })?;
    match bytes.strip_prefix(prefix.bytes) {
        Some(payload) if payload.len() == prefix.payload => Ok(payload.to_vec()),
        _ => Err(Base58Error::Kind {
            text: shown(),
            expected: hex::encode(prefix.bytes),
        }),
    }
}
