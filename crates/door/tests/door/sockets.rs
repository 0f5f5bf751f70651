//! Sockets, HTTP versions, and the end.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use futures::{StreamExt, stream};
use heliostat_door::{Door, DoorError, Options, Plaintext};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use crate::serving::{client, hello, measuring, send, serving};

/// A route whose answer starts at once, says so through `started`, and ends
/// when `release` is notified.
fn slow(started: Arc<Notify>, release: Arc<Notify>) -> Router {
    Router::new().route(
        "/slow",
        get(move || {
            let (started, release) = (Arc::clone(&started), Arc::clone(&release));
            async move {
                let first = stream::once(async move {
                    started.notify_one();
                    Ok::<_, Infallible>(Bytes::from_static(b"begin "))
                });
                let rest = stream::once(async move {
                    release.notified().await;
                    Ok(Bytes::from_static(b"end"))
                });
                Body::from_stream(first.chain(rest))
            }
        }),
    )
}

#[tokio::test]
async fn http1_and_http2_are_served_on_one_port() {
    let serving = serving(hello(), Options::default()).await;
    for http2 in [false, true] {
        let reply = client(http2)
            .get(format!("http://{}/", serving.address))
            .send()
            .await
            .expect("the door answers");
        let version = if http2 {
            reqwest::Version::HTTP_2
        } else {
            reqwest::Version::HTTP_11
        };
        assert_eq!(reply.version(), version);
        assert_eq!(reply.text().await.expect("a body"), "hello");
    }
    assert_eq!(serving.connections.accepted(), 2);
}

#[tokio::test]
async fn an_answer_under_way_is_finished_after_the_stop() {
    for http2 in [false, true] {
        let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let router = slow(Arc::clone(&started), Arc::clone(&release));
        let serving = serving(router, Options::default()).await;
        let url = format!("http://{}/slow", serving.address);
        let reply = tokio::spawn(async move {
            let reply = client(http2).get(url).send().await.expect("an answer");
            reply.text().await.expect("the whole answer")
        });
        started.notified().await;
        serving.stop.cancel();
        // A new connection is refused once the listener is gone.
        while TcpStream::connect(serving.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!serving.task.is_finished());
        release.notify_one();
        assert_eq!(reply.await.expect("no panic"), "begin end");
        serving.task.await.expect("the door drains");
        assert_eq!(serving.connections.open(), 0);
    }
}

#[tokio::test]
async fn a_body_on_its_way_is_taken_after_the_stop() {
    let head = b"POST /measure HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc";
    let mut http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    http2.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // POST http /measure, without its end.
    http2.extend([0, 0, 12, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 4, 8]);
    http2.extend(b"/measure");
    let data =
        |flags, text: &[u8]| [&[0, 0, text.len() as u8, 0, flags, 0, 0, 0, 1], text].concat();
    let half = [http2, data(0, b"abc")].concat();
    for (begin, rest, answer) in [
        (&head[..], b"defghi".to_vec(), &b"HTTP/1.1 200"[..]),
        (
            &half,
            data(1, b"defghi"),
            &[0, 0, 1, 0, 1, 0, 0, 0, 1, b'9'],
        ),
    ] {
        let serving = serving(measuring(), Options::default()).await;
        let mut stream = send(serving.address, begin).await;
        serving.until(|door| door.connections.open() == 1).await;
        // It has what was sent: the runtime has looked at its sockets since.
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        serving.stop.cancel();
        while TcpStream::connect(serving.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        stream.write_all(&rest).await.expect("still open");
        let mut heard = Vec::new();
        while !heard.windows(answer.len()).any(|part| part == answer) {
            let more = stream.read_buf(&mut heard).await.expect("still open");
            assert!(more > 0, "{:?}", String::from_utf8_lossy(&heard));
        }
        drop(stream);
        serving.task.await.expect("the door drains");
    }
}

#[tokio::test]
async fn what_outlasts_the_drain_is_cut() {
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let options = Options {
        drain: Duration::from_millis(50),
        ..Options::default()
    };
    let serving = serving(slow(Arc::clone(&started), release), options).await;
    let url = format!("http://{}/slow", serving.address);
    let reply = tokio::spawn(async move {
        let reply = client(true).get(url).send().await.expect("an answer");
        reply.text().await
    });
    started.notified().await;
    serving.stop.cancel();
    serving.task.await.expect("the door cuts");
    assert!(reply.await.expect("no panic").is_err());
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_drain() {
    let serving = serving(hello(), Options::default()).await;
    let silent = TcpStream::connect(serving.address).await.expect("open");
    let mut idle = TcpStream::connect(serving.address).await.expect("open");
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut byte = [0];
    idle.read_exact(&mut byte).await.expect("answered");
    serving.stop.cancel();
    serving.task.await.expect("the door drains");
    drop((silent, idle));
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let options = Options {
        max_connections: 1,
        ..Options::default()
    };
    let serving = serving(hello(), options).await;
    let first = TcpStream::connect(serving.address).await.expect("open");
    while serving.connections.open() == 0 {
        tokio::task::yield_now().await;
    }
    let url = format!("http://{}/", serving.address);
    let second = tokio::spawn(async move { client(false).get(url).send().await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(serving.connections.accepted(), 1);
    drop(first);
    let reply = second.await.expect("no panic").expect("a place came free");
    assert_eq!(reply.status(), 200);
}

#[tokio::test]
async fn garbage_is_refused_and_the_connection_closed() {
    let door = Door::bind("127.0.0.1:0", Options::default())
        .await
        .expect("a free port");
    let (address, stop) = (door.local_addr(), CancellationToken::new());
    let task = tokio::spawn(door.serve(hello(), stop.clone()));
    let mut peer = TcpStream::connect(address).await.expect("open");
    peer.write_all(b"nonsense\r\n\r\n").await.expect("sent");
    let mut reply = Vec::new();
    peer.read_to_end(&mut reply).await.expect("an answer");
    assert!(reply.starts_with(b"HTTP/1.1 400"), "{reply:?}");
    stop.cancel();
    task.await.expect("the door drains");
}

#[tokio::test]
async fn a_port_in_use_is_named_with_a_hint() {
    let first = Door::bind("127.0.0.1:0", Options::default())
        .await
        .expect("a free port");
    let taken = first.local_addr().to_string();
    let error = Door::bind(&taken, Options::default())
        .await
        .expect_err("the port is taken");
    assert!(matches!(error, DoorError::InUse { .. }));
    let words = error.to_string();
    assert!(
        words.contains(&taken) && words.contains("choose another port"),
        "{words}"
    );
}

#[tokio::test]
async fn plaintext_beyond_loopback_needs_the_operators_word() {
    for address in ["0.0.0.0:0", ":0", "[::]:0"] {
        let error = Door::bind(address, Options::default())
            .await
            .expect_err("not loopback");
        assert!(
            error.to_string().contains("--no-tls-very-insecure"),
            "{error}"
        );
    }
    let allowed = Options {
        plaintext: Plaintext::Anywhere,
        ..Options::default()
    };
    Door::bind(":0", allowed)
        .await
        .expect("the operator agreed");
}

#[tokio::test]
async fn an_address_without_a_port_is_explained() {
    let error = Door::bind("127.0.0.1", Options::default())
        .await
        .expect_err("no port");
    assert!(error.to_string().contains("HOST:PORT"), "{error}");
}
