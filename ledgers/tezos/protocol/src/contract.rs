//! Accounts and what can be sent to: public key hashes (21 bytes: kind, hash),
//! contract ids (22 bytes, also the key under `contracts/index`) and addresses
//! (22 bytes and an entrypoint).

use std::fmt;
use std::str::FromStr;

use heliostat_tezos_context::base58::{self, Prefix};

use crate::defaults::ENTRYPOINT_BYTES;
use crate::error::ProtocolError;

/// Bytes of a contract id and of an address without its entrypoint.
pub const CONTRACT_BYTES: usize = 22;
/// Bytes of a public key hash with its kind.
pub const PUBLIC_KEY_HASH_BYTES: usize = 21;

/// `epx1…`, a zk rollup's address: not among the prefixes of the context crate.
const ZK_ROLLUP: [u8; 4] = [1, 23, 224, 125];

/// The kinds of account, by the tag of their hash: the prefix of their text
/// and the directory name that indexes of delegates use.
const KINDS: [(Prefix, &str); 5] = [
    (Prefix::TZ1, "ed25519"),
    (Prefix::TZ2, "secp256k1"),
    (Prefix::TZ3, "p256"),
    (Prefix::TZ4, "bls"),
    (Prefix::TZ5, "mldsa44"),
];

/// The hash of a public key: tag (0 tz1 … 4 tz5), then 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKeyHash([u8; PUBLIC_KEY_HASH_BYTES]);

impl PublicKeyHash {
    /// Reads the 21 bytes that the context holds.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let array: [u8; PUBLIC_KEY_HASH_BYTES] = bytes
            .try_into()
            .map_err(|_| ProtocolError::malformed("public key hash", "not 21 bytes"))?;
        if usize::from(array[0]) >= KINDS.len() {
            let reason = format!("kind {} is unknown", array[0]);
            return Err(ProtocolError::malformed("public key hash", reason));
        }
        Ok(Self(array))
    }

    /// Tag and hash, 21 bytes.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_HASH_BYTES] {
        &self.0
    }

    /// The two steps under which votes and delegates are indexed: the curve's
    /// name and the hash in hex.
    pub fn index(&self) -> String {
        format!("{}/{}", self.kind().1, hex::encode(&self.0[1..]))
    }

    /// Whether this is a `tz5…`, known since protocol 025.
    pub fn is_mldsa44(&self) -> bool {
        self.0[0] == 4
    }

    fn kind(&self) -> (Prefix, &'static str) {
        KINDS[usize::from(self.0[0])]
    }
}

impl fmt::Display for PublicKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base58::encode(self.kind().0, &self.0[1..]))
    }
}

impl FromStr for PublicKeyHash {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        for (tag, (prefix, _)) in (0u8..).zip(KINDS) {
            if let Ok(hash) = base58::decode(prefix, text) {
                let mut bytes = [0; PUBLIC_KEY_HASH_BYTES];
                bytes[0] = tag;
                bytes[1..].copy_from_slice(&hash);
                return Ok(Self(bytes));
            }
        }
        let reason = "not a tz1…, tz2…, tz3…, tz4… or tz5… text";
        Err(ProtocolError::malformed("public key hash", reason))
    }
}

/// An account or an originated contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContractId {
    /// An account that is named by its public key's hash.
    Implicit(PublicKeyHash),
    /// A smart contract, `KT1…`: the 20 bytes of its hash.
    Originated([u8; 20]),
}

impl ContractId {
    /// Reads the 22 bytes that the context holds.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let malformed = |reason| Err(ProtocolError::malformed("contract id", reason));
        match bytes {
            [0, hash @ ..] => PublicKeyHash::from_bytes(hash).map(Self::Implicit),
            [1, hash @ .., 0] => match hash.try_into() {
                Ok(hash) => Ok(Self::Originated(hash)),
                Err(_) => malformed("not 22 bytes"),
            },
            [1, ..] => malformed("the padding is not zero"),
            _ => malformed("neither an account nor a contract"),
        }
    }

    /// The 22 bytes: `00` and the public key hash, or `01`, the hash and `00`.
    pub fn to_bytes(&self) -> [u8; CONTRACT_BYTES] {
        let mut bytes = [0; CONTRACT_BYTES];
        match self {
            Self::Implicit(hash) => bytes[1..].copy_from_slice(hash.as_bytes()),
            Self::Originated(hash) => {
                bytes[0] = 1;
                bytes[1..21].copy_from_slice(hash);
            }
        }
        bytes
    }

    /// The step under `contracts/index`: the bytes in lower-case hex.
    pub fn index(&self) -> String {
        hex::encode(self.to_bytes())
    }

    /// Whether this is a smart contract.
    pub fn is_originated(&self) -> bool {
        matches!(self, Self::Originated(_))
    }
}

impl fmt::Display for ContractId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Implicit(hash) => hash.fmt(f),
            Self::Originated(hash) => f.write_str(&base58::encode(Prefix::KT1, hash)),
        }
    }
}

impl FromStr for ContractId {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        if let Ok(hash) = base58::decode(Prefix::KT1, text) {
            let hash = hash
                .try_into()
                .map_err(|_| ProtocolError::malformed("contract id", "not 20 bytes"))?;
            return Ok(Self::Originated(hash));
        }
        text.parse()
            .map(Self::Implicit)
            .map_err(|_| ProtocolError::malformed("contract id", "not a tz… or KT1… text"))
    }
}

/// What can be called: a contract or a rollup, and the entrypoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// 22 bytes: a contract id, or `03`/`04`, a rollup's hash and `00`.
    destination: [u8; CONTRACT_BYTES],
    /// Empty for the default entrypoint.
    entrypoint: String,
}

impl Address {
    /// Reads the bytes of an `address`: 22 bytes and the entrypoint's name.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let malformed = |reason: &str| ProtocolError::malformed("address", reason);
        let Some((destination, entrypoint)) = bytes.split_first_chunk::<CONTRACT_BYTES>() else {
            return Err(malformed("fewer than 22 bytes"));
        };
        match destination {
            [3 | 4, .., 0] => {}
            [3 | 4, ..] => return Err(malformed("the padding is not zero")),
            contract => _ = ContractId::from_bytes(contract)?,
        }
        let entrypoint =
            std::str::from_utf8(entrypoint).map_err(|_| malformed("the entrypoint is not text"))?;
        // The name `default` is written as an empty one.
        if entrypoint == "default" || entrypoint.len() > ENTRYPOINT_BYTES {
            return Err(malformed("the entrypoint's name is not allowed"));
        }
        Ok(Self {
            destination: *destination,
            entrypoint: entrypoint.to_owned(),
        })
    }

    /// The same address with its default entrypoint.
    #[must_use]
    pub fn without_entrypoint(self) -> Self {
        Self {
            entrypoint: String::new(),
            ..self
        }
    }

    /// The bytes that a script stores.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.destination.to_vec();
        bytes.extend_from_slice(self.entrypoint.as_bytes());
        bytes
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = &self.destination[1..21];
        match self.destination[0] {
            3 => f.write_str(&base58::encode(Prefix::SR1, hash))?,
            4 => f.write_str(&encode_with(&ZK_ROLLUP, hash))?,
            _ => match ContractId::from_bytes(&self.destination) {
                Ok(contract) => contract.fmt(f)?,
                Err(_) => return Err(fmt::Error),
            },
        }
        if self.entrypoint.is_empty() {
            Ok(())
        } else {
            write!(f, "%{}", self.entrypoint)
        }
    }
}

impl FromStr for Address {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        let malformed = |reason: &str| ProtocolError::malformed("address", reason);
        let (destination, entrypoint) = text.split_once('%').unwrap_or((text, ""));
        if entrypoint == "default" || entrypoint.len() > ENTRYPOINT_BYTES {
            return Err(malformed("the entrypoint's name is not allowed"));
        }
        let rollup = |tag: u8, hash: &[u8]| {
            let mut bytes = [0; CONTRACT_BYTES];
            bytes[0] = tag;
            bytes[1..21].copy_from_slice(hash);
            bytes
        };
        let destination = if let Ok(contract) = destination.parse::<ContractId>() {
            contract.to_bytes()
        } else if let Ok(hash) = base58::decode(Prefix::SR1, destination) {
            rollup(3, &hash)
        } else {
            return Err(malformed("not a tz…, KT1… or sr1… text"));
        };
        Ok(Self {
            destination,
            entrypoint: entrypoint.to_owned(),
        })
    }
}

/// Base58check with a prefix that the context crate does not name.
pub(crate) fn encode_with(prefix: &[u8], payload: &[u8]) -> String {
    let bytes = [prefix, payload].concat();
    bs58::encode(bytes).with_check().into_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_golden_ids_of_octez_read_both_ways() {
        // tezt/tests/expected/encoding.ml, contract samples of protocol 025.
        for (hex_text, text) in [
            (
                "000002298c03ed7d454a101eb7022bc95f7e5f41ac78",
                "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx",
            ),
            (
                "0138560805b4c8d7b7fbbafad5c59dbfa3878ca70500",
                "KT1DieU51jzXLerQx5AqMCiLC1SsCeM8yRat",
            ),
        ] {
            let contract: ContractId = text.parse().unwrap();
            assert_eq!(contract.index(), hex_text);
            let bytes = hex::decode(hex_text).unwrap();
            assert_eq!(ContractId::from_bytes(&bytes), Ok(contract));
            assert_eq!(contract.to_string(), text);
        }
    }

    #[test]
    fn an_address_carries_its_entrypoint_and_drops_the_default_one() {
        let text = "KT1DieU51jzXLerQx5AqMCiLC1SsCeM8yRat%mint";
        let address: Address = text.parse().unwrap();
        assert_eq!(
            Address::from_bytes(&address.to_bytes()),
            Ok(address.clone())
        );
        assert_eq!(address.to_string(), text);
        assert_eq!(address.without_entrypoint().to_string(), text[..36]);
        assert!(
            "KT1DieU51jzXLerQx5AqMCiLC1SsCeM8yRat%default"
                .parse::<Address>()
                .is_err()
        );
    }

    #[test]
    fn a_text_with_an_entrypoint_is_no_contract_id() {
        assert!(
            "KT1DieU51jzXLerQx5AqMCiLC1SsCeM8yRat%mint"
                .parse::<ContractId>()
                .is_err()
        );
        assert!(
            "sr1Ghq66tYK9y3r8CC1Tf8i8m5nxh8nTvZEf"
                .parse::<ContractId>()
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn any_bytes_either_are_refused_or_print_and_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(address) = Address::from_bytes(&bytes) {
                prop_assert_eq!(address.to_bytes(), bytes.clone());
                prop_assert!(!address.to_string().is_empty());
            }
            if let Ok(contract) = ContractId::from_bytes(&bytes) {
                prop_assert_eq!(contract.to_string().parse::<ContractId>(), Ok(contract));
            }
        }
    }
}
