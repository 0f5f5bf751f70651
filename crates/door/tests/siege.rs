//! The door under attack, over real sockets: every attacker is disconnected
//! by the server, a good client is answered throughout, and nothing is left.
//!
//! One test in a process of its own, because it counts the process's
//! descriptors.

#[path = "siege/attacks.rs"]
mod attacks;

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::{get, post},
};
use futures::{StreamExt, future::join_all, stream};
use heliostat_door::{Connections, Cut, Door, Limits, Memory, Options, Tls, defaults};
use tokio::{net::TcpStream, task::JoinHandle, time};
use tokio_util::sync::CancellationToken;

/// Slow sockets of each of two kinds.
const SLOW: usize = 250;
/// Attackers of each flood.
const FLOODS: usize = 8;
/// The memory budget: enough for the slow ones' places and one answer.
const MEMORY: u64 = (SLOW as u64 + 20) * defaults::CONNECTION_SHARE;

/// By attackers at the good client's address, which is exempt: none is kept
/// out for what another did.
fn attacked(door: SocketAddr) -> attacks::Target {
    let from = door.ip();
    attacks::Target { from, door }
}

/// Every other attacker speaks HTTP/2.
fn http2(n: usize) -> bool {
    n.is_multiple_of(2)
}

fn descriptors() -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("Linux");
    open.count()
}

fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

fn service() -> Router {
    let endless = || async {
        let chunks = stream::repeat(Bytes::from_static(&[7; 16 << 10]));
        Body::from_stream(chunks.map(Ok::<_, std::convert::Infallible>))
    };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/take",
            post(|body: Bytes| async move { body.len().to_string() }),
        )
        .route("/endless", get(endless))
        .route("/never", get(std::future::pending::<()>))
}

/// A client that asks one question after the other, over both versions of
/// HTTP, and counts the answers.
struct GoodClient {
    answers: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl GoodClient {
    fn start(address: SocketAddr) -> Self {
        let (answers, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (counted, stopped) = (Arc::clone(&answers), Arc::clone(&over));
        let task = tokio::spawn(async move {
            let build = |builder: reqwest::ClientBuilder| builder.no_proxy().build();
            let http1 = build(reqwest::Client::builder().http1_only()).expect("a client");
            let http2 = reqwest::Client::builder().http2_prior_knowledge();
            let http2 = build(http2).expect("a client");
            while !stopped.load(SeqCst) {
                for client in [&http1, &http2] {
                    let reply = client.get(format!("http://{address}/")).send().await;
                    let reply = reply.expect("a good client is answered");
                    assert_eq!(reply.text().await.expect("whole"), "hello");
                    counted.fetch_add(1, SeqCst);
                }
                time::sleep(Duration::from_millis(1)).await;
            }
        });
        Self {
            answers,
            over,
            task,
        }
    }

    /// Waits for two further answers: one is sure to be asked for from here
    /// on.
    async fn is_answered(&self) {
        let before = self.answers.load(SeqCst);
        while self.answers.load(SeqCst) < before + 2 {
            assert!(!self.task.is_finished(), "the good client gave up");
            time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn end(self) {
        self.over.store(true, SeqCst);
        self.task.await.expect("a good client is always answered");
    }
}

/// Keeps the most memory that was in use at any look.
async fn watch(connections: Connections, highest: Arc<AtomicU64>) {
    loop {
        highest.fetch_max(connections.counts().memory_used, SeqCst);
        time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until(connections: &Connections, holds: impl Fn(&heliostat_door::Counts) -> bool) {
    while !holds(&connections.counts()) {
        time::sleep(Duration::from_millis(10)).await;
    }
}

/// Lets `count` attackers loose, waits until the server has disconnected each
/// of them, and asks for good answers meanwhile.
async fn besiege<F>(
    good: &GoodClient,
    count: usize,
    door: SocketAddr,
    attack: impl Fn(TcpStream, usize) -> F + Copy + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let one = |n| async move {
        let stream = attacks::connect(attacked(door)).await;
        attack(stream, n).await;
    };
    let attackers: Vec<_> = (0..count).map(|n| tokio::spawn(one(n))).collect();
    good.is_answered().await;
    for attacker in join_all(attackers).await {
        attacker.expect("the attacker was disconnected");
    }
    good.is_answered().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attackers_are_disconnected_and_leave_nothing_behind() {
    let (descriptors_before, tasks_before) = (descriptors(), tasks());
    let limits = Limits {
        header_timeout: Duration::from_secs(1),
        body_timeout: Duration::from_secs(1),
        unread_timeout: Duration::from_secs(1),
        handshake_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let options = Options {
        limits,
        memory: Memory::new(MEMORY),
        ..Options::default()
    };
    let door = Door::bind("127.0.0.1:0", options.clone()).await;
    let door = door.expect("a port");
    let (address, connections) = (door.local_addr(), door.connections());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(door.serve(service(), stop.clone()));
    let good = GoodClient::start(address);
    good.is_answered().await;

    let highest = Arc::<AtomicU64>::default();
    let watching = tokio::spawn(watch(connections.clone(), Arc::clone(&highest)));

    let cut = |reason: Cut| connections.counts().cut[reason.as_str()];
    besiege(&good, SLOW, address, |stream, n| {
        attacks::slow_headers(stream, http2(n))
    })
    .await;
    assert_eq!(cut(Cut::Headers), SLOW as u64);
    besiege(&good, SLOW, address, |stream, n| {
        attacks::slow_body(stream, http2(n), b"")
    })
    .await;
    assert_eq!(cut(Cut::Body), SLOW as u64);
    besiege(&good, SLOW, address, |stream, n| {
        attacks::slow_body(stream, http2(n), attacks::LATE)
    })
    .await;
    assert_eq!(cut(Cut::Body), 2 * SLOW as u64);
    besiege(&good, FLOODS, address, |stream, _| attacks::silent(stream)).await;
    assert_eq!(cut(Cut::Silent), FLOODS as u64);
    besiege(&good, FLOODS, address, |stream, n| {
        attacks::unread(stream, http2(n))
    })
    .await;
    assert_eq!(cut(Cut::Unread), FLOODS as u64);
    for flood in attacks::Flood::ALL {
        besiege(&good, FLOODS, address, move |stream, _| {
            attacks::flood(stream, flood)
        })
        .await;
    }
    // A connection that sends frames after HTTP/2's GOAWAY may die of that
    // before it is counted.
    assert!(cut(Cut::Flood) >= FLOODS as u64);
    assert!(highest.load(SeqCst) <= MEMORY, "the budget was kept");
    watching.abort();

    good.end().await;
    until(&connections, |counts| counts.open == 0).await;
    assert_eq!(connections.counts().memory_used, 0);
    stop.cancel();
    serving.await.expect("the door drains");
    drop(connections);

    over_tls(options).await;
    while descriptors() > descriptors_before || tasks() > tasks_before {
        time::sleep(Duration::from_millis(10)).await;
    }
}

/// Handshakes that do not come to an end.
async fn over_tls(options: Options) {
    let options = Options {
        tls: Some(Tls::self_signed(&["localhost".to_owned()]).expect("made")),
        ..options
    };
    let door = Door::bind("127.0.0.1:0", options).await.expect("a port");
    let (address, connections) = (door.local_addr(), door.connections());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(door.serve(service(), stop.clone()));
    let one = || async move {
        let stream = attacks::connect(attacked(address)).await;
        attacks::slow_handshake(stream).await;
    };
    let attackers = (0..SLOW).map(|_| tokio::spawn(one()));
    for attacker in join_all(attackers).await {
        attacker.expect("the attacker was disconnected");
    }
    assert_eq!(connections.counts().cut["handshake"], SLOW as u64);
    until(&connections, |counts| counts.open == 0).await;
    assert_eq!(connections.counts().memory_used, 0);
    stop.cancel();
    serving.await.expect("the door drains");
}
