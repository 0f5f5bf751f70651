//! Answers to another question: each is evidence that convicts alone, and an
//! honest answer never is.

use heliostat_core::{Evidence, Exhibit};
use heliostat_zcash_verifier::{
    NotConvicting, another_transaction, another_tree_state, convict, defaults::MAX_REPLY_BYTES,
    rule, transaction,
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use zebra_test::vectors::{DUMMY_TX1, GENERIC_TESTNET_TX};

#[path = "shared/chains.rs"]
mod chains;
use chains::replies;

/// It convicts, also after a round trip through JSON, and not when its words
/// are all that is left.
fn convicts(evidence: &Evidence, rule: &str) {
    assert_eq!(evidence.rule, rule);
    assert_eq!(convict(evidence), Ok(()), "{}", evidence.words);
    let json = serde_json::to_string(evidence).expect("plain data");
    let back: Evidence = serde_json::from_str(&json).expect("what was written");
    assert_eq!(convict(&back), Ok(()));
    for missing in 0..2 {
        let mut less = evidence.clone();
        less.exhibits.remove(missing);
        assert!(matches!(convict(&less), Err(NotConvicting::Exhibit(_))));
    }
}

#[test]
fn the_bytes_of_another_transaction_convict() {
    let asked = transaction::txid(&DUMMY_TX1).expect("a transaction");
    let sent = &GENERIC_TESTNET_TX[..];
    let evidence = another_transaction(&asked, sent).expect("it is another one");
    convicts(&evidence, rule::TXID);
    assert!(evidence.exhibits.iter().any(|one| one.bytes == sent));
    assert!(evidence.exhibits.iter().any(|one| one.bytes == asked));

    let mut honest = evidence.clone();
    honest.exhibits[0].bytes = transaction::txid(sent).expect("a transaction").to_vec();
    assert_eq!(convict(&honest), Err(NotConvicting::Holds));
    let mut torn = evidence.clone();
    torn.exhibits[1].bytes.pop();
    let unreadable = NotConvicting::Exhibit("transaction as sent");
    assert_eq!(convict(&torn), Err(unreadable));
    let mut newer = evidence;
    newer.exhibits[1].bytes = [&[9, 0, 0, 0x80, 1, 2, 3, 4][..], &[0; 60]].concat();
    assert!(matches!(convict(&newer), Err(NotConvicting::Opaque(_))));
}

#[test]
fn the_transaction_asked_for_and_bytes_that_are_none_are_no_evidence() {
    let asked = transaction::txid(&DUMMY_TX1).expect("a transaction");
    assert_eq!(another_transaction(&asked, &DUMMY_TX1), None);
    assert_eq!(another_transaction(&asked, &DUMMY_TX1[1..]), None);
    assert_eq!(another_transaction(&asked, &[]), None);
}

fn question(asked: &str) -> Vec<u8> {
    let question =
        json!({ "jsonrpc": "1.0", "id": 1, "method": "z_gettreestate", "params": [asked] });
    question.to_string().into_bytes()
}

#[test]
fn every_recorded_tree_state_answers_its_own_question_and_no_other() {
    let mut judged = 0;
    for (asked, reply) in replies("z_gettreestate") {
        let Some(hash) = reply["result"]["hash"].as_str().map(str::to_owned) else {
            continue;
        };
        let bytes = reply.to_string().into_bytes();
        assert_eq!(another_tree_state(&question(&asked), &bytes), None);
        assert_eq!(another_tree_state(&question(&hash), &bytes), None);
        let upper = hash.to_uppercase();
        assert_eq!(another_tree_state(&question(&upper), &bytes), None);

        let height: u64 = asked.parse().expect("a height");
        let other_hash: String = hash.chars().rev().collect();
        for other in [(height + 1).to_string(), other_hash] {
            let evidence = another_tree_state(&question(&other), &bytes);
            let evidence = evidence.expect("another block");
            convicts(&evidence, rule::TREE_STATE);
            assert_eq!(evidence.height, Some(height));
            assert_eq!(evidence.exhibits[0].bytes, question(&other));
            assert_eq!(evidence.exhibits[1].bytes, bytes);
        }
        judged += 1;
    }
    assert_eq!(judged, 261 + 117);
}

#[test]
fn what_cannot_be_told_from_both_sides_is_no_evidence() {
    let hash = "ab".repeat(32);
    let reply = |result: Value| json!({ "result": result, "error": null, "id": 1 }).to_string();
    let seven = reply(json!({ "height": 7, "hash": hash }));
    assert!(another_tree_state(&question("9"), seven.as_bytes()).is_some());
    let twice = seven.replace("\"height\":7", "\"height\":7,\"height\":9");
    let padded = format!("{seven}{}", " ".repeat(MAX_REPLY_BYTES));
    for told in [
        reply(Value::Null),
        reply(json!({ "height": 7, "hash": "none" })),
        reply(json!({ "height": -7, "hash": hash })),
        reply(json!({ "hash": hash })),
        json!({ "error": { "code": -8, "message": "no" } }).to_string(),
        twice,
        padded,
        seven[..seven.len() - 1].to_owned(),
        String::new(),
    ] {
        assert_eq!(another_tree_state(&question("9"), told.as_bytes()), None);
    }
    let other_method = json!({ "method": "getblock", "params": ["9"] }).to_string();
    for asked in [
        question("nine"),
        question("-1"),
        other_method.into_bytes(),
        json!({ "method": "z_gettreestate", "params": ["9", 1] })
            .to_string()
            .into_bytes(),
        Vec::new(),
    ] {
        assert_eq!(another_tree_state(&asked, seven.as_bytes()), None);
    }
}

proptest! {
    #[test]
    fn arbitrary_exhibits_never_panic(
        rule in prop::sample::select(vec![rule::TXID, rule::TREE_STATE]),
        names in vec(prop::sample::select(vec![
            "transaction id asked for", "transaction as sent", "question as sent",
            "reply as received",
        ]), 0..4),
        bytes in vec(vec(prop_oneof![Just(b'['), Just(b'{'), any::<u8>()], 0..600), 4),
    ) {
        let exhibits = names.iter().zip(bytes).map(|(name, bytes)| Exhibit::new(name, bytes));
        let exhibits = exhibits.collect();
        let words = String::new();
        let _ = convict(&Evidence { rule: rule.into(), words, height: None, exhibits });
    }

    #[test]
    fn what_is_brought_forward_convicts(
        asked in prop_oneof!["[0-9]{1,3}", "[0-9a-f]{64}", ".{0,8}"],
        height in 0u64..1_000,
        hash in prop_oneof!["[0-9a-f]{64}", ".{0,8}"],
        txid: [u8; 32],
        transaction in vec(any::<u8>(), 0..200),
    ) {
        let reply = json!({ "result": { "height": height, "hash": hash } }).to_string();
        if let Some(evidence) = another_tree_state(&question(&asked), reply.as_bytes()) {
            prop_assert_eq!(convict(&evidence), Ok(()));
        }
        if let Some(evidence) = another_transaction(&txid, &transaction) {
            prop_assert_eq!(convict(&evidence), Ok(()));
        }
    }
}
