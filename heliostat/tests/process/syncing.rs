//! A node that is itself still syncing can be followed, and is shown as such.

use heliostat_observe::Status;
use heliostat_sim::zcash::Node;

use crate::running::{Process, chain, heliostat};

#[tokio::test(flavor = "multi_thread")]
async fn a_syncing_node_is_followed_and_said_to_be_syncing() {
    let node = Node::start(chain(20).chain().clone()).await.unwrap();
    node.handle().set_syncing(Some((3_500_000, 0.000_1)));
    let url = node.handle().url();
    let process = Process::start(&["--upstream", &url, "--store", "memory:"]);
    let told = |status: &Status| {
        let zcash = &status.chains["zcash"];
        let words = "the node is syncing: it is at height 20 of about 3500000";
        zcash.upstreams[0].why.contains(words) && zcash.state.contains(words)
    };
    let status = process.until("told", told).await;
    let zcash = &status.chains["zcash"];
    assert_eq!(zcash.upstreams[0].state, "ok", "it can be used");
    assert_eq!(zcash.local_height, Some(20), "what it has is followed");
    let (code, words) = heliostat(&["status", "--observe", &process.observe]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("ok: the node is syncing"), "{words}");

    let check = || {
        let addresses = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
        let args = ["check", "--upstream", &url, "--store", "memory:"];
        heliostat(&[&args[..], &addresses].concat())
    };
    let (code, words) = check();
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("the node is syncing"), "{words}");

    node.handle().set_syncing(None);
    let well = |status: &Status| {
        let zcash = &status.chains["zcash"];
        zcash.upstreams[0].why.is_empty() && zcash.state == "following"
    };
    process.until("synced", well).await;
    let (code, words) = check();
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(process.terminate(), Some(0));
}
