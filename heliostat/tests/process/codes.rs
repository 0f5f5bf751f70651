//! The exit codes of the commands that only look: each is in their help, and
//! each is met here or where its cause is tested (a syncing node: `syncing`;
//! a damaged store: `tests/verify.rs`).

use std::process::Command;

use heliostat_sim::zcash::{Node, node::Access};

use crate::running::{Process, chain, heliostat, store};

#[test]
fn the_help_of_the_commands_that_look_names_their_exit_codes() {
    for command in ["check", "status", "verify"] {
        let (code, words) = heliostat(&[command, "--help"]);
        assert_eq!(code, Some(0));
        let codes = words.split_once("Exit codes:");
        let (_, codes) = codes.unwrap_or_else(|| panic!("{command}: {words}"));
        for number in ["0 ", "1 ", "2 ", "3 "] {
            assert!(codes.contains(number), "{command} does not name {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_a_node_that_is_down_from_one_that_must_be_mended() {
    let node = Node::start(chain(12).chain().clone()).await.unwrap();
    let handle = node.handle();
    let url = handle.url();
    let check = |more: &[&str]| {
        let addresses = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
        let args = ["check", "--upstream", &url, "--store", "memory:"];
        heliostat(&[&args[..], &addresses, more].concat())
    };
    let (code, words) = check(&[]);
    assert_eq!(code, Some(0), "{words}");
    let (code, words) = check(&["--network", "main"]);
    assert_eq!(code, Some(1), "another network does not pass: {words}");
    handle.set_access(Some(Access::password("someone", "else")));
    let (code, words) = check(&[]);
    assert_eq!(code, Some(1), "credentials do not mend themselves: {words}");
    handle.set_access(None);
    handle.stop().await;
    let (code, words) = check(&[]);
    assert_eq!(code, Some(3), "a node can be started: {words}");
    assert!(words.contains("not ready"), "{words}");
    let (code, _) = check(&["--network", "moon"]);
    assert_eq!(code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_ready_from_not_ready_and_from_nobody() {
    let node = Node::start(chain(12).chain().clone()).await.unwrap();
    let url = node.handle().url();
    let process = Process::start(&["--upstream", &url, "--store", "memory:"]);
    let observe = process.observe.clone();
    let status = || heliostat(&["status", "--observe", &observe]);
    process.until("ready", |status| status.ready).await;
    let (code, words) = status();
    assert_eq!(code, Some(0), "{words}");
    node.handle().stop().await;
    process.until("not ready", |status| !status.ready).await;
    let (code, words) = status();
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("no upstream can be used"), "{words}");
    assert_eq!(process.terminate(), Some(0));
    let (code, words) = status();
    assert_eq!(code, Some(1), "{words}");
    let (code, _) = heliostat(&["status", "--observe"]);
    assert_eq!(code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_plain_http_no_authorities_are_needed() {
    // As in a small container, whose health check is `heliostat status`.
    let none = [("SSL_CERT_FILE", "/none"), ("SSL_CERT_DIR", "/none")];
    let node = Node::start(chain(12).chain().clone()).await.unwrap();
    let args = ["--upstream", &node.handle().url(), "--store", "memory:"];
    let process = Process::start_in(&args, &none);
    process.until("ready", |status| status.ready).await;
    let said = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["status", "--live", "--observe", &process.observe])
        .envs(none)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(0), "{words}");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_tells_a_clean_store_from_none_and_from_a_node_that_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(chain(12).chain().clone()).await.unwrap();
    let url = node.handle().url();
    let store = store(&folder);
    let (code, words) = heliostat(&["verify", "--store", &store]);
    assert_eq!(code, Some(1), "there is no store: {words}");
    let process = Process::start(&["--upstream", &url, "--store", &store]);
    process.until("ready", |status| status.ready).await;
    assert_eq!(process.terminate(), Some(0));
    let (code, words) = heliostat(&["verify", "--store", &store]);
    assert_eq!(code, Some(0), "{words}");
    let (code, words) = heliostat(&["verify", "--deep", "--store", &store]);
    assert_eq!(code, Some(2), "no node is named: {words}");
    let deep = ["verify", "--deep", "--store", &store, "--upstream", &url];
    node.handle().set_chain(chain(9).chain().clone());
    let (code, words) = heliostat(&deep);
    assert_eq!(code, Some(3), "the node is behind: {words}");
    assert!(words.contains("block 10"), "{words}");
    node.handle().stop().await;
    let (code, words) = heliostat(&deep);
    assert_eq!(code, Some(3), "the node is down: {words}");
}
