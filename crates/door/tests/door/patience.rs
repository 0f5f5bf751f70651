//! How long the door waits for a client, and whom it cuts.

use std::time::Duration;

use axum::body::Body;
use heliostat_door::{Cut, Limits, Memory, Options, defaults};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::serving::{
    GET, ask, client, endless, hello, limited, measuring, send, serving, until_cut,
};

const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn unread_answers_stay_within_the_memory_budget_and_their_reader_is_cut() {
    let buffer = 64 << 10;
    let budget = 8 * defaults::CONNECTION_SHARE;
    let options = Options {
        memory: Memory::new(budget),
        limits: Limits {
            connection_buffer: buffer,
            unread_timeout: SHORT,
            ..Limits::default()
        },
        ..Options::default()
    };
    let serving = serving(endless(), options).await;
    let mut greedy = Vec::new();
    for _ in 0..4 {
        let request = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
        greedy.push(send(serving.address, request).await);
    }
    // What the kernel takes is not ours; then it stands still.
    serving.until(|door| door.cut(Cut::Unread) == 4).await;
    serving.until(|door| door.connections.open() == 0).await;
    assert_eq!(serving.connections.counts().memory_used, 0);
    let reply = client(false).get(serving.url()).send().await;
    assert_eq!(reply.expect("answered").status(), 200);
    drop(greedy);
    serving.end().await;
}

#[tokio::test]
async fn streams_that_the_client_gives_no_window_to_are_cut() {
    let serving = serving(
        endless(),
        limited(Limits {
            unread_timeout: SHORT,
            ..Limits::default()
        }),
    )
    .await;
    let stream = TcpStream::connect(serving.address).await.expect("open");
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    // A client that answers pings and reads its socket, but grants 64 KiB
    // and no more, because nobody takes the answer.
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get(format!("{}endless", serving.url()))
        .body(Body::empty())
        .expect("a request");
    let reply = sender.send_request(request).await.expect("an answer");
    assert_eq!(reply.status(), 200);
    serving.until(|door| door.cut(Cut::Unread) == 1).await;
    serving.until(|door| door.connections.open() == 0).await;
    let _ = connection.await.expect("no panic");
    serving.end().await;
}

#[tokio::test]
async fn who_dawdles_is_cut_and_counted_by_what_it_dawdled_at() {
    let serving = serving(
        measuring(),
        limited(Limits {
            header_timeout: SHORT,
            body_timeout: SHORT,
            idle_timeout: SHORT,
            ..Limits::default()
        }),
    )
    .await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let half_frame = [&preface[..], &[0, 0, 12, 4, 0, 0]].concat();
    let mut open_block = [&preface[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    open_block.extend([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]);
    let body = b"POST /measure HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc";
    let chunk = b"POST /measure HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na";
    let second = [GET, &body[..]].concat();
    let mut http2_body = [&preface[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    http2_body.extend([0, 0, 12, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 4, 8]);
    http2_body.extend(b"/measure");
    let http2_data = [&http2_body[..], &[0, 0, 9, 0, 1, 0, 0, 0, 1, b'a']].concat();
    for (said, reason) in [
        (&b""[..], Cut::Silent),
        (&b"GET / HTT"[..], Cut::Headers),
        (&b"GET / HTTP/1.1\r\nhost: x\r\n"[..], Cut::Headers),
        (&preface[..10], Cut::Headers),
        (&preface[..], Cut::Headers),
        (&half_frame[..], Cut::Headers),
        (&open_block[..], Cut::Headers),
        (&body[..], Cut::Body),
        (&chunk[..], Cut::Body),
        (&second[..], Cut::Body),
        (&http2_body[..], Cut::Body),
        (&http2_data[..], Cut::Body),
        (GET, Cut::Idle),
    ] {
        let before = serving.cut(reason);
        let mut stream = send(serving.address, said).await;
        let heard = until_cut(&mut stream).await;
        eprintln!("{reason:?} after {said:?}");
        // Counted by the watch, which may run after the socket is closed.
        serving.until(|door| door.cut(reason) == before + 1).await;
        assert_eq!(heard.starts_with(b"HTTP/1.1 200"), said.starts_with(GET));
    }
    serving.until(|door| door.connections.open() == 0).await;
    serving.end().await;
}

#[tokio::test]
async fn a_body_that_comes_slowly_but_comes_is_waited_for() {
    let serving = serving(
        measuring(),
        limited(Limits {
            header_timeout: SHORT,
            body_timeout: SHORT,
            min_progress: 1,
            ..Limits::default()
        }),
    )
    .await;
    let head =
        b"POST /measure HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 40\r\n\r\n";
    let mut stream = send(serving.address, head).await;
    // In all more than twice the time-out.
    for _ in 0..40 {
        tokio::time::sleep(SHORT / 16).await;
        stream.write_all(b"a").await.expect("still open");
    }
    let reply = String::from_utf8(until_cut(&mut stream).await).expect("text");
    assert!(reply.ends_with("40"), "{reply}");
    serving.end().await;
}

#[tokio::test]
async fn an_http1_connection_with_a_request_now_and_then_stays() {
    let serving = serving(
        hello(),
        limited(Limits {
            idle_timeout: SHORT * 4,
            ..Limits::default()
        }),
    )
    .await;
    let mut stream = TcpStream::connect(serving.address).await.expect("open");
    // In all twice the time-out.
    for _ in 0..8 {
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(SHORT).await;
    }
    assert_eq!(serving.connections.accepted(), 1);
    assert!(until_cut(&mut stream).await.is_empty());
    assert_eq!(serving.cut(Cut::Idle), 1);
    serving.end().await;
}

#[tokio::test]
async fn an_http2_connection_without_requests_stays() {
    let serving = serving(
        hello(),
        limited(Limits {
            header_timeout: SHORT,
            idle_timeout: SHORT,
            ..Limits::default()
        }),
    )
    .await;
    let client = client(true);
    client.get(serving.url()).send().await.expect("answered");
    tokio::time::sleep(SHORT * 4).await;
    client.get(serving.url()).send().await.expect("answered");
    assert_eq!(serving.connections.accepted(), 1);
    drop(client);
    serving.end().await;
}
