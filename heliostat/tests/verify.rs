//! `heliostat verify`: a store that holds, one that was damaged, and a node
//! on another branch.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;

use std::process::Command;

use heliostat_sim::zcash::Node;
use running::{Process, chain, store};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn verify_proves_the_store_and_finds_damage() {
    let folder = tempfile::tempdir().unwrap();
    let generator = chain(30);
    let node = Node::start(generator.chain().clone()).await.unwrap();
    let url = node.handle().url();
    let store = store(&folder);
    let verify = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_heliostat"))
            .args(["verify", "--store", &store])
            .args(more)
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        (
            output.status.code(),
            words + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let process = Process::start(&["--upstream", &url, "--store", &store]);
    process.until("ready", |status| status.ready).await;
    let (code, words) = verify(&[]);
    assert_eq!(code, Some(0), "beside the running node: {words}");
    assert_eq!(process.terminate(), Some(0));

    let (code, words) = verify(&["--deep", "--upstream", &url]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("blocks 0 to 30 of regtest"), "{words}");
    assert!(words.contains("31 blocks compared"), "{words}");
    let (code, words) = verify(&["--json"]);
    assert_eq!(code, Some(0), "{words}");
    let json: serde_json::Value = serde_json::from_str(&words).unwrap();
    assert_eq!(json["zcash"]["blocks"], 31);

    let other = generator.fork(25, 5, 99).unwrap();
    node.handle().set_chain(other.chain().clone());
    let (code, words) = verify(&["--deep", "--upstream", &url]);
    assert_eq!(code, Some(1), "{words}");
    assert!(
        words.contains("block 26") && words.contains("deep.hash"),
        "{words}"
    );

    damage(&folder);
    let (code, words) = verify(&[]);
    assert_eq!(code, Some(1), "{words}");
}

/// Changes one byte of a block's id wherever the file has it: in the compact
/// blocks, in the records and in the header of the block above.
fn damage(folder: &TempDir) {
    let file = folder.path().join("zcash.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    let id = chain(30).chain().blocks[20].hash;
    let found = bytes.windows(32).enumerate();
    let found = found.filter(|(_, window)| *window == id);
    let places: Vec<_> = found.map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the block's id is in the file");
    for at in places {
        bytes[at + 7] ^= 1;
    }
    std::fs::write(&file, bytes).unwrap();
}
