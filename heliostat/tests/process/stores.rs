//! Stores that cannot be used, or not for now.

use std::fs;

use heliostat_observe::Status;
use heliostat_sim::zcash::Node;

use crate::{
    disk::Mounted,
    running::{Process, chain, heliostat, store},
};

/// Starts a process that must end by itself: all it said.
fn refused(args: &[&str]) -> String {
    let ports = ["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"];
    let (code, words) = heliostat(&[&["zcash"], args, &ports].concat());
    assert_eq!(code, Some(1), "{words}");
    assert!(!words.contains("panicked"), "{words}");
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_process_or_network_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(chain(20).chain().clone()).await.unwrap();
    let (url, store) = (node.handle().url(), store(&folder));
    let args = ["--upstream", &url, "--store", &store];
    let process = Process::start(&args);
    process.until("ready", |status| status.ready).await;
    let words = refused(&args);
    let who = format!("another process (process {}) writes", process.child.id());
    assert!(words.contains(&who), "{words}");
    assert!(words.contains("zcash.sqlite"), "{words}");
    process.until("still ready", |status| status.ready).await;
    assert_eq!(process.terminate(), Some(0));

    let words = refused(&[&args[..], &["--network", "main"]].concat());
    assert!(words.contains("regtest"), "{words}");
    assert!(words.contains("another store"), "{words}");
    let process = Process::start(&args);
    process.until("as it was", |status| status.ready).await;
    assert_eq!(process.served_height().await, 20);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_store_are_refused_in_words_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(chain(20).chain().clone()).await.unwrap();
    let url = node.handle().url();
    let path = folder.path().join("other");
    for bytes in [
        &b"#!/bin/sh\n# somebody's script, of more than a hundred bytes, as a header of SQLite \
           has, and some more\nexit 0\n"[..],
        b"SQLite format 3\0 and then nothing that could be read as a header of that format, \
           which has one hundred bytes",
        &[0xff; 70_000],
    ] {
        fs::write(&path, bytes).unwrap();
        let address = format!("sqlite:{}", path.display());
        let words = refused(&["--upstream", &url, "--store", &address]);
        assert!(words.contains("other"), "it names the file: {words}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{words}");
    }
    let address = format!("sqlite:{}", folder.path().display());
    let words = refused(&["--upstream", &url, "--store", &address]);
    assert!(words.contains(&address), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_for_while_what_is_stored_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::new(folder.path(), "size=40m") else {
        return;
    };
    let generator = chain(4_000);
    let node = Node::start(generator.chain().up_to(20)).await.unwrap();
    let (url, store) = (node.handle().url(), store(&folder));
    let process = Process::start(&["--upstream", &url, "--store", &store]);
    process.until("ready", |status| status.ready).await;
    let filler = mounted.fill();
    node.handle().set_chain(generator.chain().clone());
    let full = |status: &Status| status.chains["zcash"].state.contains("is full");
    let status = process.until("full", full).await;
    assert!(!status.ready);
    assert_eq!(process.code_of("/livez").await, 200);
    let height = process.served_height().await;
    assert!((20..4_000).contains(&height), "{height}");
    fs::remove_file(&filler).unwrap();
    let there =
        |status: &Status| status.ready && status.chains["zcash"].local_height == Some(4_000);
    process.until("at the head", there).await;
    assert_eq!(process.terminate(), Some(0));
    let (code, words) = heliostat(&["verify", "--store", &store]);
    assert_eq!(code, Some(0), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_became_read_only_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::new(folder.path(), "size=24m") else {
        return;
    };
    let node = Node::start(chain(20).chain().clone()).await.unwrap();
    let (url, store) = (node.handle().url(), store(&folder));
    let args = ["--upstream", &url, "--store", &store];
    let process = Process::start(&args);
    process.until("ready", |status| status.ready).await;
    assert_eq!(process.terminate(), Some(0));
    mounted.read_only();
    let words = refused(&args);
    assert!(words.contains("cannot be written"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_damage_to_the_file_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(chain(300).chain().clone()).await.unwrap();
    let (url, store) = (node.handle().url(), store(&folder));
    let args = ["--upstream", &url, "--store", &store];
    let process = Process::start(&args);
    process.until("ready", |status| status.ready).await;
    assert_eq!(process.terminate(), Some(0));
    let path = folder.path().join("zcash.sqlite");
    let sound = fs::read(&path).unwrap();
    let page = 16 * 1024;
    for at in (page..sound.len()).step_by(page) {
        let mut damaged = sound.clone();
        let end = damaged.len().min(at + 64);
        damaged[at..end].fill(0xa5);
        fs::write(&path, &damaged).unwrap();
        let (code, words) = heliostat(&["verify", "--store", &store]);
        assert!(!words.contains("panicked"), "page at {at}: {words}");
        assert!(
            matches!(code, Some(0 | 1)),
            "page at {at}: {code:?} {words}"
        );
    }
    fs::write(&path, &sound).unwrap();
    let (code, words) = heliostat(&["verify", "--store", &store]);
    assert_eq!(code, Some(0), "{words}");
}
