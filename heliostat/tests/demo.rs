//! `heliostat demo --once`, as a newcomer runs it.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::process::Command;

#[test]
fn the_demo_shows_what_it_claims_and_exits_0() {
    let demo = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["demo", "--once", "--blocks", "1500", "--seed", "7"])
        .args(["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&demo.stdout);
    let complained = String::from_utf8_lossy(&demo.stderr);
    assert!(demo.status.success(), "{said}{complained}");
    for claim in [
        "11 blocks served by gRPC, graded `proven`",
        "seed 7: 1500 blocks",
        "the lie at height 900 was caught: zcash.merkle-root",
        "agreed 2/2",
        "a reorg of 6 blocks was followed",
        "All of it was true",
    ] {
        assert!(said.contains(claim), "{claim:?} is missing in:\n{said}");
    }
}

#[test]
fn a_port_in_use_is_named_with_the_setting_that_changes_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let demo = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["demo", "--once", "--blocks", "100"])
        .args(["--listen", &address, "--observe", "127.0.0.1:0"])
        .output()
        .unwrap();
    let complained = String::from_utf8_lossy(&demo.stderr);
    assert_eq!(demo.status.code(), Some(1), "{complained}");
    assert!(complained.contains(&address), "{complained}");
}
