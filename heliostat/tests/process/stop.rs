//! How the process ends.

use heliostat_zcash_proto::Empty;

use crate::running::{Process, chain, store};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_during_the_start_and_sigint_exit_0() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&[
        "--upstream",
        "http://127.0.0.1:1",
        "--store",
        &store(&folder),
    ]);
    assert_eq!(process.terminate(), Some(0));
    let mut process = Process::start(&["--upstream", "http://127.0.0.1:1", "--store", "memory:"]);
    process.signal("-INT");
    assert_eq!(process.child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_process_that_still_drains() {
    let node = heliostat_sim::zcash::Node::start(chain(5).chain().clone())
        .await
        .unwrap();
    let url = node.handle().url();
    let mut process = Process::start(&["--upstream", &url, "--store", "memory:"]);
    process.until("ready", |status| status.ready).await;
    // An answer that lasts until the next block, which never comes.
    let mut client = process.client().await;
    let stream = client.get_mempool_stream(Empty {}).await.unwrap();
    process.signal("-TERM");
    process
        .until_logged("a second signal ends the process")
        .await;
    process.signal("-TERM");
    // After a drain it would be 0.
    assert_eq!(process.child.wait().unwrap().code(), Some(1));
    drop(stream);
}
