//! The planted notes, found again with the wallet's keys alone.

use heliostat_sim::zcash::{
    Block, Generator, Mix,
    generator::{PlantedNote, Shielded},
};
use orchard::keys::{FullViewingKey, Scope};
use sapling_crypto::note_encryption::{
    PreparedIncomingViewingKey, Zip212Enforcement, try_sapling_note_decryption,
};
use zcash_primitives::transaction::Transaction;

use super::{chain, parse};

/// A note as the keys find it: pool, height, txid, index, value, and its
/// nullifier where it does not depend on a position.
type Found = (Shielded, u64, [u8; 32], u32, u64, Option<[u8; 32]>);

/// Trial-decrypts every output of a transaction.
fn find(generator: &Generator, block: &Block, tx: &Transaction) -> Vec<Found> {
    let key = generator.wallet().key();
    let sapling = key.sapling().to_diversifiable_full_viewing_key();
    let ivk = PreparedIncomingViewingKey::new(&sapling.to_ivk(Scope::External));
    let fvk = FullViewingKey::from(key.orchard());
    let txid = *tx.txid().as_ref();
    let mut found = Vec::new();
    let outputs = tx.sapling_bundle().map(|bundle| bundle.shielded_outputs());
    for (output, index) in outputs.unwrap_or_default().iter().zip(0u32..) {
        let note = try_sapling_note_decryption(&ivk, output, Zip212Enforcement::On);
        if let Some((note, _, _)) = note {
            let value = note.value().inner();
            found.push((Shielded::Sapling, block.height, txid, index, value, None));
        }
    }
    let bundles = [
        (Shielded::Orchard, tx.orchard_bundle()),
        (Shielded::Ironwood, tx.ironwood_bundle()),
    ];
    for (pool, bundle) in bundles {
        let Some(bundle) = bundle else { continue };
        for (index, _, note, _, _) in
            bundle.decrypt_outputs_with_keys(&[fvk.to_ivk(Scope::External)])
        {
            let nullifier = Some(note.nullifier(&fvk).to_bytes());
            let value = note.value().inner();
            found.push((pool, block.height, txid, index as u32, value, nullifier));
        }
    }
    found
}

/// Every nullifier a transaction reveals in a pool.
fn nullifiers(tx: &Transaction, pool: Shielded) -> Vec<[u8; 32]> {
    let actions = match pool {
        Shielded::Sapling => {
            let spends = tx.sapling_bundle().map(|bundle| bundle.shielded_spends());
            let spends = spends.unwrap_or_default().iter();
            return spends.map(|spend| spend.nullifier().0).collect();
        }
        Shielded::Orchard => tx.orchard_bundle(),
        Shielded::Ironwood => tx.ironwood_bundle(),
    };
    let actions = actions.into_iter().flat_map(|bundle| bundle.actions());
    actions
        .map(|action| action.nullifier().to_bytes())
        .collect()
}

#[test]
fn the_wallet_key_finds_exactly_the_planted_notes() {
    let generator = chain(41, 400, Mix::TYPICAL);
    let mut found = Vec::new();
    for block in &generator.chain().blocks[1..] {
        let parsed = parse(block, &generator.config().network);
        for tx in parsed.vtx().iter() {
            found.extend(find(&generator, block, tx));
        }
    }
    let notes = &generator.plan().notes;
    assert_eq!(found.len(), notes.len());
    for (found, note) in found.iter().zip(notes) {
        let (pool, height, txid, index, value, nullifier) = *found;
        assert_eq!((pool, height), (note.pool, note.height));
        assert_eq!((txid, index, value), (note.txid, note.index, note.value));
        assert!(nullifier.is_none_or(|nullifier| nullifier == note.nullifier));
    }
    for pool in [Shielded::Sapling, Shielded::Orchard, Shielded::Ironwood] {
        let of_pool = |note: &&PlantedNote| note.pool == pool;
        let spent = notes
            .iter()
            .filter(of_pool)
            .filter(|note| note.spent.is_some());
        assert!(spent.count() > 0, "no {pool:?} note was spent");
        assert!(notes.iter().filter(of_pool).count() >= 10);
    }
}

#[test]
fn the_nullifiers_of_spent_notes_are_on_the_chain_and_no_others() {
    let generator = chain(42, 400, Mix::TYPICAL);
    let mut revealed = std::collections::HashMap::new();
    for block in &generator.chain().blocks[1..] {
        let parsed = parse(block, &generator.config().network);
        for tx in parsed.vtx().iter() {
            for pool in [Shielded::Sapling, Shielded::Orchard, Shielded::Ironwood] {
                for nullifier in nullifiers(tx, pool) {
                    let place = (block.height, *tx.txid().as_ref());
                    let before = revealed.insert((pool, nullifier), place);
                    assert!(before.is_none(), "a nullifier is revealed once");
                }
            }
        }
    }
    for note in &generator.plan().notes {
        let place = revealed.get(&(note.pool, note.nullifier)).copied();
        assert_eq!(place, note.spent.map(|spent| (spent.height, spent.txid)));
        assert!(note.spent.is_none_or(|spent| spent.height > note.height));
    }
}

#[test]
fn a_sapling_note_has_the_nullifier_of_its_position() {
    let generator = chain(43, 200, Mix::TYPICAL);
    let sapling = generator.wallet().key().sapling();
    let sapling = sapling.to_diversifiable_full_viewing_key();
    let ivk = PreparedIncomingViewingKey::new(&sapling.to_ivk(Scope::External));
    let mut position = 0;
    let mut planted = generator.plan().notes.iter();
    let mut seen = 0;
    for block in &generator.chain().blocks[1..] {
        let parsed = parse(block, &generator.config().network);
        let bundles = parsed.vtx().iter().filter_map(|tx| tx.sapling_bundle());
        for output in bundles.flat_map(|bundle| bundle.shielded_outputs()) {
            let note = try_sapling_note_decryption(&ivk, output, Zip212Enforcement::On);
            if let Some((note, _, _)) = note {
                let plan = planted
                    .find(|note| note.pool == Shielded::Sapling)
                    .expect("the plan lists every Sapling note in order");
                assert_eq!(plan.position, position);
                let nullifier = note.nf(&sapling.to_nk(Scope::External), position);
                assert_eq!(plan.nullifier, nullifier.0);
                seen += 1;
            }
            position += 1;
        }
    }
    assert!(seen >= 5);
}

#[test]
fn the_balance_follows_notes_and_spends() {
    let generator = chain(44, 300, Mix::TINY);
    let plan = generator.plan();
    assert_eq!(plan.balance_at(0).total(), 0);
    let mut fell = 0;
    for height in 1..=300 {
        let (before, after) = (plan.balance_at(height - 1), plan.balance_at(height));
        let sum = |notes: Vec<&PlantedNote>| notes.iter().map(|note| note.value).sum::<u64>();
        let new = sum(plan
            .notes
            .iter()
            .filter(|note| note.height == height)
            .collect());
        let spent = |note: &&PlantedNote| note.spent.is_some_and(|spent| spent.height == height);
        let gone = sum(plan.notes.iter().filter(spent).collect());
        assert_eq!(before.total() + new, after.total() + gone);
        fell += usize::from(after.total() < before.total());
    }
    assert!(fell > 3, "balances go down too");
}
