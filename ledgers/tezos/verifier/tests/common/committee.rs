//! A committee of twelve bakers with real keys: 0–2 Ed25519, 3–4 secp256k1,
//! 5–6 P-256, 7–11 BLS, of which 7–10 have companion keys. Bakers 0, 3, 5 and
//! 7 have addresses that are not their consensus keys'.

use heliostat_tezos_context::hash::blake2b;
use heliostat_tezos_verifier::finality::{
    Attestation, Attesters, ConsensusKey, DalContent, Member, Right, Rights, Sampler, Vote,
};
use heliostat_tezos_verifier::{BlockHash, ChainId, KeyKind, PublicKey, Signature};

use super::signing::{Secret, aggregate, weighted};

const KINDS: [KeyKind; 12] = [
    KeyKind::Ed25519,
    KeyKind::Ed25519,
    KeyKind::Ed25519,
    KeyKind::Secp256k1,
    KeyKind::Secp256k1,
    KeyKind::P256,
    KeyKind::P256,
    KeyKind::Bls,
    KeyKind::Bls,
    KeyKind::Bls,
    KeyKind::Bls,
    KeyKind::Bls,
];

const BRANCH: BlockHash = BlockHash([5; 32]);

/// DAL content of a small number.
pub fn dal(bits: u128) -> DalContent {
    DalContent::from_bits(&bits.to_le_bytes())
}

/// The bakers and their secrets.
pub struct Committee {
    bakers: Vec<(ConsensusKey, Option<Secret>, Option<Secret>)>,
}

impl Committee {
    /// All twelve, with keys.
    pub fn new() -> Self {
        let bakers = KINDS.iter().zip(0_u8..).map(|(kind, number)| {
            let secret = Secret::new(*kind, number);
            let own = ![0, 3, 5, 7].contains(&number);
            let address = if own {
                secret.public()
            } else {
                Secret::new(*kind, 100 + number).public()
            };
            let companion = (7..11)
                .contains(&number)
                .then(|| Secret::new(KeyKind::Bls, 50 + number));
            let key = ConsensusKey {
                key: secret.public(),
                delegate: address.hash(),
                companion: companion.as_ref().map(Secret::public),
            };
            (key, Some(secret), companion)
        });
        Self {
            bakers: bakers.collect(),
        }
    }

    /// Gives a baker a key whose signatures are not verified.
    pub fn make_unverifiable(&mut self, at: usize) {
        let key = PublicKey::new(KeyKind::MlDsa44, &[9; 1_312]).expect("the kind's length");
        self.bakers[at].0.key = key;
        self.bakers[at].1 = None;
    }

    /// A baker.
    pub fn baker(&self, at: usize) -> ConsensusKey {
        self.bakers[at].0.clone()
    }

    fn key_bytes(&self, at: usize) -> Vec<u8> {
        let key = &self.bakers[at].0;
        let mut out = key.key.encode();
        match key.key.hash() == key.delegate {
            true => out.push(0x00),
            false => {
                out.push(0xff);
                out.extend_from_slice(&key.delegate.encode());
            }
        }
        match &key.companion {
            None => out.push(0x00),
            Some(companion) => {
                out.push(0xff);
                out.extend_from_slice(companion.as_bytes());
            }
        }
        out
    }

    /// A sampler's bytes over some of the bakers, in which each share has a
    /// different size and aliases go round.
    pub fn sampler_bytes_of(&self, bakers: &[usize]) -> Vec<u8> {
        let array = |elements: Vec<Vec<u8>>| {
            let bytes = elements.concat();
            let count = (elements.len() as u32).to_be_bytes();
            let size = (bytes.len() as u32).to_be_bytes();
            [count.as_slice(), &elements[0], &size, &bytes].concat()
        };
        let total = 1_000_000_i64;
        let count = bakers.len();
        let keys = bakers.iter().map(|at| self.key_bytes(*at)).collect();
        let mass = |n: usize| (total / count as i64 * n as i64).to_be_bytes().to_vec();
        let alias = |n: usize| (((n + 1) % count) as u32).to_be_bytes().to_vec();
        [
            total.to_be_bytes().to_vec(),
            array(keys),
            array((0..count).map(mass).collect()),
            array((0..count).map(alias).collect()),
        ]
        .concat()
    }

    /// The bytes of the sampler over all of them.
    pub fn sampler_bytes(&self) -> Vec<u8> {
        self.sampler_bytes_of(&(0..self.bakers.len()).collect::<Vec<_>>())
    }

    /// The sampler over all of them.
    pub fn sampler(&self) -> Sampler {
        Sampler::decode(&self.sampler_bytes(), true).expect("a sampler")
    }

    /// Who owns a slot.
    pub fn owner(&self, seed: &[u8; 32], position: i32, slot: u16) -> ConsensusKey {
        let sampler = self.sampler();
        sampler.bakers()[sampler.owner(seed, position, slot)].clone()
    }

    /// The bytes of a list of all bakers with these stakes.
    pub fn stake_info(&self, stakes: &[u64]) -> Vec<u8> {
        let mut list = vec![];
        for (at, stake) in stakes.iter().enumerate() {
            list.extend(self.key_bytes(at));
            list.extend_from_slice(&stake.to_be_bytes());
        }
        let total: u64 = stakes.iter().sum();
        [
            &total.to_be_bytes(),
            (list.len() as u32).to_be_bytes().as_slice(),
            &list,
        ]
        .concat()
    }

    fn secrets(&self, right: &Right) -> &(ConsensusKey, Option<Secret>, Option<Secret>) {
        let found = self.bakers.iter().find(|(key, ..)| *key == right.baker);
        found.expect("a right of this committee's baker")
    }

    fn unsigned(attesters: Attesters, vote: &Vote) -> Attestation {
        let signature = Signature::from_bytes(&[0; 64]).expect("a signature's length");
        Attestation {
            branch: BRANCH,
            vote: *vote,
            attesters,
            signature,
        }
    }

    /// What a BLS key and its companion sign for this content.
    fn bls_signature(
        &self,
        right: &Right,
        one: &Attestation,
        message: &[u8],
        content: Option<&DalContent>,
    ) -> Signature {
        let (key, secret, companion) = self.secrets(right);
        let own = secret.as_ref().expect("a BLS secret").sign(message);
        let Some(content) = content else { return own };
        let Some(companion) = companion else {
            return own;
        };
        let (key, public) = (key.key.hash(), companion.public().hash());
        let words = words(content);
        let weight = blake2b(&[key.as_bytes(), public.as_bytes(), &one.bls_mode(), &words]);
        aggregate([own, weighted(&companion.sign(message), &weight)])
    }

    fn signed(
        &self,
        right: &Right,
        one: Attestation,
        watermark: u8,
        chain: &ChainId,
    ) -> Attestation {
        let Attesters::One(member) = &one.attesters else {
            panic!("one baker")
        };
        let (key, secret, _) = self.secrets(right);
        let signature = match (secret, key.key.kind()) {
            (None, _) => Signature::from_bytes(&[3; 2_420]).expect("a signature's length"),
            (Some(_), KeyKind::Bls) => {
                let mut message = one.bls_signed_bytes(chain);
                message[0] = watermark;
                self.bls_signature(right, &one, &message, member.dal.as_ref())
            }
            (Some(secret), _) => {
                let mut message = one.signed_bytes(chain);
                message[0] = watermark;
                secret.sign(&message)
            }
        };
        Attestation { signature, ..one }
    }

    /// One baker's attestation.
    pub fn attest(
        &self,
        right: &Right,
        chain: &ChainId,
        vote: &Vote,
        dal: Option<DalContent>,
    ) -> Attestation {
        // A BLS key without companion says nothing of the DAL.
        let dal = dal
            .filter(|_| right.baker.key.kind() != KeyKind::Bls || right.baker.companion.is_some());
        let one = Self::unsigned(
            Attesters::One(Member {
                slot: right.slot,
                dal,
            }),
            vote,
        );
        self.signed(right, one, 0x13, chain)
    }

    /// One baker's attestation that claims a slot.
    pub fn attest_at(&self, slot: u16, right: &Right, chain: &ChainId, vote: &Vote) -> Attestation {
        let one = Self::unsigned(Attesters::One(Member { slot, dal: None }), vote);
        self.signed(right, one, 0x13, chain)
    }

    /// A BLS key's signature over its slot too.
    pub fn attest_plainly(&self, right: &Right, chain: &ChainId, vote: &Vote) -> Attestation {
        let one = Self::unsigned(
            Attesters::One(Member {
                slot: right.slot,
                dal: None,
            }),
            vote,
        );
        let secret = self.secrets(right).1.as_ref().expect("a secret");
        let signature = secret.sign(&one.signed_bytes(chain));
        Attestation { signature, ..one }
    }

    /// Several BLS keys under one signature.
    pub fn aggregate(
        &self,
        rights: &[&Right],
        chain: &ChainId,
        vote: &Vote,
        content: impl Fn(usize) -> Option<DalContent>,
    ) -> Attestation {
        self.aggregate_with(0x13, rights, chain, vote, content)
    }

    fn aggregate_with(
        &self,
        watermark: u8,
        rights: &[&Right],
        chain: &ChainId,
        vote: &Vote,
        content: impl Fn(usize) -> Option<DalContent>,
    ) -> Attestation {
        let member = |(at, right): (usize, &&Right)| Member {
            slot: right.slot,
            dal: content(at).filter(|_| right.baker.companion.is_some()),
        };
        let members: Vec<Member> = rights.iter().enumerate().map(member).collect();
        let all = Self::unsigned(Attesters::Aggregate(members.clone()), vote);
        let mut message = all.bls_signed_bytes(chain);
        message[0] = watermark;
        let signatures = rights
            .iter()
            .zip(&members)
            .map(|(right, member)| self.bls_signature(right, &all, &message, member.dal.as_ref()));
        Attestation {
            signature: aggregate(signatures),
            ..all
        }
    }

    /// What a block holds when everybody attests: the BLS keys together.
    pub fn attest_all(&self, rights: &Rights, chain: &ChainId, vote: &Vote) -> Vec<Attestation> {
        self.attest_all_with(0x13, rights, chain, vote)
    }

    /// The same under another watermark.
    pub fn attest_all_with(
        &self,
        watermark: u8,
        rights: &Rights,
        chain: &ChainId,
        vote: &Vote,
    ) -> Vec<Attestation> {
        let is_bls = |right: &&Right| right.baker.key.kind() == KeyKind::Bls;
        let mut all: Vec<_> = rights
            .all()
            .iter()
            .filter(|right| !is_bls(right))
            .map(|right| {
                let attesters = Attesters::One(Member {
                    slot: right.slot,
                    dal: None,
                });
                self.signed(right, Self::unsigned(attesters, vote), watermark, chain)
            })
            .collect();
        let bls: Vec<_> = rights.all().iter().filter(is_bls).collect();
        all.push(self.aggregate_with(watermark, &bls, chain, vote, |_| None));
        all
    }

    /// Everybody's attestation alone, with its right.
    pub fn singles<'a>(
        &self,
        rights: &'a Rights,
        chain: &ChainId,
        vote: &Vote,
    ) -> Vec<(&'a Right, Attestation)> {
        rights
            .all()
            .iter()
            .map(|right| (right, self.attest(right, chain, vote, None)))
            .collect()
    }
}

/// Whole machine words, little-endian: taken from the attestation's bytes, not
/// from the crate's own conversion.
fn words(content: &DalContent) -> Vec<u8> {
    let attesters = Attesters::One(Member {
        slot: 0,
        dal: Some(content.clone()),
    });
    let vote = Vote {
        level: 0,
        round: 0,
        payload_hash: heliostat_tezos_verifier::PayloadHash([0; 32]),
    };
    let data = Committee::unsigned(attesters, &vote).encode_data();
    // Tag 1, slot 2, level 4, round 4, payload 32; then a signed integer of
    // variable length; then 64 bytes of signature.
    let integer = &data[43..data.len() - 64];
    let mut value = 0_u128;
    for (at, byte) in integer.iter().enumerate() {
        let (bits, shift) = if at == 0 {
            (byte & 0x3f, 0)
        } else {
            (byte & 0x7f, 7 * at - 1)
        };
        value |= u128::from(bits) << shift;
    }
    let mut words = value.to_le_bytes().to_vec();
    while words.len() >= 8 && words[words.len() - 8..].iter().all(|byte| *byte == 0) {
        words.truncate(words.len() - 8);
    }
    words
}
