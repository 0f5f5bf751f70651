//! Stores on disks that fill up, fail, and are made read-only under a running
//! process.

use std::{fs, process::Command};

use bytes::Bytes;
use heliostat_observe::Status;
use heliostat_sim::{
    tezos::operations,
    zcash::{Generator, Node},
};
use heliostat_zcash_proto::{BlockId, BlockRange, RawTransaction};

use crate::{
    daemon::{Daemon, Nodes, balance_path},
    disk::{Disk, Mounted},
    running::{Process, chain, heliostat, store},
};

/// Blocks that are stored while all is well, and afterwards.
const BEFORE: u64 = 400;
const AFTER: u64 = 420;
/// How the system says it.
const READ_ONLY: &str = "Read-only file system";
/// More than a store keeps connections open for: some are opened anew.
const READERS: usize = 24;

/// Reads every stored block, many times at once.
async fn all_can_be_read(process: &Process) {
    let at = |height| {
        Some(BlockId {
            height,
            ..BlockId::default()
        })
    };
    let range = BlockRange {
        start: at(0),
        end: at(BEFORE),
        ..BlockRange::default()
    };
    let read = async || {
        let mut client = process.client().await;
        let stream = client.get_block_range(range.clone()).await;
        let mut stream = stream.unwrap().into_inner();
        let mut count = 0;
        while stream.message().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, BEFORE + 1);
    };
    futures::future::join_all((0..READERS).map(|_| read())).await;
}

/// A write that gets no receipt, and of which the node hears nothing.
async fn no_write_leaves(process: &Process, node: &Node, words: &str) {
    let sent = node.count("sendrawtransaction");
    let data = Bytes::from_static(&[7; 50]);
    let mut client = process.client().await;
    let refused = client
        .send_transaction(RawTransaction { data, height: 0 })
        .await
        .unwrap_err();
    let said = refused.message();
    assert!(said.contains("not sent") && said.contains(words), "{said}");
    assert_eq!(node.count("sendrawtransaction"), sent);
}

/// Waits until it is not ready, for this reason.
async fn says(process: &Process, words: &str) {
    let said = |status: &Status| status.not_ready.iter().any(|why| why.contains(words));
    process.until(words, said).await;
    assert_eq!(process.code_of("/readyz").await, 503);
    assert_eq!(process.code_of("/livez").await, 200);
}

struct Stage {
    generator: Generator,
    node: Node,
    process: Process,
}

/// A process with some blocks in its store.
async fn started(store: &str) -> Stage {
    let generator = chain(AFTER);
    let node = Node::start(generator.chain().up_to(BEFORE)).await.unwrap();
    let process = Process::start(&["--upstream", &node.url(), "--store", store]);
    process.until("ready", |status| status.ready).await;
    Stage {
        generator,
        node,
        process,
    }
}

fn at_the_end(status: &Status) -> bool {
    status.ready && status.chains["zcash"].local_height == Some(AFTER)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_disk_that_the_kernel_made_read_only_reads_go_on_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(folder.path()) else {
        return;
    };
    let store = store(&folder);
    let Stage {
        generator,
        node,
        process,
    } = started(&store).await;
    if !disk.fails() {
        return;
    }
    node.set_chain(generator.chain().clone());
    says(&process, READ_ONLY).await;
    no_write_leaves(&process, &node, "read-only").await;
    all_can_be_read(&process).await;
    // Nothing more can be stored, which is no reason not to end in order.
    process.terminate();
    disk.mend();
    let (code, words) = heliostat(&["verify", "--store", &store]);
    assert_eq!(code, Some(0), "{words}");
    let process = Process::start(&["--upstream", &node.url(), "--store", &store]);
    process.until("at the head", at_the_end).await;
    all_can_be_read(&process).await;
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_may_not_be_written_for_a_while_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(folder.path()) else {
        return;
    };
    let store = store(&folder);
    let Stage {
        generator,
        node,
        process,
    } = started(&store).await;
    let files = ["zcash.sqlite", "zcash.sqlite-wal"];
    for file in files {
        if !disk.writable(file, false) {
            return;
        }
    }
    node.set_chain(generator.chain().clone());
    says(&process, "cannot be written").await;
    no_write_leaves(&process, &node, "read-only").await;
    all_can_be_read(&process).await;
    for file in files {
        assert!(disk.writable(file, true));
    }
    process.until("at the head", at_the_end).await;
    let data = Bytes::from_static(&[7; 50]);
    let mut client = process.client().await;
    let sent = client.send_transaction(RawTransaction { data, height: 0 });
    sent.await.unwrap();
    assert_eq!(process.terminate(), Some(0));
    let (code, words) = heliostat(&["verify", "--store", &store]);
    assert_eq!(code, Some(0), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_stored_where_nothing_but_the_store_can_be_written() {
    // Not below a folder for temporary files.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let blocks = 2_000;
    let node = Node::start(chain(blocks).chain().clone()).await.unwrap();
    // As in the container that is shipped, whose only volume is the store's.
    let alone = "for place in /tmp /var/tmp /usr/tmp; do
                     test ! -d $place || mount -t tmpfs -o ro none $place || exit
                 done
                 cd /proc && exec \"$@\"";
    let unshared = ["--mount", "sh", "-c", alone, "sh"];
    let may = Command::new("unshare").args(unshared).arg("true").status();
    if !may.is_ok_and(|done| done.success()) {
        eprintln!("skipped: folders cannot be hidden from a process here (needs root)");
        return;
    }
    let mut command = Command::new("unshare");
    command
        .args(unshared)
        .arg(env!("CARGO_BIN_EXE_heliostat"))
        .args(["zcash", "--upstream", &node.url()])
        .args(["--store", &store(&folder), "--log-format", "json"])
        .args(["--listen", "127.0.0.1:0", "--observe", "127.0.0.1:0"])
        .env_remove("TMPDIR")
        .env_remove("SQLITE_TMPDIR");
    let process = Process::of(command);
    let there = |status: &Status| status.chains["zcash"].local_height == Some(blocks);
    process.until("at the head", there).await;
    assert!(!process.logged().contains("store down"));
    assert_eq!(process.terminate(), Some(0));
}

/// A Tezos daemon on a store, with no limit on the age of the chain.
async fn tezos(nodes: &Nodes, folder: &std::path::Path) -> Daemon {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "[store]\naddress = 'sqlite:{}/tezos.sqlite'\n\
         [observe]\nlisten = '127.0.0.1:0'\nlog-format = 'json'\n\
         [chain.tezos]\nledger = 'tezos'\nlisten = '127.0.0.1:0'\nsources = '{}'\n\
         proof-of-work-threshold = {}\nmax-head-age-seconds = 0\n",
        folder.display(),
        nodes.sources(),
        nodes.stamp(),
    );
    fs::write(file.path(), text).unwrap();
    let daemon = Daemon::start(&["run", "--config", file.path().to_str().unwrap()]).await;
    daemon.until("ready", |status| status.ready).await;
    daemon
}

/// Hands over a transfer of this amount: status and body.
async fn inject(daemon: &Daemon, nodes: &Nodes, amount: u64) -> (u16, String) {
    let bytes = {
        let world = nodes.network.world();
        let (from, to) = (world.account("alice"), world.account("bob").id);
        let branch = world.head().hash;
        operations::transfer(from, &to, amount, 1, branch).bytes()
    };
    let reply = reqwest::Client::new()
        .post(format!("{}/injection/operation", daemon.url("rpc")))
        .header("content-type", "application/json")
        .body(format!("\"{}\"", hex::encode(bytes)))
        .send()
        .await
        .unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

/// Sends transfers until one is refused for want of a receipt; its words, and
/// the next amount.
async fn until_refused(daemon: &Daemon, nodes: &Nodes, mut amount: u64) -> (String, u64) {
    loop {
        // What the store had set aside holds a few receipts still.
        let (code, body) = inject(daemon, nodes, amount).await;
        amount += 1;
        if code == 503 {
            return (body, amount);
        }
    }
}

/// Operations the nodes were handed.
fn handed(nodes: &Nodes) -> u64 {
    nodes.nodes.iter().map(|node| node.count("injection")).sum()
}

async fn goes_on_reading(daemon: &Daemon, nodes: &Nodes, words: &str) {
    let said = |status: &Status| {
        let mut why = status.not_ready.iter();
        why.any(|why| why.contains("writes are refused") && why.contains(words))
    };
    daemon.until(words, said).await;
    let url = daemon.url("observe");
    for (path, code) in [("/readyz", 503_u16), ("/livez", 200)] {
        let reply = reqwest::get(format!("{url}{path}")).await.unwrap();
        assert_eq!(reply.status(), code, "{path}");
    }
    nodes.network.bake(&[]);
    let (code, grade, body) = daemon.get(&balance_path(&nodes.address("bob"))).await;
    assert_eq!((code, grade.as_str()), (200, "agreed 2/2"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_a_tezos_daemon_reads_on_and_refuses_operations() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::new(folder.path(), "size=40m") else {
        return;
    };
    let nodes = Nodes::start(2).await;
    let daemon = tezos(&nodes, folder.path()).await;
    let filler = mounted.fill();
    let (words, amount) = until_refused(&daemon, &nodes, 1).await;
    assert!(
        words.contains("not sent") && words.contains("receipt"),
        "{words}"
    );
    let before = handed(&nodes);
    assert_eq!(inject(&daemon, &nodes, amount).await.0, 503);
    assert_eq!(handed(&nodes), before, "nothing was sent");
    goes_on_reading(&daemon, &nodes, "full").await;
    fs::remove_file(filler).unwrap();
    daemon.until("ready again", |status| status.ready).await;
    assert_ne!(inject(&daemon, &nodes, amount + 1).await.0, 503);
    assert_eq!(handed(&nodes), before + 1);
    assert_eq!(daemon.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_disk_that_the_kernel_made_read_only_a_tezos_daemon_reads_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(folder.path()) else {
        return;
    };
    let nodes = Nodes::start(2).await;
    let daemon = tezos(&nodes, folder.path()).await;
    assert_ne!(inject(&daemon, &nodes, 1).await.0, 503);
    if !disk.fails() {
        return;
    }
    let before = handed(&nodes);
    let (words, _) = until_refused(&daemon, &nodes, 2).await;
    assert!(
        words.contains("not sent") && words.contains("receipt"),
        "{words}"
    );
    assert_eq!(handed(&nodes), before, "nothing was sent");
    goes_on_reading(&daemon, &nodes, READ_ONLY).await;
    daemon.terminate();
    disk.mend();
    let daemon = tezos(&nodes, folder.path()).await;
    assert_ne!(inject(&daemon, &nodes, 9).await.0, 503);
    assert_eq!(daemon.terminate(), Some(0));
}
