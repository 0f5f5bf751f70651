//! Every limit at the limit and one beyond.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use heliostat_door::{Cut, Limits, Memory, Options, Rate, Refused, defaults};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::serving::{client, endless, hello, limited, measuring, send, serving, until_cut};

const SHORT: Duration = Duration::from_millis(400);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Asks on an open connection, and waits for the answer.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(GET).await.expect("sent");
    let mut reply = vec![0; 4096];
    let length = stream.read(&mut reply).await.expect("an answer");
    String::from_utf8_lossy(&reply[..length]).into_owned()
}

#[tokio::test]
async fn one_address_has_its_connections_and_the_next_is_told_why() {
    let serving = serving(
        hello(),
        limited(Limits {
            connections_per_address: 2,
            ..Limits::default()
        }),
    )
    .await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(serving.address).await.expect("open");
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
        open.push(stream);
    }
    let mut third = send(serving.address, GET).await;
    let reply = String::from_utf8(until_cut(&mut third).await).expect("text");
    assert!(reply.starts_with("HTTP/1.1 503"), "{reply}");
    assert!(reply.contains("too many connections"), "{reply}");
    assert_eq!(serving.refused(Refused::Connections), 1);

    drop(open.pop());
    serving.until(|door| door.connections.open() == 1).await;
    let mut again = TcpStream::connect(serving.address).await.expect("open");
    assert!(ask(&mut again).await.starts_with("HTTP/1.1 200"));
    drop((open, again));
    serving.end().await;
}

#[tokio::test]
async fn an_exempt_network_has_no_limit_per_address() {
    let options = Options {
        limits: Limits {
            connections_per_address: 1,
            address_rate: Rate::new(1, 1),
            ..Limits::default()
        },
        ..Options::default()
    };
    let serving = serving(hello(), options).await;
    let mut open = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(serving.address).await.expect("open");
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
        open.push(stream);
    }
    drop(open);
    serving.end().await;
}

#[tokio::test]
async fn nobody_is_told_why_beyond_the_courtesies() {
    let serving = serving(
        hello(),
        limited(Limits {
            connections_per_address: 0,
            ..Limits::default()
        }),
    )
    .await;
    let mut told = Vec::new();
    for _ in 0..defaults::COURTESIES {
        told.push(TcpStream::connect(serving.address).await.expect("open"));
    }
    let courtesies = defaults::COURTESIES as u64;
    serving
        .until(|door| door.connections.open() == courtesies)
        .await;
    let mut beyond = TcpStream::connect(serving.address).await.expect("open");
    assert!(until_cut(&mut beyond).await.is_empty());
    assert!(ask(&mut told[0]).await.starts_with("HTTP/1.1 503"));
    assert_eq!(serving.refused(Refused::Connections), courtesies + 1);
    drop(told);
    serving.end().await;
}

#[tokio::test]
async fn a_request_body_may_be_as_large_as_the_limit() {
    let serving = serving(
        measuring(),
        limited(Limits {
            max_request: 1_000,
            ..Limits::default()
        }),
    )
    .await;
    let url = format!("{}measure", serving.url());
    for http2 in [false, true] {
        for with_length in [true, false] {
            let send = |length: usize, kind: &'static str| {
                let body = match with_length {
                    true => reqwest::Body::from(vec![7; length]),
                    false => {
                        let chunks = [vec![7; length - 1], vec![7]];
                        let chunks = futures::stream::iter(chunks);
                        reqwest::Body::wrap_stream(chunks.map(Ok::<_, std::io::Error>))
                    }
                };
                let request = client(http2).post(&url).header("content-type", kind);
                request.body(body).send()
            };
            let good = send(1_000, "x/y").await.expect("answered");
            assert_eq!(good.text().await.expect("a body"), "1000");
            let bad = send(1_001, "x/y").await.expect("answered");
            assert_eq!(bad.status(), 413, "http2 {http2}, length {with_length}");
            let words = bad.text().await.expect("a body");
            assert!(words.contains("1000 bytes"), "{words}");
            let bad = send(1_001, "application/grpc").await.expect("answered");
            assert_eq!(bad.status(), 200);
            assert_eq!(bad.headers()["grpc-status"], "8");
        }
    }
    assert_eq!(serving.refused(Refused::Size), 8);
    serving.end().await;
}

#[tokio::test]
async fn an_address_has_its_burst_and_the_next_request_is_told_when_to_come_back() {
    let serving = serving(
        hello(),
        limited(Limits {
            address_rate: Rate::new(1, 5),
            ..Limits::default()
        }),
    )
    .await;
    let client = client(true);
    let mut refused = 0;
    let mut passed = 0;
    // At one a second the test would have to take more than a minute for
    // all of them to pass.
    for _ in 0..100 {
        let reply = client.get(serving.url()).send().await.expect("answered");
        match reply.status().as_u16() {
            200 => passed += 1,
            429 => {
                refused += 1;
                assert_eq!(reply.headers()["retry-after"], "1");
            }
            other => panic!("{other}"),
        }
        assert!(passed >= 5 || refused == 0, "the burst passes first");
    }
    assert!(refused > 0);
    assert_eq!(serving.refused(Refused::AddressRate), refused);
    let grpc = client
        .post(serving.url())
        .header("content-type", "application/grpc");
    let reply = grpc.send().await.expect("answered");
    assert_eq!(reply.headers()["grpc-status"], "8");
    drop(client);
    serving.end().await;
}

#[tokio::test]
async fn headers_may_be_as_large_as_the_limit() {
    let serving = serving(hello(), Options::default()).await;
    // HTTP/2 counts 32 bytes for each field; the client's own are below 512.
    for (length, good) in [(15 << 10, true), ((16 << 10) + 1, false)] {
        let request = client(true).get(serving.url());
        let reply = request.header("x", "y".repeat(length)).send().await;
        let ok = reply.is_ok_and(|reply| reply.status() == 200);
        assert_eq!(ok, good, "{length} bytes over HTTP/2");
    }
    for (length, good) in [(60 << 10, true), ((64 << 10) + 1, false)] {
        let request = client(false).get(serving.url());
        let reply = request.header("x", "y".repeat(length)).send().await;
        let ok = reply.is_ok_and(|reply| reply.status() == 200);
        assert_eq!(ok, good, "{length} bytes over HTTP/1");
    }
    serving.until(|door| door.refused(Refused::Size) == 1).await;
    let endless = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'y'; 65 << 10]].concat();
    let mut stream = send(serving.address, &endless).await;
    let heard = until_cut(&mut stream).await;
    // The answer may be lost when the server closes before it has read all.
    assert!(
        heard.is_empty() || heard.starts_with(b"HTTP/1.1 431"),
        "{heard:?}"
    );
    serving.until(|door| door.refused(Refused::Size) == 2).await;
    serving.end().await;
}

#[tokio::test]
async fn connections_are_let_in_as_long_as_their_share_fits_into_memory() {
    let options = Options {
        memory: Memory::new(2 * defaults::CONNECTION_SHARE),
        ..Options::default()
    };
    let serving = serving(hello(), options).await;
    let first = TcpStream::connect(serving.address).await.expect("open");
    let second = TcpStream::connect(serving.address).await.expect("open");
    serving.until(|door| door.connections.open() == 2).await;
    let mut third = TcpStream::connect(serving.address).await.expect("open");
    assert!(until_cut(&mut third).await.is_empty());
    assert_eq!(serving.refused(Refused::Memory), 1);
    drop((first, second));
    serving.end().await;
}

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
    for (said, reason) in [
        (&b""[..], Cut::Silent),
        (&b"GET / HTT"[..], Cut::Headers),
        (&b"GET / HTTP/1.1\r\nhost: x\r\n"[..], Cut::Headers),
        (&preface[..10], Cut::Headers),
        (&preface[..], Cut::Headers),
        (&half_frame[..], Cut::Headers),
        (&open_block[..], Cut::Headers),
        (&body[..], Cut::Body),
        (GET, Cut::Idle),
    ] {
        let before = serving.cut(reason);
        let mut stream = send(serving.address, said).await;
        let heard = until_cut(&mut stream).await;
        eprintln!("{reason:?} after {said:?}");
        // Counted by the watch, which may run after the socket is closed.
        serving.until(|door| door.cut(reason) == before + 1).await;
        assert_eq!(heard.starts_with(b"HTTP/1.1 200"), reason == Cut::Idle);
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

#[tokio::test]
async fn addresses_that_may_not_connect_are_closed_without_a_word() {
    let options = Options {
        networks: heliostat_door::Networks::parse(&["10.0.0.0/8"], &[]).expect("a network"),
        ..Options::default()
    };
    let serving = serving(hello(), options).await;
    let mut stream = TcpStream::connect(serving.address).await.expect("open");
    assert!(until_cut(&mut stream).await.is_empty());
    assert_eq!(serving.refused(Refused::Network), 1);
    assert_eq!(serving.connections.accepted(), 0);
    serving.end().await;
}
