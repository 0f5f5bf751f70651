//! The transactions of one block, as they are thought up.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    coins::{Coins, Lock},
    filler::{self, Filler, element},
    mix::{Mix, draw},
    plan::{PlantedNote, Shielded},
    tx::{Actions, Sapling, Sealed, Tx, Version},
    wallet::{Nullifier, Planted, Wallet},
};

/// What every transaction here pays its miner, in zatoshi (ZIP 317's least).
pub(super) const FEE: u64 = 10_000;
/// Planted notes are worth 0.001 to 1 ZEC.
const PLANTED: std::ops::Range<u64> = 100_000..100_000_000;
/// The width of a transaction that plants or spends a note.
const PLANTED_WIDTH: u32 = 3;
/// Transparent outputs below this are not worth making.
const DUST: u64 = 5_000;
/// Spends and outputs enabled.
const FLAGS_ORCHARD: u8 = 0b011;
/// Spends, outputs and cross-address transfers enabled (ZIP 229).
const FLAGS_IRONWOOD: u8 = 0b111;

/// A note's commitment and ciphertexts.
type Note = ([u8; 32], Sealed);

/// What the draft of a block needs to know.
pub(super) struct Draft<'a> {
    pub height: u64,
    /// Consensus branch id.
    pub branch: u32,
    /// The newest layout there is at this height.
    pub newest: Version,
    pub filler: &'a Filler,
    pub wallet: &'a Wallet,
    pub rng: ChaCha8Rng,
    pub txs: Vec<Tx>,
    /// Notes to the known wallet, by transaction.
    pub planted: Vec<Pending>,
    /// Index of a planted note, and the transaction that spends it.
    pub spent: Vec<(usize, usize)>,
    /// Locks of the transparent outputs: transaction, output, lock.
    pub locked: Vec<(usize, u32, Lock)>,
}

/// A planted note whose transaction has no id yet.
pub(super) struct Pending {
    pub tx: usize,
    pub pool: Shielded,
    pub index: usize,
    pub value: u64,
    pub nullifier: Nullifier,
}

impl Draft<'_> {
    /// A transaction without parts. Coinbases expire where they stand; others
    /// a while later.
    pub(super) fn frame(&self, version: Version, expiry: u64) -> Tx {
        let expiry = if version < Version::V3 { 0 } else { expiry };
        Tx {
            version,
            branch: self.branch,
            lock_time: 0,
            expiry: u32::try_from(expiry).unwrap_or_default(),
            vin: Vec::new(),
            vout: Vec::new(),
            sapling: Sapling::default(),
            orchard: Actions::default(),
            ironwood: Actions::default(),
        }
    }

    /// A frame of any layout from `oldest` to the newest, so that every
    /// layout a pool can travel in occurs.
    fn any(&mut self, oldest: Version) -> Tx {
        let all = [Version::V4, Version::V5, Version::V6];
        let fit: Vec<_> = all
            .into_iter()
            .filter(|version| (oldest..=self.newest).contains(version))
            .collect();
        let version = match fit.len() {
            0 => self.newest,
            n => fit[self.rng.random_range(0..n)],
        };
        self.frame(version, self.height + 40)
    }

    /// The transactions nobody planted.
    pub(super) fn fill(&mut self, mix: &Mix, coins: &mut Coins) {
        for _ in 0..draw(&mut self.rng, mix.transparent) {
            self.transparent(coins);
        }
        if self.newest >= Version::V4 {
            for _ in 0..draw(&mut self.rng, mix.sapling) {
                let mut tx = self.any(Version::V4);
                tx.sapling = self.sapling(mix.width, None, None);
                self.txs.push(tx);
            }
        }
        if self.newest >= Version::V5 {
            for _ in 0..draw(&mut self.rng, mix.orchard) {
                let mut tx = self.any(Version::V5);
                tx.orchard = self.actions(Shielded::Orchard, mix.width, None, None);
                self.txs.push(tx);
            }
        }
        if self.newest >= Version::V6 {
            for _ in 0..draw(&mut self.rng, mix.ironwood) {
                let mut tx = self.any(Version::V6);
                tx.ironwood = self.actions(Shielded::Ironwood, mix.width, None, None);
                if self.rng.random_range(0..8) == 0 {
                    tx.sapling = self.sapling(mix.width, None, None);
                    tx.orchard = self.actions(Shielded::Orchard, mix.width, None, None);
                }
                self.txs.push(tx);
            }
        }
    }

    /// A payment between transparent addresses, if a coin is ripe.
    fn transparent(&mut self, coins: &mut Coins) {
        let Some(first) = coins.take(self.height) else {
            return;
        };
        let second = self.rng.random::<bool>().then(|| coins.take(self.height));
        let mut tx = self.any(Version::V4);
        let mut rest = 0;
        for coin in std::iter::once(first).chain(second.flatten()) {
            rest += coin.value;
            tx.vin.push(coins.input(&mut self.rng, &coin));
        }
        rest = rest.saturating_sub(FEE);
        let index = self.txs.len();
        for left in (0..self.rng.random_range(1..=3)).rev() {
            let value = if left == 0 || rest < 3 * DUST {
                rest
            } else {
                self.rng.random_range(DUST..rest - DUST)
            };
            rest -= value;
            let lock = coins.lock(&mut self.rng);
            self.locked.push((index, tx.vout.len() as u32, lock));
            tx.vout.push(coins.output(lock, value));
            if rest == 0 {
                break;
            }
        }
        self.txs.push(tx);
    }

    /// A Sapling part of one or two spends and up to `width` outputs.
    fn sapling(
        &mut self,
        width: u32,
        nullifier: Option<[u8; 32]>,
        mut planted: Option<(usize, Note)>,
    ) -> Sapling {
        let mut spends = vec![self.filler.spend(&mut self.rng, nullifier)];
        if self.rng.random() {
            spends.push(self.filler.spend(&mut self.rng, None));
        }
        let count = self.rng.random_range(2..=width.max(2)) as usize;
        let outputs = (0..count).map(|at| {
            let here = planted.take_if(|(planted, _)| *planted == at);
            self.filler
                .output(&mut self.rng, here.map(|(_, note)| note))
        });
        let outputs = outputs.collect();
        filler::sapling(&mut self.rng, spends, outputs, FEE as i64)
    }

    /// An Orchard or Ironwood part of two to `width` / 2 actions. Action 0
    /// reveals `nullifier` when one is given, and carries `planted`.
    fn actions(
        &mut self,
        pool: Shielded,
        width: u32,
        nullifier: Option<[u8; 32]>,
        mut planted: Option<Note>,
    ) -> Actions {
        let count = self.rng.random_range(2..=(width / 2).max(2));
        let mut actions = Vec::with_capacity(count as usize);
        for at in 0..count {
            let nf = nullifier.filter(|_| at == 0);
            let nf = nf.unwrap_or_else(|| element(&mut self.rng));
            let note = planted.take_if(|_| at == 0);
            actions.push(self.filler.action(&mut self.rng, nf, note));
        }
        let flags = match pool {
            Shielded::Ironwood => FLAGS_IRONWOOD,
            _ => FLAGS_ORCHARD,
        };
        filler::actions(&mut self.rng, actions, flags, FEE as i64)
    }

    /// A transaction with a note to the known wallet.
    pub(super) fn plant(&mut self, pool: Shielded) {
        let value = self.rng.random_range(PLANTED);
        self.pay(pool, None, Some(value));
    }

    /// A transaction that spends a planted note, and half of the time pays
    /// change back to the known wallet.
    pub(super) fn spend(&mut self, index: usize, note: &PlantedNote) {
        self.spent.push((index, self.txs.len()));
        let back = self.rng.random::<bool>().then_some(note.value / 2);
        self.pay(note.pool, Some(note.nullifier), back);
    }

    /// A transaction of one pool that reveals `nullifier` and makes a note of
    /// `value` to the known wallet, as far as they are given.
    fn pay(&mut self, pool: Shielded, nullifier: Option<[u8; 32]>, value: Option<u64>) {
        let oldest = match pool {
            Shielded::Sapling => Version::V4,
            Shielded::Orchard => Version::V5,
            Shielded::Ironwood => Version::V6,
        };
        let mut tx = self.any(oldest);
        // The note's rho is the nullifier its action reveals.
        let nullifier = nullifier.unwrap_or_else(|| element(&mut self.rng));
        let wallet = self.wallet;
        let note = value.map(|value| wallet.plant(&mut self.rng, pool, value, &nullifier));
        let index = match pool {
            // Anywhere among the two outputs there are at least.
            Shielded::Sapling => self.rng.random_range(0..2),
            _ => 0,
        };
        let note = note.zip(value).map(|(note, value)| {
            let Planted {
                commitment,
                sealed,
                nullifier,
            } = note;
            self.planted.push(Pending {
                tx: self.txs.len(),
                pool,
                index,
                value,
                nullifier,
            });
            (commitment, sealed)
        });
        match pool {
            Shielded::Sapling => {
                let at = note.map(|note| (index, note));
                tx.sapling = self.sapling(PLANTED_WIDTH, Some(nullifier), at);
            }
            Shielded::Orchard => {
                tx.orchard = self.actions(pool, PLANTED_WIDTH, Some(nullifier), note);
            }
            Shielded::Ironwood => {
                tx.ironwood = self.actions(pool, PLANTED_WIDTH, Some(nullifier), note);
            }
        }
        self.txs.push(tx);
    }
}
