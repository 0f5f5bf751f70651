//! Parts of a transaction that no light node checks, but that every parser
//! must still accept: points on their curve, canonical field elements, proofs
//! of the right length.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tx::{Action, Actions, Output, Sapling, Sealed, Signature, Spend};

/// Points kept per curve. Drawing from a few is what makes filler cheap: a
/// fresh point costs a square root, a drawn one a copy.
const POINTS: usize = 64;

/// Bits 254 and 255 of a little-endian field element. Cleared, the value is
/// canonical in both the Jubjub and the Pallas base field.
const CANONICAL: u8 = 0x3f;

/// A source of filler.
#[derive(Debug)]
pub(super) struct Filler {
    jubjub: Vec<[u8; 32]>,
    pallas: Vec<[u8; 32]>,
}

impl Filler {
    /// The filler of a chain, the same for the same seed.
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let jubjub = |bytes: &[u8; 32]| {
            sapling_crypto::value::ValueCommitment::from_bytes_not_small_order(bytes)
                .is_some()
                .into()
        };
        let pallas = |bytes: &[u8; 32]| {
            orchard::value::ValueCommitment::from_bytes(bytes)
                .is_some()
                .into()
        };
        Self {
            jubjub: points(&mut rng, jubjub),
            pallas: points(&mut rng, pallas),
        }
    }

    fn jubjub(&self, rng: &mut ChaCha8Rng) -> [u8; 32] {
        self.jubjub[rng.random_range(0..POINTS)]
    }

    fn pallas(&self, rng: &mut ChaCha8Rng) -> [u8; 32] {
        self.pallas[rng.random_range(0..POINTS)]
    }

    /// A Sapling spend of the note with this nullifier, or of nobody's.
    pub(super) fn spend(&self, rng: &mut ChaCha8Rng, nf: Option<[u8; 32]>) -> Spend {
        Spend {
            cv: self.jubjub(rng),
            nf: nf.unwrap_or_else(|| element(rng)),
            rk: self.jubjub(rng),
            proof: bytes(rng),
            sig: Signature(bytes(rng)),
        }
    }

    /// A Sapling output: a planted one, or one to nobody.
    pub(super) fn output(
        &self,
        rng: &mut ChaCha8Rng,
        planted: Option<([u8; 32], Sealed)>,
    ) -> Output {
        let (cmu, sealed) = planted.unwrap_or_else(|| {
            let epk = self.jubjub(rng);
            (element(rng), sealed(rng, epk))
        });
        Output {
            cv: self.jubjub(rng),
            cmu,
            sealed,
            proof: bytes(rng),
        }
    }

    /// An action with this nullifier: its output is a planted one, or one to
    /// nobody.
    pub(super) fn action(
        &self,
        rng: &mut ChaCha8Rng,
        nf: [u8; 32],
        planted: Option<([u8; 32], Sealed)>,
    ) -> Action {
        let (cmx, sealed) = planted.unwrap_or_else(|| {
            let epk = self.pallas(rng);
            (element(rng), sealed(rng, epk))
        });
        Action {
            cv: self.pallas(rng),
            nf,
            rk: self.pallas(rng),
            cmx,
            sealed,
            sig: Signature(bytes(rng)),
        }
    }
}

/// The first [`POINTS`] random encodings that `valid` accepts.
fn points(rng: &mut ChaCha8Rng, valid: impl Fn(&[u8; 32]) -> bool) -> Vec<[u8; 32]> {
    let mut found = Vec::with_capacity(POINTS);
    while found.len() < POINTS {
        let candidate = bytes(rng);
        if valid(&candidate) {
            found.push(candidate);
        }
    }
    found
}

/// Random bytes.
pub(super) fn bytes<const N: usize>(rng: &mut ChaCha8Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A canonical element of either base field: a commitment, a nullifier, an
/// anchor.
pub(super) fn element(rng: &mut ChaCha8Rng) -> [u8; 32] {
    let mut element: [u8; 32] = bytes(rng);
    element[31] &= CANONICAL;
    element
}

/// Ciphertexts under a key that nobody has.
fn sealed(rng: &mut ChaCha8Rng, epk: [u8; 32]) -> Sealed {
    Sealed {
        epk,
        enc: bytes(rng),
        out: bytes(rng),
    }
}

/// The Sapling part made of these spends and outputs. `value` leaves the pool.
pub(super) fn sapling(
    rng: &mut ChaCha8Rng,
    spends: Vec<Spend>,
    outputs: Vec<Output>,
    value: i64,
) -> Sapling {
    Sapling {
        spends,
        outputs,
        value_balance: value,
        anchor: element(rng),
        binding: Signature(bytes(rng)),
    }
}

/// The action bundle made of these actions, with a proof of the one length a
/// node accepts. `value` leaves the pool.
pub(super) fn actions(
    rng: &mut ChaCha8Rng,
    actions: Vec<Action>,
    flags: u8,
    value: i64,
) -> Actions {
    let mut proof = vec![0; orchard::Proof::expected_proof_size(actions.len())];
    rng.fill_bytes(&mut proof);
    Actions {
        actions,
        flags,
        value_balance: value,
        anchor: element(rng),
        proof,
        binding: Signature(bytes(rng)),
    }
}
