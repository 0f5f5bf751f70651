//! Operations of the generated chain: transfers and attestations, in bytes and
//! in the JSON that a node gives of them.

use bytes::Bytes;
use heliostat_tezos_context::hash::blake2b;
use heliostat_tezos_protocol::ContractId;
use heliostat_tezos_verifier::{
    BlockHash, ChainId, KeyKind, OperationHash, ProtocolHash, Signature,
    finality::{Attestation, Attesters, DalContent, Member, Right, Rights, Vote},
};
use serde_json::{Value, json};

use super::{
    accounts::Account,
    bakers::Baker,
    keys::{Secret, aggregate, weighted},
    manager::{self, Manager, Signed, What},
};

/// Watermark of everything that is not consensus.
const GENERIC: u8 = 0x03;

/// What a transfer pays its baker, in mutez.
pub const FEE: u64 = 500;

/// Most gas of a transfer, and what it takes in thousandths.
const GAS: u64 = 1_500;
pub(super) const MILLIGAS: u64 = 100_000;

/// An operation in a block.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Hash of branch and data.
    pub hash: OperationHash,
    /// The block it builds on.
    pub branch: BlockHash,
    /// Contents and signature.
    pub data: Bytes,
    /// `contents` of the JSON.
    pub contents: Value,
    /// The signature's text; `None` where this code cannot tell.
    pub signature: Option<String>,
}

impl Operation {
    fn new(branch: BlockHash, data: Vec<u8>, contents: Value, signature: &Signature) -> Self {
        Self {
            hash: OperationHash(blake2b(&[branch.as_bytes(), &data])),
            branch,
            data: data.into(),
            contents,
            signature: Some(signature.to_string()),
        }
    }

    /// An operation that somebody injected: branch and data. `None` for fewer
    /// bytes than a branch has.
    pub fn injected(bytes: &Bytes) -> Option<Self> {
        let branch = bytes.first_chunk::<32>()?;
        let data = bytes.slice(32..);
        let signed = Signed::read(&data).ok();
        let contents = signed.as_ref().map(|signed| signed.contents.as_slice());
        Some(Self {
            hash: OperationHash(blake2b(&[bytes])),
            branch: BlockHash(*branch),
            contents: with_results(contents.unwrap_or_default()),
            signature: signed.map(|signed| signed.signature.to_string()),
            data,
        })
    }

    /// Puts a signature that is nobody's into an attestation's JSON.
    pub(super) fn spoil(&self, json: &mut Value, plot: u64) {
        let Some(text) = &self.signature else { return };
        let Ok(true_one) = text.parse::<Signature>() else {
            return;
        };
        // Of the same kind: a curve's point where it has to be one.
        let spoilt = match true_one.len() {
            64 => {
                let mut bytes = true_one.as_bytes().to_vec();
                bytes[63] ^= 1 + plot as u8;
                Signature::from_bytes(&bytes).expect("a signature's length")
            }
            _ => Secret::derive(KeyKind::Bls, plot, "impostor", 0).sign(b"nothing"),
        };
        json["signature"] = json!(spoilt);
    }

    /// Branch and data: what is injected, in hex.
    pub fn bytes(&self) -> Vec<u8> {
        [self.branch.as_bytes(), &self.data[..]].concat()
    }

    /// The JSON of `/operations`.
    pub fn json(&self, chain: &ChainId, protocol: &ProtocolHash) -> Value {
        let mut object = json!({
            "protocol": protocol,
            "chain_id": chain,
            "hash": self.hash,
            "branch": self.branch,
            "contents": self.contents,
        });
        if let Some(signature) = &self.signature {
            object["signature"] = json!(signature);
        }
        object
    }
}

/// A transfer, signed.
///
/// # Panics
///
/// For a sender without a secret key.
pub fn transfer(
    from: &Account,
    to: &ContractId,
    amount: u64,
    counter: u64,
    branch: BlockHash,
) -> Operation {
    let ContractId::Implicit(source) = from.id else {
        panic!("{} is no implicit account", from.name)
    };
    let content = Manager {
        source,
        fee: FEE,
        counter,
        gas: GAS,
        storage: 0,
        what: What::Transfer {
            amount,
            to: *to,
            call: None,
        },
    };
    let secret = from.secret.as_ref();
    let secret = secret.unwrap_or_else(|| panic!("{} has no secret key here", from.name));
    let contents = [content];
    let message = [
        &[GENERIC],
        &branch.as_bytes()[..],
        &manager::forge(&contents),
    ];
    let signature = secret.sign(&message.concat());
    let data = manager::write(&contents, &signature);
    Operation::new(branch, data, with_results(&contents), &signature)
}

/// What accounts sent, as it stands in a block: applied.
fn with_results(contents: &[Manager]) -> Value {
    let one = |content: &Manager| {
        let mut json = content.json();
        json["metadata"] = json!({
            "balance_updates": [],
            "operation_result": applied(),
        });
        json
    };
    contents.iter().map(one).collect()
}

/// The result of a content that was applied.
pub(super) fn applied() -> Value {
    json!({ "status": "applied", "consumed_milligas": MILLIGAS.to_string() })
}

/// Who attests, and for what.
pub(super) struct Attested<'a> {
    pub chain: ChainId,
    pub rights: &'a Rights,
    pub bakers: &'a [Baker],
    pub vote: Vote,
    pub branch: BlockHash,
}

impl Attested<'_> {
    /// The attestations of the bakers that `who` lets: those with BLS keys
    /// under one signature, all others each alone.
    pub fn all(&self, who: impl Fn(&Right) -> bool) -> Vec<Operation> {
        let rights: Vec<_> = self.rights.all().iter().filter(|one| who(one)).collect();
        let is_bls = |right: &&&Right| right.baker.key.kind() == KeyKind::Bls;
        let mut all: Vec<_> = rights
            .iter()
            .filter(|right| !is_bls(right))
            .map(|right| self.one(right))
            .collect();
        let together: Vec<&Right> = rights.iter().filter(is_bls).copied().collect();
        if !together.is_empty() {
            all.push(self.together(&together));
        }
        all
    }

    fn baker(&self, right: &Right) -> &Baker {
        let found = self.bakers.iter().find(|baker| baker.key == right.baker);
        found.expect("the rights are those of these bakers")
    }

    /// Attestations with DAL content are as common as those without.
    fn dal(&self, right: &Right) -> Option<u64> {
        let bits = u64::from(right.slot) * 37 % 256;
        right.slot.is_multiple_of(2).then_some(bits)
    }

    fn member(&self, right: &Right) -> Member {
        Member {
            slot: right.slot,
            dal: self
                .dal(right)
                .map(|bits| DalContent::from_bits(&bits.to_le_bytes())),
        }
    }

    fn unsigned(&self, attesters: Attesters) -> Attestation {
        Attestation {
            branch: self.branch,
            vote: self.vote,
            attesters,
            signature: Signature::from_bytes(&[0; 64]).expect("a signature's length"),
        }
    }

    fn one(&self, right: &Right) -> Operation {
        let mut one = self.unsigned(Attesters::One(self.member(right)));
        one.signature = self
            .baker(right)
            .secret
            .sign(&one.signed_bytes(&self.chain));
        let mut content = self.vote();
        content["slot"] = json!(right.slot);
        content["kind"] = json!("attestation");
        if let Some(bits) = self.dal(right) {
            content["kind"] = json!("attestation_with_dal");
            content["dal_attestation"] = json!(bits.to_string());
        }
        content["metadata"] = json!({
            "delegate": right.baker.delegate,
            "consensus_power": right.power,
            "consensus_key": right.baker.key.hash(),
        });
        self.operation(&one, content)
    }

    fn together(&self, rights: &[&Right]) -> Operation {
        let members = rights.iter().map(|right| self.member(right)).collect();
        let mut all = self.unsigned(Attesters::Aggregate(members));
        let message = all.bls_signed_bytes(&self.chain);
        let signatures = rights
            .iter()
            .flat_map(|right| self.bls_signatures(right, &all, &message));
        all.signature = aggregate(signatures);
        let member = |right: &&Right| match self.dal(right) {
            None => json!({ "slot": right.slot }),
            Some(bits) => json!({ "slot": right.slot, "dal_attestation": bits.to_string() }),
        };
        let power: u64 = rights.iter().map(|right| right.power).sum();
        let committee: Vec<Value> = rights.iter().map(member).collect();
        let content = json!({
            "kind": "attestations_aggregate",
            "consensus_content": self.vote(),
            "committee": committee,
            "metadata": { "total_consensus_power": power },
        });
        self.operation(&all, content)
    }

    /// What a baker with a BLS key signs with, and its companion for what it
    /// says of the data availability layer.
    fn bls_signatures(&self, right: &Right, all: &Attestation, message: &[u8]) -> Vec<Signature> {
        let baker = self.baker(right);
        let mut signatures = vec![baker.secret.sign(message)];
        if let (Some(bits), Some(companion)) = (self.dal(right), &baker.companion) {
            // Whole machine words, none for zero.
            let words = bits.to_le_bytes();
            let words = if bits == 0 { &[] } else { &words[..] };
            let (key, other) = (baker.key.key.hash(), companion.public().hash());
            let weight = blake2b(&[key.as_bytes(), other.as_bytes(), &all.bls_mode(), words]);
            signatures.push(weighted(&companion.sign(message), &weight));
        }
        signatures
    }

    fn vote(&self) -> Value {
        json!({
            "level": self.vote.level,
            "round": self.vote.round,
            "block_payload_hash": self.vote.payload_hash,
        })
    }

    fn operation(&self, attestation: &Attestation, content: Value) -> Operation {
        let data = attestation.encode_data();
        Operation::new(self.branch, data, json!([content]), &attestation.signature)
    }
}
