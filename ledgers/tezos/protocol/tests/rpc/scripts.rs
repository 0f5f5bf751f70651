//! Contracts: code, storage, entrypoints, values of big maps.

use heliostat_tezos_protocol::Protocol;
use heliostat_tezos_protocol::rpc::Outcome;

use crate::state::*;

fn path(name: &str) -> String {
    format!("context/contracts/{CONTRACT}{name}")
}

fn prim(name: &str, args: &str) -> String {
    format!("{{\"prim\":\"{name}\",\"args\":[{args}]}}")
}

fn atom(name: &str) -> String {
    format!("{{\"prim\":\"{name}\"}}")
}

fn named(name: &str, args: &str, annotation: &str) -> String {
    let args = if args.is_empty() {
        String::new()
    } else {
        format!(",\"args\":[{args}]")
    };
    format!("{{\"prim\":\"{name}\"{args},\"annots\":[\"{annotation}\"]}}")
}

fn code(parameter: &str, storage: &str, body: &str) -> String {
    let fields = [
        ("parameter", parameter),
        ("storage", storage),
        ("code", body),
    ];
    let fields: Vec<String> = fields.iter().map(|(name, part)| prim(name, part)).collect();
    format!("[{}]", fields.join(","))
}

/// A hash that is really an `expr…` text, and its hex.
fn hash(byte: u8) -> (String, String) {
    use heliostat_tezos_context::base58::{Prefix, encode};
    (
        encode(Prefix::SCRIPT_EXPR, &[byte; 32]),
        hex::encode([byte; 32]),
    )
}

#[test]
fn a_script_is_printed_as_it_is_stored_and_its_storage_readably() {
    let ty = prim(
        "pair",
        &format!("{},{}", atom("address"), prim("option", &atom("timestamp"))),
    );
    let code = code(&atom("unit"), &ty, "[]");
    let bytes = format!("{{\"bytes\":\"{CONTRACT_INDEX}\"}}");
    let storage = prim(
        "Pair",
        &format!("{bytes},{}", prim("Some", "{\"int\":\"0\"}")),
    );
    let state = State::new().script(&code, &storage);
    assert_eq!(
        state.json(&path("/script")),
        format!("{{\"code\":{code},\"storage\":{storage}}}")
    );
    let readable = prim(
        "Pair",
        &format!(
            "{{\"string\":\"{CONTRACT}\"}},{}",
            prim("Some", "{\"string\":\"1970-01-01T00:00:00Z\"}")
        ),
    );
    assert_eq!(state.json(&path("/storage")), readable);
    assert_eq!(state.rounds.get(), 1);
    // The contract as a whole is readable throughout.
    assert_eq!(
        state.json(&path("")),
        format!("{{\"balance\":\"5\",\"script\":{{\"code\":{code},\"storage\":{readable}}}}}")
    );
    assert_eq!(state.rounds.get(), 1);
}

#[test]
fn code_pushes_are_readable_in_the_whole_and_fields_are_put_in_order() {
    let push = |value: &str| {
        format!(
            "[{}]",
            prim("PUSH", &format!("{},{value}", atom("address")))
        )
    };
    let body = push(&format!("{{\"bytes\":\"{CONTRACT_INDEX}\"}}"));
    let view = |name: &str, body: &str| {
        let unit = atom("unit");
        prim(
            "view",
            &format!("{{\"string\":\"{name}\"}},{unit},{unit},{body}"),
        )
    };
    let stored = format!(
        "[{},{},{},{},{}]",
        view("b", &body),
        prim("storage", &named("unit", "", "%kept")),
        prim("code", &body),
        view("a", "[]"),
        prim("parameter", &atom("unit"))
    );
    let state = State::new().script(&stored, &atom("Unit"));
    let printed = push(&format!("{{\"string\":\"{CONTRACT}\"}}"));
    let code = format!(
        "[{},{},{},{},{}]",
        prim("parameter", &atom("unit")),
        prim("storage", &named("unit", "", "%kept")),
        prim("code", &printed),
        view("a", "[]"),
        view("b", &printed)
    );
    let unit = atom("Unit");
    assert_eq!(
        state.json(&path("")),
        format!("{{\"balance\":\"5\",\"script\":{{\"code\":{code},\"storage\":{unit}}}}}")
    );
    assert!(state.json(&path("/script")).contains(&stored));
}

#[test]
fn entrypoints_are_listed_as_octez_lists_them() {
    // The shape of the contract with two big maps in RPC_test.ml, contracts.
    let string = |name: &str| named("string", "", name);
    let pair = |name: &str| named("pair", &format!("{},{}", atom("string"), atom("nat")), name);
    let either = |left: &str, right: &str| prim("or", &format!("{left},{right}"));
    let both = |left: &str, right: &str, name: &str| named("or", &format!("{left},{right}"), name);
    let mem = both(&string("%mem_left"), &string("%mem_right"), "%mem");
    let add = both(&pair("%add_left"), &pair("%add_right"), "%add");
    let rem = both(&string("%rem_left"), &string("%rem_right"), "%rem");
    let parameter = either(
        &named("unit", "", "%default"),
        &either(&mem, &either(&add, &rem)),
    );
    let state = State::new().script(&code(&parameter, &atom("unit"), "[]"), &atom("Unit"));
    let plain_pair = prim("pair", &format!("{},{}", atom("string"), atom("nat")));
    let unnamed = |ty: &str, name: &str| ty.replace(&format!(",\"annots\":[\"{name}\"]"), "");
    let expected = [
        ("rem_right", atom("string")),
        ("rem_left", atom("string")),
        ("rem", unnamed(&rem, "%rem")),
        ("mem_right", atom("string")),
        ("mem_left", atom("string")),
        ("mem", unnamed(&mem, "%mem")),
        ("default", atom("unit")),
        ("add_right", plain_pair.clone()),
        ("add_left", plain_pair.clone()),
        ("add", unnamed(&add, "%add")),
    ];
    let fields: Vec<String> = expected
        .iter()
        .map(|(name, ty)| format!("\"{name}\":{ty}"))
        .collect();
    assert_eq!(
        state.json(&path("/entrypoints")),
        format!("{{\"entrypoints\":{{{}}}}}", fields.join(","))
    );
    for (name, ty) in &expected {
        assert_eq!(&state.json(&path(&format!("/entrypoints/{name}"))), ty);
    }
    state.not_found(&path("/entrypoints/root"));
    let normal = state.json(&path("/entrypoints/rem?normalize_types=yes"));
    assert_eq!(normal, either(&atom("string"), &atom("string")));
}

#[test]
fn a_parameter_without_names_is_its_own_default() {
    let parameter = atom("string");
    let state = State::new().script(&code(&parameter, &atom("unit"), "[]"), &atom("Unit"));
    assert_eq!(state.json(&path("/entrypoints")), "{\"entrypoints\":{}}");
    assert_eq!(state.json(&path("/entrypoints/default")), parameter);
    // With a name of its own it is that entrypoint, and keeps the name as default.
    let parameter = named("string", "", "%root");
    let state = State::new().script(&code(&parameter, &atom("unit"), "[]"), &atom("Unit"));
    assert_eq!(
        state.json(&path("/entrypoints")),
        format!("{{\"entrypoints\":{{\"root\":{}}}}}", atom("string"))
    );
    assert_eq!(state.json(&path("/entrypoints/default")), parameter);
}

#[test]
fn branches_that_no_name_reaches_are_listed_last_found_first() {
    let named_unit = named("unit", "", "%a");
    let parameter = prim(
        "or",
        &format!(
            "{},{}",
            prim("or", &format!("{named_unit},{}", atom("nat"))),
            prim("or", &format!("{named_unit},{}", atom("int")))
        ),
    );
    let state = State::new().script(&code(&parameter, &atom("unit"), "[]"), &atom("Unit"));
    assert_eq!(
        state.json(&path("/entrypoints")),
        format!(
            "{{\"unreachable\":[{{\"path\":[\"Right\",\"Right\"]}},\
             {{\"path\":[\"Right\",\"Left\"]}},{{\"path\":[\"Left\",\"Right\"]}}],\
             \"entrypoints\":{{\"a\":{}}}}}",
            atom("unit")
        )
    );
}

#[test]
fn global_constants_are_read_round_by_round() {
    let (outer, outer_hex) = hash(7);
    let (inner, inner_hex) = hash(8);
    let constant = |hash: &str| prim("constant", &format!("{{\"string\":\"{hash}\"}}"));
    let code = code(&atom("unit"), &constant(&outer), "[]");
    let state = State::new()
        .script(&code, "{\"int\":\"0\"}")
        .expression(
            &format!("global_constant/{outer_hex}/data"),
            &constant(&inner),
        )
        .expression(
            &format!("global_constant/{inner_hex}/data"),
            &atom("timestamp"),
        );
    let printed = "{\"string\":\"1970-01-01T00:00:00Z\"}";
    assert_eq!(state.json(&path("/storage")), printed);
    assert_eq!(state.rounds.get(), 3);
    // The script itself is printed with the names of its constants.
    assert!(state.json(&path("/script")).contains(&outer));
    // A constant that is absent cannot be, and one in the parameter's type is
    // not expanded by nodes either.
    State::new()
        .script(&code, "{\"int\":\"0\"}")
        .delegated(&path("/storage"));
    let parameter = self::code(&constant(&outer), &atom("unit"), "[]");
    State::new()
        .script(&parameter, &atom("Unit"))
        .delegated(&path("/entrypoints"));
}

#[test]
fn a_native_contract_is_left_to_a_node_but_for_its_summary() {
    let state = State::new()
        .contract(CONTRACT_INDEX, "balance", "05")
        .contract(CONTRACT_INDEX, "data/native", "00")
        .contract(CONTRACT_INDEX, "data/storage", "00000002030b");
    for name in [
        "/script",
        "/storage",
        "/entrypoints",
        "/entrypoints/default",
    ] {
        state.delegated(&path(name));
    }
    assert_eq!(state.json(&path("")), "{\"balance\":\"5\"}");
    // Protocol 024 knows none: such a contract is broken there.
    let plan = planned(Protocol::Tallinn, &path("/storage"));
    assert!(
        plan.keys()
            .iter()
            .all(|key| !key.as_str().ends_with("native"))
    );
    assert!(matches!(state.run(&plan), Outcome::Delegate(_)));
}

#[test]
fn a_big_maps_value_is_printed_by_the_type_stored_with_it() {
    let (text, hex) = hash(9);
    let path = format!("context/big_maps/4/{text}");
    let at = |name: &str| format!("big_maps/index/4/{name}");
    let empty = State::new()
        .expression(&at("key_type"), &atom("string"))
        .expression(&at("value_type"), &prim("list", &atom("key_hash")));
    empty.not_found(&path);
    let bytes = format!("[{{\"bytes\":\"{ACCOUNT_HASH}\"}}]");
    let state = empty.expression(&at(&format!("contents/{hex}/data")), &bytes);
    assert_eq!(state.json(&path), format!("[{{\"string\":\"{ACCOUNT}\"}}]"));
    assert_eq!(state.rounds.get(), 1);
    State::new().not_found(&path);
}
