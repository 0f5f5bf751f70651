//! The wallet the generator plants notes for, and the planting: notes truly
//! encrypted to its addresses by the field's own crates.

use orchard::{
    note::{NoteVersion, RandomSeed, Rho},
    note_encryption::{IronwoodDomain, OrchardDomain},
};
use rand_chacha::ChaCha8Rng;
use sapling_crypto::{Rseed, note_encryption::SaplingDomain};
use zcash_keys::keys::UnifiedSpendingKey;
use zcash_note_encryption::{Domain, NoteEncryption};
use zcash_protocol::local_consensus::LocalNetwork;
use zip32::{AccountId, Scope};

use super::{filler::bytes, plan::Shielded, tx::Sealed};

/// The memo that says "no memo" (ZIP 302).
const NO_MEMO: [u8; 512] = {
    let mut memo = [0; 512];
    memo[0] = 0xf6;
    memo
};

/// The keys of account 0 of a known seed (ZIP 32, regtest coin type). Notes
/// go to its default Sapling address and to its Orchard address 0, which is
/// the Ironwood one too.
#[derive(Debug)]
pub struct Wallet {
    seed: [u8; 32],
    key: UnifiedSpendingKey,
    sapling: sapling_crypto::zip32::DiversifiableFullViewingKey,
    orchard: orchard::keys::FullViewingKey,
}

/// A note on its way into a transaction.
pub(super) struct Planted {
    /// The extracted note commitment.
    pub commitment: [u8; 32],
    /// What goes on the chain beside it.
    pub sealed: Sealed,
    /// What its spend will publish, as far as it is known already.
    pub nullifier: Nullifier,
}

/// How a note's nullifier comes about.
pub(super) enum Nullifier {
    /// An Orchard or Ironwood note carries everything that decides it.
    Known([u8; 32]),
    /// A Sapling note's also depends on where its commitment stands.
    Positioned(Box<sapling_crypto::Note>),
}

impl Wallet {
    /// The wallet of a seed.
    ///
    /// # Panics
    ///
    /// For the few seeds ZIP 32 derives no key from (about one in 2^128).
    pub fn new(network: &LocalNetwork, seed: [u8; 32]) -> Self {
        let key = UnifiedSpendingKey::from_seed(network, &seed, AccountId::ZERO)
            .expect("a seed without keys is as rare as a hash collision");
        let orchard = key.orchard().into();
        let sapling = key.sapling().to_diversifiable_full_viewing_key();
        Self {
            seed,
            key,
            sapling,
            orchard,
        }
    }

    /// The seed, to restore the wallet from elsewhere.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The spending key, from which a wallet library makes its account.
    pub fn key(&self) -> &UnifiedSpendingKey {
        &self.key
    }

    /// Makes a note to this wallet. `rho` is the nullifier that the action
    /// which carries the note reveals; Sapling does without.
    pub(super) fn plant(
        &self,
        rng: &mut ChaCha8Rng,
        pool: Shielded,
        value: u64,
        rho: &[u8; 32],
    ) -> Planted {
        match pool {
            Shielded::Sapling => self.plant_sapling(rng, value),
            Shielded::Orchard => self.plant_orchard(rng, NoteVersion::V2, value, rho),
            Shielded::Ironwood => self.plant_orchard(rng, NoteVersion::V3, value, rho),
        }
    }

    fn plant_sapling(&self, rng: &mut ChaCha8Rng, value: u64) -> Planted {
        let note = sapling_crypto::Note::from_parts(
            self.sapling.default_address().1,
            sapling_crypto::value::NoteValue::from_raw(value),
            Rseed::AfterZip212(bytes(rng)),
        );
        let commitment = note.cmu().to_bytes();
        let (epk, enc) = encrypt::<SaplingDomain>(note.clone());
        Planted {
            commitment,
            sealed: seal(rng, epk, &enc),
            nullifier: Nullifier::Positioned(Box::new(note)),
        }
    }

    fn plant_orchard(
        &self,
        rng: &mut ChaCha8Rng,
        version: NoteVersion,
        value: u64,
        rho: &[u8; 32],
    ) -> Planted {
        let rho = Option::<Rho>::from(Rho::from_bytes(rho))
            .expect("a nullifier of ours is a canonical field element");
        let recipient = self.orchard.address_at(0u32, Scope::External);
        let value = orchard::value::NoteValue::from_raw(value);
        let note: orchard::Note = loop {
            // Of 2^250 seeds one gives no note, so this ends at once.
            let Some(seed) = RandomSeed::from_bytes(bytes(rng), &rho).into_option() else {
                continue;
            };
            let note = orchard::Note::from_parts(recipient, value, rho, seed, version);
            if let Some(note) = note.into_option() {
                break note;
            }
        };
        let (epk, enc) = match version {
            NoteVersion::V2 => encrypt::<OrchardDomain>(note),
            NoteVersion::V3 => encrypt::<IronwoodDomain>(note),
        };
        let commitment = orchard::note::ExtractedNoteCommitment::from(note.commitment());
        Planted {
            commitment: commitment.to_bytes(),
            sealed: seal(rng, epk, &enc),
            nullifier: Nullifier::Known(note.nullifier(&self.orchard).to_bytes()),
        }
    }

    /// The nullifier of a planted note whose commitment is leaf `position`.
    pub(super) fn nullifier(&self, nullifier: &Nullifier, position: u64) -> [u8; 32] {
        match nullifier {
            Nullifier::Known(nullifier) => *nullifier,
            Nullifier::Positioned(note) => note.nf(self.sapling.fvk().vk.nk(), position).0,
        }
    }
}

/// The ephemeral key and the encrypted note.
fn encrypt<D: Domain<Memo = [u8; 512]>>(note: D::Note) -> ([u8; 32], Vec<u8>) {
    let encryption = NoteEncryption::<D>::new(None, note, NO_MEMO);
    let enc = encryption.encrypt_note_plaintext();
    (D::epk_bytes(encryption.epk()).0, enc.as_ref().to_vec())
}

/// The outgoing ciphertext is filler: nobody kept the key to it.
fn seal(rng: &mut ChaCha8Rng, epk: [u8; 32], enc: &[u8]) -> Sealed {
    let mut sealed = Sealed {
        epk,
        enc: [0; 580],
        out: bytes(rng),
    };
    sealed.enc.copy_from_slice(enc);
    sealed
}
