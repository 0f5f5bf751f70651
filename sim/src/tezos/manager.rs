//! Operations that accounts send: reveal, transfer or call, delegation. In
//! bytes, in JSON, and what they do to a state.
//!
//! Bytes are those of protocols 023 to 025 (tag, source, fee, counter, gas,
//! storage, then the kind's own; integers as [`crate::tezos`] stores amounts).

mod apply;
mod json;

pub use apply::{Refused, apply_all};

use heliostat_tezos_protocol::{
    ContractId, PublicKeyHash,
    cursor::Cursor,
    error::ProtocolError,
    micheline::{Node, binary},
    zarith,
};
use heliostat_tezos_verifier::{PublicKey, Signature};

use super::n;

const TAG_REVEAL: u8 = 107;
const TAG_TRANSACTION: u8 = 108;
const TAG_DELEGATION: u8 = 110;

/// Begins the first part of a signature that is longer than 64 bytes.
const TAG_SIGNATURE: u8 = 0xff;
const TAG_BLS: u8 = 3;

/// Bytes of a classic signature, and of the second part of any other.
const SIGNATURE: usize = 64;
/// Bytes of the first part of a BLS signature.
const BLS_PREFIX: usize = 32;

/// Most contents of one operation.
const MOST: usize = 256;

/// Entrypoints that have a number; others are written as text.
const ENTRYPOINTS: [&str; 10] = [
    "default",
    "root",
    "do",
    "set_delegate",
    "remove_delegate",
    "deposit",
    "stake",
    "unstake",
    "finalize_unstake",
    "set_delegate_parameters",
];

/// One content of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Who sends and pays.
    pub source: PublicKeyHash,
    /// What the baker gets, in mutez.
    pub fee: u64,
    /// One more than the source's.
    pub counter: u64,
    /// Most gas.
    pub gas: u64,
    /// Most bytes of storage.
    pub storage: u64,
    /// What is to be done.
    pub what: What,
}

/// What an account wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Its key is to be known.
    Reveal {
        /// The key.
        key: PublicKey,
        /// That a BLS key's owner has the secret.
        proof: Option<Signature>,
    },
    /// Somebody is to get something.
    Transfer {
        /// In mutez.
        amount: u64,
        /// Who gets it.
        to: ContractId,
        /// What a contract is called with.
        call: Option<Call>,
    },
    /// It is to have this delegate, or none.
    Delegate(Option<PublicKeyHash>),
}

/// A call of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `default` or another.
    pub entrypoint: String,
    /// What it is called with.
    pub value: Node,
}

/// The contents of an operation, and its signature.
#[derive(Clone, Debug)]
pub struct Signed {
    /// At least one.
    pub contents: Vec<Manager>,
    /// The signature.
    pub signature: Signature,
    /// How many of the bytes are signed.
    signed: usize,
}

impl Signed {
    /// Reads an operation's data: what follows its branch.
    pub fn read(data: &[u8]) -> Result<Self, ProtocolError> {
        let mut cursor = Cursor::new("operation", data);
        let mut contents = Vec::new();
        let mut first_part: &[u8] = &[];
        let mut signed = 0;
        while cursor.left() > SIGNATURE {
            if contents.len() == MOST {
                return Err(cursor.error("too many contents"));
            }
            match cursor.u8()? {
                TAG_SIGNATURE => {
                    if cursor.u8()? != TAG_BLS {
                        return Err(cursor.error("an unknown signature"));
                    }
                    first_part = cursor.take(BLS_PREFIX)?;
                    if cursor.left() != SIGNATURE {
                        return Err(cursor.error("something after the signature"));
                    }
                }
                tag => {
                    contents.push(Manager::read(tag, &mut cursor)?);
                    signed = data.len() - cursor.left();
                }
            }
        }
        let last_part = cursor.take(SIGNATURE)?;
        if contents.is_empty() {
            return Err(cursor.error("no contents"));
        }
        let signature = Signature::from_bytes(&[first_part, last_part].concat());
        let signature = signature.map_err(|error| cursor.error(error.to_string()))?;
        Ok(Self {
            contents,
            signature,
            signed,
        })
    }

    /// The signature's place in the data.
    pub fn signed_len(&self) -> usize {
        self.signed
    }
}

/// An operation's data: contents and signature.
pub fn write(contents: &[Manager], signature: &Signature) -> Vec<u8> {
    let mut data = forge(contents);
    if signature.len() > SIGNATURE {
        data.extend_from_slice(&[TAG_SIGNATURE, TAG_BLS]);
    }
    data.extend_from_slice(signature.as_bytes());
    data
}

/// The contents alone: what is signed, behind watermark and branch.
pub fn forge(contents: &[Manager]) -> Vec<u8> {
    let mut out = Vec::new();
    for content in contents {
        content.write(&mut out);
    }
    out
}

impl Manager {
    fn read(tag: u8, cursor: &mut Cursor<'_>) -> Result<Self, ProtocolError> {
        let source = PublicKeyHash::from_bytes(cursor.take(21)?)?;
        let [fee, counter, gas, storage] = [
            number(cursor)?,
            number(cursor)?,
            number(cursor)?,
            number(cursor)?,
        ];
        let what = match tag {
            TAG_REVEAL => Self::read_reveal(cursor)?,
            TAG_TRANSACTION => What::Transfer {
                amount: number(cursor)?,
                to: ContractId::from_bytes(cursor.take(22)?)?,
                call: cursor.bool()?.then(|| Call::read(cursor)).transpose()?,
            },
            TAG_DELEGATION => What::Delegate(match cursor.bool()? {
                true => Some(PublicKeyHash::from_bytes(cursor.take(21)?)?),
                false => None,
            }),
            _ => return Err(cursor.error(format!("kind {tag} is not known here"))),
        };
        Ok(Self {
            source,
            fee,
            counter,
            gas,
            storage,
            what,
        })
    }

    fn read_reveal(cursor: &mut Cursor<'_>) -> Result<What, ProtocolError> {
        let key = heliostat_tezos_protocol::keys::PublicKey::read(cursor)?;
        let key = key.to_text().parse::<PublicKey>();
        let key = key.map_err(|error| cursor.error(error.to_string()))?;
        let proof = match cursor.bool()? {
            true => {
                let proof = Signature::from_bytes(cursor.sized()?);
                Some(proof.map_err(|error| cursor.error(error.to_string()))?)
            }
            false => None,
        };
        Ok(What::Reveal { key, proof })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(match self.what {
            What::Reveal { .. } => TAG_REVEAL,
            What::Transfer { .. } => TAG_TRANSACTION,
            What::Delegate(_) => TAG_DELEGATION,
        });
        out.extend_from_slice(self.source.as_bytes());
        for number in [self.fee, self.counter, self.gas, self.storage] {
            out.extend(n(number));
        }
        match &self.what {
            What::Reveal { key, proof } => {
                out.extend(key.encode());
                match proof {
                    None => out.push(0x00),
                    Some(proof) => {
                        out.push(0xff);
                        sized(proof.as_bytes(), out);
                    }
                }
            }
            What::Transfer { amount, to, call } => {
                out.extend(n(*amount));
                out.extend_from_slice(&to.to_bytes());
                match call {
                    None => out.push(0x00),
                    Some(call) => call.write(out),
                }
            }
            What::Delegate(None) => out.push(0x00),
            What::Delegate(Some(delegate)) => {
                out.push(0xff);
                out.extend_from_slice(delegate.as_bytes());
            }
        }
    }
}

impl Call {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ProtocolError> {
        let entrypoint = match cursor.u8()? {
            0xff => {
                let length = usize::from(cursor.u8()?);
                let name = cursor.take(length)?.to_vec();
                String::from_utf8(name).map_err(|_| cursor.error("no text"))?
            }
            tag => {
                let name = ENTRYPOINTS.get(usize::from(tag));
                let name = name.ok_or_else(|| cursor.error("an unknown entrypoint"))?;
                (*name).to_owned()
            }
        };
        let value = binary::read(cursor.sized()?)?;
        Ok(Self { entrypoint, value })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(0xff);
        match ENTRYPOINTS.iter().position(|name| *name == self.entrypoint) {
            Some(tag) => out.push(tag as u8),
            None => {
                out.extend_from_slice(&[0xff, self.entrypoint.len() as u8]);
                out.extend_from_slice(self.entrypoint.as_bytes());
            }
        }
        sized(&binary::write(&self.value), out);
    }
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn number(cursor: &mut Cursor<'_>) -> Result<u64, ProtocolError> {
    let number = zarith::read_n(cursor)?;
    u64::try_from(number).map_err(|_| cursor.error("more than 64 bits"))
}
