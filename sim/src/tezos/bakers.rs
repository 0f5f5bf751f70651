//! Bakers: keys of all four kinds that can be verified, stakes, and the lottery
//! that a cycle's state holds of them.

use heliostat_tezos_verifier::{KeyKind, PublicKeyHash, finality::ConsensusKey};

use super::{derive, keys::Secret};

/// The kinds that bakers have in turn: as on mainnet, most are tz1 and tz4.
const KINDS: [KeyKind; 6] = [
    KeyKind::Ed25519,
    KeyKind::Bls,
    KeyKind::Secp256k1,
    KeyKind::Bls,
    KeyKind::P256,
    KeyKind::Ed25519,
];

/// Every so manyeth baker signs with another key than its address's.
const OWN_CONSENSUS_KEY: usize = 4;

/// Least stake of a baker, in mutez, and how much more there may be.
const LEAST_STAKE: u64 = 6_000_000_000;
const MORE_STAKE: u64 = 30_000_000_000;

/// One baker.
#[derive(Clone)]
pub struct Baker {
    /// What the rights say of it.
    pub key: ConsensusKey,
    /// Signs blocks and attestations.
    pub secret: Secret,
    /// Signs what a baker with a BLS key says of the data availability layer.
    pub companion: Option<Secret>,
    /// The key of the address, where that is another one.
    pub manager: Secret,
    pub(super) number: u64,
    pub(super) seed: u64,
}

impl Baker {
    /// The baker of this number.
    pub(super) fn new(seed: u64, number: usize) -> Self {
        let kind = KINDS[number % KINDS.len()];
        let at = number as u64;
        let secret = Secret::derive(kind, seed, "consensus key", at);
        let manager = match number % OWN_CONSENSUS_KEY {
            3 => Secret::derive(KeyKind::Ed25519, seed, "manager key", at),
            _ => secret.clone(),
        };
        let companion =
            (kind == KeyKind::Bls).then(|| Secret::derive(kind, seed, "companion key", at));
        Self {
            key: ConsensusKey {
                key: secret.public(),
                delegate: manager.public().hash(),
                companion: companion.as_ref().map(Secret::public),
            },
            secret,
            companion,
            manager,
            number: at,
            seed,
        }
    }

    /// The baker's address.
    pub fn address(&self) -> PublicKeyHash {
        self.key.delegate
    }

    /// Stake in a cycle, in mutez: it changes a little from one to the next.
    pub fn stake(&self, cycle: i32) -> u64 {
        let part = |label, number: u64| {
            let bytes = derive(self.seed, label, number);
            u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
        };
        let share = u128::from(part("stake", self.number)) * u128::from(MORE_STAKE);
        let own = LEAST_STAKE + (share / u128::from(u32::MAX)) as u64;
        let moved = u64::from(part("stake of a cycle", (cycle as u64) << 32 | self.number));
        own + moved % (LEAST_STAKE / 10)
    }

    /// Tagged key, delegate if another, companion if any: as samplers hold it.
    fn encode(&self) -> Vec<u8> {
        let mut out = self.key.key.encode();
        if self.key.key.hash() == self.key.delegate {
            out.push(0x00);
        } else {
            out.push(0xff);
            out.extend_from_slice(&self.key.delegate.encode());
        }
        match &self.key.companion {
            None => out.push(0x00),
            Some(companion) => {
                out.push(0xff);
                out.extend_from_slice(companion.as_bytes());
            }
        }
        out
    }
}

/// `cycle/<c>/delegate_sampler_state`: an alias table (Vose) over the stakes.
pub(super) fn sampler(bakers: &[Baker], cycle: i32) -> Vec<u8> {
    let stakes: Vec<i128> = bakers.iter().map(|b| i128::from(b.stake(cycle))).collect();
    let total: i128 = stakes.iter().sum();
    let count = bakers.len();
    // How much of its fair share each has, in units of total / count.
    let mut left: Vec<i128> = stakes.iter().map(|stake| stake * count as i128).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..count).partition(|at| left[*at] < total);
    let mut mass = vec![total; count];
    // A column that is all its baker's has no alias: -1.
    let mut alias = vec![u32::MAX; count];
    while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
        small.pop();
        (mass[poor], alias[poor]) = (left[poor], rich as u32);
        left[rich] -= total - left[poor];
        if left[rich] < total {
            large.pop();
            small.push(rich);
        }
    }
    let total = i64::try_from(total).expect("the stakes fit 63 bits, because they are bounded");
    let mass = mass
        .iter()
        .map(|mass| (*mass as i64).to_be_bytes().to_vec());
    let alias = alias.iter().map(|at| at.to_be_bytes().to_vec());
    [
        total.to_be_bytes().to_vec(),
        array(bakers.iter().map(Baker::encode).collect()),
        array(mass.collect()),
        array(alias.collect()),
    ]
    .concat()
}

/// Length, an element that fills, the size in bytes, the elements.
fn array(elements: Vec<Vec<u8>>) -> Vec<u8> {
    let bytes = elements.concat();
    let count = (elements.len() as u32).to_be_bytes();
    let size = (bytes.len() as u32).to_be_bytes();
    [count.as_slice(), &elements[0], &size, &bytes].concat()
}
