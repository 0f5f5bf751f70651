//! A door that serves, and clients for it.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Bytes, extract::Extension, routing::get};
use heliostat_door::{Connections, Cut, Door, Limits, Options, Peer, Refused, Reloader};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time,
};
use tokio_util::sync::CancellationToken;

/// A door that serves.
pub struct Serving {
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub connections: Connections,
    pub reloader: Reloader,
    pub task: JoinHandle<()>,
}

impl Serving {
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn refused(&self, reason: Refused) -> u64 {
        self.connections.counts().refused[reason.as_str()]
    }

    pub fn cut(&self, reason: Cut) -> u64 {
        self.connections.counts().cut[reason.as_str()]
    }

    /// Waits until the door has come to agree; the test hangs if it never
    /// does.
    pub async fn until(&self, mut holds: impl FnMut(&Self) -> bool) {
        while !holds(self) {
            time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops the door; nothing may be left.
    pub async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("the door drains");
        let counts = self.connections.counts();
        assert_eq!(counts.open, 0);
        assert_eq!(counts.memory_used, 0);
    }
}

pub async fn serving(router: Router, options: Options) -> Serving {
    let door = Door::bind("127.0.0.1:0", options)
        .await
        .expect("loopback has a free port");
    let stop = CancellationToken::new();
    Serving {
        address: door.local_addr(),
        connections: door.connections(),
        reloader: door.reloader(),
        stop: stop.clone(),
        task: tokio::spawn(door.serve(router, stop)),
    }
}

/// With these limits, loopback not exempt.
pub fn limited(limits: Limits) -> Options {
    Options {
        limits: Limits {
            exempt: Vec::new(),
            ..limits
        },
        ..Options::default()
    }
}

pub fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// Takes a body and says how long it was; says who is asking.
pub fn measuring() -> Router {
    hello()
        .route(
            "/measure",
            axum::routing::post(|body: Bytes| async move { body.len().to_string() }),
        )
        .route(
            "/who",
            get(|Extension(peer): Extension<Peer>| async move {
                let names = peer.certificate.map(|shown| shown.names.clone());
                format!("{names:?}")
            }),
        )
        .layer(axum::extract::DefaultBodyLimit::disable())
}

/// A body that never ends, as fast as it is taken.
pub fn endless() -> Router {
    const CHUNK: Bytes = Bytes::from_static(&[7; 16 << 10]);
    let body = || async {
        let chunks = futures::stream::repeat(CHUNK).map(Ok::<_, std::convert::Infallible>);
        axum::body::Body::from_stream(chunks)
    };
    use futures::StreamExt;
    hello().route("/endless", get(body))
}

pub fn client(http2: bool) -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    let builder = if http2 {
        builder.http2_prior_knowledge()
    } else {
        builder.http1_only()
    };
    builder.build().expect("a plain client builds")
}

pub const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Asks on an open HTTP/1 connection, and waits for the answer.
pub async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(GET).await.expect("sent");
    let mut reply = vec![0; 4096];
    let length = stream.read(&mut reply).await.expect("an answer");
    String::from_utf8_lossy(&reply[..length]).into_owned()
}

/// Sends bytes on a new connection.
pub async fn send(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the door is open");
    stream.write_all(bytes).await.expect("sent");
    stream
}

/// Reads until the server ends the connection.
pub async fn until_cut(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return all,
            Ok(length) => all.extend_from_slice(&buffer[..length]),
        }
    }
}
