//! Stored data and the form in which a node prints it.

use heliostat_tezos_protocol::error::ProtocolError;
use heliostat_tezos_protocol::micheline::{Node, Prim, binary, json};
use heliostat_tezos_protocol::readable;
use heliostat_tezos_protocol::types::{Type, normalized};
use proptest::prelude::*;

/// An account of Octez's encoding samples (tezt/tests/expected/encoding.ml),
/// which is also the first bootstrap account of its sandboxes, and its key.
const ACCOUNT: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
const ACCOUNT_HEX: &str = "0002298c03ed7d454a101eb7022bc95f7e5f41ac78";
/// A contract of the same samples.
const CONTRACT: &str = "KT1DieU51jzXLerQx5AqMCiLC1SsCeM8yRat";
const CONTRACT_HEX: &str = "0138560805b4c8d7b7fbbafad5c59dbfa3878ca70500";

/// Data or a type in a notation of this test's own: `prim(arg,arg)`, numbers,
/// `"text"`, `0xhex` and `{item;item}`.
fn michelson(text: &str) -> Node {
    let (node, rest) = expression(text.trim());
    assert_eq!(rest.trim(), "", "left over in {text}");
    node
}

fn expression(text: &str) -> (Node, &str) {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix('{') {
        let (items, rest) = list(rest, ';', '}');
        return (Node::Seq(items), rest);
    }
    if let Some(rest) = text.strip_prefix('"') {
        let (inner, rest) = rest.split_once('"').expect("a test closes its strings");
        return (Node::string(inner), rest);
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if let Some(hex) = word.strip_prefix("0x") {
        return (
            Node::Bytes(hex::decode(hex).expect("a test writes hex")),
            rest,
        );
    }
    if let Ok(number) = word.parse::<i64>() {
        return (Node::int(number), rest);
    }
    let prim = prim_of(word);
    match rest.strip_prefix('(') {
        Some(rest) => {
            let (args, rest) = list(rest, ',', ')');
            (Node::prim(prim, args), rest)
        }
        None => (Node::prim(prim, vec![]), rest),
    }
}

fn list(mut text: &str, between: char, end: char) -> (Vec<Node>, &str) {
    let mut items = Vec::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix(end) {
            return (items, rest);
        }
        let (item, rest) = expression(text);
        items.push(item);
        text = rest.trim_start();
        text = text.strip_prefix(between).unwrap_or(text);
    }
}

fn readable(ty: &str, data: &str) -> Result<Node, ProtocolError> {
    readable::data(&Type::parse(&michelson(ty))?, &michelson(data))
}

#[track_caller]
fn prints(ty: &str, stored: &str, printed: &str) {
    assert_eq!(readable(ty, stored), Ok(michelson(printed)), "{ty}");
    // What is printed already prints the same.
    assert_eq!(readable(ty, printed), Ok(michelson(printed)), "{ty}");
}

#[test]
fn combs_in_any_notation_print_flat() {
    // The data of Octez's own regression test of `normalize data`.
    prints(
        "list(pair(nat,nat,nat,nat))",
        "{Pair(0,3,6,9);Pair(1,Pair(4,Pair(7,10)));{2;5;8;11}}",
        "{Pair(0,3,6,9);Pair(1,4,7,10);Pair(2,5,8,11)}",
    );
    prints("pair(nat,nat)", "Pair(1,2)", "Pair(1,2)");
    prints("pair(nat,nat)", "{1;2}", "Pair(1,2)");
    prints(
        "pair(nat,pair(nat,nat))",
        "Pair(1,Pair(2,3))",
        "Pair(1,2,3)",
    );
    // A pair on the left is a part of its own.
    prints(
        "pair(pair(nat,nat),pair(nat,nat))",
        "{Pair(1,2);3;4}",
        "Pair(Pair(1,2),3,4)",
    );
}

#[test]
fn a_comb_with_too_many_or_too_few_parts_is_refused() {
    for (ty, data) in [
        ("pair(nat,nat)", "Pair(1,2,3)"),
        ("pair(nat,nat,nat)", "Pair(1,2)"),
        ("pair(nat,nat)", "{1}"),
        ("pair(nat,nat)", "1"),
        ("pair(nat,nat)", "Pair(1,{2;3})"),
    ] {
        assert!(readable(ty, data).is_err(), "{ty}: {data}");
    }
}

#[test]
fn values_that_are_stored_as_bytes_print_as_text() {
    prints(
        "key_hash",
        &format!("0x{ACCOUNT_HEX}"),
        &format!("\"{ACCOUNT}\""),
    );
    prints(
        "address",
        &format!("0x00{ACCOUNT_HEX}"),
        &format!("\"{ACCOUNT}\""),
    );
    prints(
        "address",
        &format!("0x{CONTRACT_HEX}"),
        &format!("\"{CONTRACT}\""),
    );
    prints(
        "address",
        &format!("0x{CONTRACT_HEX}6d696e74"),
        &format!("\"{CONTRACT}%mint\""),
    );
    prints("chain_id", "0x7a06a770", "\"NetXdQprcVkpaWU\"");
    prints("timestamp", "1530374852", "\"2018-06-30T16:07:32Z\"");
    prints("timestamp", "253402300800", "253402300800");
    let zero = "0".repeat(64);
    assert!(matches!(
        readable("key", &format!("0x00{zero}")),
        Ok(Node::String(text)) if text.starts_with("edpk")
    ));
    assert!(matches!(
        readable("signature", &format!("0x{zero}{zero}")),
        Ok(Node::String(text)) if text.starts_with("sig")
    ));
}

#[test]
fn the_parts_of_compound_values_are_converted() {
    let (account, text) = (format!("0x{ACCOUNT_HEX}"), format!("\"{ACCOUNT}\""));
    prints(
        "map(key_hash,or(unit,option(key_hash)))",
        &format!("{{Elt({account},Right(Some({account})))}}"),
        &format!("{{Elt({text},Right(Some({text})))}}"),
    );
    prints(
        "set(key_hash)",
        &format!("{{{account}}}"),
        &format!("{{{text}}}"),
    );
    prints(
        "ticket(key_hash)",
        &format!("Pair(0x{CONTRACT_HEX},Pair({account},5))"),
        &format!("Pair(\"{CONTRACT}\",{text},5)"),
    );
    // The ticketer's entrypoint is of no account.
    prints(
        "ticket(nat)",
        &format!("Pair(0x{CONTRACT_HEX}6d696e74,Pair(1,5))"),
        &format!("Pair(\"{CONTRACT}\",1,5)"),
    );
}

#[test]
fn what_is_stored_apart_prints_as_its_number() {
    prints("big_map(string,nat)", "4", "4");
    prints("sapling_state(8)", "7", "7");
    assert!(readable("big_map(string,nat)", "{}").is_err());
}

#[test]
fn bytes_stay_bytes() {
    for ty in [
        "bytes",
        "chest",
        "chest_key",
        "bls12_381_g1",
        "sapling_transaction(8)",
    ] {
        prints(ty, "0xcafe", "0xcafe");
    }
}

#[test]
fn constants_within_a_lambda_are_converted_by_their_types() {
    let (account, text) = (format!("0x{ACCOUNT_HEX}"), format!("\"{ACCOUNT}\""));
    prints(
        "lambda(unit,key_hash)",
        &format!("{{DROP;IF({{PUSH(key_hash,{account})}},{{PUSH(bytes,{account})}})}}"),
        &format!("{{DROP;IF({{PUSH(key_hash,{text})}},{{PUSH(bytes,{account})}})}}"),
    );
    prints(
        "lambda(unit,key_hash)",
        &format!("Lambda_rec({{PUSH(pair(nat,nat,key_hash),{{1;2;{account}}})}})"),
        &format!("Lambda_rec({{PUSH(pair(nat,nat,key_hash),Pair(1,2,{text}))}})"),
    );
}

#[test]
fn data_that_does_not_fit_its_type_is_refused() {
    for (ty, data) in [
        ("nat", "-1"),
        ("mutez", "-1"),
        ("unit", "True"),
        ("bool", "Unit"),
        ("string", "0xca"),
        ("address", "0x00"),
        ("address", "\"tz1\""),
        ("key_hash", "0x0902298c03ed7d454a101eb7022bc95f7e5f41ac78"),
        ("never", "Unit"),
        ("list(nat)", "1"),
        ("map(nat,nat)", "{1}"),
        ("or(nat,nat)", "Some(1)"),
        ("option(nat)", "Some(1,2)"),
        ("lambda(unit,unit)", "1"),
        ("ticket(nat)", "{1;2;3}"),
    ] {
        assert!(readable(ty, data).is_err(), "{ty}: {data}");
    }
}

#[test]
fn types_whose_data_prints_in_no_certain_way_are_left_to_a_node() {
    for ty in [
        "contract(unit)",
        "operation",
        "tx_rollup_l2_address",
        "list(contract(unit))",
    ] {
        assert!(matches!(
            Type::parse(&michelson(ty)),
            Err(ProtocolError::Unsupported { .. })
        ));
    }
    assert!(Type::parse(&michelson("pair(nat)")).is_err());
    assert!(Type::parse(&michelson("Unit")).is_err());
}

#[test]
fn a_normalized_type_has_flat_pairs_and_no_annotations() {
    let text = "{\"prim\":\"pair\",\"args\":[{\"prim\":\"nat\",\"annots\":[\"%a\"]},\
        {\"prim\":\"pair\",\"args\":[{\"prim\":\"nat\"},{\"prim\":\"nat\"}],\"annots\":[\"%b\"]}]}";
    let ty = json::read_text(text).unwrap();
    assert_eq!(normalized(&ty), michelson("pair(nat,nat,nat)"));
}

/// A type together with a value of it.
fn typed() -> impl Strategy<Value = (Node, Node)> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|n| (michelson("int"), Node::int(n))),
        any::<i64>().prop_map(|n| (michelson("timestamp"), Node::int(n))),
        any::<[u8; 20]>().prop_map(|hash| {
            let bytes = [&[1u8], &hash[..], &[0]].concat();
            (michelson("address"), Node::Bytes(bytes))
        }),
        any::<Vec<u8>>().prop_map(|bytes| (michelson("bytes"), Node::Bytes(bytes))),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let prim = |name: &str, args| {
            Node::prim(
                Prim::from_name(name).expect("a test names primitives"),
                args,
            )
        };
        prop_oneof![
            (inner.clone(), inner.clone(), any::<bool>()).prop_map(move |(a, b, seq)| {
                let ty = prim("pair", vec![a.0, b.0]);
                let parts = vec![a.1, b.1];
                let data = if seq {
                    Node::Seq(parts)
                } else {
                    prim("Pair", parts)
                };
                (ty, data)
            }),
            inner.clone().prop_map(move |a| {
                (prim("list", vec![a.0]), Node::Seq(vec![a.1.clone(), a.1]))
            }),
            inner.prop_map(move |a| (prim("option", vec![a.0]), prim("Some", vec![a.1]))),
        ]
    })
}

proptest! {
    #[test]
    fn printing_again_changes_nothing((ty, data) in typed()) {
        let ty = Type::parse(&ty).unwrap();
        let once = readable::data(&ty, &data).unwrap();
        prop_assert_eq!(readable::data(&ty, &once), Ok(once.clone()));
        prop_assert_eq!(json::read_text(&json::write(&once)), Ok(once));
    }

    #[test]
    fn any_data_is_printed_or_refused(
        ty in proptest::collection::vec(any::<u8>(), 0..40),
        data in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        if let (Ok(ty), Ok(data)) = (binary::read(&ty), binary::read(&data)) {
            let _ = readable::code(&data);
            if let Ok(ty) = Type::parse(&ty) {
                let _ = readable::data(&ty, &data);
            }
        }
    }
}

#[test]
fn the_deepest_expression_is_handled_within_the_stack_of_a_worker_thread() {
    use heliostat_tezos_protocol::defaults::MICHELINE_DEPTH;
    let deepest = |leaf: &str, around: fn(Node) -> Node| {
        let mut node = michelson(leaf);
        for _ in 1..MICHELINE_DEPTH {
            node = around(node);
        }
        binary::read(&binary::write(&node)).unwrap()
    };
    // Half of what a worker has, so that the callers' frames fit as well.
    let thread = std::thread::Builder::new().stack_size(1024 * 1024);
    let work = move || {
        let ty = deepest("nat", |node| Node::prim(prim_of("option"), vec![node]));
        let data = deepest("1", |node| Node::prim(prim_of("Some"), vec![node]));
        let printed = readable::data(&Type::parse(&ty).unwrap(), &data).unwrap();
        assert_eq!(printed, data);
        assert!(json::write(&printed).ends_with('}'));
        assert_eq!(normalized(&ty), ty);
        let code = deepest("DROP", |node| Node::Seq(vec![node]));
        assert_eq!(readable::code(&code), Ok(code.clone()));
        assert!(!code.contains(prim_of("constant")));
        let known = std::collections::BTreeMap::new();
        let expanded = heliostat_tezos_protocol::script::expand(&code, &known);
        assert_eq!(expanded, Ok(code));
    };
    thread.spawn(work).unwrap().join().unwrap();
}

fn prim_of(name: &str) -> Prim {
    Prim::from_name(name).expect("a test names primitives")
}
