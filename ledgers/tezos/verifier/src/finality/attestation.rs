//! What bakers send to say that they have seen a block's payload: alone, or
//! put together under one BLS signature.
//!
//! Bytes of an operation: branch 32, then a tag.
//! Tag 21: slot u16, level i32, round i32, payload hash 32.
//! Tag 23: the same and DAL content.
//! Tag 31: level, round, payload hash, u32 length, members; a member is a
//! slot u16, and 00 or ff and DAL content.
//! Then the signature: 64 bytes; of a longer one the first bytes stand before
//! that, behind ff and the kind's tag.

use heliostat_tezos_context::hash::blake2b;
use serde_json::Value;

use crate::cursor::Cursor;
use crate::defaults::{MOST_COMMITTEE_BYTES, MOST_OPERATION_BYTES};
use crate::error::Error;
use crate::hashes::{BlockHash, ChainId, OperationHash, PayloadHash};
use crate::keys::Signature;

use super::dal::DalContent;

/// Watermark of an attestation's signature.
const WATERMARK: u8 = 0x13;

const TAG_ATTESTATION: u8 = 21;
const TAG_WITH_DAL: u8 = 23;
const TAG_AGGREGATE: u8 = 31;
/// Stands in what BLS keys sign: an attestation without its slot.
const TAG_BLS_MODE: u8 = 41;

/// Announces the first bytes of a signature longer than 64 bytes.
const SIGNATURE_PREFIX: u8 = 0xff;

/// Tags of the kinds with longer signatures, and how much longer they are.
const LONG_SIGNATURES: [(u8, usize); 2] = [(3, 32), (4, 2_420 - 64)];

/// What is attested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vote {
    /// Level of the block.
    pub level: i32,
    /// Its round.
    pub round: i32,
    /// Hash of its payload.
    pub payload_hash: PayloadHash,
}

/// A baker within an aggregate, or alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The baker's slot: its first one at that level.
    pub slot: u16,
    /// What it says of the data availability layer, which is signed too.
    pub dal: Option<DalContent>,
}

/// Who attests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Attesters {
    /// One baker.
    One(Member),
    /// Several bakers with BLS keys, under one signature.
    Aggregate(Vec<Member>),
}

/// One attestation operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attestation {
    /// Block that the operation builds on: signed, but of no weight here.
    pub branch: BlockHash,
    /// What is attested.
    pub vote: Vote,
    /// By whom.
    pub attesters: Attesters,
    /// Their signature.
    pub signature: Signature,
}

impl Vote {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        Ok(Self {
            level: cursor.i32("level")?,
            round: cursor.i32("round")?,
            payload_hash: PayloadHash(cursor.array("block_payload_hash")?),
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.level.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        out.extend_from_slice(self.payload_hash.as_bytes());
    }

    fn from_json(json: &Value) -> Result<Self, Error> {
        Ok(Self {
            level: number(json, "level")?,
            round: number(json, "round")?,
            payload_hash: parse(json, "block_payload_hash")?,
        })
    }
}

impl Attestation {
    /// Reads the bytes of an operation; `None` if it is another kind of
    /// operation, of which pass 0 has some.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Error> {
        if bytes.len() > MOST_OPERATION_BYTES {
            let (what, size) = ("operation", bytes.len());
            return Err(Error::TooLong {
                what,
                size,
                most: MOST_OPERATION_BYTES,
            });
        }
        let mut cursor = Cursor::new(bytes);
        let branch = BlockHash(cursor.array("branch")?);
        let tag = cursor.u8("operation kind")?;
        let (vote, attesters) = match tag {
            TAG_ATTESTATION | TAG_WITH_DAL => {
                let slot = cursor.u16("slot")?;
                let vote = Vote::read(&mut cursor)?;
                let dal = match tag {
                    TAG_WITH_DAL => Some(DalContent::read(&mut cursor)?),
                    _ => None,
                };
                (vote, Attesters::One(Member { slot, dal }))
            }
            TAG_AGGREGATE => {
                let vote = Vote::read(&mut cursor)?;
                (vote, Attesters::Aggregate(read_committee(&mut cursor)?))
            }
            _ => return Ok(None),
        };
        let signature = read_signature(&mut cursor)?;
        Ok(Some(Self {
            branch,
            vote,
            attesters,
            signature,
        }))
    }

    /// The bytes after the branch, the operation's protocol data.
    pub fn encode_data(&self) -> Vec<u8> {
        let mut out = self.contents();
        let signature = self.signature.as_bytes();
        let longer = signature.len() - 64;
        if let Some((tag, _)) = LONG_SIGNATURES.iter().find(|(_, more)| *more == longer) {
            out.extend_from_slice(&[SIGNATURE_PREFIX, *tag]);
        }
        out.extend_from_slice(signature);
        out
    }

    /// The operation's hash.
    pub fn hash(&self) -> OperationHash {
        OperationHash(blake2b(&[self.branch.as_bytes(), &self.encode_data()]))
    }

    /// Reads an operation as `/operations/0` lists it; `None` if it is another
    /// kind of operation, or one of which the node keeps no signature.
    pub fn from_json(json: &Value) -> Result<Option<Self>, Error> {
        let contents = json.get("contents").and_then(Value::as_array);
        let Some([content]) = contents.map(Vec::as_slice) else {
            return Ok(None);
        };
        let (vote, attesters) = match content.get("kind").and_then(Value::as_str) {
            Some("attestation" | "attestation_with_dal") => (
                Vote::from_json(content)?,
                Attesters::One(member_from_json(content)?),
            ),
            Some("attestations_aggregate") => {
                let vote = content.get("consensus_content");
                let field = "consensus_content";
                let vote = vote.ok_or(Error::Json {
                    field,
                    expected: "an object",
                })?;
                let members = content.get("committee").and_then(Value::as_array);
                let field = "committee";
                let members = members.ok_or(Error::Json {
                    field,
                    expected: "a list",
                })?;
                let members = members
                    .iter()
                    .map(member_from_json)
                    .collect::<Result<_, _>>()?;
                (Vote::from_json(vote)?, Attesters::Aggregate(members))
            }
            _ => return Ok(None),
        };
        if json.get("signature").is_none() {
            return Ok(None);
        }
        let (branch, signature) = (parse(json, "branch")?, parse(json, "signature")?);
        Ok(Some(Self {
            branch,
            vote,
            attesters,
            signature,
        }))
    }

    /// The bytes between branch and signature.
    fn contents(&self) -> Vec<u8> {
        let mut out = vec![];
        match &self.attesters {
            Attesters::One(member) => {
                let tag = if member.dal.is_some() {
                    TAG_WITH_DAL
                } else {
                    TAG_ATTESTATION
                };
                out.push(tag);
                out.extend_from_slice(&member.slot.to_be_bytes());
                self.vote.write(&mut out);
                if let Some(dal) = &member.dal {
                    dal.write(&mut out);
                }
            }
            Attesters::Aggregate(members) => {
                out.push(TAG_AGGREGATE);
                self.vote.write(&mut out);
                let mut committee = vec![];
                for member in members {
                    committee.extend_from_slice(&member.slot.to_be_bytes());
                    match &member.dal {
                        None => committee.push(0x00),
                        Some(dal) => {
                            committee.push(0xff);
                            dal.write(&mut committee);
                        }
                    }
                }
                out.extend_from_slice(&(committee.len() as u32).to_be_bytes());
                out.extend_from_slice(&committee);
            }
        }
        out
    }

    /// What a baker with a key of a classic kind signs: watermark 13, chain,
    /// branch, contents with its slot.
    pub fn signed_bytes(&self, chain: &ChainId) -> Vec<u8> {
        [
            &[WATERMARK],
            chain.as_bytes().as_slice(),
            self.branch.as_bytes(),
            &self.contents(),
        ]
        .concat()
    }

    /// The operation as BLS keys know it: branch, tag 41, the vote; no slot,
    /// no DAL content, so that all bakers sign the same.
    pub fn bls_mode(&self) -> Vec<u8> {
        let mut out = self.branch.as_bytes().to_vec();
        out.push(TAG_BLS_MODE);
        self.vote.write(&mut out);
        out
    }

    /// What a baker with a BLS key signs, alone or not: watermark 13, chain,
    /// [`bls_mode`](Self::bls_mode).
    pub fn bls_signed_bytes(&self, chain: &ChainId) -> Vec<u8> {
        [&[WATERMARK], chain.as_bytes().as_slice(), &self.bls_mode()].concat()
    }
}

fn read_committee(cursor: &mut Cursor<'_>) -> Result<Vec<Member>, Error> {
    let mut inner = cursor.sized(MOST_COMMITTEE_BYTES, "committee")?;
    let mut members = vec![];
    while inner.remaining() > 0 {
        let slot = inner.u16("slot")?;
        let dal = match inner.flag("dal_attestation")? {
            true => Some(DalContent::read(&mut inner)?),
            false => None,
        };
        members.push(Member { slot, dal });
    }
    Ok(members)
}

/// The signature that ends an operation.
fn read_signature(cursor: &mut Cursor<'_>) -> Result<Signature, Error> {
    let wrong = |size| Error::value("signature", format_args!("{size} bytes"), "64, 96 or 2420");
    let rest = cursor.rest();
    if rest.len() == 64 {
        return Signature::from_bytes(rest);
    }
    let [SIGNATURE_PREFIX, tag, signature @ ..] = rest else {
        return Err(wrong(rest.len()));
    };
    let longer = LONG_SIGNATURES.iter().find(|(kind, _)| kind == tag);
    match longer {
        Some((_, more)) if signature.len() == more + 64 => Signature::from_bytes(signature),
        _ => Err(wrong(signature.len())),
    }
}

fn member_from_json(json: &Value) -> Result<Member, Error> {
    let dal = match json.get("dal_attestation") {
        None => None,
        Some(value) => {
            let expected = "a number as text";
            let text = value.as_str();
            let text = text.ok_or(Error::Json {
                field: "dal_attestation",
                expected,
            })?;
            Some(DalContent::from_decimal(text)?)
        }
    };
    Ok(Member {
        slot: number(json, "slot")?,
        dal,
    })
}

fn number<T: TryFrom<i64>>(json: &Value, field: &'static str) -> Result<T, Error> {
    json.get(field)
        .and_then(Value::as_i64)
        .and_then(|value| T::try_from(value).ok())
        .ok_or(Error::Json {
            field,
            expected: "a number in its range",
        })
}

fn parse<T>(json: &Value, field: &'static str) -> Result<T, Error>
where
    T: std::str::FromStr<Err = heliostat_tezos_context::base58::Base58Error>,
{
    let text = json.get(field).and_then(Value::as_str);
    let text = text.ok_or(Error::Json {
        field,
        expected: "a text",
    })?;
    let wrong = |error: T::Err| Error::Base58 {
        what: field,
        reason: error.to_string(),
    };
    text.parse::<T>().map_err(wrong)
}
