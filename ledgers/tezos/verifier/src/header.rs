//! A block's header: shell, protocol data, hash, proof-of-work stamp, links.
//!
//! Bytes: level i32, proto u8, predecessor 32, timestamp i64, validation
//! passes u8, operations hash 32, fitness (u32 length, then items behind u32
//! lengths), context 32, protocol data to the end; integers big-endian.

mod contents;
mod json;
mod link;
mod time;

pub use contents::{AdaptiveIssuanceVote, Contents, LiquidityBakingVote, Votes};
pub use link::LinkError;

use heliostat_tezos_context::{ContextHash, hash::blake2b};

use crate::cursor::Cursor;
use crate::defaults::MOST_HEADER_BYTES;
use crate::error::Error;
use crate::fitness::{Fitness, RawFitness};
use crate::hashes::{BlockHash, ChainId, OperationListListHash};
use crate::keys::{PublicKey, SignatureError};

/// Watermark of a header's signature.
const BLOCK_WATERMARK: u8 = 0x11;

/// What stands for the signature while the stamp is computed, however long
/// the signature is (`Signature.zero`).
const NO_SIGNATURE: [u8; 64] = [0; 64];

/// A block's header. Every header reads, whatever its protocol; what the
/// protocol data says is read by [`Header::contents`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Distance to genesis.
    pub level: i32,
    /// How many protocols the chain has had, modulo 256.
    pub proto: u8,
    /// Hash of the block before.
    pub predecessor: BlockHash,
    /// Seconds since 1970.
    pub timestamp: i64,
    /// Number of lists of operations.
    pub validation_passes: u8,
    /// Root over the operations' hashes.
    pub operations_hash: OperationListListHash,
    /// Fitness, as the shell sees it.
    pub fitness: RawFitness,
    /// Commit of a state: after this block up to protocol 015, before it from
    /// 016 on ([`crate::Protocol::carries_own_context`]).
    pub context: ContextHash,
    /// What the protocol puts into the header, signature included.
    pub protocol_data: Vec<u8>,
}

impl Header {
    /// Reads a whole header; the protocol data is what follows the shell part.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MOST_HEADER_BYTES {
            return Err(Error::TooLong {
                what: "header",
                size: bytes.len(),
                most: MOST_HEADER_BYTES,
            });
        }
        let mut cursor = Cursor::new(bytes);
        Ok(Self {
            level: cursor.i32("level")?,
            proto: cursor.u8("proto")?,
            predecessor: BlockHash(cursor.array("predecessor")?),
            timestamp: cursor.i64("timestamp")?,
            validation_passes: cursor.u8("validation_pass")?,
            operations_hash: OperationListListHash(cursor.array("operations_hash")?),
            fitness: RawFitness::read(&mut cursor)?,
            context: ContextHash(cursor.array("context")?),
            protocol_data: cursor.rest().to_vec(),
        })
    }

    /// The bytes of the shell part, without protocol data.
    pub fn encode_shell(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160 + self.protocol_data.len());
        out.extend_from_slice(&self.level.to_be_bytes());
        out.push(self.proto);
        out.extend_from_slice(self.predecessor.as_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.push(self.validation_passes);
        out.extend_from_slice(self.operations_hash.as_bytes());
        self.fitness.write(&mut out);
        out.extend_from_slice(&self.context.0);
        out
    }

    /// The bytes that are hashed, sent and signed: what `/header/raw` gives in
    /// hex.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_shell();
        out.extend_from_slice(&self.protocol_data);
        out
    }

    /// The block's hash.
    pub fn hash(&self) -> BlockHash {
        BlockHash(blake2b(&[&self.encode()]))
    }

    /// Level and rounds, if this is a Tenderbake header.
    pub fn fitness(&self) -> Result<Fitness, Error> {
        Fitness::read(&self.fitness)
    }

    /// What the protocol data says, if it has the form that all Tenderbake
    /// protocols share.
    pub fn contents(&self) -> Result<Contents, Error> {
        Contents::decode(&self.protocol_data)
    }

    /// The bytes before the signature.
    fn unsigned(&self) -> Result<Vec<u8>, Error> {
        let contents = self.contents()?;
        let mut out = self.encode_shell();
        let signature = contents.signature.len();
        out.extend_from_slice(&self.protocol_data[..self.protocol_data.len() - signature]);
        Ok(out)
    }

    /// The proof-of-work stamp: the first eight bytes, unsigned, of the hash
    /// that the header would have with an empty signature.
    pub fn proof_of_work_stamp(&self) -> Result<u64, Error> {
        let hash = blake2b(&[&self.unsigned()?, &NO_SIGNATURE]);
        let mut stamp = [0; 8];
        stamp.copy_from_slice(&hash[..8]);
        Ok(u64::from_be_bytes(stamp))
    }

    /// Whether the stamp is at most the chain's `proof_of_work_threshold`
    /// ([`crate::defaults::MAINNET_PROOF_OF_WORK`] on mainnet).
    pub fn has_proof_of_work(&self, threshold: u64) -> Result<bool, Error> {
        Ok(self.proof_of_work_stamp()? <= threshold)
    }

    /// The bytes that the baker signs: watermark 11, chain, header without
    /// signature.
    pub fn signed_bytes(&self, chain: &ChainId) -> Result<Vec<u8>, Error> {
        let mut out = vec![BLOCK_WATERMARK];
        out.extend_from_slice(chain.as_bytes());
        out.extend_from_slice(&self.unsigned()?);
        Ok(out)
    }

    /// Whether `key` signed this header for `chain`.
    pub fn verify_signature(&self, chain: &ChainId, key: &PublicKey) -> Result<(), SignatureError> {
        let message = self.signed_bytes(chain).map_err(SignatureError::Header)?;
        let contents = self.contents().map_err(SignatureError::Header)?;
        key.verify(&message, &contents.signature)
    }
}
