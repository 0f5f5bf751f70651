//! The binary on PostgreSQL.

use heliostat_observe::Status;
use heliostat_sim::zcash::Node;
use heliostat_store::testing::PrivatePostgres;

use crate::running::{Process, chain, heliostat};

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_kept_in_postgresql_over_restarts_and_outages() {
    let Some(mut postgres) = PrivatePostgres::start_new() else {
        return;
    };
    let store = postgres.url("process");
    let mut generator = chain(40);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let url = node.handle().url();
    let args = ["--upstream", &url, "--store", &store];
    let process = Process::start(&args);
    let status = process.until("ready", |status| status.ready).await;
    let kept = &status.chains["zcash"].store;
    assert!(kept.address.starts_with("postgres://"), "{}", kept.address);
    let hidden = |words: &str| postgres.secrets().iter().all(|one| !words.contains(one));
    assert!(hidden(&kept.address), "{}", kept.address);
    assert!(kept.bytes > 0);
    assert_eq!(process.code_of("/readyz").await, 200);
    let (code, words) = heliostat(&["status", "--observe", &process.observe]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("height    40 of 40"), "{words}");
    assert!(words.contains("postgres://"), "{words}");
    let (code, words) = heliostat(&["verify", "--store", &store]);
    assert_eq!(code, Some(0), "beside the running node: {words}");
    assert!(words.contains("blocks 0 to 40 of regtest"), "{words}");
    assert!(hidden(&words), "{words}");
    assert_eq!(process.terminate(), Some(0));

    // Served again at once, with the node away.
    node.handle().stop().await;
    let process = Process::start(&args);
    let served = |status: &Status| status.chains["zcash"].local_height == Some(40);
    process.until("serving", served).await;
    assert_eq!(process.served_height().await, 40);
    generator.extend(3);
    node.handle().set_chain(generator.chain().clone());
    node.handle().resume().await;
    let grown = |status: &Status| status.ready && status.chains["zcash"].local_height == Some(43);
    process.until("going on", grown).await;

    // A database that goes away is said, and waited for.
    postgres.stop();
    let away = |status: &Status| status.chains["zcash"].store.error.is_some();
    let status = process.until("without its store", away).await;
    assert!(!status.ready);
    assert_eq!(process.code_of("/readyz").await, 503);
    assert_eq!(process.code_of("/livez").await, 200);
    postgres.start();
    process.until("ready again", |status| status.ready).await;
    assert_eq!(process.terminate(), Some(0));
    let (code, words) = heliostat(&["verify", "--deep", "--upstream", &url, "--store", &store]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("44 blocks compared"), "{words}");
}
