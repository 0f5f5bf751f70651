//! Any bytes as a proof of the Tezos context, in each of its forms.

#![no_main]

use heliostat_tezos_context::{
    Limits, Proof, ProofError,
    proof::{binary, binary_v1, json},
    v1,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    // The first byte chooses the form.
    let Some((form, bytes)) = bytes.split_first() else {
        return;
    };
    let proof: Result<Option<Proof>, ProofError> = match form % 4 {
        0 => json::read(bytes, &limits),
        1 => binary::read_answer(bytes, &limits),
        2 => binary_v1::read(bytes, &limits).map(Some),
        _ => return merkle_tree(bytes, &limits),
    };
    let Ok(Some(proof)) = proof else { return };
    // What was read is the same in every form, and finds what it found.
    let root = proof.tree.hash();
    let text = json::write(&proof);
    let bytes = binary::write(&proof);
    let old = binary_v1::write(&proof);
    let again = [
        json::read(text.as_bytes(), &limits).expect("json").expect("not null"),
        binary::read(&bytes, &limits).expect("binary"),
        binary_v1::read(&old, &limits).expect("binary, version 1"),
    ];
    for again in again {
        assert_eq!(again.tree.hash(), root);
        assert_eq!(json::write(&again), text);
        assert_eq!(again.verify().is_ok(), proof.verify().is_ok());
        let merged = proof.tree.merge(&again.tree).expect("the same root");
        assert_eq!(merged.hash(), root);
    }
});

fn merkle_tree(bytes: &[u8], limits: &Limits) {
    let Ok(Some(answer)) = v1::read(bytes, limits) else {
        return;
    };
    let text = v1::write(&answer).expect("what was read is shown");
    let Ok(tree) = v1::adopt(None, &answer) else {
        return;
    };
    // Names that are no ASCII are written as escapes, which are not read.
    if let Ok(Some(again)) = v1::read(text.as_bytes(), limits) {
        let again = v1::union(&tree, &again).expect("the same hashes");
        assert_eq!(again.hash(), tree.hash());
    }
}
