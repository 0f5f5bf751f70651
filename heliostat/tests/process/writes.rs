//! Writes through a real process: the receipt stands in the store before the
//! node sees a byte, it outlives `kill -9`, and a store that cannot be written
//! lets nothing out.

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use heliostat_node::outbox;
use heliostat_observe::Status;
use heliostat_sim::zcash::{
    Generator, Node,
    node::{Filter, Misbehaviour},
};
use heliostat_store::{Direction, Options, Store, testing::PrivatePostgres};
use heliostat_zcash_proto::{RawTransaction, SendResponse};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Response, Status as Refusal};

use crate::{
    disk::Mounted,
    running::{Process, chain, store},
};

/// Blocks the node has; those above hold the transactions that are sent.
pub const BLOCKS: u64 = 20;

/// Between the process and its node: stops at the first byte of a write.
struct Gate {
    url: String,
    /// Told when the head of a write has arrived here, before the node has it.
    arrived: Arc<Notify>,
    /// Whether writes are held.
    holds: Arc<Mutex<bool>>,
    _task: AbortOnDropHandle<()>,
}

impl Gate {
    async fn before(node: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let node = node.strip_prefix("http://").unwrap().to_owned();
        let arrived = Arc::new(Notify::new());
        let holds = Arc::new(Mutex::new(true));
        let (told, held) = (Arc::clone(&arrived), Arc::clone(&holds));
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (node, told, held) = (node.clone(), Arc::clone(&told), Arc::clone(&held));
                tokio::spawn(async move {
                    let node = TcpStream::connect(node).await.unwrap();
                    let (mut from, mut back) = client.into_split();
                    let (mut answers, mut on) = node.into_split();
                    let forth = async {
                        let mut piece = vec![0; 64 << 10];
                        while let Ok(count @ 1..) = from.read(&mut piece).await {
                            let is_write = String::from_utf8_lossy(&piece[..count])
                                .contains("sendrawtransaction");
                            if is_write && *held.lock().unwrap() {
                                told.notify_one();
                                std::future::pending::<()>().await;
                            }
                            if on.write_all(&piece[..count]).await.is_err() {
                                return;
                            }
                        }
                    };
                    let back = tokio::io::copy(&mut answers, &mut back);
                    tokio::join!(forth, back).1.ok()
                });
            }
        });
        Self {
            url,
            arrived,
            holds,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn opens(&self) {
        *self.holds.lock().unwrap() = false;
    }
}

/// A transaction that the node has not seen yet.
pub fn unmined(generator: &Generator) -> Bytes {
    let above = BLOCKS + 1..;
    let mut blocks = above.map_while(|height| generator.chain().at(height));
    let block = blocks.find(|block| block.txs.len() > 1).unwrap();
    block.raw.slice(block.txs[1].clone())
}

pub async fn send(process: &Process, data: &Bytes) -> Result<Response<SendResponse>, Refusal> {
    let data = data.clone();
    let mut client = process.client().await;
    client
        .send_transaction(RawTransaction { data, height: 0 })
        .await
}

pub fn receipt(metadata: &tonic::metadata::MetadataMap) -> String {
    let receipt = metadata.get("heliostat-receipt").unwrap();
    receipt.to_str().unwrap().to_owned()
}

/// How many nodes may have it.
pub fn handed_to(metadata: &tonic::metadata::MetadataMap) -> String {
    let count = metadata.get("heliostat-handed-to").unwrap();
    count.to_str().unwrap().to_owned()
}

/// The receipts in a store, read past the process.
async fn receipts(address: &str) -> Vec<serde_json::Value> {
    let tables = heliostat::zcash::tables();
    let store: Arc<dyn Store> =
        heliostat_store::open(address, "zcash", &tables, Options::read_only())
            .await
            .unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let range = vec![b'r']..vec![b's'];
    let rows = snapshot
        .range(outbox::TABLE, range, Direction::Forward, 100)
        .await
        .unwrap();
    rows.iter()
        .map(|(_, value)| serde_json::from_slice(value).unwrap())
        .collect()
}

/// `kill -9` between the receipt and the send, and between the send and the
/// reply.
async fn killed_around_the_send(address: &str) {
    let generator = chain(BLOCKS + 12);
    let data = unmined(&generator);
    let node = Node::start(generator.chain().up_to(BLOCKS)).await.unwrap();
    let gate = Gate::before(&node.url()).await;
    let args = ["--upstream", &gate.url, "--store", address];

    // Its first byte is on the way, and the node has nothing of it.
    let process = Process::start(&args);
    process.until("ready", |status| status.ready).await;
    {
        let sending = send(&process, &data);
        tokio::pin!(sending);
        tokio::select! {
            _ = &mut sending => panic!("nobody can have answered"),
            () = gate.arrived.notified() => {}
        }
        let kept = receipts(address).await;
        assert_eq!(kept.len(), 1, "before the node has a byte");
        assert_eq!(kept[0]["state"], "Unknown");
        process.signal("-KILL");
    }
    drop(process);
    assert_eq!(node.count("sendrawtransaction"), 0);

    // The next process knows that it knows nothing, and sends nothing by
    // itself; asked again it looks, and then sends to the same node.
    gate.opens();
    let process = Process::start(&args);
    let unknown = |status: &Status| status.chains["zcash"].outbox.get("unknown") == Some(&1);
    process.until("unknown", unknown).await;
    process.until("ready", |status| status.ready).await;
    assert_eq!(node.count("sendrawtransaction"), 0);
    // This time it is killed between the send and the reply.
    node.misbehave(Misbehaviour::Hang, Filter::method("sendrawtransaction"));
    {
        let sending = send(&process, &data);
        let arrived = async {
            while node.count("sendrawtransaction") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = sending => panic!("the node does not answer"),
            () = arrived => {}
        }
        process.signal("-KILL");
    }
    drop(process);
    node.behave();

    let process = Process::start(&args);
    process.until("ready", |status| status.ready).await;
    let taken = send(&process, &data).await.unwrap();
    let name = receipt(taken.metadata());
    let reply = taken.into_inner();
    assert_eq!(reply.error_code, 0, "{}", reply.error_message);
    let again = send(&process, &data).await.unwrap();
    assert_eq!(receipt(again.metadata()), name);
    assert_eq!(again.into_inner(), reply);
    assert!(node.count("sendrawtransaction") <= 2);
    drop(process);

    // A receipt of a success outlives a kill too.
    let process = Process::start(&args);
    process.until("ready", |status| status.ready).await;
    let sent = node.count("sendrawtransaction");
    let again = send(&process, &data).await.unwrap();
    assert_eq!(receipt(again.metadata()), name);
    assert_eq!(again.into_inner(), reply);
    assert_eq!(node.count("sendrawtransaction"), sent);
    assert_eq!(receipts(address).await.len(), 1);
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_around_a_send_keeps_its_receipt_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    killed_around_the_send(&store(&folder)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_around_a_send_keeps_its_receipt_in_postgresql() {
    let Some(postgres) = PrivatePostgres::start_new() else {
        return;
    };
    killed_around_the_send(&postgres.url("writes")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_writes_are_refused_reads_go_on_and_readyz_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::new(folder.path(), "size=40m") else {
        return;
    };
    let generator = chain(BLOCKS + 12);
    let data = unmined(&generator);
    let node = Node::start(generator.chain().up_to(BLOCKS)).await.unwrap();
    let (url, store) = (node.url(), store(&folder));
    let process = Process::start(&["--upstream", &url, "--store", &store]);
    process.until("ready", |status| status.ready).await;
    let filler = mounted.fill();
    let mut other = 0_u8;
    let refused = loop {
        // What the store had set aside holds a few receipts still.
        let sent = send(&process, &Bytes::from(vec![other; 50])).await;
        if let Err(refused) = sent {
            break refused;
        }
        other += 1;
    };
    assert_eq!(refused.code(), Code::Unavailable);
    let words = refused.message();
    assert!(
        words.contains("not sent") && words.contains("disk is full"),
        "{words}"
    );
    let sent = node.count("sendrawtransaction");
    send(&process, &data).await.unwrap_err();
    assert_eq!(node.count("sendrawtransaction"), sent, "nothing was sent");
    // Reads go on.
    assert_eq!(process.served_height().await, BLOCKS);
    let unready = process.until("not ready", |status| !status.ready).await;
    let why = unready.not_ready.join("; ");
    assert!(
        why.contains("writes are refused") && why.contains("full"),
        "{why}"
    );
    assert_eq!(process.code_of("/readyz").await, 503);
    assert_eq!(process.code_of("/livez").await, 200);
    // With room again nothing else has to be done.
    fs::remove_file(&filler).unwrap();
    process.until("ready again", |status| status.ready).await;
    let taken = send(&process, &data).await.unwrap();
    assert_eq!(taken.into_inner().error_code, 0);
    assert_eq!(process.terminate(), Some(0));
}

/// Has a server take no writes any more, or take them again; `false`, with a
/// line on stderr, where there is no `psql`.
fn read_only(url: &str, is: bool) -> bool {
    let set = format!("ALTER SYSTEM SET default_transaction_read_only = {is}");
    // Otherwise the server would not even take back the setting.
    let done = Command::new("psql")
        .args([url, "-v", "ON_ERROR_STOP=1", "-c"])
        .args(["SET default_transaction_read_only = off", "-c", &set])
        .args(["-c", "SELECT pg_reload_conf()"])
        .output();
    let Ok(done) = done else {
        eprintln!("skipped: there is no psql here");
        return false;
    };
    let words = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{words}");
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_turns_read_only_refuses_writes_and_is_waited_for() {
    let Some(postgres) = PrivatePostgres::start_new() else {
        return;
    };
    let store = postgres.url("readonly");
    let generator = chain(BLOCKS + 12);
    let data = unmined(&generator);
    let node = Node::start(generator.chain().up_to(BLOCKS)).await.unwrap();
    let url = node.url();
    let process = Process::start(&["--upstream", &url, "--store", &store]);
    process.until("ready", |status| status.ready).await;
    if !read_only(&store, true) {
        return;
    }
    // Sessions take the setting over in their own time.
    let refused = loop {
        match send(&process, &Bytes::from(vec![7; 50])).await {
            Err(refused) => break refused,
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let words = refused.message();
    assert!(
        words.contains("not sent") && words.contains("read-only"),
        "{words}"
    );
    let sent = node.count("sendrawtransaction");
    send(&process, &data).await.unwrap_err();
    assert_eq!(node.count("sendrawtransaction"), sent, "nothing was sent");
    node.set_chain(generator.chain().up_to(BLOCKS + 1));
    let unready = process.until("not ready", |status| !status.ready).await;
    let why = unready.not_ready.join("; ");
    assert!(why.contains("read-only"), "{why}");
    assert_eq!(process.code_of("/readyz").await, 503);
    assert_eq!(process.served_height().await, BLOCKS, "reads go on");
    assert!(read_only(&store, false));
    let recovered = |status: &Status| status.chains["zcash"].local_height == Some(BLOCKS + 1);
    process.until("going on", recovered).await;
    let taken = send(&process, &data).await.unwrap();
    let _answered = taken.into_inner();
    assert_eq!(node.count("sendrawtransaction"), sent + 1);
    process.until("ready again", |status| status.ready).await;
    assert_eq!(process.terminate(), Some(0));
}
