//! Every block of zebra-test (mainnet and testnet) through our scanner and
//! through zebra-chain.

use heliostat_core::{Reject, Verifier as _};
use heliostat_zcash_proto::{
    CompactBlock, CompactOrchardAction, CompactSaplingOutput, CompactSaplingSpend, CompactTx,
    CompactTxIn, TxOut,
};
use heliostat_zcash_verifier::{Header, ZcashVerifier, rule, scan};
use prost::Message as _;
use zebra_chain::{
    block::Block, serialization::ZcashDeserialize, transaction::Transaction, transparent::Input,
};

#[path = "shared/chains.rs"]
mod chains;
use chains::{raw, real_blocks};

fn zebra(bytes: &[u8]) -> Block {
    Block::zcash_deserialize(bytes).expect("zebra-chain reads its own vectors")
}

#[test]
fn hashes_heights_txids_roots_and_counts_are_zebras() {
    let mut blocks = 0;
    for (network, height, bytes) in real_blocks() {
        let place = format!("{} {height}", network.name());
        let ours = scan(bytes).expect(&place);
        let theirs = zebra(bytes);
        let header = Header::at_front_of(bytes).expect(&place);
        assert_eq!(ours.hash, theirs.hash().0, "{place}");
        assert_eq!(ours.prev, theirs.header.previous_block_hash.0, "{place}");
        assert_eq!(ours.height, height, "{place}");
        let their_height = theirs.coinbase_height().map(|height| u64::from(height.0));
        assert_eq!(Some(ours.height), their_height, "{place}");
        assert_eq!(
            i64::from(ours.time),
            theirs.header.time.timestamp(),
            "{place}"
        );
        let txids: Vec<_> = theirs.transactions.iter().map(|tx| tx.hash().0).collect();
        assert_eq!(ours.txids, txids, "{place}");
        assert_eq!(ours.merkle_root, theirs.header.merkle_root.0, "{place}");
        assert_eq!(ours.merkle_root, header.merkle_root(), "{place}");
        assert!(!ours.repeats, "{place}");
        let count = |of: fn(&Transaction) -> usize| -> usize {
            theirs.transactions.iter().map(|tx| of(tx)).sum()
        };
        assert_eq!(
            ours.added.sapling as usize,
            count(|tx| tx.sapling_outputs().count())
        );
        assert_eq!(
            ours.added.orchard as usize,
            count(|tx| tx.orchard_actions().count())
        );
        assert_eq!(
            ours.added.ironwood as usize,
            count(|tx| tx.ironwood_actions().count())
        );
        blocks += 1;
    }
    assert_eq!(blocks, 87, "41 of mainnet and 46 of testnet");
}

#[test]
fn every_real_block_passes_proof_of_work_and_equihash() {
    for (network, height, bytes) in real_blocks() {
        let checked = ZcashVerifier::new(network).check(height, raw(bytes));
        assert!(checked.is_ok(), "{} {height}: {checked:?}", network.name());
    }
}

#[test]
fn a_block_for_another_height_is_an_answer_to_another_question() {
    for (network, height, bytes) in real_blocks().step_by(7) {
        let checked = ZcashVerifier::new(network).check(height + 1, raw(bytes));
        let Err(Reject::Wrong(evidence)) = checked else {
            panic!("{height} was accepted as {}", height + 1);
        };
        assert_eq!(evidence.rule, rule::HEIGHT);
    }
}

#[test]
fn compact_blocks_hold_what_zebra_reads_in_the_bytes_prost_writes() {
    for (network, height, bytes) in real_blocks() {
        let ours = scan(bytes).expect("read before");
        let mut expected = CompactBlock {
            height,
            hash: ours.hash.to_vec().into(),
            prev_hash: ours.prev.to_vec().into(),
            time: ours.time,
            ..CompactBlock::default()
        };
        let txs = zebra(bytes).transactions;
        let compact = txs.iter().enumerate().map(|(index, tx)| compact(index, tx));
        expected.vtx = compact.collect();
        let place = format!("{} {height}", network.name());
        assert!(
            expected.encode_to_vec() == ours.full,
            "full form of {place}"
        );
        for tx in &mut expected.vtx {
            tx.vin.clear();
            tx.vout.clear();
        }
        expected.vtx.retain(|tx| {
            !(tx.spends.is_empty()
                && tx.outputs.is_empty()
                && tx.actions.is_empty()
                && tx.ironwood_actions.is_empty())
        });
        assert!(
            expected.encode_to_vec() == ours.shielded,
            "shielded form of {place}"
        );
    }
}

fn compact(index: usize, tx: &Transaction) -> CompactTx {
    let vin = tx.inputs().into_iter().filter_map(|input| match input {
        Input::PrevOut { outpoint, .. } => Some(CompactTxIn {
            prevout_txid: outpoint.hash.0.to_vec().into(),
            prevout_index: outpoint.index,
        }),
        Input::Coinbase { .. } => None,
    });
    let vout = tx.outputs().into_iter().map(|output| TxOut {
        value: u64::from(output.value),
        script_pub_key: output.lock_script.as_raw_bytes().to_vec().into(),
    });
    let outputs = tx.sapling_outputs().map(|output| CompactSaplingOutput {
        cmu: output.cmu().to_bytes().to_vec().into(),
        ephemeral_key: output.ephemeral_key().0.to_vec().into(),
        ciphertext: output.enc_ciphertext()[..52].to_vec().into(),
    });
    CompactTx {
        index: index as u64,
        txid: tx.hash().0.to_vec().into(),
        fee: 0,
        spends: tx
            .sapling_nullifiers()
            .map(|nf| CompactSaplingSpend {
                nf: <[u8; 32]>::from(nf).to_vec().into(),
            })
            .collect(),
        outputs: outputs.collect(),
        actions: tx.orchard_actions().map(action).collect(),
        vin: vin.collect(),
        vout: vout.collect(),
        ironwood_actions: tx.ironwood_actions().map(action).collect(),
    }
}

fn action<T>(action: &orchard::Action<T>) -> CompactOrchardAction {
    let note = action.encrypted_note();
    CompactOrchardAction {
        nullifier: action.nullifier().to_bytes().to_vec().into(),
        cmx: action.cmx().to_bytes().to_vec().into(),
        ephemeral_key: note.epk_bytes.to_vec().into(),
        ciphertext: note.enc_ciphertext.0[..52].to_vec().into(),
    }
}
