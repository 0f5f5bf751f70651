//! The skipper against decode, filter and encode by prost.

use heliostat_zcash_proto::{
    ChainMetadata, CompactBlock, CompactOrchardAction, CompactSaplingOutput, CompactSaplingSpend,
    CompactTx, CompactTxIn, TxOut,
};
use proptest::{collection::vec, prelude::*};
use prost::{Message as _, bytes::Bytes};

use super::*;

fn some_bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=most).prop_map(Bytes::from)
}

fn action() -> impl Strategy<Value = CompactOrchardAction> {
    (some_bytes(32), some_bytes(32), some_bytes(52)).prop_map(|(nullifier, cmx, ciphertext)| {
        CompactOrchardAction {
            nullifier,
            ephemeral_key: cmx.clone(),
            cmx,
            ciphertext,
        }
    })
}

prop_compose! {
    fn transaction()(
        index in any::<u64>(),
        txid in some_bytes(32),
        fee in 0u32..3,
        spends in vec(some_bytes(32).prop_map(|nf| CompactSaplingSpend { nf }), 0..3),
        outputs in vec(some_bytes(52).prop_map(|cmu| CompactSaplingOutput {
            ephemeral_key: cmu.clone(), ciphertext: cmu.clone(), cmu,
        }), 0..3),
        actions in vec(action(), 0..3),
        vin in vec((some_bytes(32), any::<u32>()).prop_map(|(prevout_txid, prevout_index)| {
            CompactTxIn { prevout_txid, prevout_index }
        }), 0..3),
        vout in vec((any::<u64>(), some_bytes(300)).prop_map(|(value, script_pub_key)| {
            TxOut { value, script_pub_key }
        }), 0..3),
        ironwood_actions in vec(action(), 0..3),
    ) -> CompactTx {
        CompactTx { index, txid, fee, spends, outputs, actions, vin, vout, ironwood_actions }
    }
}

prop_compose! {
    fn block()(
        height in any::<u64>(),
        hash in some_bytes(32),
        time in any::<u32>(),
        vtx in vec(transaction(), 0..5),
        sizes in any::<[u16; 3]>(),
    ) -> CompactBlock {
        CompactBlock {
            height, prev_hash: hash.clone(), hash, time, header: Bytes::new(), vtx,
            chain_metadata: Some(ChainMetadata {
                sapling_commitment_tree_size: sizes[0].into(),
                orchard_commitment_tree_size: sizes[1].into(),
                ironwood_commitment_tree_size: sizes[2].into(),
            }),
        }
    }
}

fn frame(block: &CompactBlock) -> Vec<u8> {
    let message = block.encode_to_vec();
    let mut out = vec![0];
    out.extend_from_slice(&(message.len() as u32).to_be_bytes());
    out.extend_from_slice(&message);
    out
}

/// What the rules say, on decoded messages.
fn slowly(mut block: CompactBlock, filter: Filter) -> CompactBlock {
    let has = |pool| filter.pools.contains(pool);
    for tx in &mut block.vtx {
        if !has(Pools::SAPLING) {
            tx.spends.clear();
            tx.outputs.clear();
        }
        if !has(Pools::ORCHARD) {
            tx.actions.clear();
        }
        if !has(Pools::IRONWOOD) {
            tx.ironwood_actions.clear();
        }
        if !has(Pools::TRANSPARENT) {
            tx.vin.clear();
            tx.vout.clear();
        }
    }
    block.vtx.retain(|tx| {
        filter.keep_empty
            || !(tx.spends.is_empty()
                && tx.outputs.is_empty()
                && tx.actions.is_empty()
                && tx.ironwood_actions.is_empty()
                && tx.vin.is_empty()
                && tx.vout.is_empty())
    });
    if filter.nullifiers {
        for tx in &mut block.vtx {
            tx.outputs.clear();
            tx.vin.clear();
            tx.vout.clear();
            for action in tx.actions.iter_mut().chain(&mut tx.ironwood_actions) {
                *action = CompactOrchardAction {
                    nullifier: action.nullifier.clone(),
                    ..Default::default()
                };
            }
        }
        block.chain_metadata = Some(ChainMetadata::default());
    }
    block
}

proptest! {
    #[test]
    fn every_filter_gives_what_decoding_and_encoding_would(
        blocks in vec(block(), 1..4),
        bits in 0u8..16,
        nullifiers: bool,
        keep_empty: bool,
    ) {
        let filter = Filter { pools: Pools(bits), nullifiers, keep_empty };
        let stored: Vec<u8> = blocks.iter().flat_map(frame).collect();
        let mut fast = Vec::new();
        filter.frames(&stored, &mut fast).expect("encoded blocks are well formed");
        let slow: Vec<u8> = blocks.iter().flat_map(|b| frame(&slowly(b.clone(), filter))).collect();
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn a_bare_transaction_is_noticed(block in block()) {
        let filtered = slowly(block.clone(), Filter::pools(Pools::ALL));
        let bare = has_bare_transaction(&block.encode_to_vec()).expect("well formed");
        prop_assert_eq!(bare, filtered != block);
    }

    #[test]
    fn rubbish_is_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200), bits in 0u8..16) {
        let mut out = Vec::new();
        let _ = Filter::pools(Pools(bits)).frames(&bytes, &mut out);
        let _ = Filter { pools: Pools(bits), nullifiers: true, keep_empty: false }
            .message(&bytes, &mut out);
        let _ = has_bare_transaction(&bytes);
    }
}

#[test]
fn requested_pools_read_as_lightwalletd_reads_them() {
    assert_eq!(Pools::requested(&[]), Pools::SHIELDED);
    assert_eq!(Pools::requested(&[9]), Pools::NONE);
    assert_eq!(Pools::requested(&[1, 2, 3, 4]), Pools::ALL);
    assert_eq!(Pools::requested(&[3, 3, -1, 77]), Pools::ORCHARD);
}
