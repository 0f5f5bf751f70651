//! The protocol data of a Tenderbake header.
//!
//! Bytes: payload hash 32, payload round i32, proof-of-work nonce 8, seed
//! nonce hash (00, or ff and 32), votes u8, signature to the end.

use crate::cursor::Cursor;
use crate::error::Error;
use crate::hashes::{NonceHash, PayloadHash};
use crate::keys::Signature;
use crate::protocols::Layout;

/// What a Tenderbake baker puts into the header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Contents {
    /// Hash of the block's payload.
    pub payload_hash: PayloadHash,
    /// Round at which the payload was first proposed.
    pub payload_round: i32,
    /// What was found so that the stamp is small.
    pub proof_of_work_nonce: [u8; 8],
    /// Hash of the nonce to be revealed, once in a while.
    pub seed_nonce_hash: Option<NonceHash>,
    /// The votes as one byte; [`Votes`] reads it by protocol.
    pub votes: u8,
    /// The baker's signature.
    pub signature: Signature,
}

impl Contents {
    /// Reads the protocol data of a header.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        let payload_hash = PayloadHash(cursor.array("payload_hash")?);
        let payload_round = cursor.i32("payload_round")?;
        if payload_round < 0 {
            return Err(Error::value(
                "payload_round",
                payload_round,
                "a natural number",
            ));
        }
        Ok(Self {
            payload_hash,
            payload_round,
            proof_of_work_nonce: cursor.array("proof_of_work_nonce")?,
            seed_nonce_hash: match cursor.flag("seed_nonce_hash")? {
                true => Some(NonceHash(cursor.array("seed_nonce_hash")?)),
                false => None,
            },
            votes: cursor.u8("votes")?,
            signature: Signature::from_bytes(cursor.rest())?,
        })
    }

    /// The bytes before the signature.
    pub fn encode_unsigned(&self) -> Vec<u8> {
        let mut out = self.payload_hash.as_bytes().to_vec();
        out.extend_from_slice(&self.payload_round.to_be_bytes());
        out.extend_from_slice(&self.proof_of_work_nonce);
        match &self.seed_nonce_hash {
            None => out.push(0x00),
            Some(hash) => {
                out.push(0xff);
                out.extend_from_slice(hash.as_bytes());
            }
        }
        out.push(self.votes);
        out
    }

    /// The protocol data.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_unsigned();
        out.extend_from_slice(self.signature.as_bytes());
        out
    }
}

/// A vote on liquidity baking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiquidityBakingVote {
    /// Keep it.
    On,
    /// End it.
    Off,
    /// No opinion.
    Pass,
}

/// A vote on adaptive issuance.
pub type AdaptiveIssuanceVote = LiquidityBakingVote;

impl LiquidityBakingVote {
    fn read(bits: u8) -> Option<Self> {
        [Self::On, Self::Off, Self::Pass]
            .get(usize::from(bits))
            .copied()
    }

    /// Two bits.
    fn bits(self) -> u8 {
        match self {
            Self::On => 0,
            Self::Off => 1,
            Self::Pass => 2,
        }
    }

    /// The word that the node prints.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Pass => "pass",
        }
    }

    /// The vote of the node's word.
    pub fn of_str(word: &str) -> Option<Self> {
        [Self::On, Self::Off, Self::Pass]
            .into_iter()
            .find(|vote| vote.as_str() == word)
    }
}

/// The votes byte, read by the protocol's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Votes {
    /// 012: whether the baker votes to end liquidity baking.
    Escape(bool),
    /// 013–017, 025.
    Toggle(LiquidityBakingVote),
    /// 018–024.
    Both(LiquidityBakingVote, AdaptiveIssuanceVote),
}

impl Votes {
    /// Reads the byte; bits outside the layout are refused.
    pub fn read(byte: u8, layout: Layout) -> Result<Self, Error> {
        let read = match layout {
            Layout::EscapeVote => match byte {
                0x00 => Some(Self::Escape(false)),
                0xff => Some(Self::Escape(true)),
                _ => None,
            },
            Layout::ToggleVote => LiquidityBakingVote::read(byte).map(Self::Toggle),
            Layout::AdaptiveIssuance => LiquidityBakingVote::read(byte & 3)
                .zip(LiquidityBakingVote::read(byte >> 2))
                .map(|(toggle, issuance)| Self::Both(toggle, issuance)),
        };
        read.ok_or_else(|| {
            Error::value(
                "votes",
                format_args!("{byte:#04x}"),
                "a votes byte of this protocol",
            )
        })
    }

    /// The byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Escape(false) => 0x00,
            Self::Escape(true) => 0xff,
            Self::Toggle(toggle) => toggle.bits(),
            Self::Both(toggle, issuance) => toggle.bits() | issuance.bits() << 2,
        }
    }
}
