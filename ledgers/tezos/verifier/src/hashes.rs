//! The hashes a header and its operations speak in, each its own type, each
//! with the text a node prints.

use std::fmt;
use std::str::FromStr;

use heliostat_tezos_context::base58::{self, Base58Error, Prefix};
use heliostat_tezos_context::hash::blake2b;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A type cannot be made by a function: each of these is the bytes, the
/// base58check text of its prefix, and serde by that text.
macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident($len:literal) = $prefix:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The bytes, in the order in which they are hashed and sent.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base58::encode(Prefix::$prefix, &self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Base58Error;

            fn from_str(text: &str) -> Result<Self, Base58Error> {
                let bytes = base58::decode(Prefix::$prefix, text)?;
                let mut hash = [0; $len];
                // `decode` has checked the payload's length.
                hash.copy_from_slice(&bytes);
                Ok(Self(hash))
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

hashes! {
    /// Hash of a block's header, `B…`.
    BlockHash(32) = BLOCK;
    /// Identity of a chain, `Net…`: the first bytes of the hash of its genesis
    /// block's hash.
    ChainId(4) = CHAIN;
    /// Hash of one operation, `o…`.
    OperationHash(32) = OPERATION;
    /// Root over the operations of one validation pass, `Lo…`.
    OperationListHash(32) = OPERATION_LIST;
    /// Root over all validation passes, `LLo…`: a header's `operations_hash`.
    OperationListListHash(32) = OPERATION_LIST_LIST;
    /// Hash of a block's payload, `vh…`: what attestations sign.
    PayloadHash(32) = PAYLOAD;
    /// Hash of a seed nonce, `nce…`.
    NonceHash(32) = NONCE;
    /// Hash of a protocol, `P…`.
    ProtocolHash(32) = PROTOCOL;
}

impl ChainId {
    /// The chain that begins with this block (`Chain_id.of_block_hash`).
    pub fn of_genesis(genesis: &BlockHash) -> Self {
        let hash = blake2b(&[genesis.as_bytes()]);
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainnet_has_the_chain_id_of_its_genesis_block() {
        let genesis: BlockHash = "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2"
            .parse()
            .expect("the genesis block's hash is well-formed");
        let chain = ChainId::of_genesis(&genesis);
        assert_eq!(chain.to_string(), "NetXdQprcVkpaWU");
        assert_eq!(chain.0, [0x7a, 0x06, 0xa7, 0x70]);
    }

    #[test]
    fn a_hash_of_another_kind_is_refused() {
        let text = "vh1g87ZG6scSYxKhspAUzprQVuLAyoa5qMBKcUfjgnQGnFb3dJcG";
        assert!(text.parse::<PayloadHash>().is_ok());
        assert!(text.parse::<BlockHash>().is_err());
    }

    #[test]
    fn hashes_are_texts_in_json() {
        let hash = BlockHash([7; 32]);
        let json = serde_json::to_string(&hash).expect("a text");
        assert_eq!(json, format!("\"{hash}\""));
        assert_eq!(serde_json::from_str::<BlockHash>(&json).ok(), Some(hash));
        assert!(serde_json::from_str::<BlockHash>("\"B\"").is_err());
    }
}
