//! Transparent outputs and what spends them.

use std::collections::HashMap;

use heliostat_sim::zcash::Mix;
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};

use super::{chain, parse};

fn hash160(bytes: &[u8]) -> Vec<u8> {
    Ripemd160::digest(Sha256::digest(bytes)).to_vec()
}

/// The items a script of plain pushes leaves on the stack.
fn pushes(mut script: &[u8]) -> Vec<&[u8]> {
    let mut items = Vec::new();
    while let Some((length, rest)) = script.split_first() {
        let (item, rest) = rest.split_at(usize::from(*length));
        items.push(item);
        script = rest;
    }
    items
}

#[test]
fn transparent_spends_unlock_earlier_outputs_once_and_keep_the_amount() {
    let generator = chain(31, 180, Mix::TRANSPARENT_HEAVY);
    let mut unspent = HashMap::new();
    let (mut to_key, mut to_script) = (0, 0);
    for block in &generator.chain().blocks[1..] {
        let parsed = parse(block, &generator.config().network);
        let mut made = Vec::new();
        for (index, tx) in parsed.vtx().iter().enumerate() {
            let Some(bundle) = tx.transparent_bundle() else {
                continue;
            };
            let paid: u64 = bundle.vout.iter().map(|out| out.value().into_u64()).sum();
            let mut got = 0;
            for input in bundle.vin.iter().filter(|_| index > 0) {
                let point = (*input.prevout().hash(), input.prevout().n());
                let (value, lock, height): (u64, Vec<u8>, u64) = unspent
                    .remove(&point)
                    .expect("an input spends an output of an earlier block, once");
                assert!(height < block.height);
                got += value;
                let script = &input.script_sig().0.0;
                let items = pushes(script);
                let last = hash160(items.last().expect("an unlocking script pushes"));
                if lock[0] == 0x76 {
                    to_key += 1;
                    assert_eq!(lock, [&[0x76, 0xa9, 20], &last[..], &[0x88, 0xac]].concat());
                } else {
                    to_script += 1;
                    assert_eq!(lock, [&[0xa9, 20], &last[..], &[0x87]].concat());
                }
            }
            if index > 0 {
                assert_eq!(got, paid + 10_000, "block {}", block.height);
            }
            for (out, at) in bundle.vout.iter().zip(0u32..) {
                let lock = out.script_pubkey().0.0.clone();
                let coin = (out.value().into_u64(), lock, block.height);
                made.push(((*tx.txid().as_ref(), at), coin));
            }
        }
        unspent.extend(made);
    }
    assert!(to_key > 100 && to_script > 100, "{to_key} and {to_script}");
}
