//! The limits of HTTP/2, frame by frame, with a client that does not keep to
//! them.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::post};
use heliostat_door::{Cut, Limits, Options, Refused, defaults};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use crate::serving::{hello, limited, serving, until_cut};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// RFC 9113, section 7.
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

/// `GET /` or `POST /` in HPACK's static table, with an authority.
const GET: &[u8] = &[0x82, 0x84, 0x86, 0x01, 1, b'x'];
const POST: &[u8] = &[0x83, 0x84, 0x86, 0x01, 1, b'x'];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// One frame of the server: kind, flags, stream, payload.
async fn next(stream: &mut TcpStream) -> (u8, u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    let [a, b, c, kind, flags, d, e, f, g] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).await.expect("its payload");
    (kind, flags, u32::from_be_bytes([d, e, f, g]), payload)
}

/// The next frame of this kind on this stream.
async fn until(stream: &mut TcpStream, kind: u8, id: u32) -> Vec<u8> {
    loop {
        let (found, _, on, payload) = next(stream).await;
        if (found, on) == (kind, id) {
            return payload;
        }
    }
}

async fn open(address: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("open");
    stream.write_all(PREFACE).await.expect("sent");
    stream
        .write_all(&frame(SETTINGS, 0, 0, &[]))
        .await
        .expect("sent");
    stream
}

#[tokio::test]
async fn one_stream_beyond_the_limit_is_refused_and_may_come_again() {
    let limits = Limits {
        streams: 3,
        ..Limits::default()
    };
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let answer = move || {
        let gate = Arc::clone(&waiting);
        async move { gate.acquire().await.expect("open").forget() }
    };
    let router = Router::new().route("/", post(answer));
    let serving = serving(router, limited(limits)).await;
    let mut stream = open(serving.address).await;
    for id in [1, 3, 5, 7] {
        let request = frame(HEADERS, END_HEADERS | END_STREAM, id, POST);
        stream.write_all(&request).await.expect("sent");
    }
    assert_eq!(until(&mut stream, RST_STREAM, 7).await, REFUSED_STREAM);
    gate.add_permits(4);
    for id in [1, 3, 5] {
        // Answers may come in any order; each is asked for on its own.
        let ping = frame(PING, 0, 0, &[id; 8]);
        stream.write_all(&ping).await.expect("sent");
    }
    let mut answered = 0;
    while answered < 3 {
        let (kind, ..) = next(&mut stream).await;
        answered += u32::from(kind == HEADERS);
    }
    let again = frame(HEADERS, END_HEADERS | END_STREAM, 9, POST);
    stream.write_all(&again).await.expect("sent");
    until(&mut stream, HEADERS, 9).await;
    drop(stream);
    serving.end().await;
}

#[tokio::test]
async fn a_header_block_may_have_as_many_parts_as_the_limit() {
    let serving = serving(hello(), Options::default()).await;
    for (parts, good) in [
        (defaults::MAX_CONTINUATIONS, true),
        (defaults::MAX_CONTINUATIONS + 1, false),
    ] {
        let mut stream = open(serving.address).await;
        let mut block = frame(HEADERS, END_STREAM, 1, GET);
        for part in 1..=parts {
            let flags = if part == parts { END_HEADERS } else { 0 };
            // A literal field that is in no index.
            let field = [0x00, 1, b'y', 1, b'z'];
            block.extend(frame(CONTINUATION, flags, 1, &field));
        }
        stream.write_all(&block).await.expect("sent");
        if good {
            // ":status: 200" in the static table.
            assert_eq!(until(&mut stream, HEADERS, 1).await[0], 0x88);
        } else {
            until_cut(&mut stream).await;
        }
        assert_eq!(serving.cut(Cut::Flood), u64::from(!good), "{parts} parts");
    }
    serving.end().await;
}

#[tokio::test]
async fn frames_that_do_no_work_may_come_up_to_the_limit() {
    const AHEAD: u32 = 5;
    let serving = serving(
        hello(),
        limited(Limits {
            control_frames: AHEAD,
            ..Limits::default()
        }),
    )
    .await;
    let mut stream = open(serving.address).await;
    let pings = |count: u32| frame(PING, 0, 0, &[7; 8]).repeat(count as usize);
    stream.write_all(&pings(AHEAD)).await.expect("sent");
    for _ in 0..AHEAD {
        until(&mut stream, PING, 0).await;
    }
    assert_eq!(serving.cut(Cut::Flood), 0);
    // Time earns a hundred a second, but never more than the limit.
    stream.write_all(&pings(2 * AHEAD + 2)).await.expect("sent");
    until_cut(&mut stream).await;
    assert_eq!(serving.cut(Cut::Flood), 1);
    serving.end().await;
}

#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection_and_are_counted() {
    let serving = serving(hello(), Options::default()).await;
    let mut stream = open(serving.address).await;
    let mut flood = Vec::new();
    for n in 0..4 * defaults::MAX_PENDING_RESETS as u32 {
        let id = 2 * n + 1;
        flood.extend(frame(HEADERS, END_HEADERS | END_STREAM, id, GET));
        flood.extend(frame(RST_STREAM, 0, id, &[0, 0, 0, 8]));
    }
    stream.write_all(&flood).await.expect("sent");
    until_cut(&mut stream).await;
    serving.until(|door| door.cut(Cut::Flood) == 1).await;
    serving.end().await;
}

/// `GET /` with one more field, whose value has so many bytes.
fn get_with_field(value: usize) -> Vec<u8> {
    let mut block = GET.to_vec();
    block.extend([0x00, 1, b'y']);
    // An integer with a prefix of seven bits (RFC 7541, section 5.1).
    block.push(0x7f);
    let mut rest = value - 0x7f;
    while rest >= 0x80 {
        block.push((rest % 0x80) as u8 | 0x80);
        rest /= 0x80;
    }
    block.push(rest as u8);
    block.resize(block.len() + value, b'z');
    block
}

#[tokio::test]
async fn headers_may_be_as_large_as_the_limit_to_the_byte() {
    let serving = serving(hello(), Options::default()).await;
    // Each field counts its name, its value and 32 bytes.
    let others = [(7, 3), (5, 1), (7, 4), (10, 1)].map(|(name, value)| name + value + 32);
    let most = defaults::MAX_HEADERS - others.iter().sum::<usize>() - 33;
    let mut stream = open(serving.address).await;
    for (id, value, refused) in [(1, most, 0), (3, most + 1, 1), (5, most, 1)] {
        let block = get_with_field(value);
        let request = frame(HEADERS, END_HEADERS | END_STREAM, id, &block);
        stream.write_all(&request).await.expect("sent");
        let answer = until(&mut stream, HEADERS, id).await;
        // ":status: 200" in the static table.
        assert_eq!(answer[0] == 0x88, id != 3, "{value} bytes");
        assert_eq!(serving.refused(Refused::Headers), refused);
    }
    drop(stream);
    serving.end().await;
}

#[tokio::test]
async fn streams_may_be_wrong_up_to_the_limit() {
    let serving = serving(hello(), Options::default()).await;
    let mut stream = open(serving.address).await;
    let mut ids = (1..).step_by(2);
    // It has a length (28 in the static table) of 5, and ends without a body.
    let wrong = [POST, &[0x0f, 0x0d, 1, b'5']].concat();
    for _ in 0..defaults::MAX_ERROR_RESETS {
        let id = ids.next().expect("endless");
        let wrong = frame(HEADERS, END_HEADERS | END_STREAM, id, &wrong);
        stream.write_all(&wrong).await.expect("sent");
        until(&mut stream, RST_STREAM, id).await;
    }
    let id = ids.next().expect("endless");
    let good = frame(HEADERS, END_HEADERS | END_STREAM, id, GET);
    stream.write_all(&good).await.expect("sent");
    assert_eq!(until(&mut stream, HEADERS, id).await[0], 0x88);
    assert_eq!(serving.cut(Cut::Flood), 0);
    let id = ids.next().expect("endless");
    let wrong = frame(HEADERS, END_HEADERS | END_STREAM, id, &wrong);
    stream.write_all(&wrong).await.expect("sent");
    until_cut(&mut stream).await;
    serving.until(|door| door.cut(Cut::Flood) == 1).await;
    serving.end().await;
}

#[tokio::test]
async fn settings_are_said_and_confirmed_once_however_late_a_request_comes() {
    const ACK: u8 = 1;
    let serving = serving(hello(), Options::default()).await;
    let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, GET);
    let (first, second) = request.split_at(12);
    for confirmed_first in [false, true] {
        let mut stream = open(serving.address).await;
        // Clients wait for this before they ask, some for the confirmation.
        let (kind, flags, ..) = next(&mut stream).await;
        assert_eq!((kind, flags), (SETTINGS, 0));
        let ours = frame(SETTINGS, ACK, 0, &[]);
        stream.write_all(&ours).await.expect("sent");
        let mut confirmed = 0;
        if confirmed_first {
            let (kind, flags, ..) = next(&mut stream).await;
            assert_eq!((kind, flags), (SETTINGS, ACK));
            confirmed += 1;
        }
        for part in [first, second] {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.write_all(part).await.expect("sent");
        }
        let answer = loop {
            let (kind, flags, _, payload) = next(&mut stream).await;
            assert!(kind != SETTINGS || flags == ACK, "settings are said twice");
            confirmed += u32::from(kind == SETTINGS);
            if kind == HEADERS {
                break payload;
            }
        };
        assert_eq!((answer[0], confirmed), (0x88, 1));
    }
    serving.end().await;
}
