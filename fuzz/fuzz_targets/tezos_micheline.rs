//! Any bytes as Micheline, as typed data, as a script, and as the values that
//! the RPC rows read.

#![no_main]

use heliostat_tezos_protocol::Protocol;
use heliostat_tezos_protocol::entrypoints::Parameter;
use heliostat_tezos_protocol::micheline::{binary, json};
use heliostat_tezos_protocol::readable;
use heliostat_tezos_protocol::rpc::{Found, Outcome, plan};
use heliostat_tezos_protocol::script::Toplevel;
use heliostat_tezos_protocol::types::{Type, normalized};
use libfuzzer_sys::fuzz_target;

/// Rows whose values are read in ways of their own.
const ROWS: [&[&str]; 7] = [
    &["context", "constants"],
    &["context", "seed_computation"],
    &["context", "contracts", "KT1DieU51jzXLerQx5AqMCiLC1SsCeM8yRat"],
    &["context", "contracts", "KT1DieU51jzXLerQx5AqMCiLC1SsCeM8yRat", "entrypoints"],
    &["context", "contracts", "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx"],
    &["helpers", "levels_in_current_cycle"],
    &["votes", "current_period"],
];

fuzz_target!(|bytes: &[u8]| {
    // The first byte says where the type ends and its data begins.
    let Some((at, rest)) = bytes.split_first() else {
        return;
    };
    let (ty, data) = rest.split_at(usize::from(*at).min(rest.len()));
    if let Ok(node) = binary::read(data) {
        assert_eq!(binary::read(&binary::write(&node)).as_ref(), Ok(&node));
        // JSON nested deeper than its reader goes is refused, not misread.
        if let Ok(read) = json::read_text(&json::write(&node)) {
            assert_eq!(read, node);
        }
        let _ = readable::code(&node);
        if let Ok(parameter) = Parameter::parse(&node) {
            let _ = parameter.list().to_json(true);
        }
        if let Ok(toplevel) = Toplevel::parse(node.clone()) {
            let _ = toplevel.readable();
        }
        if let Ok(ty) = binary::read(ty) {
            let flat = normalized(&ty);
            assert_eq!(normalized(&flat), flat);
            if let Ok(ty) = Type::parse(&ty)
                && let Ok(printed) = readable::data(&ty, &node)
            {
                assert_eq!(readable::data(&ty, &printed).as_ref(), Ok(&printed));
            }
        }
    }
    let found = Found::Contents(bytes.to_vec().into());
    for protocol in Protocol::ALL {
        for path in ROWS {
            let plan = plan(protocol, 1_000, path, &[]).expect("a known row");
            assert!(!matches!(plan.run(|_| None), Outcome::Done(_)));
            let outcome = plan.run(|_| Some(found.clone()));
            assert!(!matches!(outcome, Outcome::Need(_)) || path.len() == 3);
        }
    }
});
