//! Operations that cannot have left, and operations that may have: told apart
//! over real sockets.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use heliostat_sim::tezos::node::{Fault, Filter};
use heliostat_tezos::endpoint::{CallError, Endpoint};
use http::{HeaderMap, Method};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use super::{
    sending::{daemon_over, inject, store, transfer},
    *,
};

/// What a node does with each connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    /// Closes it and reads nothing.
    Close,
    /// Reads the request, then closes it.
    ReadAndClose,
    /// Reads the request and says nothing.
    Hang,
}

/// A node that is none: its address, and the connections it accepted.
struct Socket {
    url: String,
    accepted: Arc<AtomicU64>,
    _task: AbortOnDropHandle<()>,
}

impl Socket {
    async fn new(deed: Deed) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let accepted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(act(deed, stream));
            }
        });
        Self {
            url,
            accepted,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn act(deed: Deed, mut stream: TcpStream) {
    if deed == Deed::Close {
        return;
    }
    let mut request = vec![0; 64 << 10];
    let _read = stream.read(&mut request).await;
    if deed == Deed::Hang {
        std::future::pending::<()>().await;
    }
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}", listener.local_addr().expect("it is bound"))
}

fn limits() -> Limits {
    Limits {
        relay: Duration::from_millis(200),
        ..Limits::default()
    }
}

async fn relay(endpoint: &Endpoint) -> CallError {
    let (path, headers) = ("/injection/operation", HeaderMap::new());
    let sent = endpoint.relay(Method::POST, path, &headers, "\"00\"".into());
    sent.await.expect_err("there is no answer")
}

#[tokio::test]
async fn a_call_that_cannot_have_left_is_told_from_one_that_may_have() {
    for url in [nobody().await, "http://not..a..name:1".to_owned()] {
        let endpoint = Endpoint::new(&url, limits()).expect("an address");
        let error = relay(&endpoint).await;
        assert!(matches!(error, CallError::NotSent(_)), "{url}: {error:?}");
    }
    for deed in [Deed::Close, Deed::ReadAndClose, Deed::Hang] {
        let socket = Socket::new(deed).await;
        let endpoint = Endpoint::new(&socket.url, limits()).expect("an address");
        let error = relay(&endpoint).await;
        assert!(matches!(error, CallError::Fault(_)), "{deed:?}: {error:?}");
        // Without TLS there is no request.
        let secure = socket.url.replace("http:", "https:");
        let limits = Limits {
            connect: Duration::from_millis(100),
            relay: PATIENCE,
            ..limits()
        };
        let endpoint = Endpoint::new(&secure, limits).expect("an address");
        let error = relay(&endpoint).await;
        assert!(
            matches!(error, CallError::NotSent(_)),
            "{deed:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_call_that_gets_no_slot_in_time_was_not_sent() {
    let socket = Socket::new(Deed::Hang).await;
    let one = Limits {
        in_flight: 1,
        ..limits()
    };
    let endpoint = Endpoint::new(&socket.url, one).expect("an address");
    let (first, second) = tokio::join!(relay(&endpoint), relay(&endpoint));
    assert!(matches!(first, CallError::Fault(_)), "{first:?}");
    assert!(matches!(second, CallError::NotSent(_)), "{second:?}");
    assert_eq!(socket.accepted(), 1);
}

#[tokio::test]
async fn an_operation_that_cannot_leave_is_called_not_sent_and_leaves_by_the_next_node() {
    let (network, nodes) = network(Made::small(), 1).await;
    let (operation, hash) = transfer(&network.world());
    let mut settings = settings(&nodes);
    settings.endpoints.insert(0, nobody().await);
    let daemon = daemon_over(settings, &store().await).await;
    let (refused, receipt) = inject(&daemon, &operation).await;
    assert_eq!(
        (refused.status, refused.error().as_str()),
        (503, "heliostat.not_sent")
    );
    let words = refused.text();
    assert!(
        words.contains("was not sent") && words.contains("send it again"),
        "{words}"
    );
    let (name, handed_to) = receipt.expect("an attempt has a receipt");
    assert_eq!(handed_to, 0);
    let outbox = daemon.light.outbox().expect("receipts are kept");
    assert_eq!(outbox.counts()["not-sent"], 1);
    // Who asks again is not sent into the same wall.
    let (answer, receipt) = inject(&daemon, &operation).await;
    assert_eq!(answer.text().trim(), format!("\"{hash}\""));
    assert_eq!(receipt, Some((name, 1)));
    assert_eq!(nodes[0].count("injection"), 1);
}

#[tokio::test]
async fn an_operation_that_may_have_left_is_sent_nowhere_else() {
    for deed in [Deed::Close, Deed::ReadAndClose, Deed::Hang] {
        let (network, nodes) = network(Made::small(), 1).await;
        let (operation, _) = transfer(&network.world());
        let socket = Socket::new(deed).await;
        let mut settings = settings(&nodes);
        settings.limits.relay = Duration::from_millis(200);
        settings.endpoints.insert(0, socket.url.clone());
        let daemon = daemon_over(settings, &store().await).await;
        for _ in 0..3 {
            let (lost, receipt) = inject(&daemon, &operation).await;
            let said = (lost.status, lost.error());
            assert_eq!(
                said,
                (503, "heliostat.outcome_unknown".to_owned()),
                "{deed:?}"
            );
            assert_eq!(receipt.expect("a receipt").1, 1);
        }
        assert!(socket.accepted() >= 1);
        assert_eq!(nodes[0].count("injection"), 0, "{deed:?}: never elsewhere");
        let outbox = daemon.light.outbox().expect("receipts are kept");
        assert_eq!(outbox.counts()["unknown"], 1);
    }
}

#[tokio::test]
async fn an_operation_that_is_turned_away_unread_leaves_by_the_next_node() {
    let (network, nodes) = network(Made::small(), 2).await;
    let (operation, hash) = transfer(&network.world());
    let daemon = daemon_over(settings(&nodes), &store().await).await;
    nodes[0].fail(Fault::Status(403), Filter::call("injection"));
    let (refused, receipt) = inject(&daemon, &operation).await;
    let said = (refused.status, refused.error());
    assert_eq!(said, (503, "heliostat.not_sent".to_owned()));
    assert!(
        refused
            .text()
            .contains("has to allow POST /injection/operation")
    );
    let (name, handed_to) = receipt.expect("an attempt has a receipt");
    assert_eq!(handed_to, 0);
    let (answer, receipt) = inject(&daemon, &operation).await;
    assert_eq!(answer.text().trim(), format!("\"{hash}\""));
    assert_eq!(receipt, Some((name, 1)));
    let counts = [&nodes[0], &nodes[1]].map(|node| node.count("injection"));
    assert_eq!(counts, [1, 1]);
}
