//! Every limit at the limit and one beyond.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    routing::post,
};
use futures::StreamExt;
use heliostat_door::{Limits, Memory, Options, Rate, Refused, defaults};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::serving::{GET, ask, client, hello, limited, measuring, send, serving, until_cut};

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
    let refused = |count| {
        let serving = &serving;
        serving.until(move |door| door.refused(Refused::Headers) == count)
    };
    refused(2).await;
    let endless = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'y'; 65 << 10]].concat();
    let mut stream = send(serving.address, &endless).await;
    let heard = until_cut(&mut stream).await;
    // The answer may be lost when the server closes before it has read all.
    assert!(
        heard.is_empty() || heard.starts_with(b"HTTP/1.1 431"),
        "{heard:?}"
    );
    refused(3).await;
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

#[tokio::test]
async fn bytes_of_a_body_keep_no_buffers() {
    let gather = |body: Body| async move {
        let chunks: Vec<_> = body.into_data_stream().collect().await;
        let chunks = chunks.into_iter().map(|chunk| chunk.expect("whole"));
        // One that shares HTTP's read buffer is not the only one who has it.
        let own = chunks.map(|chunk: Bytes| (chunk.len(), chunk.is_unique()));
        format!("{:?}", own.collect::<Vec<_>>())
    };
    let router = Router::new().route("/", post(gather));
    let serving = serving(router, Options::default()).await;
    let head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\na";
    let mut stream = send(serving.address, head).await;
    for byte in [b"b", b"c"] {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(byte).await.expect("sent");
    }
    let reply = String::from_utf8(until_cut(&mut stream).await).expect("text");
    assert!(
        reply.contains("true") && !reply.contains("false"),
        "{reply}"
    );
    serving.end().await;
}
